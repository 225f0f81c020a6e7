"""`pause`, `resume`, `approve`, `promote`, `abort`: ask the promoter."""

import argparse

from scripts.rollout import wiring
from scripts.rollout.cli import target
from scripts.rollout.cli.output import emit
from scripts.rollout.errors import Exit, LockHeld, RolloutError
from scripts.rollout.journal.port import SharedJournal
from scripts.rollout.journal.saved import Saved
from scripts.rollout.loop.runner import Runner
from scripts.rollout.state.actions import Request
from scripts.rollout.traffic.port import Place


def run(options: argparse.Namespace) -> Exit:
    """Ask; an abort that nobody would read is carried out here."""
    journal = target.journal(options)
    saved = target.loaded(journal)
    if saved.state.is_over:
        raise RolloutError(f"{saved.state.canary}: {saved.state.phase} already")
    verb = options.request
    journal.ask(Request(verb, options.reason))
    is_running = journal.is_locked()
    said = f"{verb} asked for"
    if not is_running and verb == "abort":
        code = _abort(options, journal, saved)
        if code is not Exit.ABORTED:
            return code
        said = f"aborted, {saved.state.stable} has all traffic"
    elif not is_running:
        said += "; no promoter is running, the next run will read it"
    emit(options, {"asked": verb, "promoterRunning": is_running}, said)
    return Exit.PROMOTED


def _abort(options: argparse.Namespace, journal: SharedJournal, saved: Saved) -> Exit:
    policy = target.policy(saved)
    try:
        with journal.lock():
            quiet = bool(options.output)
            world = wiring.world(Place(options.dir), policy, journal, is_quiet=quiet)
            return Runner(policy, saved.policy, world).run()
    except LockHeld:
        return Exit.ABORTED  # a promoter has started meanwhile, and reads it
