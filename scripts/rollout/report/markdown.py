"""A rollout as Markdown, for the summary of a build or a message. Pure.

A journal is untrusted input, so every sign that Markdown or HTML knows is escaped.
"""

import re

from scripts.rollout import text
from scripts.rollout.errors import Exit
from scripts.rollout.policy import reader
from scripts.rollout.report.page import sentence
from scripts.rollout.report.story import Story

SIGNS = re.compile(r"([\\`*_{}\[\]<>()#+!|~@&])")
LAST = 20  # decisions; the page has all of them


def summary(story: Story) -> str:
    """Return title, sentence, both arms' rates, and the last decisions."""
    policy = reader.parse(story.policy, "the journal's policy")
    verdict = "goes on"
    if story.verdict is not None:
        verdict = Exit(story.verdict).name.lower()
    title = f"{story.target or policy.key}: {story.canary}, {verdict}"
    parts = [f"## {_plain(title)}", _plain(sentence(story, policy))]
    parts += ["\n".join(_rates(story)), "\n".join(_decisions(story))]
    return "\n\n".join(filter(None, parts)) + "\n"


def _rates(story: Story) -> list[str]:
    judged = [point["metrics"] for point in story.points if point["metrics"]]
    if not judged:
        return []
    rows = [
        f"| {_plain(name)} | {_arm(row, 'canary')} | {_arm(row, 'stable')} |"
        for name, row in judged[-1].items()
    ]
    return ["| metric | canary | stable |", "|---|---|---|", *rows]


def _arm(row: dict[str, float], arm: str) -> str:
    n, bad = row.get(arm) or 0.0, row.get(f"{arm}Bad") or 0.0
    share = row.get(f"{arm}Share")
    shown = bad / n if share is None and n else share or 0.0
    return f"{text.share(shown)} of {n:,.0f}" if n else "no requests"


def _decisions(story: Story) -> list[str]:
    last = story.decisions[-LAST:]
    return [f"- {text.duration(at)}: {_plain(said)}" for at, said in last]


def _plain(said: str) -> str:
    return SIGNS.sub(r"\\\1", " ".join(said.split()))
