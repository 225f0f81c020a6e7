"""Events on the object that is rolled out: what is new, and never the same twice."""

from collections.abc import Sequence

import pytest

from scripts.rollout.integrations.events import Events
from scripts.rollout.journal import codec
from scripts.rollout.journal.saved import Saved
from scripts.rollout.state.notes import Note, NoteKind
from tests.support.api_server import OWNER, Api
from tests.support.worlds import Rollout

FOLDER = "/api/v1/namespaces/default/events"


def _told(looks: Sequence[Sequence[Note]]) -> list[str]:
    """The messages of the Events that looks with these notes lead to."""
    api = Api()
    events, saved = Events(api, "default", OWNER), Saved(Rollout.begun().state, "")
    for notes in looks:
        saved = saved.extended("look", {"notes": codec.encode(notes)})
        events(saved)
    events(saved.extended("undo", {"reason": "undone by a person"}))
    told = [each for path, each in api.objects.items() if path.startswith(FOLDER)]
    return [each["message"] for each in told]


def test_a_look_that_says_nothing_is_no_event() -> None:
    assert _told([[], []]) == ["undone by a person"]


@pytest.mark.parametrize("words", ["no metrics for {}s", "silent since {0} o'clock"])
def test_what_lasts_is_told_once_in_whatever_words(words: str) -> None:
    looks = [[Note(NoteKind.NO_METRICS, words.format(i * "x"))] for i in range(3)]
    assert _told(looks) == [words.format(""), "undone by a person"]


def test_each_raise_is_told_though_it_differs_in_digits_alone() -> None:
    looks = [[Note(NoteKind.RAISED, f"-> {weight} %")] for weight in (25, 28)]
    assert _told(looks) == ["-> 25 %", "-> 28 %", "undone by a person"]


def test_the_notes_of_one_look_are_one_event() -> None:
    look = [Note(NoteKind.WARMED_UP, "3 sent"), Note(NoteKind.RAISED, "-> 5 %")]
    assert _told([look])[0] == "3 sent; -> 5 %"
