"""Requests that every policy sees alike, whatever weight it has chosen.

Each request has a routing uniform and an outcome of its own. What a policy sees at a
weight is the requests whose routing uniform is below it, so the counts are kept by
bands between the weights that any policy uses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

ERRORS, OVER_250 = 0.005, 0.01
SHARES = (0.2, 1.0)
# Lognormal latency, sigma 0.6: the p99 is 250 ms, or 376 ms where 5 % are over 250.
OVER_300, OVER_500 = 0.0043, 0.00025
SLOW_OVER_300, SLOW_OVER_500 = 0.0257, 0.00256


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of canary under one kind of traffic.

    `errors`, `over`: what the canary adds to the stable's bad shares. `at`: the weight
    from which on it does. `cluster`: outcomes that come together. `incident`: minutes
    in which both arms have 5 % errors.
    """

    name: str
    errors: float = 0.0
    over: float = 0.0
    at: int = 0
    cluster: int = 1
    incident: tuple[float, float] = (0.0, 0.0)

    @property
    def is_good(self) -> bool:
        """Whether the canary is no worse than the stable."""
        return self.errors == 0 and self.over == 0

    @property
    def harm(self) -> float:
        """Excess bad answers a request."""
        return self.errors + self.over


@dataclass(frozen=True, slots=True)
class Pairs:
    """Requests that were asked of both arms once more (R, M); none is a user's.

    One bad answer, the canary's or the stable's alone, two, and how many were asked.
    """

    only_canary: Array
    only_stable: Array
    both: Array
    n: Array


@dataclass(frozen=True, slots=True)
class Seen:
    """What a policy sees of one scrape (R rollouts, M metrics: errors, over 250 ms).

    `pairs` by the share of all requests that is asked of both arms once more.
    """

    canary_bad: Array
    canary_n: Array
    stable_bad: Array
    stable_n: Array
    canary_over_300: Array
    canary_over_500: Array
    excess: Array
    pairs: Mapping[float, Pairs]


class Stream:
    """The requests of R rollouts, one scrape after the other."""

    def __init__(
        self,
        cell: Cell,
        rollouts: int,
        rps: float,
        interval_s: float,
        weights: Sequence[int],
        seed: int,
    ) -> None:
        """Prepare bands between the `weights` that will be asked for."""
        self.cell = cell
        self._random = np.random.default_rng(seed)
        self._shape = (rollouts, len(weights))
        self._edges = np.array(weights)
        self._rate = rps * interval_s / 100 / cell.cluster
        self._interval_s = interval_s
        self._time_s = 0.0

    def scrape(self) -> "Scrape":
        """The next interval's requests."""
        cell, draw = self.cell, self._random
        minute = self._time_s / 60
        base = 0.05 if cell.incident[0] <= minute < cell.incident[1] else ERRORS
        widths = np.diff(self._edges, prepend=0)
        n = draw.poisson(self._rate * widths, self._shape)
        errors = draw.binomial(n, base)
        more_errors = draw.binomial(n - errors, cell.errors / (1 - base))
        over = draw.binomial(n, OVER_250)
        more_over = draw.binomial(n - over, cell.over / (1 - OVER_250))
        over_300 = draw.binomial(over, OVER_300 / OVER_250)
        over_500 = draw.binomial(over_300, OVER_500 / OVER_300)
        more_300 = draw.binomial(more_over, (SLOW_OVER_300 - OVER_300) / 0.04)
        more_500 = draw.binomial(more_300, (SLOW_OVER_500 - OVER_500) / 0.0214)
        self._time_s += self._interval_s
        bands = np.stack(
            (
                *(n, errors, more_errors, over, more_over),
                *(over_300, more_300, over_500, more_500),
            )
        )
        sums = np.cumsum(bands, axis=-1, dtype=float) * cell.cluster
        pairs = {share: self._pairs(base, share) for share in SHARES}
        return Scrape(cell, self._edges, sums, pairs)

    def _pairs(self, base: float, share: float) -> Array:
        """Of a share of requests: n, then for errors and what is over 250 ms in turn:

        the stable's bad; the canary's among those and among the others; what the canary
        adds among those and among the others.
        """
        cell, draw = self.cell, self._random
        n = draw.poisson(self._rate * 100 * share, self._shape[0])
        found = [n]
        for rate, more in ((base, cell.errors), (OVER_250, cell.over)):
            stable = draw.binomial(n, rate)
            both, alone = draw.binomial(stable, rate), draw.binomial(n - stable, rate)
            added = more / (1 - rate)
            more_both = draw.binomial(stable - both, added)
            more_alone = draw.binomial(n - stable - alone, added)
            found += [stable, both, alone, more_both, more_alone]
        return np.stack(found).astype(float) * cell.cluster

    def history(self, scrapes: int) -> tuple[Array, Array]:
        """Bad (R, scrapes, M) and n (R, scrapes) of the stable with all traffic."""
        shape = (self._shape[0], scrapes)
        n = self._random.poisson(self._rate * 100, shape)
        bad = [self._random.binomial(n, p) for p in (ERRORS, OVER_250)]
        size = self.cell.cluster
        return np.stack(bad, axis=-1).astype(float) * size, n.astype(float) * size


class Scrape:
    """One interval's requests; `at` says what a policy sees at its weights."""

    def __init__(
        self,
        cell: Cell,
        edges: npt.NDArray[np.int64],
        sums: Array,
        pairs: Mapping[float, Array],
    ) -> None:
        """Take sums over the bands up to each edge, and what pairs would show."""
        self._cell, self._pairs = cell, pairs
        self._edges = edges
        self._sums = sums

    def at(self, weights: npt.NDArray[np.int64]) -> Seen:
        """Counts with the canary at `weights` (R) percent; 0 gives it nothing."""
        column = np.searchsorted(self._edges, weights)
        rows = np.arange(len(weights))
        canary = np.where(weights > 0, self._sums[:, rows, column], 0.0)
        stable = self._sums[:, :, -1] - canary
        more = np.where(weights >= self._cell.at, 1.0, 0.0)
        n, errors, more_errors, over, more_over, o3, m3, o5, m5 = canary
        return Seen(
            np.stack([errors + more * more_errors, over + more * more_over], axis=-1),
            np.stack([n, n], axis=-1),
            np.stack([stable[1], stable[3]], axis=-1),
            np.stack([stable[0], stable[0]], axis=-1),
            o3 + more * m3,
            o5 + more * m5,
            more * (more_errors + more_over),
            {share: self._asked_of_both(share, more) for share in SHARES},
        )

    def _asked_of_both(self, share: float, more: Array) -> Pairs:
        """That share, and `more` of what the canary adds (R)."""
        n, *kinds = self._pairs[share]
        columns = []
        for stable, both, alone, more_both, more_alone in (kinds[:5], kinds[5:]):
            both_bad = both + more * more_both
            columns.append((alone + more * more_alone, stable - both_bad, both_bad, n))
        return Pairs(*(np.stack(each, axis=-1) for each in zip(*columns, strict=True)))
