"""`run`: take the canary through its rollout."""

import argparse
import signal
from contextlib import ExitStack

from scripts.rollout import text, wiring
from scripts.rollout.cli import job
from scripts.rollout.cli.output import emit
from scripts.rollout.errors import Exit, RolloutError
from scripts.rollout.journal.entries import so_far
from scripts.rollout.loop.runner import Runner
from scripts.rollout.policy import reader
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.actions import Consult, SetPercent, WarmUp
from scripts.rollout.traffic import manifest
from scripts.rollout.traffic.port import Place


def run(options: argparse.Namespace) -> Exit:
    """Until there is a verdict; once; or only in words."""
    policy, written = reader.read(options.file), options.file.read_text("utf-8")
    if options.in_cluster:
        return job.start(options, policy, written)
    kept = wiring.journal_of(Place(options.dir), policy)
    quiet = bool(options.output)
    world = wiring.world(
        Place(options.dir),
        policy,
        kept,
        is_quiet=quiet,
        copy=options.journal,
        has_pairs=not options.dry_run,
    )
    runner = Runner(policy, written, world)
    if options.dry_run:
        return _rehearse(options, runner)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _without_percent(options, policy)
    with ExitStack() as until_then, kept.lock():
        for source in world.pair_sources:
            until_then.callback(source.close)
        code = runner.run(once=options.once)
    if code is Exit.PROMOTED:
        world.say(_close_the_trap(options, policy))
    emit(options, {"verdict": code.name, "exitCode": int(code)}, text.verdict(code))
    return code


def _without_percent(options: argparse.Namespace, policy: Policy) -> str:
    """The manifest as it is to be after the promotion, "" where none was named."""
    if options.write_manifest is None:
        return ""
    if not policy.backend.manifest_field:
        raise RolloutError(
            f"--write-manifest: with target.backend {policy.target.backend} no field "
            f"is to be removed; {policy.backend.after_promotion}"
        )
    written = options.write_manifest.read_text(encoding="utf-8")
    try:
        return manifest.without_percent(written, policy.target.name)
    except RolloutError as error:
        raise RolloutError(f"{options.write_manifest}: {error}") from error


def _close_the_trap(options: argparse.Namespace, policy: Policy) -> str:
    """Applied again with its percent, a promoted version would lose the rest."""
    changed = _without_percent(options, policy)
    if not changed:
        return policy.backend.after_promotion
    options.write_manifest.write_text(changed, encoding="utf-8")
    return f"{options.write_manifest}: {policy.backend.manifest_field} is gone"


def _rehearse(options: argparse.Namespace, runner: Runner) -> Exit:
    decision = runner.rehearse()
    would = [note.text for note in decision.notes]
    for action in decision.actions:
        match action:
            case SetPercent(percent):
                would.append("promote" if percent is None else f"weight -> {percent} %")
            case WarmUp(requests):
                would.append(f"{requests} warm-up requests")
            case Consult(hook, weight):
                would.append(f"hook {hook} asked about {weight} %")
    would = would or ["nothing now"]
    emit(options, {"would": would}, "\n".join(f"would: {each}" for each in would))
    state = decision.state
    return so_far(state) if state.verdict is None else state.verdict
