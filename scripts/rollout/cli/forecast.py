"""The forecast of `plan`, from observed or assumed traffic."""

import time
from dataclasses import replace
from typing import Any

import numpy as np

from scripts.rollout import text, wiring
from scripts.rollout.decision import dependence, measurement
from scripts.rollout.decision.explaining import conditions
from scripts.rollout.decision.phases import baking, learning
from scripts.rollout.errors import PolicyError, Unreachable
from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.evidence import Design
from scripts.rollout.evidence.forecast import episodes, ladder
from scripts.rollout.evidence.forecast.episodes import Stays
from scripts.rollout.evidence.forecast.ladder import Looks, Traffic
from scripts.rollout.journal import codec
from scripts.rollout.loop import observe
from scripts.rollout.metrics import edges
from scripts.rollout.metrics.windows import windows
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.observation import Delta
from scripts.rollout.traffic.port import Place

# Budgets that are tried where those of the policy take longer than the deadline.
FACTORS = (2, 4, 8, 16)
# Periods of harm that comes now and then: a burst of 10 s in each.
PERIODS_S = (60.0, 300.0, 1200.0)
# Simulated pasts of the stable, of which the median counts, and scrapes of each: a day.
DRAWS, MOST_SCRAPES = 9, 8640


def assume_traffic(policy: Policy, rps: float, bad: dict[str, float]) -> Traffic:
    """Traffic as told: bad shares by metric, one in a hundred where nothing is said.

    Raises PolicyError for a metric that the policy does not have.
    """
    names = [metric.name for metric in policy.metrics]
    for name in bad:
        if name not in names:
            raise PolicyError(
                f"--bad: no metric {name!r}; known are {', '.join(names)}"
            )
    shares = np.array([bad.get(name, 0.01) for name in names])
    phi = _phi_expected(policy, rps, shares)
    return Traffic(rps, shares, phi, policy.pairs_rps(rps))


def _phi_expected(policy: Policy, rps: float, bad: Array) -> Array:
    """Return the cluster sizes that `run` will go by, if outcomes are independent.

    They are its own estimates from as many simulated scrapes as it will have.
    """
    waits_s = learning.forecast_s(
        policy, Traffic(rps, bad, np.ones(len(bad)), policy.pairs_rps(rps))
    )
    if policy.source.prometheus is not None:
        waits_s = policy.dependence.history
    scrapes = min(max(round(waits_s / policy.interval_s), 1), MOST_SCRAPES)
    random = np.random.default_rng(1)
    found = [
        dependence.phi_of(policy, _drawn(random, policy, rps, bad, scrapes))[0]
        for _ in range(DRAWS)
    ]
    median: Array = np.median(found, axis=0)
    return median


def _drawn(
    random: np.random.Generator, policy: Policy, rps: float, bad: Array, scrapes: int
) -> list[Delta]:
    n = random.poisson(rps * policy.interval_s, scrapes)
    wrong = random.binomial(n[:, None], bad)
    names = [metric.name for metric in policy.metrics]
    return [
        Delta(
            {
                name: (0.0, 0.0, float(bad), float(all_))
                for name, bad in zip(names, row, strict=True)
            },
            {"one": (0.0, float(half)), "another": (0.0, float(all_ - half))},
        )
        for row, all_, half in zip(wrong, n, random.binomial(n, 0.5), strict=True)
    ]


def observe_traffic(
    place: Place, policy: Policy, seconds: float
) -> tuple[Traffic, tuple[str, ...]]:
    """Return the stable's traffic of some seconds, and what its histograms cannot tell.

    Raises RemoteError, and PolicyError for an objective that no edge can judge.
    """
    policy = wiring.placed(place, policy)
    chosen = wiring.traffic(place, policy)
    view, source = chosen.observe(), wiring.metrics(policy, chosen)
    if not view.rolledout:
        raise Unreachable("nothing is rolled out yet")
    arms = ("", view.rolledout)
    known: list[Delta] = []
    last, began = source.read(arms).reading, time.time()
    bases = windows.from_one(last, began)
    while time.time() - began < seconds:
        time.sleep(min(policy.interval_s, seconds))
        last = source.read(arms).reading
        look = windows.Look(last, time.time(), arms, is_split=False)
        delta, bases = windows.compared(policy, bases, look)
        if delta.row(policy.metrics[0].name)[3]:
            known.append(delta)
    if not known:
        raise Unreachable(f"no requests in {seconds:g} s; give the traffic with --rps")
    faults = edges.faults(policy, last, arms)
    if faults:
        raise PolicyError("\n".join(faults))
    n = sum(each.row(policy.metrics[0].name)[3] for each in known)
    rps = n / sum(each.seconds for each in known)
    found = measurement.traffic(policy, known, np.ones(len(policy.metrics)), rps)
    known = [*observe.past(policy, source, view.rolledout), *known]
    if len(known) >= policy.scrapes_needed:
        phi, _ = dependence.phi_of(policy, known)
    else:
        phi = _phi_expected(policy, rps, found.bad)
    doubts = tuple(edges.judged(policy, last, arms))
    return replace(found, phi=phi), doubts


def forecast(policy: Policy, traffic: Traffic) -> dict[str, Any]:
    """Forecast the steps, the time at each, and rollbacks of good canaries."""
    looks = measurement.looks(policy, traffic)
    interval, dwell = looks.interval, policy.dwell_s
    design = measurement.design(policy, looks.steps)
    stays = ladder.forecast(design, traffic, interval, dwell, skips=policy.is_auto)
    waits_s = learning.forecast_s(policy, traffic)
    total = waits_s + ladder.total_s(stays)
    alarms = ladder.false_alarms(design, traffic, stays, interval)
    return {
        "requestsPerSecond": traffic.rps,
        "metrics": [
            {"name": m.name, "bad": float(bad), "phi": float(phi), "budget": m.budget}
            for m, bad, phi in zip(
                policy.metrics, traffic.bad, traffic.phi, strict=True
            )
        ],
        "steps": list(looks.steps),
        "intervalSeconds": interval,
        "stays": codec.encode(stays),
        "secondsToFirstStep": waits_s,
        "secondsToLastGate": None if total == float("inf") else total,
        "unit": conditions.unit(policy),
        "bakeSeconds": baking.forecast_s(policy, traffic.rps),
        "episodes": _episodes(policy, design, traffic, looks, stays[-1].seconds),
        "falseAlarms": f"{alarms} of {ladder.REPLAYS}",
    }


def _episodes(
    policy: Policy, design: Design, traffic: Traffic, looks: Looks, gate_s: float | None
) -> list[dict[str, Any]]:
    """Forecast how often harm that comes now and then is promoted.

    Beside the policy's bake a longer one at the last step, where a burst is seen best.
    """
    if gate_s is None:
        return []
    last, found = looks.steps[-1], []
    for period_s in PERIODS_S:
        longer_s = max(policy.bake.duration, period_s + looks.interval)
        bakes = ((policy.bake.percent, policy.bake.duration), (last, longer_s))
        shares = [
            episodes.promoted(
                design, traffic, looks.interval, Stays(last, gate_s, *bake), period_s
            )
            for bake in bakes
        ]
        found.append(
            {
                "periodSeconds": period_s,
                "promoted": shares[0],
                "instead": {"percent": last, "duration": longer_s},
                "promotedInstead": shares[1],
            }
        )
    return found


def wider(policy: Policy, traffic: Traffic) -> str:
    """Return wider budgets that fit into the deadline, if any do."""
    for factor in FACTORS:
        metrics = tuple(
            m.model_copy(update={"budget": min(m.budget * factor, 0.5)})
            if m.budget is not None
            else m
            for m in policy.metrics
        )
        update = {"metrics": metrics}
        found = forecast(policy.model_copy(update=update), traffic)
        seconds = found["secondsToLastGate"]
        if seconds is not None and seconds <= policy.deadlines.rollout:
            budgets = ", ".join(
                f"{m.name} {text.share(m.budget)}" for m in metrics if m.budget
            )
            return f"{budgets} would take {text.duration(seconds)}"
    return "no wider budgets would either; more requests are needed"
