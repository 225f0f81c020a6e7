"""Each bad canary is rolled back, on real processes behind the real Envoy."""

import re
from collections.abc import Iterator

import pytest

from tests.faults import models
from tests.faults.pipelines import (
    Cold,
    CrashLooping,
    Failing,
    Healthy,
    NeverReady,
    OneClass,
    Slow,
)
from tests.support.stage import COLD, POLICY, QUICK, STABLE, LocalStage, stage

pytestmark = pytest.mark.timeout(240)

# Of all answers. On an idle machine there are 30 bad ones (tests/bench/DECISIONS.md); a
# busy one reads its counters later, and is slow by itself.
MOST_BAD = 0.25


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStage]:
    """A stable revision with users to come."""
    with stage(tmp_path_factory.mktemp("faults")) as built:
        yield built


def _is_back(on: LocalStage) -> bool:
    return on.percent(STABLE) == 100


def test_ten_percent_errors_are_rolled_back_on_evidence(on: LocalStage) -> None:
    on.canary(Failing(models.inner(), every=10))
    verdict = on.run()
    print(verdict)
    assert verdict.code == 10, verdict.said
    assert "errors:" in verdict.said
    assert _is_back(on)
    assert verdict.bad <= MOST_BAD * verdict.answers


def test_only_errors_cost_no_user_an_answer_as_the_warm_up_meets_them(
    on: LocalStage,
) -> None:
    on.canary(Failing(models.inner(), every=1))
    verdict = on.run()
    print(verdict)
    assert verdict.code == 11, verdict.said
    assert "all 10 warm-up requests failed" in verdict.said
    assert verdict.failed == 0
    assert _is_back(on)


def test_only_errors_are_caught_within_a_scrape_without_a_warm_up(
    on: LocalStage,
) -> None:
    on.canary(Failing(models.inner(), every=1))
    verdict = on.run(COLD)
    print(verdict)
    assert verdict.code in (10, 11), verdict.said
    assert verdict.bad <= MOST_BAD * verdict.answers
    assert _is_back(on)


def test_a_sleeping_canary_is_rolled_back_for_its_latency(on: LocalStage) -> None:
    on.canary(Slow(models.inner()))
    verdict = on.run(QUICK)
    print(verdict)
    assert verdict.code == 10, verdict.said
    assert "latency:" in verdict.said
    assert verdict.bad <= MOST_BAD * verdict.answers
    assert _is_back(on)


def test_one_class_for_everything_is_rolled_back_for_its_labels(
    on: LocalStage,
) -> None:
    on.canary(OneClass(models.inner()))
    verdict = on.run()
    print(verdict)
    assert verdict.code == 10, verdict.said
    assert "labels: its labels are" in verdict.said
    assert _is_back(on)


def test_a_canary_that_is_never_ready_is_given_up(on: LocalStage) -> None:
    on.canary(NeverReady(models.inner()), deadline="10s")
    verdict = on.run()
    print(verdict)
    assert verdict.code == 11, verdict.said
    assert "failed: Revision" in verdict.said
    assert verdict.failed == 0
    assert _is_back(on)


def test_a_crash_loop_is_rolled_back_by_a_guard(on: LocalStage) -> None:
    """By its restarts, or before by a warm-up that met no process."""
    on.canary(CrashLooping(models.inner()))
    verdict = on.run()
    print(verdict)
    assert verdict.code == 11, verdict.said
    restarts = r"[3-9] restarts, 2 are allowed"
    warm_up = r"all \d+ warm-up requests failed"
    assert re.search(f"guard: ({restarts}|{warm_up})", verdict.said), verdict.said
    assert _is_back(on)


def test_a_third_revision_at_25_percent_supersedes_the_canary(on: LocalStage) -> None:
    on.canary(Healthy(models.inner()))
    slow_at_25 = POLICY.replace("[10, 50]", "[25, 50]").replace(
        "dwell: 1s", "dwell: 50s"
    )
    with on.users():
        promoter = on.start(slow_at_25)
        on.until(lambda: on.percent(STABLE) == 75)
        third = on.canary(Healthy(models.inner()), percent=25)
        said, _ = promoter.communicate(timeout=60)
    print(said)
    assert promoter.returncode == 30
    assert f"superseded: {third} is newer" in said
    assert _is_back(on)


def test_a_cold_start_is_met_by_the_warm_up_and_not_by_users(on: LocalStage) -> None:
    """The last one here: it leaves another stable behind."""
    on.canary(Cold(models.inner()))
    verdict = on.run(POLICY.replace("settle: 5s", "settle: 30s"))
    print(verdict)
    assert verdict.code == 0, verdict.said
    assert "0 failed" in verdict.said
    assert ", settled after" in verdict.said
