"""`pause`, `resume`, `approve`, `promote`, `abort`: leave the promoter a request."""

import json
import time

from scripts.rollout import wiring
from scripts.rollout.cli.options import Common, Named, emit, find, policy_of
from scripts.rollout.cli.telling import unsent
from scripts.rollout.decision import taken_back
from scripts.rollout.errors import Exit, LockHeld, RolloutError
from scripts.rollout.journal import codec
from scripts.rollout.journal.notes import read_notes
from scripts.rollout.journal.port import SharedJournal
from scripts.rollout.journal.saved import Saved
from scripts.rollout.loop.runner import Runner
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.actions import Request
from scripts.rollout.state.notes import NoteKind

ANSWER_S = 10.0  # a promoter that waits reads requests twice a second
POLL_S = 0.2
ANSWERS = (
    NoteKind.ABORTED,
    NoteKind.PAUSED,
    NoteKind.RESUMED,
    NoteKind.APPROVED,
    NoteKind.NOTHING_TO_APPROVE,
    NoteKind.ORDERED,
)


def ask(verb: str, named: Named, common: Common, reason: str) -> Exit:
    """Leave a request and print its answer; abort here if no promoter is running."""
    journal, saved = find(named, common)
    unsent.send(journal)
    policy = policy_of(journal, saved)
    if saved.state.is_over:
        raise RolloutError(_over(policy, saved))
    request = Request(verb, reason)
    journal.ask(request)
    is_running = journal.is_locked()
    said = f"{verb} asked for"
    if is_running:
        said = _answer(journal, request) or f"{said}, not answered yet"
    elif verb == "abort":
        code = _abort(common, journal, saved, policy)
        if code is not Exit.ABORTED:
            return code
        said = f"aborted, {saved.state.stable} has all traffic"
        said = "\n".join(filter(None, (said, policy.backend.after_rollback)))
    else:
        said += "; no promoter is running, the next run will read it"
    emit(common.output, {"asked": verb, "promoterRunning": is_running}, said)
    return Exit.PROMOTED


def _over(policy: Policy, saved: Saved) -> str:
    """Say that a rollout is over, and how its version is tried again."""
    state = saved.state
    said = f"{state.canary}: {state.phase} already"
    if taken_back.is_taken_back(state):
        said += f"; to try its version again, {policy.backend.again}"
    return said


def _answer(journal: SharedJournal, request: Request) -> str:
    """Return the promoter's answer, "" if it does not come in time."""
    asked, deadline = len(journal.requests(0)), time.monotonic() + ANSWER_S
    while time.monotonic() < deadline:
        saved = journal.load()
        if saved is not None and saved.requests >= asked:
            return _told(journal.tail(), request)
        time.sleep(POLL_S)
    return ""


def _told(lines: list[str], request: Request) -> str:
    """Return the notes of the last look that heard this request."""
    heard = codec.encode(request)
    for entry in map(json.loads, reversed(lines)):
        if heard in entry.get("seen", {}).get("requests", ()):
            notes = [each for each in read_notes(entry) if each.kind in ANSWERS]
            return "; ".join(note.text for note in notes) or "it changes nothing now"
    return ""


def _abort(
    common: Common, journal: SharedJournal, saved: Saved, policy: Policy
) -> Exit:
    try:
        with journal.lock():
            quiet = common.output is not None
            world = wiring.world(common.place, policy, journal, is_quiet=quiet)
            return Runner(policy, saved.policy, world).run()
    except LockHeld:
        return Exit.ABORTED  # a promoter has started meanwhile, and reads it
