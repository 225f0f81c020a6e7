"""Between two edges of a histogram an objective is judged at the lower: it is said."""

from scripts.rollout.metrics import counters, edges
from scripts.rollout.metrics.port import Reading
from tests.support.worlds import CANARY, ERRORS, STABLE, policy

ARMS = (CANARY, STABLE)
SLOW = policy(metrics=f"[{ERRORS}, {{name: latency, slo: 250ms, budget: 2%}}]")


def _reading(*arms: dict[str, float]) -> Reading:
    """Each arm's requests up to some edges, of 100 in all."""
    return {
        name: {"pod": {"timed": 100.0, "requests": 100.0, **upto}}
        for name, upto in zip(ARMS, arms, strict=False)
    }


NOTHING: Reading = {name: {"pod": {"timed": 0.0}} for name in ARMS}


def _row(reading: Reading) -> tuple[float, ...]:
    return counters.delta(SLOW, NOTHING, reading, since=0.0, arms=ARMS).row("latency")


def test_an_edge_in_force_is_said_with_those_that_there_are() -> None:
    upto = {"le:0.1": 60.0, "le:0.2": 90.0, "le:0.5": 100.0, "le:2.5": 100.0}
    assert list(edges.judged(SLOW, _reading(upto, upto), ARMS)) == [
        "metrics[1].slo: 250ms is judged at 200ms, the nearest edge at or under it; "
        "edges: 100ms, 200ms, 500ms, 2.5s"
    ]
    assert edges.faults(SLOW, _reading(upto, upto), ARMS) == []


def test_an_objective_on_an_edge_needs_no_word() -> None:
    upto = {"le:0.25": 90.0, "le:0.5": 100.0}
    assert list(edges.judged(SLOW, _reading(upto, upto), ARMS)) == []


def test_below_every_edge_it_is_refused_and_nothing_is_counted() -> None:
    """Every answer of both arms would be bad, and the gate shut for ever."""
    upto = {"le:0.5": 100.0, "le:1": 100.0}
    reading = _reading(upto, upto)
    (said,) = edges.faults(SLOW, reading, ARMS)
    assert said.startswith("metrics[1].slo: 250ms is below every edge")
    assert said.endswith("edges: 500ms, 1s")
    assert list(edges.judged(SLOW, reading, ARMS)) == [said]
    assert _row(reading) == (0, 0, 0, 0)


def test_arms_with_other_edges_are_judged_at_one_that_both_have() -> None:
    """30 % of both take 100 to 200 ms: at 200 and at 100 ms they would differ."""
    fine = {"le:0.1": 70.0, "le:0.2": 100.0, "le:0.5": 100.0}
    coarse = {"le:0.1": 70.0, "le:0.5": 100.0}
    reading = _reading(fine, coarse)
    assert _row(reading) == (30, 100, 30, 100)
    (said,) = edges.judged(SLOW, reading, ARMS)
    assert "is judged at 100ms" in said
    assert said.endswith("edges: 100ms, 500ms")


def test_without_a_histogram_nothing_is_said() -> None:
    reading = _reading({}, {})
    assert list(edges.judged(SLOW, reading, ARMS)) == []
    assert edges.faults(SLOW, reading, ARMS) == []
