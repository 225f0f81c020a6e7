"""The buttons: each leaves the request that the verb of its name leaves."""

import sys
from collections.abc import Callable

from scripts.rollout.dashboard.watched import Watched
from scripts.rollout.errors import Exit, RolloutError
from scripts.rollout.state.actions import Request
from scripts.rollout.steering import unsent
from scripts.rollout.steering.ask import ask, person
from scripts.rollout.steering.undo import undo
from scripts.rollout.traffic.port import Place

VERBS = ("pause", "resume", "approve", "promote", "promote-full", "abort")


def steering(place: Place) -> Callable[[Watched, str, str], str]:
    """Return what carries out a verb for a reason, and says what came of it."""

    def steer(watched: Watched, verb: str, reason: str) -> str:
        journal, saved = watched.journal_now()
        unsent.send(journal)
        if verb == "undo":
            done = undo(place, journal, saved, reason, _say)
            return done.said if done.is_verified else f"NOT VERIFIED: {done.said}"
        if verb not in VERBS:
            raise RolloutError(f"expected undo, {', '.join(VERBS)}")
        if verb.startswith("promote") and not reason.strip():
            raise RolloutError("expected a reason, as the verb does")
        request = Request(verb, reason.strip(), person())
        answer = ask(place, journal, saved, request, is_quiet=True)
        if answer.code is not Exit.PROMOTED:
            return f"{answer.code.name.lower()}: see the rollout's decisions"
        return answer.said

    return steer


def _say(said: str) -> None:
    print(said, file=sys.stderr)
