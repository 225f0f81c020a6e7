"""This project's decisions for many rollouts at once, on the product's own evidence.

Only the walk along the steps is written anew, as arrays; `test_decisions.py` holds it
against `Machine`, scrape by scrape.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scripts.rollout.decision import measurement
from scripts.rollout.evidence.dispersion import dispersion
from scripts.rollout.evidence.evidence import Evidence
from scripts.rollout.evidence.ladder import Traffic
from scripts.rollout.evidence.paired import PairCounts
from scripts.rollout.evidence.two_sample import Counts
from scripts.rollout.policy.policy import Policy
from tests.bench.streams import ERRORS, OVER_250, Array, Seen, Stream

HISTORY_SCRAPES = 2160
MOVED = 0.7


@dataclass(frozen=True, slots=True)
class Variant:
    """A policy, where phi comes from, and whether a rollback is possible at all."""

    name: str
    policy: Policy
    scrapes: int = HISTORY_SCRAPES
    rolls_back: bool = True


class Ours:
    """R rollouts under one policy."""

    def __init__(self, variant: Variant, stream: Stream, rollouts: int, rps: float):  # noqa: ANN204
        """Learn phi from the stable's history, choose steps, begin at the first."""
        policy = variant.policy
        self.name, self._variant = variant.name, variant
        expected = Traffic(rps, np.array([ERRORS, OVER_250]), np.ones(2))
        steps = self.steps = measurement.looks(policy, expected).steps
        self.policy = policy
        self._design = measurement.design(policy, steps)
        self._weights = np.array([*steps, policy.bake.percent])
        bad, n = stream.history(variant.scrapes)
        self.known = bad.sum(axis=1), n.sum(axis=-1)
        self.phi = np.array([_phis(policy, b, m) for b, m in zip(bad, n, strict=True)])
        prior = n.sum(axis=-1)[:, None] + 50.0
        rate = (bad.sum(axis=1) + 0.5) / prior
        known = np.minimum(prior, measurement.LARGEST_PRIOR) * np.ones(2)
        self._evidence = Evidence.begin(
            self._design, rate * known, known, has_pairs=policy.has_pairs
        )
        self._rows = np.arange(rollouts)
        self._step = np.zeros(rollouts, dtype=np.int64)
        self._entered = np.zeros(rollouts)
        self.promoted = np.full(rollouts, np.nan)
        self.passed = np.full(rollouts, np.nan)
        self.rolled_back = np.full(rollouts, np.nan)
        self._scrapes = 0

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
        columns = (seen.canary_bad, seen.canary_n, seen.stable_bad, seen.stable_n)
        counts = Counts(*(each[None, rows] for each in columns))
        self._scrapes += 1
        epoch = self._evidence.worse.mixture.epoch
        at, phi = weight.astype(float), self.phi[rows]
        new_epochs = [now_s >= (epoch + 1) * measurement.EPOCH_S]
        (found,) = self._evidence.update(self._design, counts, phi, at, new_epochs)
        if self.policy.shadow is not None:
            both = seen.pairs[self.policy.shadow.share]
            asked = (both.only_canary, both.only_stable, both.both, both.n)
            pairs = PairCounts(*(each[rows] for each in asked))
            limit = self._design.limit
            found = found.with_pairs(self._design, pairs, limit, phi, at)
        self._evidence = found
        on = self.is_on[rows]
        if self._variant.rolls_back:
            worse = on & self._evidence.must_roll_back(self._design)
            self.rolled_back[rows[worse]] = now_s
            on &= ~worse
        self._rise(rows, on, now_s)

    def _rise(
        self, rows: npt.NDArray[np.int64], on: npt.NDArray[np.bool_], now_s: float
    ) -> None:
        last = len(self.steps) - 1
        step, waited = self._step[rows], now_s - self._entered[rows]
        baked = on & (step > last) & (waited >= self.policy.bake.duration)
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
        moved = following > step
        self._step[rows] = following
        self._entered[rows[moved]] = now_s
        self.passed[rows[through]] = now_s

    def _drop_decided(self) -> None:
        keep = self.is_on[self._rows]
        if keep.mean() < MOVED if len(keep) else False:
            self._evidence = _taken(self._evidence, keep)
            self._rows = self._rows[keep]


def _phis(policy: Policy, bad: Array, n: Array) -> list[float]:
    """As `measure.phi_of`, for counts instead of deltas."""
    size = policy.dependence.cluster_size
    if size != "auto":
        return [float(size)] * 2
    return [
        dispersion(bad[:, [m]], n)
        if bad[:, m].sum() >= measurement.ENOUGH_BAD
        else float(policy.dependence.assumed)
        for m in (0, 1)
    ]


def _taken(value: Any, keep: npt.NDArray[np.bool_]) -> Any:
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        taken = {name: _taken(getattr(value, name), keep) for name in names}
        return dataclasses.replace(value, **taken)  # type: ignore[type-var]
    return value[keep] if isinstance(value, np.ndarray) else value
