"""The forecast of `plan`, from observed or assumed traffic."""

import time
from typing import Any

import numpy as np

from scripts.rollout import text, wiring
from scripts.rollout.decision import baking, measurement
from scripts.rollout.errors import PolicyError, Unreachable
from scripts.rollout.evidence import ladder
from scripts.rollout.evidence.ladder import Traffic
from scripts.rollout.journal import codec
from scripts.rollout.metrics import counters, edges
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.observation import Delta
from scripts.rollout.traffic.port import Place

# Budgets that are tried where those of the policy take longer than the deadline.
FACTORS = (2, 4, 8, 16)


def given(policy: Policy, rps: float, bad: dict[str, float]) -> Traffic:
    """Traffic as told: bad shares by metric, one in a hundred where nothing is said.

    Raises PolicyError for a metric that the policy does not have.
    """
    names = [metric.name for metric in policy.metrics]
    for name in bad:
        if name not in names:
            raise PolicyError(
                f"--bad: no metric {name!r}; known are {', '.join(names)}"
            )
    size = policy.dependence.cluster_size
    phi = 1.0 if size == "auto" else float(size)
    shares = [bad.get(name, 0.01) for name in names]
    phis = np.full(len(names), phi)
    return Traffic(rps, np.array(shares), phis, policy.pairs_rps(rps))


def seen(
    place: Place, policy: Policy, seconds: float
) -> tuple[Traffic, tuple[str, ...]]:
    """Return the stable's traffic of some seconds, and what its histograms cannot tell.

    Raises RemoteError, and PolicyError for an objective that no edge can judge.
    """
    chosen = wiring.traffic(place, policy)
    view, source = chosen.observe(), wiring.metrics(policy, chosen)
    if not view.rolledout:
        raise Unreachable("nothing is rolled out yet")
    arms = ("", view.rolledout)
    known: list[Delta] = []
    before, began = source.read(arms), time.time()
    while time.time() - began < seconds:
        time.sleep(min(policy.interval_s, seconds))
        now = source.read(arms)
        known.append(
            counters.delta(policy, before.reading, now.reading, since=began, arms=arms)
        )
        before = now
    n = sum(each.row(policy.metrics[0].name)[3] for each in known)
    if not n:
        raise Unreachable(f"no requests in {seconds:g} s; give the traffic with --rps")
    faults = edges.faults(policy, before.reading, arms)
    if faults:
        raise PolicyError("\n".join(faults))
    phi, _ = measurement.phi_of(policy, known)
    found = measurement.traffic(policy, known, phi, n / (time.time() - began))
    return found, tuple(edges.judged(policy, before.reading, arms))


def forecast(policy: Policy, traffic: Traffic) -> dict[str, Any]:
    """Forecast the steps, the time at each, and rollbacks of good canaries."""
    looks = measurement.looks(policy, traffic)
    interval, dwell = looks.interval, policy.dwell_s
    design = measurement.design(policy, looks.steps)
    stays = ladder.forecast(design, traffic, interval, dwell, skips=policy.is_auto)
    total = ladder.total_s(stays)
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
        "secondsToLastGate": None if total == float("inf") else total,
        "bakeSeconds": baking.forecast_s(policy, traffic.rps),
        "falseAlarms": f"{alarms} of {ladder.REPLAYS}",
    }


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
