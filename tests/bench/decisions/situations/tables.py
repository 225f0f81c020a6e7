"""Every table of the bench: its traffic, cells and policies."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.bench.decisions.situations.assumed import (
    BOTH_OVER,
    CLUSTERED,
    COLD,
    COMPLAINTS,
    DISPERSED,
    HELD,
    NOW_AND_THEN,
    OWN,
    PAIRS,
    PAST,
    UNITS,
)
from tests.bench.decisions.situations.counted import OF_PODS, READ
from tests.bench.decisions.situations.plain import (
    AT_BUDGET,
    MANAGED,
    PLAIN,
    SLOW,
    fast,
)
from tests.bench.decisions.variants import (
    ALL,
    DISARMED,
    FIRST,
    FIXED,
    IID,
    LABELLED,
    PAIRED,
    PERIODS,
    TRUSTED,
    WIDE,
)
from tests.bench.decisions.world.cells import Cell


@dataclass(frozen=True, slots=True)
class Table:
    """Cells under one traffic; `minutes` is how long they are looked at.

    `rollouts`: the part of those asked for, where no rate of 1 % is claimed.
    `is_managed`: on a managed service, beside its own guardrail.
    """

    title: str
    cells: tuple[Cell, ...]
    variants: tuple[str, ...] = (FIRST,)
    rps: float = 50.0
    minutes: float = 60.0
    with_peers: bool = True
    rollouts: float = 1.0
    is_managed: bool = False


TABLES: Mapping[str, Table] = {
    "plain": Table("50 requests/s", PLAIN, ALL),
    "disarmed": Table(
        "50 requests/s, the rollback switched off",
        AT_BUDGET,
        (DISARMED,),
        with_peers=False,
    ),
    "read": Table("Counters read at other times", READ, minutes=40),
    "scraped": Table(
        "Pods that are scraped each at its own time",
        OF_PODS,
        minutes=20,
        with_peers=False,
    ),
    "own": Table("Trouble of one arm, equal in law in both", OWN, (FIRST, FIXED)),
    "past": Table("Trouble that both arms share, now or before", PAST),
    "dispersed": Table("Outcomes that depend on each other", DISPERSED),
    "clustered": Table("Clusters and bursts", CLUSTERED, (FIRST, IID)),
    "cold": Table("Cold start", COLD, with_peers=False),
    "held": Table(
        "Harm from half the traffic on",
        HELD,
        (FIRST, FIXED),
        minutes=120,
        with_peers=False,
    ),
    "over": Table("Over maxErrorRate", BOTH_OVER, minutes=30),
    "units": Table("Pods and users", UNITS),
    "now and then": Table("Now and then", NOW_AND_THEN, rollouts=0.4),
    "pairs": Table("Pairs", PAIRS, (*PAIRED, *TRUSTED), with_peers=False),
    "labels": Table(
        "True labels", COMPLAINTS, (LABELLED,), minutes=20, with_peers=False
    ),
    "managed": Table(
        "50 requests/s on a managed service",
        MANAGED,
        (PERIODS,),
        with_peers=False,
        is_managed=True,
    ),
    "slow": Table("1 request/s", SLOW, (FIRST, WIDE), 1.0, 360),
    "fast": Table("1,000 requests/s", fast(30), (FIRST,), 1000.0, 10, rollouts=0.4),
    "fastest": Table(
        "20,000 requests/s", fast(80), (FIRST,), 20_000.0, 5, rollouts=0.2
    ),
}
