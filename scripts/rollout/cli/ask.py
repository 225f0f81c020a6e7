"""`pause`, `resume`, `approve`, `promote`, `abort`: leave the promoter a request."""

from scripts.rollout import wiring
from scripts.rollout.cli.options import Common, Named, emit, find, policy_of
from scripts.rollout.errors import Exit, LockHeld, RolloutError
from scripts.rollout.journal.port import SharedJournal
from scripts.rollout.journal.saved import Saved
from scripts.rollout.loop.runner import Runner
from scripts.rollout.state.actions import Request


def ask(verb: str, named: Named, common: Common, reason: str) -> Exit:
    """Leave a request; carry out an abort here if no promoter is running."""
    journal, saved = find(named, common)
    if saved.state.is_over:
        raise RolloutError(f"{saved.state.canary}: {saved.state.phase} already")
    journal.ask(Request(verb, reason))
    is_running = journal.is_locked()
    said = f"{verb} asked for"
    if not is_running and verb == "abort":
        code = _abort(common, journal, saved)
        if code is not Exit.ABORTED:
            return code
        said = f"aborted, {saved.state.stable} has all traffic"
    elif not is_running:
        said += "; no promoter is running, the next run will read it"
    emit(common.output, {"asked": verb, "promoterRunning": is_running}, said)
    return Exit.PROMOTED


def _abort(common: Common, journal: SharedJournal, saved: Saved) -> Exit:
    policy = policy_of(journal, saved)
    try:
        with journal.lock():
            quiet = common.output is not None
            world = wiring.world(common.place, policy, journal, is_quiet=quiet)
            return Runner(policy, saved.policy, world).run()
    except LockHeld:
        return Exit.ABORTED  # a promoter has started meanwhile, and reads it
