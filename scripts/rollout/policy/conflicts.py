"""Faults between keys that are valid by themselves. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from scripts.rollout.policy.policy import Policy
from scripts.yaml_text import Place


class Conflict(NamedTuple):
    """A fault, its place in the file, and the other places that it depends on."""

    place: Place
    fault: str
    reads: tuple[Place, ...] = ()


def conflicts(policy: Policy) -> Iterator[Conflict]:
    """Yield every conflict of a policy whose keys are valid one by one."""
    yield from _of_metrics(policy)
    yield from _of_steps(policy)
    yield from _of_times(policy)
    yield from _of_pairs(policy)
    if policy.counted_by not in policy.backend.counted_by:
        expected = " or ".join(policy.backend.counted_by)
        fault = f"with backend {policy.target.backend} expected {expected}"
        yield Conflict(("source", "counts"), fault, (("target",),))
    if policy.counted_by == "istio" and policy.source.prometheus is None:
        fault = "istio's counts are read from a Prometheus: needs source.prometheus"
        yield Conflict(("source", "counts"), fault, (("source", "prometheus"),))
    counts_itself = policy.backend.steered_at or policy.counted_by == "cloudwatch"
    if policy.source.prometheus is not None and counts_itself:
        fault = f"with backend {policy.target.backend} expected none: it counts itself"
        yield Conflict(("source", "prometheus"), fault, (("target",),))


def _of_metrics(policy: Policy) -> Iterator[Conflict]:
    names = [metric.name for metric in policy.metrics]
    for position, name in enumerate(names):
        if name in names[:position]:
            first = ("metrics", names.index(name), "name")
            yield Conflict(
                ("metrics", position, "name"), f"a second {name!r}", (first,)
            )
    if not any(metric.is_gate for metric in policy.metrics):
        fault = "no metric with a budget decides: no gate could ever open"
        yield Conflict(("metrics",), fault, (("metrics",),))
    if names[0] != "errors":
        fault = "expected errors first: maxErrorRate is theirs"
        yield Conflict(("metrics", 0, "name"), fault)
    for position, metric in enumerate(policy.metrics):
        for fault in metric.conflicts():
            yield Conflict(("metrics", position), fault)
        if metric.promql is not None and policy.source.prometheus is None:
            place = ("metrics", position, "promql")
            yield Conflict(
                place, "needs source.prometheus", (("source", "prometheus"),)
            )
        for kind in ("shadow", "feedback"):
            if getattr(metric, kind) is not None and policy.shadow is None:
                expected = "needs shadow: both arms must have answered the same texts"
                yield Conflict(("metrics", position, kind), expected, (("shadow",),))


def _of_times(policy: Policy) -> Iterator[Conflict]:
    deadlines = policy.deadlines
    if policy.metrics_silence_s < 2 * policy.interval_s:
        place = ("deadlines", "metricsSilence")
        yield Conflict(
            place, "expected two intervals or more", (("source", "interval"),)
        )
    step = ("deadlines", "step")
    if deadlines.rollout < deadlines.step:
        place = ("deadlines", "rollout")
        yield Conflict(place, "expected no less than deadlines.step", (step,))
    if policy.dwell_s > deadlines.step:
        reads = (step, ("steps",), ("source", "interval"))
        yield Conflict(("dwell",), "expected less than deadlines.step", reads)


def _of_pairs(policy: Policy) -> Iterator[Conflict]:
    shadow, synthetic = policy.shadow, policy.synthetic
    for key, part, why in (
        ("shadow", shadow, "only the service reaches a container"),
        ("synthetic", synthetic, "CloudWatch would count them as users' requests"),
    ):
        if part is not None and policy.counted_by == "cloudwatch":
            fault = f"with backend {policy.target.backend} expected none: {why}"
            yield Conflict((key,), fault, (("target",),))
    if synthetic is None:
        return
    place = ("synthetic", "standsForUsers")
    if synthetic.stands_for_users and not synthetic.counts:
        yield Conflict(
            place, "needs synthetic.counts: true", (("synthetic", "counts"),)
        )
    if shadow is None or not synthetic.counts:
        return
    if shadow.stands_for_users != synthetic.stands_for_users:
        fault = "expected as in shadow.standsForUsers: both are counted as one"
        yield Conflict(place, fault, (("shadow", "standsForUsers"),))


def _of_steps(policy: Policy) -> Iterator[Conflict]:
    steps = policy.steps
    if steps == "auto":
        if policy.pause_at:
            fault = "needs steps that are given, not auto"
            yield Conflict(("pauseAt",), fault, (("steps",),))
        return
    if list(steps) != sorted(set(steps)):
        yield Conflict(("steps",), f"expected rising percents, got {list(steps)}")
    if max(steps) > policy.bake.percent:
        fault = f"expected at least the last step, {max(steps)}"
        yield Conflict(("bake", "percent"), fault)
    for position, percent in enumerate(policy.pause_at):
        if percent not in steps:
            fault = f"{percent} is not one of the steps"
            yield Conflict(("pauseAt", position), fault, (("steps",),))
