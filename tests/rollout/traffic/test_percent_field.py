"""What KServe's percent field asks for, and the states from which nothing may begin."""

import pytest

from scripts.rollout.state.observation import View
from scripts.rollout.traffic.percent_field import explain
from tests.support.worlds import STABLE, view


@pytest.mark.parametrize(
    ("seen", "danger"),
    [
        (view(100, rolledout=STABLE), "canaryTrafficPercent is 100"),
        (view(None, rolledout=STABLE), "canaryTrafficPercent is absent"),
        (view(150, rolledout=STABLE), "is 150, expected 0 to 100"),
        (view(-1, created=STABLE), "is -1, expected 0 to 100"),
        (view(10, previous=STABLE), "after a promotion took KServe back to r-00001"),
        (view(20, created="r-00003"), "20 % go to r-00002 until r-00003 is ready"),
    ],
)
def test_a_dangerous_percent_is_named_with_what_to_do(seen: View, danger: str) -> None:
    assert danger in explain(seen).danger


@pytest.mark.parametrize("percent", [0, 10])
def test_a_canary_with_a_percent_is_safe(percent: int) -> None:
    assert explain(view(percent)).danger == ""


def test_no_canary_at_all_is_no_danger_of_the_percent() -> None:
    assert explain(view(None)).danger == ""


def test_the_field_is_named_as_the_manifest_names_it() -> None:
    assert explain(view(5)).asked == "canaryTrafficPercent 5"
    assert explain(view(None)).asked == "canaryTrafficPercent absent"
