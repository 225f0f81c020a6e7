"""Counts of both arms over the same seconds, whenever each of them was read. Pure.

What one arm gained is kept until the other has moved as well, and until the seconds in
which both gained it are nearly the same: else trouble that hits both would count in one
of them first. It depends on sizes and times alone, so the evidence stays valid.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from scripts.rollout.metrics import counters
from scripts.rollout.metrics.port import (
    BAD,
    CONFIDENCE,
    ERRORS,
    LABEL,
    READ_AT,
    REQUESTS,
    STARTED,
    TIMED,
    TIMEOUTS,
    TOTAL,
    UP_TO,
    Reading,
    Sample,
    merge,
)
from scripts.rollout.metrics.windows.spans import Spans, share_apart
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.observation import Delta, Row

# Part of the guarantee: the share of an arm's requests that may come from seconds in
# which the other was not counted. At 10 s a look it is 1 s: an incident of both arms
# then rolls 0.2 % of good canaries back, with 2 s 0.8 %, with 5 s 10 %.
PART = 0.1
# Names of counters that are read together; a metric needs those of one group alone.
TRAFFIC = "traffic"
GROUPS = {
    TRAFFIC: (REQUESTS, ERRORS, TIMEOUTS, TIMED, UP_TO),
    "answers": (LABEL, CONFIDENCE),
    "own": (BAD, TOTAL),
}
ALWAYS = (STARTED, READ_AT)
UNREAD = "unread"  # stands alone for an instance that is there, and was not read yet


@dataclass(frozen=True, slots=True)
class Base:
    """The reading at which the windows of a group begin, and when it was read.

    `late`: the reading of the last look, where the arms are not read together.
    """

    reading: Reading = field(default_factory=dict)
    at: float = 0.0
    late: Reading = field(default_factory=dict)


Bases = Mapping[str, Base]


@dataclass(frozen=True, slots=True)
class Look:
    """One reading: its time, the arms, when the weight changed, and if there is one.

    `unread`: instances that may have counted before, and of which it says nothing.
    """

    reading: Reading
    at: float
    arms: tuple[str, str]
    weighed: float = 0.0
    is_split: bool = True
    unread: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ends:
    """One choice of where both arms' windows end."""

    reading: Reading
    canary: Spans
    stable: Spans

    @classmethod
    def of(cls, base: Base, reading: Reading, look: Look) -> "Ends":
        """Return the spans from the base to a reading."""
        arms = (_spans(base, reading, arm, look.at) for arm in look.arms)
        return cls(reading, *arms)

    @property
    def have_moved(self) -> bool:
        """Return whether both arms have moved."""
        return self.canary.has_moved and self.stable.has_moved

    @property
    def share_apart(self) -> float:
        """Return the share of requests that came in seconds of one arm alone."""
        return share_apart(self.canary, self.stable) if self.have_moved else 1.0

    @property
    def apart_s(self) -> float:
        """Return by how much later one arm's windows end, on average."""
        if not self.have_moved:
            return 0.0
        return abs(
            self.canary.mean(self.canary.ends) - self.stable.mean(self.stable.ends)
        )

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """Return an order: the smallest is compared, or else begun from."""
        is_far = self.share_apart > PART
        return not self.have_moved, is_far, self.apart_s if is_far else 0.0

    @property
    def is_better(self) -> bool:
        """Return whether windows that begin here will be much more alike."""
        if not self.have_moved:
            return False
        starts = [arm.mean(arm.starts) for arm in (self.canary, self.stable)]
        return 2 * self.apart_s <= abs(starts[0] - starts[1])

    @property
    def seconds(self) -> float:
        """Return the length of the longer one."""
        moved = [arm for arm in (self.canary, self.stable) if arm.has_moved]
        return max((arm.mean(arm.ends - arm.starts) for arm in moved), default=0.0)

    def delta(self, policy: Policy, base: Base, look: Look) -> Delta:
        """Return what was gained."""
        return counters.delta(
            policy, base.reading, self.reading, since=base.at, arms=look.arms
        )


def compared(policy: Policy, bases: Bases, look: Look) -> tuple[Delta, Bases]:
    """Return what can be compared at a look, and where the next windows begin."""
    found, after = [], {}
    for name in GROUPS:
        delta, after[name] = _group(policy, bases.get(name, Base()), name, look)
        found.append(delta)
    traffic, answers, _ = found
    rows = {
        name: _sum([each.metrics[name] for each in found]) for name in traffic.metrics
    }
    pods = {**traffic.pods, **answers.pods}
    return replace(traffic, metrics=rows, labels=answers.labels, pods=pods), after


def from_one(reading: Reading, at: float) -> Bases:
    """Return windows of all groups that begin with one reading."""
    return {name: Base(_only(reading, name), at) for name in GROUPS}


def _group(policy: Policy, base: Base, name: str, look: Look) -> tuple[Delta, Base]:
    now = _only(look.reading, name)
    base = _adopted(base, now, look)
    newest = Ends.of(base, now, look)
    if not look.is_split or not (newest.canary.has_moved or newest.stable.has_moved):
        seconds = newest.seconds or (look.at - base.at)
        delta = replace(newest.delta(policy, base, look), seconds=seconds)
        return delta, Base(merge(base.reading, now), look.at)
    best = newest if newest.share_apart <= PART else _best(base, now, look)
    late = {} if best is newest else now
    blank = replace(_blank(newest.delta(policy, base, look)), apart_s=best.apart_s)
    if max(best.canary.until(look.weighed), best.stable.until(look.weighed)) > PART:
        return blank, Base(merge(base.reading, now), look.at)
    following = Base(merge(base.reading, best.reading), look.at, late)
    if best.share_apart <= PART:
        delta = best.delta(policy, base, look)
        return replace(delta, seconds=best.seconds, apart_s=best.apart_s), following
    return blank, following if best.is_better else replace(base, late=now)


def _best(base: Base, now: Reading, look: Look) -> "Ends":
    """Return the windows most alike, if one arm's end at the look before."""
    canary, stable = look.arms
    before = base.late or now
    mixes = [now, {**now, canary: before.get(canary, {})}]
    mixes.append({**now, stable: before.get(stable, {})})
    return min((Ends.of(base, each, look) for each in mixes), key=lambda e: e.rank)


def _only(reading: Reading, group: str) -> Reading:
    names = GROUPS[group]
    return {
        revision: {
            instance: {
                name: value
                for name, value in sample.items()
                if name in ALWAYS or name.startswith(names)
            }
            for instance, sample in instances.items()
        }
        for revision, instances in reading.items()
    }


def _adopted(base: Base, now: Reading, look: Look) -> Base:
    """Add the instances whose gain since the base is unknown.

    Those are seen for the first time and did not start since, or say for the first time
    what they count: they were there, and it was not read.
    """
    unread: Mapping[str, Sample] = {name: {UNREAD: 1.0} for name in look.unread}
    known = merge(dict.fromkeys(look.arms, unread), base.reading)
    begun = {
        arm: {
            instance: sample
            for instance, sample in now.get(arm, {}).items()
            if _is_unknown(base, known[arm].get(instance), sample)
        }
        for arm in look.arms
    }
    return replace(base, reading=merge(known, begun), at=base.at or look.at)


def _is_unknown(base: Base, old: Sample | None, new: Sample) -> bool:
    if old is None:
        return not base.at or new.get(STARTED, 0.0) <= base.at
    return UNREAD in old or counters.is_unknown(old, new)


def _spans(base: Base, now: Reading, arm: str, at: float) -> Spans:
    known = base.reading.get(arm, {})
    rows = []
    for instance, gained in counters.gained(base.reading, now, arm, base.at).items():
        sample = now[arm][instance]
        begun = known.get(instance, {}).get(READ_AT, base.at)
        start = max(begun, sample.get(STARTED, 0.0))
        rows.append((start, sample.get(READ_AT, at), counters.size(gained)))
    starts, ends, n = np.array(rows, dtype=float).reshape(-1, 3).T
    return Spans(starts, np.maximum(ends, starts), n)


def _blank(delta: Delta) -> Delta:
    return Delta(dict.fromkeys(delta.metrics, (0.0, 0.0, 0.0, 0.0)), is_carried=True)


def _sum(rows: list[Row]) -> Row:
    a, b, c, d = (sum(column) for column in zip(*rows, strict=True))
    return (a, b, c, d)
