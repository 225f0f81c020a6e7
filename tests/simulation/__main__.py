"""Run many schedules, or one with all that it says: `make soak`, SEED=7 for one."""

import argparse
import sys
import warnings
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from os import cpu_count

from tests.simulation import promises, simulation
from tests.simulation.simulation import Result

SCHEDULES = 20_000


def run(seeds: Sequence[int], workers: int, *, until_broken: bool) -> list[Result]:
    """Run schedules, at most until one is broken; tell the broken ones at once."""
    found: list[Result] = []
    # Overflows of a mutant's evidence are no lines of output.
    quiet = warnings.simplefilter, ("ignore", RuntimeWarning)
    with get_context("fork").Pool(workers, *quiet) as pool:
        results: Iterator[Result] = pool.imap(simulation.run, seeds, chunksize=10)
        for each in results:
            found.append(each)
            if each.broken:
                print(f"seed {each.seed}: {'; '.join(each.broken)}", flush=True)
            if each.broken and until_broken:
                break
    return found


def main() -> int:
    """Return 1 if anything was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=SCHEDULES)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=cpu_count() or 1)
    parser.add_argument("--seed", type=int, help="this one, with what it says")
    parser.add_argument("--until-broken", action="store_true")
    chosen = parser.parse_args()
    if chosen.seed is not None:
        made, result = simulation.simulation(chosen.seed)
        print("\n".join(made.said), result, sep="\n")
        return bool(result.broken)
    seeds = range(chosen.first, chosen.first + chosen.schedules)
    results = run(seeds, chosen.workers, until_broken=chosen.until_broken)
    print(promises.told(results))
    found = promises.broken(results)
    print(*(found or ["nothing was broken"]), sep="\n")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
