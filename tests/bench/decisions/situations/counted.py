"""What is counted: other times, gaps, fresh counters."""

from tests.bench.decisions.situations.plain import QUIET, same
from tests.bench.decisions.world.cells import (
    Cell,
    Must,
    Read,
)
from tests.bench.decisions.world.rates import Shared

READ_APART = tuple(
    Cell(
        f"identical, incident on both from min 1 to 7, canary read {apart:g} s earlier",
        trouble=Shared(((60, 420, 0.05),)),
        read=Read(apart_s=apart),
        must=same(QUIET),
    )
    for apart in (0, 2, 5, 10)
)
PROMETHEUS = tuple(
    cell
    for every in (30, 60)
    for cell in (
        Cell(
            f"identical, Prometheus each {every} s, canary {every / 3:g} s earlier",
            trouble=Shared(((60, 420, 0.05),)),
            read=Read(every, every / 3),
            must=same(QUIET),
        ),
        Cell(
            f"+10 % errors, Prometheus each {every} s, canary {every / 3:g} s earlier",
            errors=0.1,
            read=Read(every, every / 3),
            must=same(Must(found=0.99)),
        ),
    )
)
BROKEN_OFF = (
    Cell(
        "identical, canary not read from 60 s to 150 s",
        read=Read(gap=(60, 150)),
        must=same(QUIET),
    ),
    Cell(
        "identical, canary started anew after 65 s",
        read=Read(restart=65),
        must=same(QUIET),
    ),
    Cell(
        "+10 % errors, not read from 10 s to 70 s",
        errors=0.1,
        read=Read(gap=(10, 70)),
        must=same(Must(found=0.99)),
    ),
)
OF_PODS = tuple(
    Cell(
        f"{told}, 1 and 4 pods, each scraped at its own time each 30 s{told_lost}",
        errors=errors,
        trouble=trouble,
        read=Read(30, pods=(1, 4), patterns=20, lost=lost),
        must=same(must),
    )
    for lost, told_lost in ((0, ""), (65, ", one of 4 gone after 65 s"))
    for told, errors, trouble, must in (
        ("identical, incident on both", 0.0, Shared(((60, 420, 0.05),)), QUIET),
        ("+10 % errors", 0.1, Shared(), Must(found=0.99)),
    )
)
READ = READ_APART + PROMETHEUS + BROKEN_OFF
