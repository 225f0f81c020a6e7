"""Chooses steps, and forecasts how long a good canary takes on them.

The forecast feeds expected counts to the same evidence: the logarithm of an e-value is
linear in the counts, so the result is its mean path. docs/proofs.md, "Gates".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.evidence import FULL, Design, Evidence
from scripts.rollout.evidence.pairs.paired import PairCounts
from scripts.rollout.evidence.two_sample import Counts

# All tunable: steps move the time to a decision, the tests hold on any.
# Answers that a wholly broken canary may cost before the first look. Smaller first
# steps and longer looks cost time.
MOST_BAD_ANSWERS = 25.0
# Seconds between looks that are tried, if the source can serve them. With ten requests
# in a look one arm often has two of them, and so many pairs fewer are compared: at one
# request a second looks of 10 s take a good canary 7 % longer than those of 30 s.
INTERVALS = (30.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2)
# A forecast that is longer by less than this (seconds, share) is as good: then rather a
# longer interval, which reads all pages less often, and fewer steps.
AS_GOOD_S, AS_GOOD = 3.0, 1.03
# The first step is at most this: with little traffic the line above allows any weight.
LARGEST_FIRST_STEP = 25
# Evidence grows with weight * (1 - weight), which is largest here.
BEST_WEIGHT = 50
# Ratios of one step to the one before, from nearly continuous to three times as much;
# the ladder with the shortest forecast is chosen.
RATIOS = (1.12, 1.25, 1.5, 2.0, 3.0)
# A week: a longer forecast is reported as never.
HORIZON_S = 7 * 86400.0
# Simulated rollouts of `plan`, and scrapes of each (an hour of the default interval):
# enough to see that false alarms are rare, not to measure alpha.
REPLAYS = 200
MOST_SCRAPES = 360  # as the line above


@dataclass(frozen=True, slots=True)
class Traffic:
    """The expected traffic: requests per second, bad shares (M) and phi (M).

    `pairs`: requests per second that both arms are asked beside the users' own.
    """

    rps: float
    bad: Array
    phi: Array
    pairs: float = 0.0


@dataclass(frozen=True, slots=True)
class Stay:
    """The seconds at a weight (percent) until its gate opens, None if it never does."""

    weight: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Looks:
    """The steps (percents), and the seconds between two looks."""

    steps: tuple[int, ...]
    interval: float


def first_step(rps: float, interval_s: float) -> int:
    """Return the first weight, in percent, at which a broken canary costs few answers.

    A broken canary loses `rps` x `interval_s` x weight answers until the first look.
    """
    percent = MOST_BAD_ANSWERS / max(rps * interval_s, 1e-9) * FULL
    return round(min(max(percent, 1), LARGEST_FIRST_STEP))


def ladders(first: int) -> list[tuple[int, ...]]:
    """Return rising steps from `first` to 50 percent, where evidence grows fastest."""
    found = []
    for ratio in RATIOS:
        steps = [first]
        while steps[-1] * ratio < BEST_WEIGHT:
            steps.append(max(int(steps[-1] * ratio), steps[-1] + 1))
        found.append((*steps, BEST_WEIGHT))
    return found


def choose(
    design: Design, traffic: Traffic, intervals: Sequence[float], dwell_s: float
) -> Looks:
    """Return steps and interval with about the shortest forecast for a good canary.

    `intervals` are what the source can serve, the longest first. With pairs a weight of
    0 comes before the steps.
    """
    found: list[tuple[float, Looks]] = []
    enough, before = 0.0, (0,) if traffic.pairs else ()
    for interval in affordable(traffic.rps, intervals, 1):
        first = first_step(traffic.rps, interval)
        for steps in sorted(ladders(first), key=len):
            tests = with_steps(design, (*before, *steps))
            stays = forecast(tests, traffic, interval, dwell_s, skips=True)
            found.append((total_s(stays), Looks(steps, interval)))
        shortest = min(seconds for seconds, _ in found)
        enough = max(shortest * AS_GOOD, shortest + AS_GOOD_S)
        if first == LARGEST_FIRST_STEP and shortest + 2 * interval <= enough:
            break  # shorter intervals have the same steps, and save two looks at most
    return next(looks for seconds, looks in found if seconds <= enough)


def affordable(rps: float, intervals: Sequence[float], first: int) -> Sequence[float]:
    """Return the intervals, the longest first, at which a broken canary costs little.

    `first` is the first step in percent. Where none is short enough, the shortest.
    """
    found = [
        each for each in intervals if rps * each * first <= MOST_BAD_ANSWERS * FULL
    ]
    return found or intervals[-1:]


def with_steps(design: Design, steps: Sequence[int]) -> Design:
    """Return the same tests on other steps (percents)."""
    return replace(design, steps=np.array(steps, dtype=float))


def total_s(stays: Sequence[Stay]) -> float:
    """Return the seconds to the last gate, infinite where one never opens."""
    return sum(float("inf") if s.seconds is None else s.seconds for s in stays)


def forecast(
    design: Design,
    traffic: Traffic,
    interval_s: float,
    dwell_s: float,
    *,
    skips: bool,
    evidence: Evidence | None = None,
    step: int = 0,
) -> list[Stay]:
    """Forecast a good canary's time at each weight, from `step` with `evidence`.

    `skips`: whether several gates may open in one look, as with `steps: auto`. The
    list ends with the first gate that does not open within HORIZON_S.
    """
    if evidence is None:
        has_pairs = traffic.pairs > 0
        evidence = Evidence.begin(design, *_known(traffic), has_pairs=has_pairs)
    steps, stays, spent = design.steps, [], 0.0
    while step < len(steps):
        weight, waited, is_open = float(steps[step]), 0.0, False
        while not is_open and spent < HORIZON_S:
            # Ticks of 2 % of the time so far: no forecast is more exact than that.
            seconds = max(interval_s, spent / 50)
            evidence = after(design, evidence, traffic, seconds, weight)
            waited, spent = waited + seconds, spent + seconds
            opens = evidence.opens(design)
            is_open = bool(opens[step]) and waited >= dwell_s
        stays.append(Stay(int(weight), waited if is_open else None))
        if not is_open:
            break
        step += 1
        while skips and step < len(steps) - 1 and opens[step]:
            step += 1
    return stays


def after(
    design: Design, evidence: Evidence, traffic: Traffic, seconds: float, weight: float
) -> Evidence:
    """Return the evidence after what a good canary is expected to count.

    Both answers of a pair are taken to be bad independently of each other.
    """
    shares, bad = (weight / FULL, 1 - weight / FULL), traffic.bad
    canary, stable = (
        np.full((1, *bad.shape), traffic.rps * seconds * each) for each in shares
    )
    counts = Counts(canary * bad, canary, stable * bad, stable)
    at = np.array(weight)
    (evidence,) = evidence.update(design, counts, traffic.phi, at, [False])
    if not traffic.pairs:
        return evidence
    pairs = np.full(bad.shape, traffic.pairs * seconds)
    alone = pairs * bad * (1 - bad)
    found = PairCounts(alone, alone, pairs * bad**2, pairs)
    return evidence.with_pairs(design, found, design.limit, traffic.phi, at)


def _known(traffic: Traffic) -> tuple[Array, Array]:
    n = np.full(traffic.bad.shape, 50.0)  # as PRIOR_REQUESTS
    return traffic.bad * n, n


def false_alarms(
    design: Design, traffic: Traffic, stays: Sequence[Stay], interval_s: float
) -> int:
    """Count the rollbacks among 200 simulated canaries as good as the stable."""
    random = np.random.default_rng(1)
    shape = (REPLAYS, len(traffic.bad))
    evidence = Evidence.begin(
        design, *(np.broadcast_to(each, shape) for each in _known(traffic))
    )
    is_back = np.zeros(REPLAYS, dtype=bool)
    scrapes = 0
    for stay in stays:
        for _ in range(min(round((stay.seconds or 0.0) / interval_s), MOST_SCRAPES)):
            scrapes += 1
            weight = np.full(REPLAYS, float(stay.weight))
            bad = np.broadcast_to(traffic.bad, shape)
            counts = drawn(random, traffic, interval_s, weight, bad)
            is_new = scrapes * interval_s // 60 > evidence.worse.mixture.epoch
            (evidence,) = evidence.update(design, counts, traffic.phi, weight, [is_new])
            is_back |= evidence.must_roll_back(design)
    return int(is_back.sum())


def drawn(
    random: np.random.Generator,
    traffic: Traffic,
    seconds: float,
    weight: Array,
    canary_bad: Array,
) -> Counts:
    """Draw a scrape of R rollouts in clusters of phi: counts (1, R, M) of both arms.

    `weight` (R) is in percent, `canary_bad` (R, M) are the canary's bad shares.
    """
    canary = weight[:, None] / FULL
    found, arms = [], ((canary, canary_bad), (1 - canary, traffic.bad))
    for share, bad in arms:
        requests = seconds * traffic.rps * share
        clusters = random.poisson(requests / traffic.phi, canary_bad.shape)
        number = random.binomial(clusters, np.minimum(bad, 1.0))
        found += [number * traffic.phi, clusters * traffic.phi]
    return Counts(*(each[None] for each in found))
