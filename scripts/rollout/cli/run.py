"""`run`: take the canary through its rollout."""

import signal
from contextlib import ExitStack
from pathlib import Path

from scripts.rollout import text, wiring
from scripts.rollout.cli.inside import job
from scripts.rollout.cli.options import Common, Format, Rollout, emit, text_of
from scripts.rollout.cli.telling import unsent
from scripts.rollout.errors import Exit, RolloutError
from scripts.rollout.journal.entries import exit_code_so_far
from scripts.rollout.loop.runner import Runner
from scripts.rollout.policy import reader
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.actions import Consult, SetPercent, WarmUp
from scripts.rollout.traffic import manifest

TAKEN_BACK = (Exit.ROLLED_BACK, Exit.GUARD, Exit.ABORTED)


def run(rollout: Rollout, common: Common) -> Exit:
    """Run until there is a verdict, for one look, or as a rehearsal."""
    content = text_of(rollout.file)
    policy = wiring.placed(common.place, reader.parse(content, str(rollout.file)))
    if rollout.in_cluster:
        return job.start(policy, content, rollout.image, common)
    wiring.check_secrets(policy)
    kept = wiring.journal_of(common.place, policy)
    world = wiring.world(
        common.place,
        policy,
        kept,
        is_quiet=common.output is not None,
        copy=rollout.journal,
        has_pairs=not rollout.dry_run,
    )
    runner = Runner(policy, content, world)
    if rollout.dry_run:
        return _rehearse(runner, common.output)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _without_percent(rollout.manifest, policy)
    unsent.send(kept)
    with ExitStack() as until_then, kept.lock():
        for source in world.pair_sources:
            until_then.callback(source.close)
        code = runner.run(once=rollout.once)
    if code is Exit.PROMOTED:
        world.say(_close_the_trap(rollout.manifest, policy))
    elif code in TAKEN_BACK and policy.backend.after_rollback:
        world.say(policy.backend.after_rollback)
    ended = {"verdict": code.name, "exitCode": int(code)}
    emit(common.output, ended, text.verdict(code))
    return code


def _without_percent(file: Path | None, policy: Policy) -> str:
    """The manifest as it is to be after the promotion, "" where none was named."""
    if file is None:
        return ""
    if not policy.backend.manifest_field:
        raise RolloutError(
            f"--write-manifest: with target.backend {policy.target.backend} no field "
            f"is to be removed; {policy.backend.after_promotion}"
        )
    try:
        return manifest.without_percent(text_of(file), policy.target.name)
    except RolloutError as error:
        raise RolloutError(f"{file}: {error}") from error


def _close_the_trap(file: Path | None, policy: Policy) -> str:
    """Remove the field that would roll back when the manifest is re-applied; say so."""
    changed = _without_percent(file, policy)
    if file is None:
        return policy.backend.after_promotion
    file.write_text(changed, encoding="utf-8")
    return f"{file}: {policy.backend.manifest_field} is gone"


def _rehearse(runner: Runner, output: Format | None) -> Exit:
    decision = runner.rehearse()
    would = [note.text for note in decision.notes]
    for action in decision.actions:
        match action:
            case SetPercent(percent):
                would.append("promote" if percent is None else f"weight -> {percent} %")
            case WarmUp(requests=requests):
                would.append(f"{requests} warm-up requests")
            case Consult(hook, weight):
                would.append(f"hook {hook} asked about {weight} %")
    would = would or ["nothing now"]
    emit(output, {"would": would}, "\n".join(f"would: {each}" for each in would))
    state = decision.state
    return exit_code_so_far(state) if state.verdict is None else state.verdict
