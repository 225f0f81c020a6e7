"""scripts.local.rules: KServe's scenarios without processes, row by row."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.local.rules import State, Wish, settle

V1, V2, V3 = {"image": "v1"}, {"image": "v2"}, {"image": "v3"}
REV1, REV2, REV3 = (f"intent-predictor-{n:05d}" for n in (1, 2, 3))


def _wish(template: dict[str, Any], percent: int | None = None) -> Wish:
    return Wish("intent-predictor", template, percent, has_tags=True)


def _run(*steps: tuple[Wish, set[str]]) -> State:
    state = State()
    for wish, ready in steps:
        state = settle(state, wish, ready)
    return state


def _traffic(state: State) -> list[tuple[str, int, str | None]]:
    return [(each.revision, each.percent, each.tag) for each in state.routed]


STABLE: tuple[tuple[Wish, set[str]], ...] = ((_wish(V1), set()), (_wish(V1), {REV1}))
CANARY = (*STABLE, (_wish(V2, 10), {REV1}), (_wish(V2, 10), {REV1, REV2}))
PROMOTED = (*CANARY, (_wish(V2), {REV1, REV2}))
BOTH = {REV1, REV2}


@pytest.mark.parametrize(
    ("steps", "rolledout", "previous", "traffic"),
    [
        pytest.param(
            ((_wish(V1, 10), set()), (_wish(V1, 10), {REV1})),
            REV1,
            "",
            [(REV1, 10, "latest"), (REV1, 90, "prev")],
            id="S1 a percent on the first deploy splits one revision",
        ),
        pytest.param(
            PROMOTED,
            REV2,
            REV1,
            [(REV2, 100, "latest")],
            id="S2 removing the field promotes",
        ),
        pytest.param(
            (*CANARY, (_wish(V2, 100), BOTH)),
            REV2,
            REV1,
            [(REV2, 100, "latest")],
            id="S3 100 promotes",
        ),
        pytest.param(
            (*CANARY, (_wish(V2, 0), BOTH)),
            REV1,
            "",
            [(REV2, 0, "latest"), (REV1, 100, "prev")],
            id="S4 0 rolls back",
        ),
        pytest.param(
            (*PROMOTED, (_wish(V2, 0), BOTH)),
            REV1,
            REV1,
            [(REV2, 0, "latest"), (REV1, 100, "prev")],
            id="S5 0 after a promotion goes back",
        ),
        pytest.param(
            (*CANARY, (_wish(V1), BOTH)),
            REV2,
            REV1,
            [(REV2, 100, "latest")],
            id="S6 re-applying v1 without the field gives v2 everything",
        ),
        pytest.param(
            (*CANARY, (_wish(V1), BOTH), (_wish(V1), {*BOTH, REV3})),
            REV3,
            REV2,
            [(REV3, 100, "latest")],
            id="S6 until the third revision is ready",
        ),
        pytest.param(
            (
                *CANARY,
                (_wish(V2, 0), BOTH),
                (_wish(V1, 0), BOTH),
                (_wish(V1, 0), {*BOTH, REV3}),
                (_wish(V1), {*BOTH, REV3}),
            ),
            REV3,
            REV1,
            [(REV3, 100, "latest")],
            id="S7 the safe way back",
        ),
        pytest.param(
            (*STABLE, (_wish(V2, 10), {REV1})),
            REV1,
            "",
            [(REV1, 10, "latest"), (REV1, 90, "prev")],
            id="S8 a canary that is never ready gets nothing",
        ),
        pytest.param(
            (*CANARY, (_wish(V3, 20), BOTH)),
            REV1,
            "",
            [(REV2, 20, "latest"), (REV1, 80, "prev")],
            id="S9 while a third version is pending the percent is v2's",
        ),
        pytest.param(
            (*PROMOTED, (_wish(V2, 10), BOTH)),
            REV1,
            REV1,
            [(REV2, 10, "latest"), (REV1, 90, "prev")],
            id="S10 a percent after a full rollout means back",
        ),
        pytest.param(
            (*CANARY, (_wish(V2, 0), BOTH), (_wish(V3, 20), BOTH)),
            REV1,
            "",
            [(REV2, 20, "latest"), (REV1, 80, "prev")],
            id="S13 after a rollback by 0 a third version exposes v2 again",
        ),
        pytest.param(
            (*CANARY, (_wish(V2, 0), BOTH), (_wish(V2), BOTH)),
            REV2,
            REV1,
            [(REV2, 100, "latest")],
            id="S14 deleting the field after a rollback by 0 promotes",
        ),
    ],
)
def test_scenario(
    steps: tuple[tuple[Wish, set[str]], ...],
    rolledout: str,
    previous: str,
    traffic: list[tuple[str, int, str | None]],
) -> None:
    state = _run(*steps)
    assert state.latest_rolledout == rolledout
    assert state.previous_rolledout == previous
    assert _traffic(state) == traffic


def test_a_percent_alone_makes_no_revision() -> None:
    state = _run(*CANARY, (_wish(V2, 50), BOTH))
    assert [each.name for each in state.revisions] == [REV1, REV2]


def test_a_revision_name_is_never_used_again() -> None:
    state = _run(*CANARY, (_wish(V1, 10), BOTH))
    assert state.latest_created == REV3


def test_every_change_of_the_knative_service_counts_in_its_generation() -> None:
    before, after = _run(*CANARY), _run(*CANARY, (_wish(V2, 50), BOTH))
    assert after.generation == before.generation + 1
    assert _run(*CANARY, (_wish(V2, 10), BOTH)).generation == before.generation


def test_without_tag_routing_only_prev_has_a_tag() -> None:
    wish = replace(_wish(V2, 10), has_tags=False)
    state = _run(*STABLE, (wish, BOTH))
    assert [tag for _, _, tag in _traffic(state)] == [None, "prev"]


def test_traffic_waits_for_a_stable_that_was_stopped() -> None:
    waiting = _run(*PROMOTED, (_wish(V2, 0), {REV2}))
    assert {revision for revision, percent, _ in _traffic(waiting) if percent} == {REV2}
    moved = settle(waiting, _wish(V2, 0), BOTH)
    assert moved.routed_percent(REV1) == 100


STEPS = st.lists(
    st.tuples(
        st.builds(
            _wish, st.sampled_from([V1, V2, V3]), st.none() | st.integers(0, 100)
        ),
        st.sets(st.sampled_from([REV1, REV2, REV3])),
    ),
    max_size=12,
)


@given(STEPS)
def test_traffic_always_sums_to_100_on_revisions_that_were_ready(
    steps: list[tuple[Wish, set[str]]],
) -> None:
    state = State()
    for wish, ready in steps:
        exists = {revision.name for revision in state.revisions} & ready
        state = settle(state, wish, exists)
        assert sum(each.percent for each in state.routed) in (0, 100)
        once_ready = {each.name for each in state.revisions if each.was_ready}
        routed = {each.revision for each in state.routed if each.percent}
        assert routed <= once_ready
