"""A good canary and bad ones, nothing else wrong; what each must cost at most."""

from tests.bench.decisions.variants import (
    ALL,
    DISARMED,
    FIRST,
    FIXED,
    PAIRED,
    TRUSTED,
)
from tests.bench.decisions.world.cells import (
    ALPHA,
    BETA,
    BROKEN,
    BUDGET,
    Cell,
    Must,
)
from tests.bench.decisions.world.rates import Shared

SHARES = (0.2, 1.0)
QUIET = Must(back=ALPHA)
FAST = Must(back=ALPHA, minutes=1.9)
SAFE = Must(promoted=BETA)
DAMAGE = {FIRST: Must(promoted=BETA, bad=15)}
CAUGHT = {FIRST: Must(promoted=BETA, bad=30)}


def same(must: Must, names: tuple[str, ...] = (FIRST,)) -> dict[str, Must]:
    """The same for each of these policies."""
    return dict.fromkeys(names, must)


PLAIN = (
    Cell(
        "identical",
        pairs=SHARES,
        must=same(QUIET, (FIXED,))
        | same(FAST, (FIRST, *PAIRED))
        | {
            TRUSTED[0]: Must(back=ALPHA, minutes=1.5),
            TRUSTED[1]: Must(back=ALPHA, minutes=0.8),
        },
    ),
    Cell(
        "identical, incident on both, 5 % errors, min 1-7",
        trouble=Shared(((60, 420, 0.05),)),
        pairs=SHARES,
        must=same(QUIET, ALL),
    ),
    Cell(BUDGET, errors=0.005, pairs=SHARES, must=same(SAFE, ALL)),
    Cell("5 % over 250 ms instead of 1 %", over=0.04, pairs=SHARES),
    Cell("+2 % errors", errors=0.02, pairs=SHARES, must=DAMAGE),
    Cell("+10 % errors", errors=0.10, pairs=SHARES, must=CAUGHT),
    Cell(BROKEN, errors=0.995, pairs=SHARES, must=CAUGHT),
    Cell("+5 % errors from weight 25 on", errors=0.05, at=25, pairs=SHARES),
)

AT_BUDGET = (Cell(BUDGET, errors=0.005, must=same(SAFE, (DISARMED,))),)

MANAGED = (
    Cell("identical"),
    Cell(
        "identical, incident on both, 5 % errors, min 1-7",
        trouble=Shared(((60, 420, 0.05),)),
    ),
    Cell(BUDGET, errors=0.005),
    Cell("+2 % errors", errors=0.02),
    Cell("+10 % errors", errors=0.10),
    Cell(BROKEN, errors=0.995),
)

SLOW = (
    Cell("identical", must=same(Must(back=ALPHA, minutes=90))),
    Cell(BUDGET, errors=0.005, must=same(SAFE)),
    Cell("+10 % errors", errors=0.1),
    Cell(BROKEN, errors=0.995),
)


def fast(bad: float) -> tuple[Cell, ...]:
    """At high traffic; a broken canary costs `bad` at most."""
    return (
        Cell("identical", must=same(QUIET)),
        Cell(BUDGET, errors=0.005, must=same(SAFE)),
        Cell(BROKEN, errors=0.995, must=same(Must(bad=bad))),
    )
