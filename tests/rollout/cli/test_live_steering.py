"""What people add to a rollout, on real processes: hooks, texts, labels, metrics."""

import time
from collections.abc import Iterator

import pytest

from tests.faults import models
from tests.faults.pipelines import Healthy, Mistaken, OneClass, Unsure
from tests.support.stage import POLICY, LocalStage, stage

pytestmark = pytest.mark.timeout(240)

TOKEN = "only-for-this-test"
SHADOW = f"shadow: {{share: 100%}}\n{POLICY}"
DISAGREEMENT = "  - {name: disagreement, shadow: predicted_label, tolerance: 20%}\n"
ACCURACY = "  - {name: accuracy, feedback: label, weight: 3}\n"
PATIENT = SHADOW.replace("tolerance: 10%", "tolerance: 40%")
PATIENT = PATIENT.replace("2s}", "80s}").replace("rollout: 90s", "rollout: 180s")
LOW = "  - {name: low_confidence, bad: confidence<0.5, budget: 4%, weight: 3}\n"


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStage]:
    """A stable revision whose predictors lend texts to whoever has the token."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECORDING_TOKEN", TOKEN)
        with stage(tmp_path_factory.mktemp("steering")) as built:
            yield built


def _with(metric: str, policy: str = POLICY) -> str:
    """The policy with one more metric."""
    return policy.replace("deadlines:", f"{metric}deadlines:")


def test_a_hook_that_refuses_rolls_back(on: LocalStage) -> None:
    on.canary(Healthy(models.inner()))
    script = "[sh, -c, 'test $ROLLOUT_WEIGHT -lt 50 || { echo not today; exit 1; }']"
    verdict = on.run(f"hooks: {{confirm: {{command: {script}}}}}\n{POLICY}")
    assert verdict.code == 11, verdict.said
    assert "hook confirm says no to 50 %: not today" in verdict.said
    assert verdict.failed == 0
    assert max(look["weight"] for look in on.records()) == 10


def test_a_closed_window_is_said_and_waited_for(on: LocalStage) -> None:
    on.canary(Healthy(models.inner()))
    tomorrow = time.strftime("%a", time.gmtime(time.time() + 2 * 86400)).lower()
    window = f'window: {{days: [{tomorrow}], hours: "12:00-13:00"}}\n'
    with on.users():
        promoter = on.start(window + POLICY)
        said = "the window opens"
        on.until(lambda: said in on.verb("explain", "intent")[1])
        on.verb("abort", "intent")
        promoter.communicate(timeout=30)
    assert promoter.returncode == 12


def test_shadow_finds_other_answers_before_any_user_meets_them(on: LocalStage) -> None:
    canary = on.canary(OneClass(models.inner()))
    unhurried = SHADOW.replace("dwell: 1s", "dwell: 8s")
    verdict = on.run(_with(DISAGREEMENT, unhurried))
    print(verdict)
    assert verdict.code == 10, verdict.said
    assert "disagreement: " in verdict.said
    looks = on.records()
    assert max(look["weight"] for look in looks) == 0
    assert all(look["seen"]["view"]["routed"].get(canary, 0) == 0 for look in looks)


def test_shadow_promotes_a_good_canary_and_counts_no_pair_as_users(
    on: LocalStage,
) -> None:
    on.canary(Healthy(models.inner()))
    with on.users() as answers:
        code, said = on.verb("run", "-f", str(on.policy(_with(DISAGREEMENT, SHADOW))))
    assert code == 0, said
    assert "first step: 0 %" in said
    looks = on.records()
    users = sum(sum(_row(look, "errors")[1::2]) for look in looks)
    pairs = sum(
        beside["metrics"]["errors"][3]
        for look in looks
        for beside in look["seen"]["beside"]
    )
    assert users <= len(answers)
    assert pairs > 100
    journal = on.backend.journal.read_text()
    assert "parcel" not in journal


def test_feedback_rolls_back_what_only_labels_can_show(on: LocalStage) -> None:
    """Same codes, same speed, the same mix: worse answers."""
    on.canary(Mistaken(models.inner(), every=3))
    code, said = on.taught(_with(ACCURACY, PATIENT))
    assert code == 10, said
    assert "accuracy: where both differ, wrong in" in said
    page = on.backend.journal.with_name("report.html").read_text()
    assert "<dt>feedback</dt>" in page
    assert "<dt>shadow</dt>" in page


def test_a_canary_that_is_not_sure_is_rolled_back(on: LocalStage) -> None:
    on.canary(Unsure(models.inner()))
    verdict = on.run(_with(LOW))
    assert verdict.code == 10, verdict.said
    assert "low_confidence: 100.00% against" in verdict.said


@pytest.mark.parametrize(
    ("says", "deadline", "expected", "most"),
    [
        ("counts: true, standsForUsers: true", "60s", 0, 100),
        ("counts: true", "20s", 20, 50),
        ("counts: false", "20s", 20, 10),
    ],
)
def test_where_users_are_few_synthetic_requests_count_if_told_so(
    on: LocalStage, says: str, deadline: str, expected: int, most: int
) -> None:
    """They open the gates on the way; the last one if they stand for users.

    Of 5 requests of users in the 20 seconds, 4 would have to be the canary's by chance.
    """
    on.canary(Healthy(models.inner()))
    texts = on.folder / "texts.txt"
    texts.write_text("hello\n\nwhere is my parcel?\n")
    synthetic = f"synthetic: {{rps: 60, texts: {texts}, {says}}}\n"
    with on.users(0.25):
        code, said = on.verb(
            "run", "-f", str(on.policy(synthetic + POLICY.replace("60s", deadline)))
        )
    assert code == expected, said
    assert max(look["weight"] for look in on.records()) <= most
    page = on.backend.journal.with_name("report.html").read_text()
    counted = "" if "counts: true" in says else ", not counted"
    assert f"<dt>synthetic{counted}</dt>" in page
    assumed = "assumed, as the policy says: users meet nothing that pairs do not"
    assert (said.count(assumed), assumed in page) == (
        (2, True) if expected == 0 else (0, False)
    )
    if expected:
        assert on.verb("abort", "intent")[0] == 0


def test_without_its_token_or_texts_a_run_does_not_begin(
    on: LocalStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, said = on.verb(
        "run", "-f", str(on.policy(f"synthetic: {{rps: 1, texts: gone}}\n{POLICY}"))
    )
    assert (code, "error: synthetic.texts: gone: No such file" in said) == (2, True)
    monkeypatch.delenv("RECORDING_TOKEN")
    code, said = on.verb("run", "-f", str(on.policy(SHADOW)))
    assert code == 2
    assert "error: shadow: expected RECORDING_TOKEN in the environment" in said
    code, said = on.verb("run", "-f", str(on.policy(SHADOW)), "--dry-run")
    assert "RECORDING_TOKEN" not in said


def _row(
    look: dict[str, dict[str, dict[str, dict[str, list[float]]]]], name: str
) -> list[float]:
    delta = look["seen"]["delta"]
    return delta["metrics"][name] if delta else [0.0, 0.0, 0.0, 0.0]
