"""What is assumed of outcomes, of users, of pairs, and of harm."""

from tests.bench.decisions.situations.plain import FAST, QUIET, SAFE, SHARES, same
from tests.bench.decisions.variants import FIRST, FIXED, LABELLED, PAIRED, TRUSTED
from tests.bench.decisions.world.cells import (
    ALPHA,
    BROKEN,
    Cell,
    Labelled,
    Must,
)
from tests.bench.decisions.world.rates import (
    Beta,
    Cold,
    Own,
    Pods,
    Shared,
    Sticky,
    Wave,
)

HOUR_S = 3600.0
OWN = (
    Cell(
        "own episodes, 3 times as bad, 10 %, 3 min",
        trouble=Own(3, 0.1, 180),
        must=same(QUIET),
    ),
    Cell(
        "own episodes, twice as bad, 20 %, 5 min",
        trouble=Own(2, 0.2, 300),
        must=same(QUIET),
    ),
    Cell(
        "own episodes, 5 times as bad, 5 %, 1 min",
        trouble=Own(5, 0.05, 60),
        must=same(QUIET),
    ),
)
PAST = (
    Cell(
        "past incident, 5 % errors for 6 min, two hours ago",
        trouble=Shared(((-2 * HOUR_S, -2 * HOUR_S + 360, 0.05),)),
        must=same(Must(back=ALPHA, minutes=1.3 * 1.9)),
    ),
    Cell(
        "daily wave, 1 to 10 times as bad",
        trouble=Wave(10),
        must=same(Must(back=ALPHA, minutes=10)),
    ),
    Cell(
        "hourly wave, 1 to 3 times as bad",
        trouble=Wave(3, HOUR_S),
        must=same(Must(back=ALPHA, minutes=10)),
    ),
)
DISPERSED = tuple(
    Cell(
        f"beta-binomial, rho {rho:g}, {told}",
        trouble=Beta(rho),
        scrapes=scrapes,
        must=same(QUIET),
    )
    for rho in (0.001, 0.01, 0.1)
    for scrapes, told in ((2160, "6 h"), (30, "30 scrapes"))
)
CLUSTERED = (
    Cell("outcomes in clusters of 4", clusters=((1.0, 4),), must=same(QUIET)),
    Cell(
        "15 % of outcomes in clusters of 3",
        clusters=((0.85, 1), (0.15, 3)),
        must=same(QUIET),
    ),
    Cell(
        "bursts of 25 errors, once in 20 min, 6 h", burst=(25, 1200), must=same(QUIET)
    ),
    Cell(
        "bursts of 25 errors, once in 20 min, 30 scrapes",
        burst=(25, 1200),
        scrapes=30,
        must=same(QUIET),
    ),
    Cell("identical, 30 scrapes", scrapes=30, must=same(QUIET)),
)
COLD = tuple(
    cell
    for half_s in (5, 10, 20)
    for cell in (
        Cell(
            f"cold start: 90 % over 250 ms, halved each {half_s} s, warmed up",
            trouble=Cold(0.9, half_s),
            must=same(QUIET) if half_s < 20 else {},
        ),
        Cell(
            f"cold start: 90 % over 250 ms, halved each {half_s} s, no warm-up",
            trouble=Cold(0.9, half_s, is_warmed=False),
        ),
    )
)
HELD = tuple(
    Cell(
        f"+0.6 % errors from weight 50 on, held below for {held} min",
        errors=0.006,
        at=50,
        held_min=held,
        must=same(SAFE, (FIRST, FIXED)),
    )
    for held in (0, 10, 60)
)
BOTH_OVER = (
    Cell(
        "identical, 40 % errors of both from min 1 to 3",
        trouble=Shared(((60, 180, 0.4),)),
        must=same(QUIET),
    ),
    Cell(
        "+40 % errors beside an incident of 40 % of both",
        errors=0.4,
        trouble=Shared(((0, 180, 0.4),)),
        must=same(Must(found=0.99)),
    ),
)
UNITS = (
    Cell(
        "pods differ by 20 % in latency, canary 1, stable 4",
        trouble=Pods(0.2),
        must=same(QUIET),
    ),
    Cell(
        "pods differ by 50 % in latency, canary 1, stable 4",
        trouble=Pods(0.5),
        must=same(QUIET),
    ),
    Cell(
        "pods differ by 50 % in latency, canary 4, stable 4",
        trouble=Pods(0.5, 4),
        must=same(QUIET),
    ),
    Cell(
        "pods differ by 50 % in latency, 30 scrapes, canary 1, stable 4",
        trouble=Pods(0.5),
        scrapes=30,
    ),
    Cell(
        "+10 % over 250 ms, pods differ by 20 %, canary 1, stable 4",
        over=0.1,
        trouble=Pods(0.2),
        must=same(Must(found=0.99)),
    ),
    Cell("2000 sticky users, 2 % prone to errors", trouble=Sticky(2000)),
    Cell("200 sticky users, 2 % prone to errors", trouble=Sticky(200)),
)
COMPLAINTS = (
    Cell(
        "identical, 20 labels a minute by complaint",
        pairs=SHARES,
        labels=Labelled(20),
        must=same(QUIET, (LABELLED,)),
    ),
    Cell(
        "wrong 19 times as often as the stable, 60 labels a minute at random",
        pairs=SHARES,
        labels=Labelled(60, (19.0, 1.0), by_complaint=False),
    ),
)
NOW_AND_THEN = (
    Cell(
        "30 % errors for 10 s each 5 min", errors=0.3, comes=(10, 300), must=same(SAFE)
    ),
    Cell(
        "all errors for 10 s each 20 min",
        errors=0.99,
        comes=(10, 1200),
        must=same(SAFE),
    ),
)
PAIRS = (
    Cell(
        "+0.5 % errors, users only",
        errors=0.005,
        pairs=SHARES,
        users_only=True,
        must=same(SAFE, PAIRED),
    ),
    Cell(
        "+1 % errors, users only",
        errors=0.01,
        pairs=SHARES,
        users_only=True,
        must=same(Must(promoted=0.01), PAIRED),
    ),
    Cell(
        "+0.5 % errors in both",
        errors=0.005,
        pairs=SHARES,
        must=same(SAFE, PAIRED + TRUSTED),
    ),
    Cell(
        "identical, who is asked first adds 2 % and 1 %",
        pairs=SHARES,
        first_asked=(0.02, 0.01),
        must=same(QUIET, PAIRED + TRUSTED),
    ),
    Cell(
        "identical, correlation 0.5 within a pair",
        pairs=SHARES,
        alike=0.5,
        must=same(FAST, PAIRED),
    ),
    Cell(
        BROKEN, errors=0.995, pairs=SHARES, must=same(Must(found=0.99, bad=0), PAIRED)
    ),
)
