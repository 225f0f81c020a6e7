"""Leaves a promoter a person's request, and waits for its answer."""

import json
import os
import pwd
import socket
import time
from dataclasses import dataclass

from scripts.rollout import wiring
from scripts.rollout.decision import taken_back
from scripts.rollout.errors import Exit, LockHeld, RolloutError
from scripts.rollout.journal.notes import read_notes
from scripts.rollout.journal.port import SharedJournal
from scripts.rollout.journal.saved import Saved
from scripts.rollout.loop.runner import Runner
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.actions import Request
from scripts.rollout.state.notes import NoteKind
from scripts.rollout.steering.seen import policy_of
from scripts.rollout.traffic.port import Place

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


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a request; `code` is PROMOTED unless an abort did not succeed.

    `is_running`: whether a promoter was there to read it.
    """

    said: str
    is_running: bool
    code: Exit = Exit.PROMOTED


def person() -> str:
    """Return who asks, by this machine's account, for the journal."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user that has no name
        name = f"uid {os.getuid()}"
    return f"{name}@{socket.gethostname()}"


def ask(
    place: Place,
    journal: SharedJournal,
    saved: Saved,
    request: Request,
    *,
    is_quiet: bool,
) -> Answered:
    """Leave a request and return its answer; abort here if no promoter is running.

    Raises RolloutError if the rollout is over.
    """
    policy = policy_of(journal, saved)
    if saved.state.is_over:
        raise RolloutError(_over(policy, saved))
    journal.ask(request)
    asked = f"{request.verb} asked for"
    answer = _answer(journal, request)
    if answer or journal.is_locked():
        return Answered(answer or f"{asked}, not answered yet", is_running=True)
    if request.verb != "abort":
        asked += "; no promoter is running, the next run will read it"
        return Answered(asked, is_running=False)
    code = _abort(place, journal, saved, policy, is_quiet=is_quiet)
    if code is not Exit.ABORTED:
        return Answered("", is_running=False, code=code)
    said = f"aborted, {saved.state.stable} has all traffic"
    said = "\n".join(filter(None, (said, policy.backend.after_rollback)))
    return Answered(said, is_running=False)


def _over(policy: Policy, saved: Saved) -> str:
    """Say that a rollout is over, and how its version is tried again."""
    state = saved.state
    said = f"{state.canary}: {state.phase} already"
    if taken_back.is_taken_back(state):
        said += f"; to try its version again, {policy.backend.again}"
    return said


def _answer(journal: SharedJournal, request: Request) -> str:
    """Return the promoter's answer, "" if none is at work or it takes too long.

    A promoter may end with what it was asked for, an abort say: so its answer is looked
    for once more after it was seen to be gone.
    """
    asked, deadline = len(journal.requests(0)), time.monotonic() + ANSWER_S
    while True:
        is_left = not journal.is_locked() or time.monotonic() > deadline
        saved = journal.load()
        if saved is not None and saved.requests >= asked:
            return _told(journal.tail(), request)
        if is_left:
            return ""
        time.sleep(POLL_S)


def _told(lines: list[str], request: Request) -> str:
    """Return the notes of the last look that heard this request."""
    heard = {"verb": request.verb, "reason": request.reason}
    for entry in map(json.loads, reversed(lines)):
        requests = entry.get("seen", {}).get("requests", ())
        if any(heard.items() <= each.items() for each in requests):
            notes = [each for each in read_notes(entry) if each.kind in ANSWERS]
            return "; ".join(note.text for note in notes) or "it changes nothing now"
    return ""


def _abort(
    place: Place,
    journal: SharedJournal,
    saved: Saved,
    policy: Policy,
    *,
    is_quiet: bool,
) -> Exit:
    try:
        with journal.lock():
            world = wiring.world(place, policy, journal, is_quiet=is_quiet)
            return Runner(policy, saved.policy, world).run()
    except LockHeld:
        return Exit.ABORTED  # a promoter has started meanwhile, and reads it
