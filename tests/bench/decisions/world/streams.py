"""Requests that every policy sees alike, whatever weight it has chosen.

Each request has a routing uniform, and an outcome for either arm. What a policy sees at
a weight is the requests whose routing uniform is below it, so the counts are kept by
bands between the weights that any policy uses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tests.bench.decisions.world.cells import Cell
from tests.bench.decisions.world.labels import LABELS, labelled, labels_of
from tests.bench.decisions.world.rates import BASE, Array, Fixed, Rates

# Lognormal latency, sigma 0.6: the p99 is 250 ms, or 376 ms where 5 % are over 250.
OVER_300, OVER_500 = 0.43, 0.058  # of those over 250 ms, of those over 300 ms
MORE_OVER_300, MORE_OVER_500 = 0.535, 0.108  # the same of what a slow canary adds
HISTORY_S = 10.0
Pairs = Mapping[float, Array]
"""By share of the users: (7, R) n; a metric each only canary, only stable, both.

At LABELS: (2, R) labels by which the canary was the wrong one, and all.
"""


@dataclass(frozen=True, slots=True)
class History:
    """The stable's scrapes before a rollout: `bad` (R, scrapes, 2), `n` (R, scrapes).

    `pods_bad` (R, pods, 2) of `pods_n` (R, pods) are sums of each pod, of none where
    all are alike; the canary has `canaries` of their kind.
    """

    bad: Array
    n: Array
    pods_bad: Array
    pods_n: Array
    canaries: int = 1


@dataclass(frozen=True, slots=True)
class Seen:
    """What a policy sees between two looks, of R rollouts.

    `users` (9, R): of the canary bad and n, of the stable bad and n (bad: errors, over
    250 ms), the canary's over 300 and over 500 ms, and its excess of bad answers.
    """

    users: Array
    pairs: Pairs

    def __add__(self, more: "Seen") -> "Seen":
        """Both scrapes as one."""
        pairs = {share: self.pairs[share] + more.pairs[share] for share in self.pairs}
        return Seen(self.users + more.users, pairs)

    def counts(self) -> tuple[Array, Array, Array, Array]:
        """(R, 2) each: of the canary bad and n, of the stable bad and n."""
        one, two = self.users[:3], self.users[3:6]
        found = [each for a in (one, two) for each in (a[:2].T, a[[2, 2]].T)]
        return found[0], found[1], found[2], found[3]

    @property
    def canary_n(self) -> Array:
        """The canary's requests (R)."""
        found: Array = self.users[2]
        return found

    def over(self, limit_ms: int) -> Array:
        """The canary's requests over 300 or 500 ms (R)."""
        found: Array = self.users[6 if limit_ms == 300 else 7]
        return found

    @property
    def excess(self) -> Array:
        """Bad answers that the stable would not have given (R)."""
        found: Array = self.users[8]
        return found


class Stream:
    """The requests of R rollouts, one tick after the other."""

    def __init__(
        self,
        cell: Cell,
        rollouts: int,
        rps: float,
        tick_s: float,
        weights: Sequence[int],
        seed: int,
    ) -> None:
        """Prepare bands between the `weights` that will be asked for."""
        self.cell, self.rollouts = cell, rollouts
        self.random = np.random.default_rng(seed)
        self.edges = np.array(sorted({*weights, 100}))
        self._widths = np.diff(self.edges, prepend=0) / 100
        self._rps, self._tick_s = rps, tick_s
        self.time_s = 0.0
        self._rates: Rates | None = None

    def history(self, scrapes: int) -> History:
        """The stable's past, with all traffic."""
        first = -scrapes * HISTORY_S
        self._rates = self._begun(first)
        bad, n = [], []
        for number in range(scrapes):
            _, shares = self._rates.at(first + number * HISTORY_S)
            one = self._drawn(shares.mean(axis=1), np.ones(1), HISTORY_S)
            bad.append(one[0][:, 0])
            n.append(one[1][:, 0])
        pods_bad, pods_n, canaries = self._of_pods(-first)
        every = [np.stack(each, axis=1) for each in (bad, n)]
        return History(every[0], every[1], pods_bad, pods_n, canaries)

    def _of_pods(self, seconds: float) -> tuple[Array, Array, int]:
        """Bad (R, pods, 2) and n (R, pods) of each pod, the canary's number of pods."""
        if not isinstance(self._rates, Fixed) or not self._rates.pods.size:
            return np.empty((self.rollouts, 0, 2)), np.empty((self.rollouts, 0)), 1
        shares = self._rates.pods
        n = self.random.poisson(self._rps * seconds / shares.shape[1], shares.shape[:2])
        bad = self.random.binomial(n[..., None], shares)
        return bad.astype(float), n.astype(float), self._rates.canaries

    def _begun(self, start_s: float) -> Rates:
        edges = self.edges.astype(float)
        return self.cell.trouble.begin(self.random, self.rollouts, edges, start_s)

    def _drawn(
        self, shares: Array, widths: Array, seconds: float
    ) -> tuple[Array, Array]:
        """Bad (R, B, 2) and n (R, B) of one arm, in the cell's clusters."""
        shape, draw = (self.rollouts, len(widths)), self.random
        bad, total = np.zeros((*shape, 2)), np.zeros(shape)
        shares = shares if shares.ndim == 3 else shares[:, None]
        for part, size in self.cell.clusters:
            n = draw.poisson(self._rps * seconds * part / size * widths, shape)
            hit = draw.binomial(n[..., None], shares, (*shape, 2))
            bad, total = bad + hit * size, total + n * size
        if self.cell.burst:
            burst, every_s = self.cell.burst
            hits = draw.poisson(seconds / every_s * widths, shape) * burst
            bad[..., 0] += hits
            total += hits
        return bad, total

    def tick(self) -> "Tick":
        """The next requests."""
        if self._rates is None:
            self._rates = self._begun(0.0)
        cell, draw = self.cell, self.random
        canary_shares, stable_shares = self._rates.at(self.time_s)
        bad, n = self._drawn(stable_shares, self._widths, self._tick_s)
        if canary_shares is stable_shares:
            own = bad
        else:
            drawn = draw.binomial(n.astype(np.int64)[..., None], canary_shares)
            own = drawn.astype(float)
        harm = np.array(cell.harm_at(self.time_s))
        good = np.maximum(n[..., None] - own, 0).astype(np.int64)
        more = draw.binomial(good, harm / (1 - BASE)) if harm.any() else 0 * own
        self.time_s += self._tick_s
        slow = own[..., 1].astype(np.int64), more[..., 1].astype(np.int64)
        o300 = [draw.binomial(slow[0], OVER_300), draw.binomial(slow[1], MORE_OVER_300)]
        o500 = [draw.binomial(o300[0], OVER_500), draw.binomial(o300[1], MORE_OVER_500)]
        columns = (own[..., 0], own[..., 1], n, bad[..., 0], bad[..., 1], n)
        bands = np.stack([*columns, o300[0], o500[0], more[..., 0], more[..., 1]])
        bands = np.concatenate([bands, np.stack([o300[1], o500[1]])])
        sums = np.cumsum(bands, axis=-1, dtype=float)
        pairs = {share: self._pairs(share, stable_shares) for share in cell.pairs}
        come = labels_of(cell.labels, draw, self.rollouts, self._tick_s)
        return Tick(cell, self.edges, sums, pairs, harm.sum(), come)

    def _pairs(self, share: float, shares: Array) -> Array:
        """Of requests that both arms are asked once more."""
        cell, draw, base = self.cell, self.random, shares[:, 0]
        rate = self._rps * self._tick_s * share
        n = draw.poisson(rate, self.rollouts)
        rows, added = [n], []
        first = draw.binomial(n, 0.5)
        harm = np.zeros(2) if cell.users_only else np.array(cell.harm_at(self.time_s))
        for m in (0, 1):
            p = np.broadcast_to(base[:, m], n.shape)
            both_p = p * p + cell.alike * p * (1 - p)
            both = draw.binomial(n, both_p)
            alone = (p - both_p) / (1 - both_p)
            canary, stable = (draw.binomial(n - both, alone) for _ in range(2))
            left = np.maximum(n - both - canary - stable, 0)
            more = draw.binomial(left, harm[m] / (1 - BASE[m]))
            canary = canary + draw.binomial(first, cell.first_asked[m])
            stable = stable + draw.binomial(n - first, cell.first_asked[m])
            rows += [canary, stable, both]
            added.append(more)
        return np.stack([*rows, *added]).astype(float)


class Tick:
    """Requests of a short time; `at` says what a policy sees at its weights."""

    def __init__(
        self,
        cell: Cell,
        edges: npt.NDArray[np.int64],
        sums: Array,
        pairs: Pairs,
        harm: float,
        labels: Array,
    ) -> None:
        """Take sums over the bands up to each edge, and what pairs would show."""
        self._labels = labels
        self._cell, self._pairs, self._harm = cell, pairs, harm
        self._edges = edges
        self._sums = sums

    def at(self, weights: npt.NDArray[np.int64]) -> Seen:
        """Counts with the canary at `weights` (R) percent; 0 gives it nothing."""
        column = np.searchsorted(self._edges, weights)
        rows = np.arange(len(weights))
        canary = np.where(weights > 0, self._sums[:, rows, column], 0.0)
        stable = self._sums[3:6, :, -1] - canary[3:6]
        on = np.where(weights >= self._cell.at, 1.0, 0.0)
        users = np.concatenate([canary[:3], stable, canary[6:8], [canary[2]]])
        users[0] += on * canary[8]
        users[1] += on * canary[9]
        users[6:8] += on * canary[10:12]
        users[8] *= on * self._harm
        pairs = {s: _with_harm(p, on) for s, p in self._pairs.items()}
        if self._cell.labels is not None:
            pairs[LABELS] = labelled(self._cell.labels, self._labels, weights)
        return Seen(users, pairs)


def _with_harm(pairs: Array, on: Array) -> Array:
    """Pairs (7, R), with what the canary adds where it does."""
    found = pairs[:7].copy()
    found[[1, 4]] += on * pairs[7:]
    return found
