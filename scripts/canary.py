"""Roll a canary out by evidence, from its first percent to promoted or rolled back.

python -m scripts.canary run -f rollout.yaml
"""

import argparse
import sys
from pathlib import Path

from scripts import console
from scripts.rollout import verbs
from scripts.rollout.errors import Exit, RolloutError

ROOT = Path(__file__).parents[1]
EPILOG = """exit codes:
  0 promoted, or done   2 usage or policy     10 rolled back on evidence
  11 rolled back on a guard or a deadline     12 aborted by a person
  20 held, nothing decided                    21 waits for an approval
  30 superseded by a newer revision           31 another promoter holds the lock
  40 metrics or API unreachable, traffic left as it was
  50 a rollback could not be verified"""


def main(argv: list[str] | None = None) -> int:
    """Run one verb; its exit code, and one line a fault on standard error."""
    options = _parser().parse_args(argv)
    try:
        return int(options.verb(options))
    except RolloutError as error:
        console.err.print(f"error: {error}", markup=False)
        return int(error.code)
    except OSError as error:
        console.err.print(f"error: {error}", markup=False)
        return int(Exit.USAGE)
    except KeyboardInterrupt:
        console.err.print("interrupted: traffic stays as it is, run goes on from here")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.canary",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="VERB")

    lint = _verb(
        commands, "lint", verbs.lint, "check a policy file, every fault at once"
    )
    lint.add_argument("-f", dest="file", type=Path, required=True)

    plan = _verb(commands, "plan", verbs.plan, "choose steps, say how long they take")
    plan.add_argument("-f", dest="file", type=Path, required=True)
    plan.add_argument("--seconds", type=_seconds, default=10.0, help="how long to look")
    plan.add_argument("--rps", type=_seconds, help="instead of looking: requests/s")
    plan.add_argument(
        "--bad", type=_shares, default={}, help="errors=0.5%%,latency=1%%"
    )

    run = _verb(commands, "run", verbs.run, "take the canary through its rollout")
    run.add_argument("-f", dest="file", type=Path, required=True)
    run.add_argument("--once", action="store_true", help="look and act a single time")
    run.add_argument(
        "--dry-run", action="store_true", help="say what one look would do"
    )

    status = _named(commands, "status", verbs.status, "where the rollout is")
    status.add_argument("--wait", action="store_true", help="until it has a verdict")
    status.add_argument("--timeout", type=_seconds, default=float("inf"))

    _named(
        commands, "explain", verbs.explain, "why it waits, and how long it still will"
    )
    for name, told in (
        ("pause", "keep the weight, go on judging"),
        ("resume", "go on after a pause, a hand's change, or being held"),
        ("approve", "let it leave a step of pauseAt"),
        ("abort", "take all traffic from the canary, now"),
    ):
        verb = _named(commands, name, verbs.ask, told)
        verb.add_argument("--reason", default="")
        verb.set_defaults(request=name)
    promote = _named(commands, "promote", verbs.promote, "rise whatever the evidence")
    promote.add_argument("--full", action="store_true", help="to all traffic at once")
    promote.add_argument("--reason", required=True)
    undo = _named(
        commands, "undo", verbs.undo, "after a promotion: back to the revision before"
    )
    undo.add_argument("--reason", default="")

    replay = _verb(
        commands, "replay", verbs.replay, "decide again from a journal or CSV"
    )
    replay.add_argument("file", help="journal.jsonl, or counters as CSV; - for stdin")
    replay.add_argument("--policy", type=Path, help="another policy; needed for CSV")
    return parser


def _verb(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    verb: object,
    told: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=told, description=told)
    parser.add_argument("-o", dest="output", choices=("json", "yaml"))
    parser.add_argument(
        "--dir", type=Path, default=ROOT / ".local", help="local mode's state folder"
    )
    parser.set_defaults(verb=verb)
    return parser


def _named(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    verb: object,
    told: str,
) -> argparse.ArgumentParser:
    parser = _verb(commands, name, verb, told)
    parser.add_argument("name", help="the InferenceService")
    parser.add_argument("-n", dest="namespace", default="default")
    return parser


def _seconds(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {value!r}")
    return number


def _shares(value: str) -> dict[str, float]:
    found = {}
    for part in value.split(","):
        name, _, share = part.partition("=")
        try:
            found[name] = float(share.removesuffix("%")) / 100
        except ValueError:
            expected = "expected metric=percent, such as errors=0.5%"
            raise argparse.ArgumentTypeError(f"{expected}, got {part!r}") from None
    return found


if __name__ == "__main__":
    sys.exit(main())
