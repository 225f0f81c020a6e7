"""What a verdict rests on, and a canary's pod beside the stable's own pods."""

from dataclasses import replace

import pytest

from scripts.rollout.decision.explaining import conditions
from scripts.rollout.errors import Exit
from scripts.rollout.metrics import counters
from scripts.rollout.metrics.port import ERRORS, REQUESTS, TIMED
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.notes import NoteKind
from scripts.rollout.state.observation import Delta
from scripts.rollout.state.state import Phase
from tests.support.worlds import CANARY, STABLE, Rollout, policy
from tests.support.worlds import ERRORS as METRIC

PODS = (25, 75, 110, 190)  # bad ones of 10,000 each: shares of 0.25 to 1.9 %


def _stable(bad: tuple[int, ...] = PODS, n: int = 10_000) -> Delta:
    rows = {f"pod-{i}": (float(each), float(n)) for i, each in enumerate(bad)}
    row = (0.0, 0.0, float(sum(bad)), float(n * len(bad)))
    return Delta({"errors": row}, pods={"errors": rows})


def _users(canary: float, stable: float, weight: int, n: int = 3000) -> Delta:
    mine = n * weight // 100
    rest = n - mine
    return Delta({"errors": (mine * canary, mine, rest * stable, rest)})


def _begun(known: Delta, chosen: Policy | None = None) -> Rollout:
    rollout = Rollout.begun(chosen or policy(metrics=f"[{METRIC}]"))
    rollout.look(delta=known)
    for _ in range(5):
        if rollout.state.phase is Phase.STEP:
            return rollout
        rollout.look(delta=_users(0, 0.01, 0))
    raise AssertionError(rollout.state)


def _rolled_back(rollout: Rollout, canary: float, looks: int) -> bool:
    for _ in range(looks):
        rollout.look(delta=_users(canary, 0.01, rollout.state.weight))
    return rollout.state.weight == 0


def test_a_canarys_pod_may_differ_as_the_stables_do() -> None:
    told_apart, not_told = _begun(_stable()), _begun(replace(_stable(), pods={}))
    assert _rolled_back(not_told, 0.025, 40)
    assert not _rolled_back(told_apart, 0.025, 40)


def test_a_broken_canary_goes_at_once_however_pods_differ() -> None:
    assert _rolled_back(_begun(_stable()), 0.5, 1)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (_stable(), "the stable's 4 pods differ, so a canary's may by errors +4."),
        (_stable((100, 101, 99)), "the stable's 3 pods differ by chance only"),
        (_stable((100,)), "the stable has one pod, so the canary's is judged with"),
        (replace(_stable(), pods={}), "pods are not told apart, so the canary's is"),
    ],
)
def test_the_verdict_says_what_it_knows_of_pods(known: Delta, said: str) -> None:
    rollout = _begun(known)
    assert _rolled_back(rollout, 0.5, 1)
    notes = rollout.look(delta=_users(0, 0.01, 0)).notes
    assert rollout.state.verdict is Exit.ROLLED_BACK
    (note,) = [each for each in notes if each.kind is NoteKind.CONDITIONS]
    assert said in note.text
    assert "outcomes in clusters of errors 1 (policy)" in note.text
    assert "warm when users came" in note.text


def _assumed(rollout: Rollout) -> list[str]:
    """Look until the first step; return what was said to be assumed."""
    found: list[str] = []
    for _ in range(3):
        notes = rollout.look(delta=_stable((100,))).notes
        found += [each.text for each in notes if each.kind is NoteKind.ASSUMED]
    return found


@pytest.mark.parametrize(
    ("bake", "said"),
    [
        ("20s", "a bake of 20s meets it in 10% of rollouts where it comes each 5m00s"),
        ("1h", "a bake of 1h00m meets it in 100% of rollouts where it comes each 5m"),
    ],
)
def test_what_no_evidence_covers_is_said_before_users_come(
    bake: str, said: str
) -> None:
    chosen = policy(metrics=f"[{METRIC}]", bake=f"{{percent: 95, duration: {bake}}}")
    (found,) = _assumed(Rollout.begun(chosen))
    assert "the stable has one pod, so the canary's is judged with its code" in found
    assert said in found


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("standsForUsers: true", ("users meet nothing that pairs do not", None)),
        ("standsForUsers: false", ("users and pairs were judged apart", True)),
    ],
)
def test_a_verdict_says_what_pairs_stood_for(
    says: str, expected: tuple[str, bool | None]
) -> None:
    pairs = f"{{share: 20%, {says}}}"
    rollout = Rollout.begun(policy(metrics=f"[{METRIC}]", shadow=pairs))
    _assumed(rollout)
    found = conditions.of(rollout.policy, rollout.state)
    (said,) = [each for each in found if each.name == "pairs"]
    assert expected[0] in said.said
    assert said.holds is expected[1]


def test_what_was_not_checked_is_no_condition_that_holds() -> None:
    rollout = _begun(_stable((100,)), policy(metrics=f"[{METRIC}]", warmup="0"))
    found = conditions.of(rollout.policy, rollout.state)
    holds = {each.name: each.holds for each in found}
    names = ("pods", "clusters", "cold start", "read skew", "split")
    assert holds == dict(zip(names, (None, True, None, True, None), strict=True))


def test_the_verdict_says_how_far_apart_the_arms_were_read() -> None:
    rollout = _begun(_stable((100,)))
    rollout.look(delta=replace(_users(0.01, 0.01, 5), apart_s=0.4))
    carried = replace(_users(0, 0, 5, 0), apart_s=20.0, is_carried=True)
    rollout.look(delta=carried)
    told = conditions.told(conditions.of(rollout.policy, rollout.state))
    assert "both arms were read at most 0.4 s apart" in told


def test_a_rollout_that_is_held_says_it_once() -> None:
    rollout, said = _begun(_stable()), 0
    for _ in range(80):
        notes = rollout.look(n=0, delta=_users(0, 0, 5, 0)).notes
        said += sum(note.kind is NoteKind.CONDITIONS for note in notes)
    assert rollout.state.phase is Phase.HELD
    assert said == 1


def _reading(bad: dict[str, float], arm: str = STABLE) -> dict[str, object]:
    return {
        arm: {
            pod: {REQUESTS: 100.0, ERRORS: each, TIMED: 100.0}
            for pod, each in bad.items()
        }
    }


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{counts: predictor}", {"a": (1.0, 100.0), "b": (2.0, 100.0)}),
        ("{counts: gateway}", {}),
    ],
)
def test_pods_are_told_apart_where_each_counts_for_itself(
    source: str, expected: dict[str, tuple[float, float]]
) -> None:
    chosen = policy(metrics=f"[{METRIC}]", source=source)
    zero = {
        STABLE: {pod: dict.fromkeys((REQUESTS, ERRORS, TIMED), 0.0) for pod in "ab"}
    }
    now = _reading({"a": 1.0, "b": 2.0})
    found = counters.delta(chosen, zero, now, since=0.0, arms=(CANARY, STABLE))  # type: ignore[arg-type]
    assert found.pods.get("errors", {}) == expected


def test_plan_says_what_is_judged_with_the_canary() -> None:
    assert "pods are not told apart" in conditions.unit(policy())
    apart = policy(source="{counts: predictor}")
    assert "what the stable's own pods differ by" in conditions.unit(apart)
