"""scripts.local.status: the fields that KServe's clients read."""

from typing import Any

from scripts.local import status
from scripts.local.rules import State, settle
from tests.local.test_rules import CANARY, REV1, REV2, STABLE, V2, _run, _wish

DOCUMENT = {"metadata": {"name": "intent", "namespace": "prod"}}
HOST = "intent-predictor.prod.example.com"


def _render(state: State, failure: str | None = None, before: Any = None) -> Any:
    return status.render(DOCUMENT, state, failure, before or {}, "now")


def test_a_canary_in_full() -> None:
    content = _render(_run(*CANARY))
    assert content["components"]["predictor"] == {
        "address": {"url": f"http://{HOST}"},
        "latestCreatedRevision": REV2,
        "latestReadyRevision": REV2,
        "latestRolledoutRevision": REV1,
        "traffic": [
            {
                "latestRevision": True,
                "percent": 10,
                "revisionName": REV2,
                "tag": "latest",
                "url": f"http://latest-{HOST}",
            },
            {
                "latestRevision": False,
                "percent": 90,
                "revisionName": REV1,
                "tag": "prev",
                "url": f"http://prev-{HOST}",
            },
        ],
        "url": f"http://{HOST}",
    }
    assert status.is_ready(content) is True
    assert content["observedGeneration"] == _run(*CANARY).generation


def test_a_pending_canary_is_unknown() -> None:
    content = _render(_run(*STABLE, (_wish(V2, 10), {REV1})))
    assert status.is_ready(content) is None
    assert status.message(content) == "RevisionMissing"


def test_a_canary_past_its_deadline_is_false_and_says_why() -> None:
    state = _run(*STABLE, (_wish(V2, 10), {REV1}))
    content = _render(state, "error: no model")
    assert status.is_ready(content) is False
    assert "error: no model" in status.message(content)
    assert content["modelStatus"]["transitionStatus"] == "BlockedByFailedLoad"


def test_traffic_that_is_asked_but_not_in_force_is_unknown() -> None:
    before = _run(*CANARY)
    asked = settle(before, _wish(V2, 50), {REV2})
    assert asked.routed == before.routed
    assert status.is_ready(_render(asked)) is None


def test_a_condition_keeps_its_transition_time() -> None:
    first = status.render(DOCUMENT, _run(*CANARY), None, {}, "then")
    second = _render(_run(*CANARY), before=first)
    assert {each["lastTransitionTime"] for each in second["conditions"]} == {"then"}


def test_nothing_observed_yet_is_unknown() -> None:
    assert status.is_ready({}) is None
    assert status.message({}) == "not observed yet"
