"""What each verb of the command line does, and what it prints."""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from scripts import console
from scripts.rollout import asked, forecast, say, show, wiring
from scripts.rollout import lint as linting
from scripts.rollout import replay as replays
from scripts.rollout.errors import Exit, PolicyError, RolloutError, Unreachable
from scripts.rollout.journal import Journal, Saved
from scripts.rollout.look import ALL
from scripts.rollout.runner import Runner, so_far
from scripts.rollout.state import Phase, Request, SetPercent

POLL_S = 0.2
Options = argparse.Namespace


def lint(options: Options) -> Exit:
    """Check a policy file."""
    policy = linting.read(options.file)
    content = policy.model_dump(mode="json", by_alias=True)
    _emit(options, content, f"{options.file}: nothing to complain about")
    return Exit.PROMOTED


def run(options: Options) -> Exit:
    """Take the canary through its rollout."""
    policy, text = linting.read(options.file), options.file.read_text(encoding="utf-8")
    runner = Runner(policy, text, wiring.world(options.dir, policy))
    if options.dry_run:
        return _rehearse(options, runner)
    with wiring.journal(options.dir, policy.key).lock():
        code = runner.run(once=options.once)
    _emit(options, {"verdict": code.name, "exitCode": int(code)}, _verdict(code))
    return code


def _rehearse(options: Options, runner: Runner) -> Exit:
    decision = runner.rehearse()
    would = [*decision.notes]
    for action in decision.actions:
        match action:
            case SetPercent(percent):
                would.append(f"canaryTrafficPercent -> {percent}")
            case _:
                would.append(f"{action.requests} warm-up requests")
    would = would or ["nothing now"]
    _emit(options, {"would": would}, "\n".join(f"would: {each}" for each in would))
    verdict = decision.state.verdict
    return so_far(decision.state) if verdict is None else verdict


def _verdict(code: Exit) -> str:
    return f"verdict: {code.name.lower()}, exit code {int(code)}"


def plan(options: Options) -> Exit:
    """Choose steps from the traffic, and say how long they take."""
    policy = linting.read(options.file)
    if options.rps:
        traffic = forecast.given(policy, options.rps, options.bad)
    else:
        traffic = forecast.seen(options.dir, policy, options.seconds)
    found = forecast.forecast(policy, traffic)
    _emit(options, found, "")
    if not options.output:
        _print_plan(found)
    seconds = found["secondsToLastGate"]
    if seconds is None or seconds > policy.deadlines.rollout:
        raise PolicyError(
            "these budgets cannot be shown within deadlines.rollout at this traffic: "
            + forecast.wider(policy, traffic)
        )
    return Exit.PROMOTED


def _print_plan(found: dict[str, Any]) -> None:
    rates = ", ".join(
        f"{m['name']} {say.share(m['bad'])} (clusters of {m['phi']:.0f})"
        for m in found["metrics"]
    )
    console.out.print(f"{found['requestsPerSecond']:.1f} requests/s; {rates}")
    console.out.print(f"steps {say.percents(found['steps'])}")
    console.table(show.stays(found))
    seconds = found["secondsToLastGate"]
    total = "never" if seconds is None else say.duration(seconds)
    bake = say.duration(found["bakeSeconds"])
    console.out.print(f"last gate after {total}, then {bake} of bake")
    console.out.print(f"false alarms in simulated A/A rollouts: {found['falseAlarms']}")


def status(options: Options) -> Exit:
    """Where the rollout is; with --wait, its verdict."""
    journal = _journal(options)
    saved, deadline = _loaded(journal), time.monotonic() + options.timeout
    while options.wait and saved.state.verdict is None and time.monotonic() < deadline:
        time.sleep(POLL_S)
        saved = _loaded(journal)
    found = _summary(saved)
    _emit(options, found, show.headline(found))
    if not options.output and saved.state.reason:
        console.out.print(saved.state.reason, markup=False)
    if not options.wait:
        return Exit.PROMOTED
    verdict = saved.state.verdict
    return so_far(saved.state) if verdict is None else verdict


def explain(options: Options) -> Exit:
    """Why it waits, metric by metric."""
    saved = _loaded(_journal(options))
    found = _summary(saved)
    _emit(options, found, show.headline(found))
    if not options.output:
        console.table(show.evidence(found))
        for row in found["metrics"]:
            console.out.print(
                f"{row['metric']}: clusters of {row['phi']:.0f} ({row['phi_source']})",
                markup=False,
            )
        for each in found["waitingFor"] or [found["reason"]]:
            console.out.print(f"waits for: {each}", markup=False)
    return Exit.PROMOTED


def ask(options: Options) -> Exit:
    """Leave a request; an abort that nobody would read is carried out here."""
    journal = _journal(options)
    saved = _loaded(journal)
    if saved.state.is_over:
        raise RolloutError(f"{saved.state.canary}: {saved.state.phase} already")
    journal.ask(Request(options.request, options.reason))
    is_running = journal.is_locked()
    if options.request == "abort" and not is_running:
        return _abort(options, journal, saved)
    said = f"{options.request} asked for"
    if not is_running:
        said += "; no promoter is running, the next run reads it"
    _emit(options, {"asked": options.request, "promoterRunning": is_running}, said)
    return Exit.PROMOTED


def _abort(options: Options, journal: Journal, saved: Saved) -> Exit:
    policy = linting.parse(saved.policy, "the rollout's policy")
    with journal.lock():
        code = Runner(policy, saved.policy, wiring.world(options.dir, policy)).run()
    return Exit.PROMOTED if code is Exit.ABORTED else code


def promote(options: Options) -> Exit:
    """Ask for a raise without evidence."""
    options.request = asked.PROMOTE_FULL if options.full else asked.PROMOTE
    return ask(options)


def undo(options: Options) -> Exit:
    """After a promotion, go back to the revision before."""
    journal = _journal(options)
    saved = _loaded(journal)
    if saved.state.phase is not Phase.PROMOTED:
        raise RolloutError(
            f"nothing to undo: {saved.state.canary} is {saved.state.phase}"
        )
    policy = linting.parse(saved.policy, "the rollout's policy")
    state = saved.state
    with journal.lock():
        journal.repair(saved)
        traffic = wiring.traffic(options.dir, policy)
        view = traffic.observe()
        if view is None or view.created != state.canary:
            raise Unreachable(f"{state.canary} is not the newest revision any more")
        traffic.set_percent(0)
        deadline = time.monotonic() + policy.deadlines.rollback
        while view is None or view.routed.get(state.stable) != ALL:
            if time.monotonic() > deadline:
                console.err.print(f"UNDO NOT VERIFIED: {say.traffic(view)}")
                return Exit.UNVERIFIED
            time.sleep(POLL_S)
            view = traffic.observe()
        reason = f"undone by a person: {options.reason}".removesuffix(": ")
        undone = replace(
            state, phase=Phase.ABORTED, reason=reason, verdict=Exit.ABORTED, weight=0
        )
        body = {"reason": reason, "routed": dict(view.routed)}
        journal.commit(replace(saved, state=undone), "undo", body)
    _emit(
        options,
        {"undone": state.canary, "stable": state.stable},
        f"{state.stable} has all traffic again",
    )
    return Exit.PROMOTED


def replay(options: Options) -> Exit:
    """Decide again; the exit code is the run's."""
    policy = linting.read(options.policy) if options.policy else None
    if options.file == "-":
        lines = sys.stdin.readlines()
    else:
        lines = Path(options.file).read_text(encoding="utf-8").splitlines()
    if lines and lines[0].startswith("{"):
        found = replays.journal(lines, policy)
    elif policy is None:
        raise RolloutError("counters as CSV need --policy FILE")
    else:
        found = replays.counts(lines, policy)
    for at, note in found.notes:
        _emit(options, {"time": at, "note": note}, f"{at:.1f} {note}")
    ended = {"exitCode": int(found.code), "verdict": found.code.name}
    first, last = found.lines
    said = _verdict(found.code)
    if last:
        ended["verifiedLines"] = f"{first}-{last}"
        said += f"; lines {first} to {last} verified"
    _emit(options, ended, said)
    return found.code


def _journal(options: Options) -> Journal:
    return wiring.journal(options.dir, f"{options.namespace}.{options.name}")


def _loaded(journal: Journal) -> Saved:
    saved = journal.load()
    if saved is None:
        raise RolloutError(f"no rollout of {journal.folder.name} in {journal.folder}")
    return saved


def _summary(saved: Saved) -> dict[str, Any]:
    return show.summary(linting.parse(saved.policy, "the rollout's policy"), saved)


def _emit(options: Options, content: dict[str, Any], text: str) -> None:
    match options.output:
        case "json":
            print(json.dumps(content))
        case "yaml":
            print("---\n" + yaml.safe_dump(content, sort_keys=False), end="")
        case _ if text:
            console.out.print(text, markup=False)
