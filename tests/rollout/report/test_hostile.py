"""A journal that somebody else wrote: none of its strings runs or breaks the page."""

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.rollout.report.writer import write_report
from tests.support import browser
from tests.support.reported import chained, entries, run

RUN = "document.documentElement.dataset.ran = 'yes'"
HOSTILE = {
    "an image": f'<img src="x:" onerror="{RUN}">',
    "an attribute": f'"><svg onload="{RUN}">',
    "an end of a script": f"</script><script>{RUN}</script>",
    "a comment in a script": "<!--<script>",
    "a line separator": f"\u2028{RUN}//\u2029",
    "a template": "{{ 7 * 7 }}{% if %}",
}
OURS = ("kind", "policy")


def _changed(value: Any, text: str) -> Any:
    """Every string in it, and every label, is `text`."""
    match value:
        case str():
            return text
        case list():
            return [_changed(each, text) for each in value]
        case {"labels": labels, **rest}:
            named = {f"{text}{i}": each for i, each in enumerate(labels.values())}
            return {**_changed(rest, text), "labels": named}
        case dict():
            return {key: _changed(each, text) for key, each in value.items()}
    return value


def _entry(entry: dict[str, Any], text: str) -> dict[str, Any]:
    kept = {key: entry[key] for key in OURS if key in entry}
    if "policy" in kept:
        kept["policy"] += f"# {json.dumps(text)}\n"
    if entry["kind"] == "look":
        rows = {"errors": [0, 0, 0, 100]}
        beside = [{"source": "shadow", "metrics": rows, "counts": True}]
        entry = {**entry, "seen": {**entry["seen"], "beside": beside}}
    return {**_changed(entry, text), **kept}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_string_of_a_journal_runs_or_becomes_markup(
    tmp_path: Path, text: str
) -> None:
    journal = [_entry(each, text) for each in entries(run(tmp_path))]
    write_report(chained(journal), tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text()
    seen = browser.look(html, 1400, browser.LIGHT, tmp_path)
    assert seen["ran"] == ""
    assert [plot["title"] for plot in seen["plots"]] == browser.TITLES
    assert text in seen["said"]
    assert text in seen["plots"][-1]["tip"]
