"""The message of a transition, and the forms in which receivers take it. Pure.

A message is {target, canary, stable, phase, weight, paused, verdict, reason, notes,
time, seq, link, report}. No secret is in it, so it may be kept. The forms are those of
Slack's incoming webhooks, of Teams' workflows, of PagerDuty's events (version 2) and of
CloudEvents (version 1.0, structured).
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from scripts.rollout.errors import Exit
from scripts.rollout.journal.notes import read_notes
from scripts.rollout.journal.saved import Saved
from scripts.rollout.state.state import Pause

Message = dict[str, Any]
NAME = "intent-canary"
# What their documents allow: characters of a text in Slack, of a summary and of a
# deduplication key in PagerDuty. Teams takes 28 KB in all.
SLACK_TEXT, SUMMARY, DEDUP_KEY, TEAMS_TEXT = 3000, 1024, 255, 8000
CARD = "application/vnd.microsoft.card.adaptive"
# Whoever is woken should have something to do: the rest ends the alert.
SEVERITIES = {
    Exit.ROLLED_BACK: "error",
    Exit.GUARD: "error",
    Exit.HELD: "warning",
    Exit.PAUSED: "warning",
    Exit.GONE: "error",
    Exit.UNREACHABLE: "error",
    Exit.UNVERIFIED: "critical",
}


def of(saved: Saved, target: str, link: str | None, report: str | None) -> Message:
    """Return the message about a commit."""
    state = saved.state
    namespace, _, name = target.partition(".")
    if link is not None:
        link = link.replace("{namespace}", namespace).replace("{name}", name)
    return {
        "target": target,
        "canary": state.canary,
        "stable": state.stable,
        "phase": state.phase.value,
        "weight": state.weight,
        "paused": state.pause.value,
        "verdict": None if state.verdict is None else state.verdict.name,
        "reason": state.reason,
        "notes": [note.text for note in read_notes(json.loads(saved.line))],
        "time": datetime.fromtimestamp(state.now, UTC).isoformat(),
        "seq": saved.seq,
        "link": link,
        "report": report,
    }


def slack(message: Message) -> Message:
    """Return it for an incoming webhook; `text` is what a notification shows."""
    about = [f"stable {_slack_text(message['stable'])}"]
    if message["link"]:
        about.append(f"<{message['link']}|details>")
    elif message["report"]:
        about.append(f"report: {_slack_text(message['report'])}")
    said = f"*{_slack_text(_title(message))}*\n{_slack_text(_why(message))}"
    return {
        "text": _slack_text(f"{_title(message)}. {_why(message)}".strip())[:SLACK_TEXT],
        "blocks": [
            {"type": "section", "text": _marked(said[:SLACK_TEXT].strip())},
            {"type": "context", "elements": [_marked(" · ".join(about)[:SLACK_TEXT])]},
        ],
    }


def teams(message: Message) -> Message:
    """Return it for a workflow that posts an adaptive card to a chat or a channel."""
    keys = ("target", "canary", "stable", "phase", "weight", "verdict", "report")
    given = [(key, message[key]) for key in keys if message[key] not in (None, "")]
    title = {"size": "Medium", "weight": "Bolder"}
    card: Message = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": _title(message),
        "body": [
            {"type": "TextBlock", "text": _title(message), "wrap": True, **title},
            {"type": "TextBlock", "text": _why(message)[:TEAMS_TEXT], "wrap": True},
            {
                "type": "FactSet",
                "facts": [{"title": key, "value": f"{value}"} for key, value in given],
            },
        ],
    }
    if message["link"]:
        opens = {"type": "Action.OpenUrl", "title": "Details", "url": message["link"]}
        card["actions"] = [opens]
    return {
        "type": "message",
        "attachments": [{"contentType": CARD, "contentUrl": None, "content": card}],
    }


def pagerduty(message: Message) -> Message:
    """Return an alert of this canary where a person has to look, else its end."""
    key = f"{message['target']}/{message['canary']}"[:DEDUP_KEY]
    severity = _severity(message)
    if not severity:
        return {"event_action": "resolve", "dedup_key": key}
    link = message["link"]
    return {
        "event_action": "trigger",
        "dedup_key": key,
        "client": NAME,
        **({"client_url": link, "links": [{"href": link}]} if link else {}),
        "payload": {
            "summary": f"{_title(message)}: {_why(message)}"[:SUMMARY],
            "source": message["target"],
            "severity": severity,
            "timestamp": message["time"],
            "component": message["canary"],
            "class": message["phase"],
            "custom_details": message,
        },
    }


def cloudevent(message: Message) -> Message:
    """Return an event; a message that comes twice has the same id."""
    return {
        "specversion": "1.0",
        "id": f"{message['canary']}/{message['seq']}",
        "source": f"/{NAME}/{message['target']}",
        "type": f"{NAME}.rollout.transition.v1",
        "subject": message["canary"],
        "time": message["time"],
        "datacontenttype": "application/json",
        "data": message,
    }


FORMS: Mapping[str, Callable[[Message], Message]] = {
    "json": dict,
    "slack": slack,
    "teams": teams,
    "pagerduty": pagerduty,
    "cloudevent": cloudevent,
}


def _title(message: Message) -> str:
    where = f"{message['phase']} at {message['weight']} %"
    return f"{message['target']}: {message['canary']} {where}"


def _why(message: Message) -> str:
    return "; ".join(message["notes"]) or str(message["reason"])


def _severity(message: Message) -> str:
    if message["verdict"] is not None:
        return SEVERITIES.get(Exit[message["verdict"]], "")
    return "warning" if message["paused"] == Pause.APPROVAL else ""


def _slack_text(text: str) -> str:
    for sign, code in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, code)
    return text


def _marked(text: str) -> Message:
    return {"type": "mrkdwn", "text": text}
