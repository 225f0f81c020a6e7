"""`pause`, `resume`, `approve`, `promote`, `abort`: leave the promoter a request."""

from scripts.rollout.cli.options import Common, Named, emit, find
from scripts.rollout.errors import Exit
from scripts.rollout.state.actions import Request
from scripts.rollout.steering import ask as steering
from scripts.rollout.steering import unsent


def ask(verb: str, named: Named, common: Common, reason: str) -> Exit:
    """Leave a request and print its answer."""
    journal, saved = find(named, common)
    unsent.send(journal)
    request = Request(verb, reason, steering.person())
    is_quiet = common.output is not None
    answer = steering.ask(common.place, journal, saved, request, is_quiet=is_quiet)
    if answer.code is Exit.PROMOTED:
        asked = {"asked": verb, "promoterRunning": answer.is_running}
        emit(common.output, asked, answer.said)
    return answer.code
