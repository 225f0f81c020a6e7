"""The forms of a message, held against what their receivers' documents ask for.

The shapes below say it in JSON Schema. The forms were also held against the published
schemas of CloudEvents 1.0, Adaptive Cards 1.4 and PagerDuty's events, which are others'
and are not in this repository.
"""

from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from cloudevents.http import from_http

from scripts.rollout.errors import Exit
from scripts.rollout.integrations import messages
from scripts.rollout.integrations.messages import FORMS, Message
from scripts.rollout.journal import codec
from scripts.rollout.journal.saved import Saved
from scripts.rollout.state.notes import Note, NoteKind
from scripts.rollout.state.state import Pause, Phase
from tests.support.worlds import Rollout

LINK = "https://grafana.example/d/canary?var-target={namespace}/{name}"
TEXT = {"type": "string", "minLength": 1}


def _object(required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required.split()}


def _kind(name: str, required: str = "", **properties: Any) -> dict[str, Any]:
    return _object(f"type {required}", type={"const": name}, **properties)


MARKED = _kind("mrkdwn", "text", text={**TEXT, "maxLength": 3000})
SECTION = _kind("section", "text", text=MARKED)
CONTEXT = _kind(
    "context", "elements", elements={"type": "array", "items": MARKED, "maxItems": 10}
)
FACT = _object("title value", title=TEXT, value={"type": "string"})
ELEMENT = {
    "oneOf": [
        _kind("TextBlock", "text", text={"type": "string"}),
        _kind("FactSet", "facts", facts={"type": "array", "items": FACT}),
    ]
}
CARD = _kind("AdaptiveCard", "version body", body={"type": "array", "items": ELEMENT})
ATTACHMENT = _object(
    "contentType content",
    contentType={"const": "application/vnd.microsoft.card.adaptive"},
    content=CARD,
)
PAYLOAD = _object(
    "summary source severity",
    summary={**TEXT, "maxLength": 1024},
    severity={"enum": ["critical", "error", "warning", "info"]},
    custom_details={"type": "object"},
)
SHAPES = {
    "slack": _object(
        "text blocks",
        text={**TEXT, "maxLength": 40000},
        blocks={
            "type": "array",
            "items": {"oneOf": [SECTION, CONTEXT]},
            "maxItems": 50,
        },
    ),
    "teams": _kind(
        "message",
        "attachments",
        attachments={"type": "array", "items": ATTACHMENT, "minItems": 1},
    ),
    "pagerduty": _object(
        "event_action dedup_key",
        event_action={"enum": ["trigger", "resolve"]},
        dedup_key={**TEXT, "maxLength": 255},
        links={"type": "array", "items": _object("href", href=TEXT)},
        payload=PAYLOAD,
    ),
    "cloudevent": _object(
        "specversion id source type", specversion={"const": "1.0"}, id=TEXT, type=TEXT
    ),
    "json": _object("target canary stable phase weight notes seq link report"),
}


def _message(phase: Phase, link: str | None = LINK, **changes: Any) -> Message:
    """A message of a rollout in this phase, with a text that no form may trust."""
    state = Rollout.begun().state.changed(phase=phase, weight=5, **changes)
    notes = [Note(NoteKind.WORSE, "errors <b>&amp;</b> worse; " * 500)]
    saved = Saved(state, "").extended("look", {"notes": codec.encode(notes)})
    return messages.of(saved, "shop.intent", link, "/var/report.html")


BAD = _message(Phase.ROLLED_BACK, verdict=Exit.ROLLED_BACK, reason="worse")
STEP = _message(Phase.STEP, link=None)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("message", [BAD, STEP], ids=["rolled back", "a step"])
def test_a_form_is_as_its_receiver_documents_it(form: str, message: Message) -> None:
    jsonschema.validate(FORMS[form](message), SHAPES[form])


def test_a_link_leads_to_this_rollout() -> None:
    link = "https://grafana.example/d/canary?var-target=shop/intent"
    assert BAD["link"] == link
    for form in ("slack", "teams", "pagerduty", "cloudevent"):
        assert link in str(FORMS[form](BAD))


def test_slacks_own_signs_are_escaped() -> None:
    text = messages.slack(BAD)["text"]
    assert "errors &lt;b&gt;&amp;amp;&lt;/b&gt; worse" in text
    assert "<" not in text


@pytest.mark.parametrize(
    ("message", "action", "severity"),
    [
        (STEP, "resolve", None),
        (_message(Phase.STEP, pause=Pause.APPROVAL), "trigger", "warning"),
        (BAD, "trigger", "error"),
        (_message(Phase.HELD, verdict=Exit.HELD), "trigger", "warning"),
        (
            _message(Phase.ROLLING_BACK, verdict=Exit.UNVERIFIED),
            "trigger",
            "critical",
        ),
        (_message(Phase.PROMOTED, verdict=Exit.PROMOTED), "resolve", None),
        (_message(Phase.ABORTED, verdict=Exit.ABORTED), "resolve", None),
    ],
)
def test_a_person_is_paged_where_there_is_something_to_do(
    message: Message, action: str, severity: str | None
) -> None:
    found = messages.pagerduty(message)
    assert found["event_action"] == action
    assert found.get("payload", {}).get("severity") == severity
    assert found["dedup_key"] == "shop.intent/r-00002"


def test_a_cloudevent_is_read_by_the_sdk_and_repeated_with_the_same_id() -> None:
    import json

    form = messages.cloudevent(STEP)
    headers = {"content-type": "application/cloudevents+json"}
    event = from_http(headers, json.dumps(form))
    assert (event["source"], event["subject"]) == (
        "/intent-canary/shop.intent",
        "r-00002",
    )
    assert event.data == STEP
    again = messages.cloudevent(dict(STEP))
    assert again["id"] == form["id"]
    later = replace(Saved(Rollout.begun().state, ""), seq=7).extended("look", {})
    assert messages.of(later, "shop.intent", None, None)["seq"] == 8
