"""What is promised over many schedules: counted, faults included, people's will not."""

import math
from collections import Counter
from collections.abc import Sequence

from tests.simulation.simulation import Result

ALPHA, BETA = 0.01, 0.05  # of the policy: a good one back, a bad one promoted
ROLLED_BACK, PROMOTED = "RolledBack", "Promoted"
BARELY = 0.001


def broken(results: Sequence[Result]) -> list[str]:
    """Return what was broken, each with the seed that shows it again."""
    found = [f"seed {each.seed}: {what}" for each in results for what in each.broken]
    free = [each for each in results if not each.steered]
    good = [each.outcome for each in free if each.excess < BARELY]
    bad = [each.outcome for each in free if each.excess >= BARELY]
    for name, outcomes, ending, most in (
        ("good", good, ROLLED_BACK, ALPHA),
        ("bad", bad, PROMOTED, BETA),
    ):
        n, wrong = len(outcomes), outcomes.count(ending)
        if wrong > allowed(n, most):
            found.append(f"{wrong} of {n} {name} canaries ended {ending}")
    return found


def allowed(n: int, share: float) -> float:
    """Return how many of n chance may bring at a share, but once in 10,000 times."""
    return n * share + 4 * math.sqrt(n * share * (1 - share)) + 1


def told(results: Sequence[Result]) -> str:
    """Return the counts in words."""
    faults: Counter[str] = Counter()
    for each in results:
        faults.update(each.faults)
    lines = [f"{len(results)} schedules, {sum(each.looks for each in results)} looks"]
    for name, is_bad in (("good", False), ("over its budget", True)):
        kind = [e for e in results if not e.steered and (e.excess >= BARELY) is is_bad]
        ends = Counter(each.outcome for each in kind)
        lines.append(f"canary {name}, left alone: {_counts(ends)}")
    steered = Counter(each.outcome for each in results if each.steered)
    lines.append(f"steered by people or a third revision: {_counts(steered)}")
    lines.append(f"faults that happened: {_counts(faults)}")
    return "\n".join(lines)


def _counts(found: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in found.most_common())
