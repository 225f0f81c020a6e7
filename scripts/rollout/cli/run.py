"""`run`: take the canary through its rollout."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from scripts.rollout import text, wiring
from scripts.rollout.cli.inside import job
from scripts.rollout.cli.options import Common, Format, Rollout, emit, naming, text_of
from scripts.rollout.errors import Exit, RolloutError
from scripts.rollout.integrations import git
from scripts.rollout.integrations.git import Branch
from scripts.rollout.journal.entries import exit_code_so_far
from scripts.rollout.loop.runner import Runner
from scripts.rollout.policy import reader
from scripts.rollout.policy.policy import Policy
from scripts.rollout.report.served import Served
from scripts.rollout.state.actions import Consult, SetPercent, WarmUp
from scripts.rollout.steering import unsent
from scripts.rollout.traffic import manifest

TAKEN_BACK = (Exit.ROLLED_BACK, Exit.GUARD, Exit.ABORTED)


def run(rollout: Rollout, common: Common) -> Exit:
    """Run until there is a verdict, for one look, or as a rehearsal."""
    content = text_of(rollout.file)
    policy = wiring.placed(common.place, reader.parse(content, str(rollout.file)))
    if rollout.in_cluster:
        if rollout.manifest is not None:
            raise RolloutError("--write-manifest: no Job on a cluster has your file")
        return job.start(policy, content, rollout.image, common)
    wiring.check_secrets(policy)
    kept = wiring.journal_of(common.place, policy)
    served = _served(rollout, policy)
    world = wiring.world(
        common.place,
        policy,
        kept,
        is_quiet=common.output is not None,
        copy=rollout.journal,
        has_pairs=not rollout.dry_run,
        others=served,
    )
    runner = Runner(policy, content, world)
    if rollout.dry_run:
        return _rehearse(runner, common.output)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _check(rollout, policy)
    unsent.send(kept)
    with ExitStack() as until_then, kept.lock():
        for source in world.pair_sources:
            until_then.callback(source.close)
        code = runner.run(once=rollout.once)
    for line in _close_the_trap(rollout, policy, code):
        world.say(line)
    ended = {"verdict": code.name, "exitCode": int(code)}
    emit(common.output, ended, text.verdict(code))
    for page in served:
        page.close()
    return code


def _served(rollout: Rollout, policy: Policy) -> list[Served]:
    if rollout.metrics is None or rollout.dry_run:
        return []
    return [Served(policy, rollout.metrics)]


def _check(rollout: Rollout, policy: Policy) -> None:
    """Raise RolloutError unless the manifest can be brought in line at the end."""
    if rollout.manifest is None:
        if rollout.git is not None or rollout.push:
            raise RolloutError("--git and --push: expected --write-manifest FILE too")
        return
    if not policy.backend.manifest_field:
        raise RolloutError(
            f"--write-manifest: with target.backend {policy.target.backend} no field "
            f"is to be removed; {policy.backend.after_promotion}"
        )
    if rollout.push and rollout.git is None:
        raise RolloutError("--push: expected --git BRANCH too")
    before, branch = _manifest(rollout.manifest, rollout.git)
    with naming(str(rollout.manifest)):
        manifest.without_percent(before, policy.target.name)
    if rollout.push and branch is not None and not branch.remote:
        raise RolloutError("--push: the repository has no remote to push to")


def _manifest(file: Path, branch: str | None) -> tuple[str, Branch | None]:
    """Return what the manifest says, in the work tree or on the branch."""
    if branch is None:
        return text_of(file), None
    found = git.branch(file, branch)
    return found.text, found


def _close_the_trap(rollout: Rollout, policy: Policy, code: Exit) -> Iterator[str]:
    """Bring the manifest in line with the verdict; yield what is to be said."""
    is_promoted = code is Exit.PROMOTED
    if not is_promoted and code not in TAKEN_BACK:
        return
    after = policy.backend.after_promotion
    if not is_promoted:
        after = policy.backend.after_rollback
    if rollout.manifest is not None:
        try:
            yield from _written(rollout, rollout.manifest, policy, is_promoted)
        except (RolloutError, OSError) as error:
            yield f"{rollout.manifest}: NOT changed: {error}"
        else:
            after = "" if is_promoted else after
    if after:
        yield after


def _written(
    rollout: Rollout, file: Path, policy: Policy, is_promoted: bool
) -> Iterator[str]:
    """Change the file or commit the change; yield what was done."""
    before, branch = _manifest(file, rollout.git)
    change = manifest.without_percent if is_promoted else manifest.with_zero
    changed = change(before, policy.target.name)
    done = f"{policy.backend.manifest_field} is {'gone' if is_promoted else '0'}"
    if branch is None:
        file.write_text(changed, encoding="utf-8")
        yield f"{file}: {done}"
    elif changed == before:
        yield f"{file}: nothing to commit on {branch.name}"
    else:
        verdict = "promoted" if is_promoted else "taken back"
        message = f"{policy.target.name} was {verdict}: {done}"
        commit = branch.commit(changed, message)
        yield f"{file}: {done}, commit {commit} on {branch.name}"
        if rollout.push:
            branch.push()
            yield f"pushed to {branch.remote}"
        elif branch.remote:
            yield f"not pushed: git push {branch.remote} {branch.name}"


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
