"""The hidden bad shares of both arms over time, where nothing is wrong with the canary.

A `Trouble` says how they move; `begin` draws it for many rollouts at once. Both arms
have the same law; what they share and what each has alone differs.
"""

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from scripts.rollout.policy.warmup import Warmup
from scripts.rollout.state.actions import Warmed
from scripts.rollout.state.warming import Warming

Array = npt.NDArray[np.float64]

# Bad shares of the stable: errors, and over 250 ms.
BASE = np.array([0.005, 0.01])
BLOCK_S = 10.0
DAY_S = 86400.0
LARGEST = 0.6
WARMUP = Warmup()


class Rates(Protocol):
    """Bad shares at a time (rollouts or 1, bands or 1, 2); times only grow."""

    def at(self, time_s: float) -> tuple[Array, Array]:
        """Shares of canary and stable; negative times are the history."""


class Trouble(Protocol):
    """A kind of trouble that is not the canary's."""

    def begin(
        self, random: np.random.Generator, rollouts: int, edges: Array, start_s: float
    ) -> Rates:
        """Draw it from `start_s` on; `edges` are the percents between bands."""


def _alike(shares: Array) -> tuple[Array, Array]:
    shares = np.minimum(shares, LARGEST).reshape(-1, 1, 2)
    return shares, shares


@dataclass(frozen=True, slots=True)
class Shared:
    """Both arms alike: calm but for incidents, (from, to, errors) in seconds."""

    incidents: tuple[tuple[float, float, float], ...] = ()

    def begin(
        self, random: np.random.Generator, rollouts: int, edges: Array, start_s: float
    ) -> Rates:
        """Nothing is drawn."""
        del random, rollouts, edges, start_s
        return self

    def at(self, time_s: float) -> tuple[Array, Array]:
        """Errors of an incident while it lasts."""
        shares = BASE.copy()
        for since, until, errors in self.incidents:
            if since <= time_s < until:
                shares[0] = errors
        return _alike(shares)


@dataclass(frozen=True, slots=True)
class Wave:
    """Both arms alike: from BASE to `factor` times that and back, in `period_s`.

    `phase`: the part of the period at which the rollout begins, 0 is the low.
    """

    factor: float
    period_s: float = DAY_S
    phase: float = 0.25

    def begin(
        self, random: np.random.Generator, rollouts: int, edges: Array, start_s: float
    ) -> Rates:
        """Nothing is drawn."""
        del random, rollouts, edges, start_s
        return self

    def at(self, time_s: float) -> tuple[Array, Array]:
        """Where the wave is."""
        height = np.sin(np.pi * (time_s / self.period_s + self.phase)) ** 2
        return _alike(BASE * (1 + (self.factor - 1) * height))


@dataclass(frozen=True, slots=True)
class Own:
    """Each arm alone: `factor` times as bad for `mean_s`, `part` of the time."""

    factor: float
    part: float
    mean_s: float

    def begin(
        self, random: np.random.Generator, rollouts: int, edges: Array, start_s: float
    ) -> Rates:
        """Draw whether each arm begins in an episode."""
        del edges
        is_on = random.random((2, rollouts)) < self.part
        return _Episodes(self, random, is_on, start_s)


class _Episodes:
    def __init__(
        self,
        own: Own,
        random: np.random.Generator,
        is_on: npt.NDArray[np.bool_],
        time_s: float,
    ) -> None:
        self._own, self._random = own, random
        self._is_on, self._time_s = is_on, time_s

    def at(self, time_s: float) -> tuple[Array, Array]:
        """Let episodes begin and end."""
        own, passed = self._own, time_s - self._time_s
        ends = 1 - np.exp(-passed / own.mean_s)
        calm_s = own.mean_s * (1 - own.part) / own.part
        begins = 1 - np.exp(-passed / calm_s)
        drawn = self._random.random(self._is_on.shape)
        changes = drawn < np.where(self._is_on, ends, begins)
        self._is_on, self._time_s = self._is_on ^ changes, time_s
        factors = np.where(self._is_on, own.factor, 1.0)[..., None, None]
        canary, stable = factors * BASE
        return canary, stable


@dataclass(frozen=True, slots=True)
class Beta:
    """Each arm alone: shares of each ten seconds from a beta distribution."""

    rho: float

    def begin(
        self, random: np.random.Generator, rollouts: int, edges: Array, start_s: float
    ) -> Rates:
        """Draw at the first look."""
        del edges, start_s
        return _Blocks(self.rho, random, rollouts)


class _Blocks:
    def __init__(self, rho: float, random: np.random.Generator, rollouts: int) -> None:
        self._size, self._random, self._rollouts = 1 / rho - 1, random, rollouts
        self._block = -np.inf
        self._now = np.empty(0)

    def at(self, time_s: float) -> tuple[Array, Array]:
        """Draw anew in each block."""
        block = np.floor(time_s / BLOCK_S)
        if block > self._block:
            self._block = block
            shape = (2, self._rollouts, 1, 2)
            a, b = self._size * BASE, self._size * (1 - BASE)
            self._now = self._random.beta(a, b, shape)
        return self._now[0], self._now[1]


@dataclass(frozen=True, slots=True)
class Cold:
    """The canary alone: a part of its answers is slow, halved each `half_s`.

    Where `is_warmed`, its process has answered the usual warm-up before the first user,
    by the real rule on rounds of a second, by V1 and by V2.
    """

    slow: float
    half_s: float
    is_warmed: bool = True

    def begin(
        self, random: np.random.Generator, rollouts: int, edges: Array, start_s: float
    ) -> Rates:
        """Warm each rollout's canary up."""
        del edges, start_s
        ages = np.array([self._age(random) for _ in range(rollouts)])
        return _Warmed(self, ages)

    def share(self, age_s: Array | float) -> Array:
        """Return the part that is slow so long after the first answer."""
        found: Array = self.slow * 0.5 ** (np.asarray(age_s) / self.half_s)
        return found

    def _age(self, random: np.random.Generator) -> float:
        if not self.is_warmed:
            return 0.0
        warming, now, sent = Warming(0.0, 0.0), 0.0, 2 * WARMUP.requests
        while now < WARMUP.settle and not warming.has_settled(WARMUP.quiet, now):
            part = min(BASE[1] + float(self.share(now)), 1.0)
            failed, slow = random.binomial(sent, (BASE[0], part)).tolist()
            # Half of the answers are slow until the median is that of a warm process.
            p50_ms = 1000.0 if part > 0.5 else 50.0
            found = Warmed(sent, failed, slow, p50_ms=p50_ms)
            warming = replace(warming, asked=now).add(found)
            now += 1.0
        return now


@dataclass(frozen=True, slots=True)
class _Warmed:
    """Users' requests follow the warm-up, whose length `ages` (rollouts) holds."""

    cold: Cold
    ages: Array

    def at(self, time_s: float) -> tuple[Array, Array]:
        """The canary as it is then; the history is the stable's."""
        canary = np.repeat(BASE[None, None], len(self.ages), axis=0)
        if time_s >= 0:
            canary[:, 0, 1] += self.cold.share(self.ages + time_s)
        return np.minimum(canary, 1.0), BASE[None, None]


@dataclass(frozen=True, slots=True)
class Pods:
    """Pods differ by `cv` in what is over 250 ms; an arm has the mean of its pods."""

    cv: float
    canary: int = 1
    stable: int = 4

    def begin(
        self, random: np.random.Generator, rollouts: int, edges: Array, start_s: float
    ) -> Rates:
        """Draw the pods once."""
        del edges, start_s
        shape = 1 / self.cv**2
        shares = []
        for pods in (self.canary, self.stable):
            each = np.repeat(BASE[None, None], rollouts, axis=0).repeat(pods, axis=1)
            each[..., 1] *= random.gamma(shape, 1 / shape, (rollouts, pods))
            shares.append(each)
        means = [each.mean(axis=1, keepdims=True) for each in shares]
        return Fixed(means[0], means[1], shares[1], self.canary)


@dataclass(frozen=True, slots=True)
class Fixed:
    """Shares that stay; `pods` (R, pods, 2) of the stable's pods, where they differ."""

    canary: Array
    stable: Array
    pods: Array = field(default_factory=lambda: np.empty(0))
    canaries: int = 1

    def at(self, time_s: float) -> tuple[Array, Array]:
        """Always the same."""
        del time_s
        return self.canary, self.stable


@dataclass(frozen=True, slots=True)
class Sticky:
    """So many users stay with the arm that they met; `prone` of them have all errors.

    A user has a place between 0 and 100 and is the canary's below its weight.
    """

    users: int
    prone: float = 0.02

    def begin(
        self, random: np.random.Generator, rollouts: int, edges: Array, start_s: float
    ) -> Rates:
        """Draw who is prone to errors in each band between two weights."""
        del start_s
        widths = np.diff(edges, prepend=0.0) / 100
        prone = random.poisson(self.users * self.prone * widths, (rollouts, len(edges)))
        users = np.maximum(self.users * widths, 1e-9)
        shares = np.repeat(BASE[None, None], len(edges), axis=1)
        shares = np.repeat(shares, rollouts, axis=0)
        errors = prone / users * BASE[0] / self.prone
        shares[..., 0] = np.minimum(errors, LARGEST)
        return Fixed(shares, shares)
