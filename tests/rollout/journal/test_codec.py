"""Journals of before are read and written as they were; a fault is named by its place.

`schema1` holds what commit 728b857 wrote, before msgspec: a rollout that was promoted.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.rollout.decision.explaining import reasons
from scripts.rollout.decision.measurement import Rules
from scripts.rollout.errors import Exit, JournalError
from scripts.rollout.journal import codec, replay
from scripts.rollout.journal.saved import restore
from scripts.rollout.state.observation import Observation
from scripts.rollout.state.state import SCHEMA, Phase, State
from tests.support.folder_world import FolderWorld
from tests.support.worlds import policy

BEFORE = Path(__file__).with_name("schema1")
STATE = (BEFORE / "state.json").read_bytes()
LINES = (BEFORE / "journal.jsonl").read_text(encoding="utf-8").splitlines()


def _without_evidence(content: dict[str, Any]) -> dict[str, Any]:
    return {**content, "state": {**content["state"], "judged": None}}


def _restored(change: Callable[[dict[str, Any]], object]) -> State:
    content = json.loads(STATE)
    change(content["state"])
    return restore(json.dumps(content).encode(), "state.json").state


def test_a_state_of_before_is_written_as_it_was() -> None:
    saved = restore(STATE, "state.json")
    before = _without_evidence(json.loads(STATE))
    del before["reading"], before["read_at"]  # windows of comparison begin elsewhere
    kept = _without_newer_fields(codec.encode(saved), before)
    assert json.dumps(kept) == json.dumps(before)
    assert saved.state.phase is Phase.PROMOTED
    assert saved.state.verdict is Exit.PROMOTED


def _without_newer_fields(now: Any, before: Any) -> Any:
    if not isinstance(before, dict):
        return now
    return {key: _without_newer_fields(now[key], before[key]) for key in before}


def test_evidence_of_an_older_form_is_left_out_and_its_version_named() -> None:
    state = _restored(lambda state: state.update(phase="Step", verdict=None))
    assert state.judged is None
    assert reasons.waiting(Rules(policy()), state, None) == [
        "a promoter of its own version: schema 1, this version decides by schema "
        f"{SCHEMA}; commit 728b857 can"
    ]


def test_every_observation_of_before_is_written_as_it_was() -> None:
    looks = [each for each in map(json.loads, LINES) if each["kind"] == "look"]
    assert len(looks) == 13
    for look in looks:
        again = codec.encode(codec.decode(Observation, look["seen"]))
        kept = _without_newer_fields(again, look["seen"])
        assert json.dumps(kept) == json.dumps(look["seen"])


def test_a_journal_of_before_is_decided_again_by_its_own_version_only() -> None:
    said = f"line 1: schema 1, this version decides by schema {SCHEMA}; commit"
    with pytest.raises(JournalError, match=said):
        replay.journal(LINES, None)


def test_what_an_older_journal_lacks_takes_its_default() -> None:
    state = _restored(lambda state: state.pop("last_seen"))
    assert state.last_seen == "nothing"
    assert state.changed(weight=7).last_seen == "nothing"


def test_what_only_a_newer_version_knows_is_ignored() -> None:
    state = _restored(lambda state: state.update(moon="full"))
    known = _without_evidence(json.loads(STATE))["state"]
    found = codec.encode(state)
    assert "moon" not in found
    kept = _without_newer_fields(found, known)
    assert json.dumps(kept) == json.dumps(known)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.update(canary=3), r"Expected `str`, got `int` - at `\$.state.can"),
        (lambda s: s.pop("stable"), r"missing required field `stable` - at `\$.state`"),
        (lambda s: s.update(phase="Lunch"), r"'Lunch' - at `\$.state.phase`"),
        (
            lambda s: s.update(schema=9),
            "schema 9, this one knows 1 to 6",
        ),
        (lambda s: s.clear(), "holds no state of a rollout with its schema"),
    ],
)
def test_a_damaged_state_is_refused_by_the_name_of_the_field(
    change: Callable[[dict[str, Any]], object], message: str
) -> None:
    with pytest.raises(JournalError, match=rf"^state\.json: .*{message}"):
        _restored(change)


@pytest.mark.parametrize(
    ("phi", "message"), [("one", "'one'"), ([None], "finite"), (["x"], "could not")]
)
def test_damaged_evidence_is_refused_by_the_name_of_the_field(
    phi: object, message: str, tmp_path: Path
) -> None:
    for _ in range(3):
        FolderWorld(tmp_path).runner().run(once=True)
    content = json.loads((tmp_path / "rollout" / "state.json").read_text())
    content["state"]["judged"]["phi"] = phi
    with pytest.raises(JournalError, match=rf"{message}.*`\$.state.judged.phi`"):
        restore(json.dumps(content).encode(), "state.json")


@pytest.mark.parametrize("text", [b"[]", b"1", b"null"])
def test_json_that_is_no_state_is_refused(text: bytes) -> None:
    with pytest.raises(JournalError, match=r"state\.json: holds no state"):
        restore(text, "state.json")
