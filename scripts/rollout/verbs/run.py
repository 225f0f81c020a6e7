"""`run`: take the canary through its rollout."""

import argparse

from scripts.rollout import lint, say, wiring
from scripts.rollout.errors import Exit
from scripts.rollout.journal import Journal
from scripts.rollout.records import so_far
from scripts.rollout.runner import Runner
from scripts.rollout.state import SetPercent
from scripts.rollout.verbs.output import emit


def run(options: argparse.Namespace) -> Exit:
    """Until there is a verdict; once; or only in words."""
    policy, text = lint.read(options.file), options.file.read_text(encoding="utf-8")
    runner = Runner(
        policy, text, wiring.world(options.dir, policy, is_quiet=bool(options.output))
    )
    if options.dry_run:
        return _rehearse(options, runner)
    with Journal.of(options.dir, policy.key).lock():
        code = runner.run(once=options.once)
    emit(options, {"verdict": code.name, "exitCode": int(code)}, say.verdict(code))
    return code


def _rehearse(options: argparse.Namespace, runner: Runner) -> Exit:
    decision = runner.rehearse()
    would = [*decision.notes]
    for action in decision.actions:
        if isinstance(action, SetPercent):
            would.append(f"canaryTrafficPercent -> {action.percent}")
        else:
            would.append(f"{action.requests} warm-up requests")
    would = would or ["nothing now"]
    emit(options, {"would": would}, "\n".join(f"would: {each}" for each in would))
    state = decision.state
    return so_far(state) if state.verdict is None else state.verdict
