"""The Grafana dashboard: made from code, and by the rules of Grafana's own linter.

Those of them that are about dashboards of one job or instance do not apply: a rollout
is named by its target, whatever pod it was in. That each query finds series is tested
where a real rollout has filled a Prometheus, in tests/e2e/test_alerts.py.
"""

import re
from typing import Any

import pytest

from tests.monitoring import dashboard
from tests.monitoring.board import BOARD, FILE, PANELS, QUERIES
from tests.monitoring.rules import served_names

SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def test_it_is_what_the_code_makes() -> None:
    """By `python -m tests.monitoring.dashboard`."""
    assert FILE.read_text() == dashboard.made()


def test_the_data_source_is_chosen_and_a_variable_is_read_again() -> None:
    variables = {each["name"]: each for each in BOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    for name in ("namespace", "name"):
        assert variables[name]["datasource"] == SOURCE
        assert variables[name]["refresh"] == 2  # when the time range changes
    assert BOARD["editable"] is False


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_a_panel_is_described_has_a_unit_and_asks_the_chosen_source(
    panel: dict[str, Any],
) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == SOURCE
    assert panel["targets"]
    assert all(each["legendFormat"] for each in panel["targets"])
    assert panel["options"]


def test_every_panel_has_a_number_and_a_place_of_its_own() -> None:
    assert len({each["id"] for each in BOARD["panels"]}) == len(BOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for each in BOARD["panels"]:
        place = each["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not taken & cells
        taken |= cells


@pytest.mark.parametrize("query", QUERIES)
def test_a_counter_is_a_rate_over_the_interval_that_fits(query: str) -> None:
    for name in re.findall(r"\w+_(?:total|bucket|count)\b", query):
        assert re.search(rf"rate\({name}\{{[^}}]*\}}\[\$__rate_interval\]\)", query)
    for window in re.findall(r"\[([^]]*)\]", query):
        assert window == "$__rate_interval"


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_is_about_the_chosen_rollout_and_names_what_is_served(
    query: str,
) -> None:
    known = served_names()
    names = re.findall(r"\bintent_\w+", query)
    assert names
    for name in names:
        assert re.sub(r"_(total|bucket|count)$", "", name) in known, name
    selectors = re.findall(r"\bintent_\w+\{([^}]*)\}", query)
    assert len(selectors) == len(names)
    assert all('"$namespace"' in each and '"$name"' in each for each in selectors)
