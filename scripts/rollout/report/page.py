"""Renders a rollout as one self-contained HTML page: plots, decisions, the verdict.

The page embeds Apache ECharts and the numbers. A journal is untrusted input, so the
template escapes everything from it. Pure.
"""

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from scripts.rollout import text
from scripts.rollout.decision import paired
from scripts.rollout.errors import Exit
from scripts.rollout.policy import reader
from scripts.rollout.policy.policy import Policy
from scripts.rollout.report.story import Story
from scripts.rollout.state.state import Phase

DIGITS = 5  # significant digits: more than a plot shows
SCRIPTS = ("echarts.js", "report.js")
RELOAD_S = 2  # the page is written after every look
NUMBERS = (*("canaryShare", "stableShare", "low", "high", "rollback", "gate"),)
ENDINGS = {
    Exit.PROMOTED: (
        "{canary} was promoted: it is no worse than {stable} by more than the budget "
        "allows."
    ),
    Exit.ROLLED_BACK: "{canary} was rolled back: it is worse than {stable}.",
    Exit.GUARD: "{canary} was rolled back by a guard.",
    Exit.ABORTED: "{canary} was taken back by a person.",
    Exit.HELD: "{canary} is held where it is: the evidence did not suffice in time.",
    Exit.PAUSED: "{canary} waits for a person's approval.",
    Exit.SUPERSEDED: "{canary} was taken back: somebody applied a newer version.",
    Exit.GONE: "{canary} went with its target, which was deleted.",
    Exit.UNREACHABLE: "{canary} is held where it is: nothing more could be read.",
    Exit.UNVERIFIED: (
        "{canary} was to be rolled back, and that was NOT seen to be in force."
    ),
}


def sentence(story: Story, policy: Policy) -> str:
    """Describe the rollout to a reader who does not know e-values."""
    if story.verdict is None:
        if story.phase in (Phase.PREFLIGHT, Phase.WARMUP):
            return f"{story.canary} waits to start: no user has met it yet."
        share = min((story.against or 0.0) * policy.risk.false_rollback, 1.0)
        return (
            f"{story.canary} answers {story.weight} % of the requests; evidence "
            f"against it has reached {text.share(share)} of what a rollback takes."
        )
    if story.verdict == Exit.PROMOTED and story.is_ordered:
        return f"{story.canary} was promoted because a person ordered it."
    ending = ENDINGS[Exit(story.verdict)]
    said = ending.format(canary=story.canary, stable=story.stable)
    assumed = paired.assumption(policy)
    if story.verdict == Exit.PROMOTED and assumed:
        return f"{said} This was {assumed}."
    return said


def page(story: Story, verified: tuple[int, int] | None = None) -> str:
    """Render the whole page. Raises PolicyError if the journal's policy is invalid.

    `verified` are the numbers of the first and the last line whose hashes were checked.
    """
    policy = _policy(story.policy)
    return _template().render(
        story=story,
        title=f"{story.target or policy.key}: {story.canary}",
        reload_s=RELOAD_S if story.verdict is None else None,
        verdict="live" if story.verdict is None else Exit(story.verdict).name.lower(),
        sentence=sentence(story, policy),
        facts=_facts(story, policy),
        decisions=[(text.duration(at), note) for at, note in story.decisions],
        verified=verified,
        data=_data(story, policy),
        style=_asset("report.css"),
        scripts=[_asset(name) for name in SCRIPTS],
    )


def script_hashes() -> list[str]:
    """Return the hashes by which a Content-Security-Policy allows a page's scripts."""
    hashes = [hashlib.sha256(_asset(name).encode()).digest() for name in SCRIPTS]
    return [base64.b64encode(each).decode() for each in hashes]


def _facts(story: Story, policy: Policy) -> dict[str, str]:
    last: dict[str, Any] = story.points[-1] if story.points else {"at": 0.0}
    first = last.get("metrics", {}).get(policy.metrics[0].name)
    return {
        "weight": f"{story.weight} %",
        "phase": story.phase,
        "time": text.duration(last["at"]),
        "canary requests": f"{first['canary']:,.0f}" if first else "0",
        "of them failed": f"{first['canaryBad']:,.0f}" if first else "0",
        **{kind: f"{asked:,.0f}" for kind, asked in story.beside.items()},
    }


def _data(story: Story, policy: Policy) -> dict[str, Any]:
    points = story.points
    return {
        "time": _rounded([point["at"] for point in points]),
        "weight": [point["weight"] for point in points],
        "against": _rounded([point["against"] for point in points]),
        "neededAgainst": 1 / policy.risk.false_rollback,
        "neededFor": 1 / policy.risk.bad_promotion,
        "metrics": [
            {
                "name": metric.name,
                "slo": metric.slo,
                "isDrift": metric.drift is not None,
                "isGate": metric.is_gate,
                **_series(points, metric.name),
            }
            for metric in policy.metrics
        ],
        "labels": story.labels,
        "durations": story.durations,
    }


def _series(points: list[dict[str, Any]], metric: str) -> dict[str, Any]:
    rows = [_with_shares(point["metrics"].get(metric, {})) for point in points]
    return {number: _rounded([row.get(number) for row in rows]) for number in NUMBERS}


def _with_shares(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row; before schema 3 it has totals in place of shares."""
    shares = {
        f"{arm}Share": row[f"{arm}Bad"] / row[arm]
        for arm in ("canary", "stable")
        if f"{arm}Bad" in row and row.get(arm)
    }
    return shares | row


def _rounded(numbers: list[float | None]) -> list[float | None]:
    return [None if each is None else float(f"{each:.{DIGITS}g}") for each in numbers]


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("scripts.rollout.report", "assets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return environment.get_template("report.html")


@cache
def _policy(content: str) -> Policy:
    """Parse the policy once per rollout rather than at every look."""
    return reader.parse(content, "the journal's policy")


@cache
def _asset(name: str) -> Markup:
    """Return a style or script of this package, which the page includes unescaped."""
    assets = resources.files("scripts.rollout.report") / "assets"
    return Markup((assets / name).read_text("utf-8"))
