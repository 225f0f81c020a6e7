"""Turns counters, which may be reset, into their increase. Pure."""

from collections.abc import Mapping

from scripts.rollout.metrics import edges
from scripts.rollout.metrics.port import (
    BAD,
    CONFIDENCE,
    ENDLESS,
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
)
from scripts.rollout.policy.metric import Metric
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.observation import Delta


def delta(
    policy: Policy,
    before: Reading,
    now: Reading,
    *,
    since: float,
    arms: tuple[str, str],
) -> Delta:
    """Return the increase of canary and stable (`arms`) between two readings.

    A counter that fell was reset and counts from zero. So does a new instance that
    started after `since`; the increase of any other new instance is unknown. A timeout
    has no duration and counts as slow.
    """
    by_instance = [gained(before, now, arm, since) for arm in arms]
    by_arm = [list(each.values()) for each in by_instance]
    upto = edges.shared(sample for samples in by_arm for sample in samples)
    metrics = {}
    for metric in policy.metrics:
        if metric.drift is None:
            counts = [_bad_and_n(metric, samples, upto) for samples in by_arm]
            metrics[metric.name] = (*counts[0], *counts[1])
    labels = _by_arm(*(_labels(samples) for samples in by_arm))
    durations = _by_arm(*map(_durations, by_arm))
    has_canary = any(row[1] for row in metrics.values())
    pods = {} if has_canary else _by_pod(policy, by_instance[1], upto)
    return Delta(metrics, labels, durations, pods=pods)


def _by_pod(
    policy: Policy, gained: Mapping[str, dict[str, float]], upto: Mapping[float, str]
) -> dict[str, dict[str, tuple[float, float]]]:
    """Return what each pod gained, by metric, where an instance is one."""
    found = {}
    for metric in policy.metrics:
        is_apart = metric.least_confidence is not None
        is_apart = is_apart or policy.counted_by != "gateway"
        if not is_apart or metric.drift or metric.promql:
            continue
        rows = {name: _bad_and_n(metric, [each], upto) for name, each in gained.items()}
        rows = {name: row for name, row in rows.items() if row[1]}
        if rows:
            found[metric.name] = rows
    return found


def _by_arm(
    canary: Mapping[str, float], stable: Mapping[str, float]
) -> dict[str, tuple[float, float]]:
    names = sorted({*canary, *stable})
    return {name: (canary.get(name, 0.0), stable.get(name, 0.0)) for name in names}


def gained(
    before: Reading, now: Reading, arm: str, since: float
) -> dict[str, dict[str, float]]:
    """Return what each counter of an arm's instances gained, by instance."""
    known, found = before.get(arm, {}), {}
    for instance, sample in now.get(arm, {}).items():
        old = known.get(instance)
        if old is None and sample.get(STARTED, 0.0) <= since:
            continue
        found[instance] = _grown(old or {}, sample)
    return found


def size(gained: Mapping[str, float]) -> float:
    """Count the requests, answers and outcomes that an instance gained."""
    counted = (gained.get(REQUESTS) or gained.get(TIMED, 0.0),)
    many = (v for k, v in gained.items() if k.startswith((LABEL, TOTAL)))
    return sum((*counted, *many), 0.0)


def _grown(old: Sample, new: Sample) -> dict[str, float]:
    """Return the increase of each counter; a histogram is reset as a whole.

    Envoy resets a cluster's histogram, but not its counters, when its endpoints change.
    """
    histogram, counters = [], []
    for name in new:
        if name == TIMED or name.startswith(UP_TO):
            histogram.append(name)
        elif name not in (STARTED, READ_AT) and not name.startswith((BAD, TOTAL)):
            counters.append(name)
    found = _own(old, new)
    for group in (counters, histogram):
        fell = any(new[name] < old.get(name, 0.0) for name in group)
        for name in group:
            found[name] = new[name] - (0.0 if fell else old.get(name, 0.0))
    return found


def _own(old: Sample, new: Sample) -> dict[str, float]:
    """Return what a policy's own queries gained; nothing where it cannot be known.

    That is: after a fall, after a gap, and when the first bad one makes a series.
    """
    found = {}
    for total in new:
        if not total.startswith(TOTAL) or total not in old:
            continue
        bad = BAD + total.removeprefix(TOTAL)
        n = new[total] - old[total]
        worse = new.get(bad, 0.0) - old.get(bad, 0.0)
        if (bad in old) == (bad in new) and 0 <= worse <= n:
            found[bad], found[total] = worse, n
    return found


def is_unknown(old: Sample, new: Sample) -> bool:
    """Return whether the gain of a policy's own queries since `old` is unknown."""
    known = _own(old, new)
    return any(name.startswith(TOTAL) and name not in known for name in new)


def _bad_and_n(
    metric: Metric, samples: list[dict[str, float]], upto: Mapping[float, str]
) -> tuple[float, float]:
    """Count bad outcomes and all, at an edge that both arms' histograms have."""
    bad = n = 0.0
    within = ""
    if metric.slo is not None:
        edge = edges.at_most(metric.slo, upto)
        if edge is None:
            return 0.0, 0.0
        within = upto[edge]
    for sample in samples:
        if metric.least_confidence is not None:
            bad += sample.get(f"{CONFIDENCE}{metric.least_confidence:g}", 0.0)
            n += sample.get(f"{CONFIDENCE}inf", 0.0)
        elif metric.promql is not None:
            bad += sample.get(BAD + metric.name, 0.0)
            n += sample.get(TOTAL + metric.name, 0.0)
        elif metric.slo is None:
            bad += sample.get(ERRORS, 0.0)
            n += sample.get(REQUESTS, 0.0)
        else:
            timed, late = sample.get(TIMED, 0.0), sample.get(TIMEOUTS, 0.0)
            bad += timed - sample.get(within, 0.0) + late
            n += timed + late
    return min(max(bad, 0.0), n), n


def _durations(samples: list[dict[str, float]]) -> dict[str, float]:
    """Requests in each bucket that has any; the last one has no upper edge."""
    found: dict[str, float] = {}
    for sample in samples:
        edges = [name.removeprefix(UP_TO) for name in sample if name.startswith(UP_TO)]
        below = 0.0
        for edge in (*sorted(edges, key=float), ENDLESS):
            name = TIMED if edge == ENDLESS else UP_TO + edge
            upto = sample.get(name, below)
            if upto > below:
                found[edge] = found.get(edge, 0.0) + upto - below
            below = upto
    return found


def _labels(samples: list[dict[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for sample in samples:
        for name, value in sample.items():
            if name.startswith(LABEL):
                label = name.removeprefix(LABEL)
                found[label] = found.get(label, 0.0) + value
    return found
