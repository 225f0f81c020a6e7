"""This project's decisions for many rollouts at once, on the product's own evidence.

The one place that calls the product. Only the walk along the steps is written anew, as
arrays; `test_decisions.py` holds it against `Machine`, scrape by scrape.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scripts.rollout.decision import measurement
from scripts.rollout.decision.paired import fair
from scripts.rollout.decision.phases import baking
from scripts.rollout.evidence.evidence import Evidence
from scripts.rollout.evidence.forecast.ladder import Looks, Traffic
from scripts.rollout.evidence.learned import BURST, FEW, GROWN
from scripts.rollout.evidence.pairs.paired import PairCounts
from scripts.rollout.evidence.two_sample import Counts
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.baked import MINUTE_S
from tests.bench.decisions.known import Known, phis
from tests.bench.decisions.world.labels import LABELS
from tests.bench.decisions.world.rates import BASE, Array
from tests.bench.decisions.world.streams import Seen, Stream

MOVED = 0.7


@dataclass(frozen=True, slots=True)
class Variant:
    """A policy, and whether a rollback is possible at all."""

    name: str
    policy: Policy
    rolls_back: bool = True


def looks_of(policy: Policy, rps: float) -> Looks:
    """Steps and interval at this traffic, with outcomes that are independent."""
    others = len(policy.metrics) - len(BASE)
    bad = np.pad(BASE, (0, others), constant_values=0.01)
    expected = Traffic(rps, bad, np.ones(len(bad)), policy.pairs_rps(rps))
    return measurement.looks(policy, expected)


class Ours:
    """R rollouts under one policy."""

    def __init__(
        self, variant: Variant, known: Known, stream: Stream, rps: float
    ) -> None:
        """Learn from what is `known` of the stable, begin at the first step."""
        policy, rollouts = variant.policy, stream.rollouts
        self.name, self._variant = variant.name, variant
        looks = looks_of(policy, rps)
        self.interval_s, self.steps = looks.interval, looks.steps
        self.policy = policy
        self._design = measurement.design(policy, self.steps)
        self._allowed = self._design.tolerance + known.allowed(policy)
        self._weights = np.array([*self.steps, policy.bake.percent])
        bad, n = known.history.bad, known.history.n
        self.known = known
        self.phi = known.phi(policy).copy()
        is_estimated = policy.dependence.cluster_size == "auto"
        is_little = is_estimated and bad.shape[1] < FEW
        self._past = [np.dstack([bad, n])] if is_little else []
        self._scrapes = self._used = bad.shape[1]
        prior = n.sum(axis=-1)[:, None] + 50.0
        rate = (bad.sum(axis=1) + 0.5) / prior
        prior = np.minimum(prior, measurement.LARGEST_PRIOR) * np.ones(2)
        rate, prior = self._of_all(rate, 0.01), self._of_all(prior, 50.0)
        self._evidence = Evidence.begin(
            self._design, rate * prior, prior, has_pairs=policy.has_pairs
        )
        self._baked = Baked(rollouts)
        self._rows = np.arange(rollouts)
        self._step = np.zeros(rollouts, dtype=np.int64)
        self._entered = np.zeros(rollouts)
        self._held = (stream.cell.held_min * 60, stream.cell.at)
        self.promoted = np.full(rollouts, np.nan)
        self.passed = np.full(rollouts, np.nan)
        self.rolled_back = np.full(rollouts, np.nan)

    @property
    def is_on(self) -> npt.NDArray[np.bool_]:
        """Which rollouts are not decided yet."""
        return np.asarray(np.isnan(self.promoted) & np.isnan(self.rolled_back))

    @property
    def weight(self) -> npt.NDArray[np.int64]:
        """Percent of the canary."""
        now = np.where(np.isnan(self.rolled_back), self._weights[self._step], 0)
        return np.where(np.isnan(self.promoted), now, 100)

    def see(self, seen: Seen, now_s: float) -> None:
        """Look at one scrape: evidence, rollback, gates, in the machine's order."""
        self._drop_decided()
        rows, weight = self._rows, self.weight[self._rows]
        if not len(rows):
            return
        self._measure(seen, rows, weight, now_s)
        on = self.is_on[rows]
        if self._variant.rolls_back:
            worse = on & self._evidence.must_roll_back(self._design)
            self.rolled_back[rows[worse]] = now_s
            on &= ~worse
        self._rise(rows, on, now_s)

    def _measure(
        self,
        seen: Seen,
        rows: npt.NDArray[np.int64],
        weight: npt.NDArray[np.int64],
        now_s: float,
    ) -> None:
        counts = Counts(*(self._of_all(each[rows])[None] for each in seen.counts()))
        epoch = self._evidence.worse.mixture.epoch
        new_epochs = [now_s >= (epoch + 1) * measurement.EPOCH_S]
        at, phi, design = weight.astype(float), self.phi[rows], self._design
        if self._allowed.any():
            design = dataclasses.replace(design, tolerance=self._allowed[rows])
        most = BURST if self._past else math.inf
        (found,) = self._evidence.update(design, counts, phi, at, new_epochs, most=most)
        if self.policy.shadow is not None:
            asked = paired(seen.pairs[self.policy.shadow.share])
            pairs = PairCounts(*(self._of_all(each[rows]) for each in asked))
            found = found.with_pairs(design, pairs, design.limit, phi, at, most)
        if LABELS in seen.pairs:
            found = self._with_labels(found, seen.pairs[LABELS][:, rows], phi, weight)
        self._evidence = found
        self._baked.add(self._step > len(self.steps) - 1, seen, now_s)
        if self._past:
            self._learn(seen.users[3:6].T)

    def _of_all(self, counts: Array, other: float = 0.0) -> Array:
        """Counts (R, 2) with those of the policy's other metrics."""
        more = ((0, 0), (0, len(self.policy.metrics) - counts.shape[1]))
        return np.pad(counts, more, constant_values=other)

    def _with_labels(
        self, found: Evidence, labels: Array, phi: Array, weight: npt.NDArray[np.int64]
    ) -> Evidence:
        """Labels of the last metric, whose limit is that of the answers' weight."""
        for percent in np.unique(weight[weight < 100]).tolist():
            wrong, n = labels * (weight == percent)
            columns = np.zeros((4, *phi.shape))
            columns[0, :, -1], columns[1, :, -1], columns[3, :, -1] = (
                wrong,
                n - wrong,
                n,
            )
            limit = np.where(np.isnan(self._design.limit), np.nan, fair(percent))
            at = weight.astype(float)
            found = found.with_pairs(self._design, PairCounts(*columns), limit, phi, at)
        return found

    def _learn(self, stable: Array) -> None:
        """As `dependence.learned_anew`, from the stable's bad ones and n (R, 3)."""
        self._past.append(stable[:, None])
        self._scrapes += 1
        if self._scrapes < min(int(GROWN * self._used), FEW):
            return
        past = np.concatenate(self._past, axis=1)
        for row in self._rows:
            new = np.array(phis(self.policy, past[row, :, :2], past[row, :, 2]))
            self.phi[row] = np.maximum(self.phi[row], new)
        self._used = self._scrapes
        self._past = [past] if self._used < FEW else []

    def _rise(
        self, rows: npt.NDArray[np.int64], on: npt.NDArray[np.bool_], now_s: float
    ) -> None:
        last = len(self.steps) - 1
        step, waited = self._step[rows], now_s - self._entered[rows]
        baked = on & (step > last) & (waited >= self.policy.bake.duration)
        baked &= self._baked.is_enough(self.policy)[rows]
        self.promoted[rows[baked]] = now_s
        opens = self._evidence.opens(self._design)
        at = np.arange(len(rows))
        ready = on & (step <= last) & (waited >= self.policy.dwell_s)
        through = ready & (step == last) & opens[:, last]
        following = np.where(through, last + 1, step)
        for _ in range(last if self.policy.is_auto else 1):
            here = np.minimum(following, last)
            more = ready & (step < last) & (following < last) & opens[at, here]
            following = np.where(more, following + 1, following)
        held_s, least = self._held
        if now_s < held_s:
            following = np.where(self._weights[following] >= least, step, following)
        moved = following > step
        self._step[rows] = following
        self._entered[rows[moved]] = now_s
        self._baked.since[rows[moved]] = now_s
        self.passed[rows[through & moved]] = now_s

    def _drop_decided(self) -> None:
        keep = self.is_on[self._rows]
        if keep.mean() < MOVED if len(keep) else False:
            self._evidence = _taken(self._evidence, keep)
            self._rows = self._rows[keep]


class Baked:
    """The product's `Baked`, as arrays over rollouts."""

    def __init__(self, rollouts: int) -> None:
        """Nothing yet."""
        self.since = np.zeros(rollouts)
        self._seconds, self._canary = np.zeros(rollouts), np.zeros(rollouts)
        self._fresh = np.zeros((2, rollouts))

    def add(self, on: npt.NDArray[np.bool_], seen: Seen, now_s: float) -> None:
        """One scrape of those that bake."""
        both = np.where(on, seen.users[[2, 5]], 0.0)
        self._fresh += both
        self._canary += both[0]
        is_full = on & (self._fresh > 0).all(axis=0)
        passed = np.minimum(now_s - self.since, MINUTE_S)
        self._seconds += np.where(is_full, passed, 0.0)
        self.since = np.where(is_full, now_s, self.since)
        self._fresh = np.where(is_full, 0.0, self._fresh)

    def is_enough(self, policy: Policy) -> npt.NDArray[np.bool_]:
        """Seconds with traffic of both arms, and requests of the canary."""
        needed = baking.requests_needed(policy)
        enough = (self._seconds >= policy.bake.duration) & (self._canary >= needed)
        return np.asarray(enough)


def paired(pairs: Array) -> tuple[Array, Array, Array, Array]:
    """(R, 2) each: only the canary's answer bad, only the stable's, both, and n."""
    return pairs[[1, 4]].T, pairs[[2, 5]].T, pairs[[3, 6]].T, pairs[[0, 0]].T


def _taken(value: Any, keep: npt.NDArray[np.bool_]) -> Any:
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        taken = {name: _taken(getattr(value, name), keep) for name in names}
        return dataclasses.replace(value, **taken)  # type: ignore[type-var]
    return value[keep] if isinstance(value, np.ndarray) else value
