"""What is news in what a look says: by the kinds of notes, whatever their words."""

from scripts.rollout.state.notes import Note, NoteKind, news

RAISED = Note(NoteKind.RAISED, "5 % -> 25 %")
NOBODY: frozenset[NoteKind] = frozenset()


def _silent(seconds: int) -> Note:
    return Note(NoteKind.NO_METRICS, f"nothing heard since {seconds}s")


def test_what_lasts_is_news_once_in_whatever_words() -> None:
    first, told = news([_silent(10)], NOBODY)
    again, told = news([_silent(20)], told)
    assert (first, again) == ([_silent(10)], [])


def test_what_lasts_is_news_again_after_something_else() -> None:
    _, told = news([_silent(10), RAISED], NOBODY)
    assert news([_silent(20)], told)[0] == [_silent(20)]


def test_what_does_not_last_is_news_each_time() -> None:
    _, told = news([RAISED], NOBODY)
    assert news([RAISED, RAISED], told)[0] == [RAISED, RAISED]


def test_two_conditions_at_once_are_told_once_each() -> None:
    both = [_silent(10), Note(NoteKind.HOOK_WAITS, "not yet")]
    first, told = news(both, NOBODY)
    assert (first, news(both, told)[0]) == (both, [])


def test_a_kind_that_only_a_newer_version_writes_is_read_as_unknown() -> None:
    assert NoteKind("moonrise") is NoteKind.UNKNOWN
