"""Draws and compares until there are as many requests as asked; prints what differs."""

import argparse
import logging
import sys

from tests.fuzz import contents, ways

PART = 20_000


def main() -> int:
    """Return 1 where something was read in two ways, or raised."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logging.getLogger("uvicorn.error").disabled = True
    for seed in range(given.seed, given.seed + given.requests // (2 * PART)):
        for kind in (ways, contents):
            read, found = kind.compare(PART, seed)
            name = kind.__name__.rpartition(".")[2]
            print(
                f"{name}, seed {seed}: {PART} drawn, {read} read, {len(found)} differ"
            )
            if found:
                print("\n\n".join(found[:5]))
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
