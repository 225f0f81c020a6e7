"""What is not watched is said once there were requests, and only then."""

from scripts.rollout.metrics import unwatched
from scripts.rollout.metrics.port import Scraped
from scripts.rollout.policy.reader import parse

POLICY = parse("target: {inferenceservice: plain}", "test")
TIMED = {"timed": 30.0, "le:0.25": 29.0}


def _told(**counters: float) -> list[str]:
    scraped = Scraped({"r-1": {"pod": counters}})
    return list(unwatched.told(POLICY, scraped, "r-1"))


def test_labels_that_no_predictor_counts_are_said_not_to_be_judged() -> None:
    told = _told(requests=30.0, **TIMED)
    assert told == ["labels: nobody counts predicted labels here; not judged"]


def test_without_a_histogram_it_is_said_that_the_gate_cannot_open() -> None:
    first, second, _ = _told(requests=30.0)
    assert first == "latency: nobody counts latency here; not judged"
    assert "its gate cannot open" in second


def test_what_is_counted_is_not_mentioned() -> None:
    assert _told(requests=30.0, **TIMED, **{"label:x": 3.0}) == []


def test_before_there_were_requests_nothing_is_known() -> None:
    assert _told(requests=3.0) == []


def test_while_a_page_has_not_answered_nothing_is_known() -> None:
    late = Scraped({"r-1": {"pod": {"requests": 30.0}}}, is_whole=False)
    assert list(unwatched.told(POLICY, late, "r-1")) == []
