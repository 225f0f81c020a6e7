"""Each alert fires for its trouble alone; none for a healthy rollout, none for nothing.

Prometheus's own program evaluates the shipped rules over series that are written down.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.local.processes import ROOT
from tests.monitoring.rules import ALERTS, FOLDER, RULES, plain, promtool, served_names

RUNBOOKS = (ROOT / "docs" / "runbooks" / "README.md").read_text()
WHOSE = 'target_namespace="shop",target="intent"'
WHERE = 'namespace="shop",inferenceservice="intent",model="intent"'
# A rollout that is looked after every minute, from 0 to 120; `_` is no sample.
HEALTHY = {
    "intent_canary_running": "1x120",
    "intent_canary_last_look_timestamp_seconds": "0+60x120",
    "intent_canary_last_ready_timestamp_seconds": "0+60x120",
    "intent_canary_phase_timestamp_seconds": "0x120",
    "intent_canary_step_deadline_seconds": "86400x120",
    "intent_canary_weight_in_force": "1x120",
    "intent_canary_unreadable": "0x120",
    "intent_canary_split_moved": "0x120",
    'intent_canary_verdict{verdict="held"}': "0x120",
    'intent_canary_verdict{verdict="rolled_back"}': "0x120",
    'intent_canary_verdict{verdict="promoted"}': "0x120",
    'intent_canary_verdict{verdict="unverified"}': "0x120",
    'intent_canary_last_data_timestamp_seconds{arm="canary"}': "0+60x120",
    'intent_canary_last_data_timestamp_seconds{arm="stable"}': "0+60x120",
    'intent_canary_labels_distance_ratio{metric="labels"}': "0.02x120",
    'intent_canary_tolerance_ratio{metric="labels"}': "0.05x120",
    'intent_canary_evidence{metric="labels",towards="rollback"}': "0.5x120",
    'intent_requests_total{revision="r-2",code="200"}': "0+600x400",
    'intent_requests_total{revision="r-2",code="422"}': "0+600x400",
    'intent_requests_total{revision="r-2",code="500"}': "0x400",
    'intent_request_duration_seconds_bucket{revision="r-2",le="0.25"}': "0+600x400",
    'intent_request_duration_seconds_count{revision="r-2"}': "0+600x400",
}


def _ended(verdict: str) -> dict[str, str]:
    """A promoter that has told its verdict at 20 min and is gone then."""
    told = {
        name: values.split("x")[0] + "x20"
        for name, values in HEALTHY.items()
        if name.startswith("intent_canary")
    }
    told[f'intent_canary_verdict{{verdict="{verdict}"}}'] = "0x19 1"
    told["intent_canary_end_timestamp_seconds"] = "_x19 1200"
    return told


def _killed() -> dict[str, str]:
    """A promoter that is gone at 20 min without a verdict."""
    told = _ended("promoted")
    told['intent_canary_verdict{verdict="promoted"}'] = "0x20"
    del told["intent_canary_end_timestamp_seconds"]
    return told


DATA = 'intent_canary_last_data_timestamp_seconds{arm="canary"}'
# Trouble, the alert that it fires, and when it is looked at.
TROUBLES: dict[str, tuple[dict[str, str], str, str]] = {
    "killed without a verdict": (_killed(), "IntentCanarySilent", "30m"),
    "hangs": (
        {
            "intent_canary_last_look_timestamp_seconds": "0+60x20 1200x100",
            "intent_canary_last_ready_timestamp_seconds": "0+60x20 1200x100",
        },
        "IntentCanarySilent",
        "30m",
    ),
    "ended undecided": (_ended("held"), "IntentCanaryHeld", "30m"),
    "past its step's deadline": (
        {"intent_canary_step_deadline_seconds": "600x120"},
        "IntentCanaryHeld",
        "30m",
    ),
    "ended rolled back": (_ended("rolled_back"), "IntentCanaryRolledBack", "30m"),
    "ended unverified": (_ended("unverified"), "IntentCanaryNotVerified", "30m"),
    "the weight is not in force": (
        {"intent_canary_weight_in_force": "1x20 0x100"},
        "IntentCanaryRouteNotAsAsked",
        "30m",
    ),
    "the split is moved": (
        {"intent_canary_split_moved": "0x20 1x100"},
        "IntentCanarySplitNotAsAsked",
        "30m",
    ),
    "not ready from minute 20": (
        {"intent_canary_last_ready_timestamp_seconds": "0+60x20 1200x100"},
        "IntentCanaryNotReady",
        "30m",
    ),
    "no counts of one version": (
        {DATA: "0+60x20 1200x100"},
        "IntentCanaryNoData",
        "30m",
    ),
    "nothing readable": (
        {"intent_canary_unreadable": "0x20 1x100"},
        "IntentCanaryNoData",
        "30m",
    ),
    "20 % apart with a tolerance of 5 %": (
        {
            'intent_canary_labels_distance_ratio{metric="labels"}': "0.2x120",
            'intent_canary_evidence{metric="labels",towards="rollback"}': "3x120",
        },
        "IntentCanaryLabelsDrifted",
        "30m",
    ),
    "every 9th answer a 500": (
        {'intent_requests_total{revision="r-2",code="500"}': "0+150x400"},
        "IntentErrorsFast",
        "30m",
    ),
    "INTERNAL over gRPC": (
        {'intent_requests_total{revision="r-2",code="INTERNAL"}': "0+150x400"},
        "IntentErrorsFast",
        "30m",
    ),
    "4 % errors for six hours": (
        {'intent_requests_total{revision="r-2",code="500"}': "0+50x400"},
        "IntentErrorsSlow",
        "360m",
    ),
    "every 6th answer slow": (
        {
            'intent_request_duration_seconds_bucket{revision="r-2",le="0.25"}': (
                "0+500x400"
            )
        },
        "IntentLatencyOverSlo",
        "45m",
    ),
}
QUIET: dict[str, dict[str, str]] = {
    "healthy": {},
    "promoted and gone": _ended("promoted"),
    "one moment of errors": {
        'intent_requests_total{revision="r-2",code="500"}': "0x9 600x390"
    },
    "the caller's faults": {
        'intent_requests_total{revision="r-2",code="422"}': "0+6000x400"
    },
    "the last one was rolled back, the next one runs": {
        'intent_canary_verdict{verdict="rolled_back",pod="old"}': "1x10",
    },
}


def _series(changes: dict[str, str]) -> list[dict[str, str]]:
    found = []
    for series, values in {**HEALTHY, **changes}.items():
        name, _, labels = series.partition("{")
        whose = WHOSE if name.startswith("intent_canary") else WHERE
        both = ",".join(filter(None, (whose, labels.removesuffix("}"))))
        found.append({"series": f"{name}{{{both}}}", "values": values})
    return found


def _run(folder: Path, tests: list[dict[str, Any]]) -> tuple[int, str]:
    plain(folder)
    content = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m"}
    file = folder / "test.yaml"
    file.write_text(yaml.safe_dump({**content, "tests": tests}))
    return promtool("test", "rules", str(file))


def _fires(
    name: str, changes: dict[str, str] | None, alert: str, *times: str
) -> dict[str, Any]:
    """A test that at these times one alert fires and no other; none, if it is ""."""
    series = [] if changes is None else _series(changes)
    query = 'count by (alertname) (ALERTS{alertstate="firing"})'
    fired = [{"labels": f'{{alertname="{alert}"}}', "value": 1}] if alert else []
    asked = [{"expr": query, "eval_time": at, "exp_samples": fired} for at in times]
    test = {"name": name, "interval": "1m", "input_series": series}
    return {**test, "promql_expr_test": asked}


def test_promtool_takes_the_rules(tmp_path: Path) -> None:
    code, said = promtool("check", "rules", str(plain(tmp_path)))
    assert code == 0, said


def test_each_trouble_fires_its_alert_and_no_other(tmp_path: Path) -> None:
    tests = [
        _fires(name, changes, alert, at)
        for name, (changes, alert, at) in TROUBLES.items()
    ]
    code, said = _run(tmp_path, tests)
    assert code == 0, said


def test_every_alert_is_seen_to_fire() -> None:
    assert {alert for _, alert, _ in TROUBLES.values()} == set(ALERTS)


def test_the_pages_table_has_every_alert_with_what_it_was_seen_to_fire_for() -> None:
    page = (ROOT / "docs" / "runbooks" / "monitoring.md").read_text()
    rows = re.findall(r"^\| \[(\w+)\]\(\S+\) \| .+ \| (.+) \|$", page, re.M)
    assert [name for name, _ in rows] == list(ALERTS)
    seen = dict(rows)
    for trouble, (_, alert, _) in TROUBLES.items():
        assert trouble in seen[alert], trouble


def test_a_healthy_rollout_and_no_series_at_all_fire_nothing(tmp_path: Path) -> None:
    tests = [
        _fires(name, changes, "", "5m", "15m", "30m", "60m", "110m")
        for name, changes in [*QUIET.items(), ("nothing", None)]
    ]
    code, said = _run(tmp_path, tests)
    assert code == 0, said


def test_a_promtool_test_that_expects_too_much_fails(tmp_path: Path) -> None:
    code, _ = _run(tmp_path, [_fires("healthy", {}, "IntentErrorsFast", "30m")])
    assert code != 0


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_it_is_and_where_its_runbook_is(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in ("critical", "warning")
    told = rule["annotations"]
    assert set(told) == {"summary", "description", "runbook_url"}
    page, _, anchor = told["runbook_url"].partition("#")
    assert page.endswith("/docs/runbooks/README.md")
    assert anchor == name.lower()


def test_there_is_a_runbook_for_every_alert_and_for_no_other() -> None:
    assert sorted(re.findall(r"^## (Intent\w+)$", RUNBOOKS, re.M)) == sorted(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_a_runbook_says_what_it_means_and_names_a_command(name: str) -> None:
    (section,) = re.findall(rf"^## {name}\n(.*?)(?=^## |\Z)", RUNBOOKS, re.M | re.S)
    for part in ("**What it means.**", "**Look at.**", "**Do.**"):
        assert part in section
    assert re.search(r"^(intent-canary|kubectl) ", section, re.M)


def test_the_pages_links_lead_somewhere() -> None:
    for page in (ROOT / "docs" / "runbooks").glob("*.md"):
        links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
        assert links
        for link in links:
            assert (page.parent / link).exists(), (page.name, link)


def test_every_name_in_the_rules_is_one_that_somebody_serves() -> None:
    asked = set(re.findall(r"(?<![:\w])intent_[a-z0-9_]+", yaml.safe_dump(RULES)))
    known = served_names()
    for name in asked:
        assert re.sub(r"_(total|bucket|count)$", "", name) in known, name


def test_the_folder_has_what_its_kustomization_names() -> None:
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    for name in kustomization["resources"]:
        assert (FOLDER / name).is_file()
