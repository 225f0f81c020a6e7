"""`plan`: choose steps from the traffic, say how long they will take."""

import argparse
from typing import Any

from scripts import console
from scripts.rollout import text
from scripts.rollout.cli import forecast
from scripts.rollout.cli.output import emit
from scripts.rollout.errors import Exit, PolicyError
from scripts.rollout.policy import reader
from scripts.rollout.report import tables


def run(options: argparse.Namespace) -> Exit:
    """Look at the stable, or take what is told. Raises PolicyError if impossible."""
    policy = reader.read(options.file)
    if options.rps:
        traffic = forecast.given(policy, options.rps, options.bad)
    else:
        traffic = forecast.seen(options.dir, policy, options.seconds)
    found = forecast.forecast(policy, traffic)
    emit(options, found, "")
    if not options.output:
        _print(found)
    seconds = found["secondsToLastGate"]
    if seconds is None or seconds > policy.deadlines.rollout:
        raise PolicyError(
            "these budgets cannot be shown within deadlines.rollout at this traffic: "
            + forecast.wider(policy, traffic)
        )
    return Exit.PROMOTED


def _print(found: dict[str, Any]) -> None:
    rates = ", ".join(
        f"{each['name']} {text.share(each['bad'])} (clusters of {each['phi']:.0f})"
        for each in found["metrics"]
    )
    print(f"{found['requestsPerSecond']:.1f} requests/s; {rates}")
    print(f"steps {text.percents(found['steps'])}")
    console.table(tables.stays(found))
    seconds = found["secondsToLastGate"]
    total = "never" if seconds is None else text.duration(seconds)
    bake = text.duration(found["bakeSeconds"])
    print(f"last gate after {total}, then {bake} of bake")
    print(f"false alarms in simulated A/A rollouts: {found['falseAlarms']}")
