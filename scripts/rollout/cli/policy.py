"""`lint` and `plan`: check a policy file, forecast its rollout."""

from pathlib import Path
from typing import Any

from scripts import console
from scripts.rollout import text
from scripts.rollout.cli import forecast
from scripts.rollout.cli.options import Common, Format, emit
from scripts.rollout.errors import Exit, PolicyError
from scripts.rollout.policy import reader
from scripts.rollout.policy.advice import advice
from scripts.rollout.report import tables


def lint(file: Path, output: Format | None) -> Exit:
    """Print every fault at once, or that there are none; with -o the whole policy."""
    policy = reader.read(file)
    content = policy.model_dump(mode="json", by_alias=True)
    said = (f"{file}: nothing to complain about", *advice(policy))
    emit(output, content, "\n".join(said))
    return Exit.PROMOTED


def plan(
    file: Path,
    seconds: float,
    rps: float | None,
    bad: dict[str, float],
    common: Common,
) -> Exit:
    """Forecast from observed or assumed traffic. Raises PolicyError if impossible."""
    policy = reader.read(file)
    doubts: tuple[str, ...] = ()
    if rps:
        traffic = forecast.assume_traffic(policy, rps, bad)
    else:
        traffic, doubts = forecast.observe_traffic(common.place, policy, seconds)
    found = forecast.forecast(policy, traffic) | {"doubts": list(doubts)}
    emit(common.output, found, "")
    if not common.output:
        _print(found)
    needed = found["secondsToLastGate"]
    if needed is None or needed > policy.deadlines.rollout:
        raise PolicyError(
            "these budgets cannot be shown within deadlines.rollout at this traffic: "
            + forecast.wider(policy, traffic)
        )
    return Exit.PROMOTED


def _episode(found: dict[str, Any]) -> str:
    """Say how often harm that comes for 10 s in each period is promoted."""
    period, instead = text.duration(found["periodSeconds"]), found["instead"]
    longer = f"{{percent: {instead['percent']}, duration: {instead['duration']:.0f}s}}"
    return (
        f"twice the budget in bursts of 10 s each {period}: {found['promoted']:.0%} "
        f"promoted, {found['promotedInstead']:.0%} with bake: {longer}"
    )


def _print(found: dict[str, Any]) -> None:
    rates = ", ".join(
        f"{each['name']} {text.share(each['bad'])} (clusters of {each['phi']:.3g})"
        for each in found["metrics"]
    )
    print(f"{found['requestsPerSecond']:.1f} requests/s; {rates}")
    print("".join(f"{each}\n" for each in found["doubts"]), end="")
    each = f"a look each {found['intervalSeconds']:g} s"
    print(f"steps {text.percents(found['steps'])}, {each}")
    console.table(tables.stays(found))
    print(found["unit"])
    seconds = found["secondsToLastGate"]
    total = "never" if seconds is None else text.duration(seconds)
    bake = text.duration(found["bakeSeconds"])
    first = text.duration(found["secondsToFirstStep"])
    print(f"first step after {first} of scrapes of the stable")
    print(f"last gate after {total}, then {bake} of bake")
    for each in found["episodes"]:
        print(_episode(each))
    print(f"false alarms in simulated A/A rollouts: {found['falseAlarms']}")
