"""Roll a canary out by evidence, from its first percent to promoted or rolled back.

python -m scripts.canary run -f rollout.yaml
"""

import argparse
import importlib
import sys
from pathlib import Path

from scripts.rollout.errors import Exit, RolloutError

FOLDER = Path(".local")
EPILOG = """exit codes:
  0 promoted, or done     2 usage or policy
  10 rolled back on evidence     11 rolled back on a guard or a deadline
  12 aborted by a person         20 held, nothing decided
  21 waits for an approval       30 superseded by a newer revision
  31 another promoter holds the lock
  40 metrics or API unreachable, traffic left as it was
  50 a rollback could not be verified"""


def main(argv: list[str] | None = None) -> int:
    """Run one verb; its exit code, and one line a fault on standard error.

    A verb's module is imported when it is asked for: help is there at once.
    """
    options = _parser().parse_args(argv)
    try:
        module = importlib.import_module(f"scripts.rollout.cli.{options.module}")
        return int(module.run(options))
    except RolloutError as error:
        return _fail(str(error), error.code)
    except OSError as error:
        return _fail(str(error), Exit.USAGE)
    except KeyboardInterrupt:
        return _fail("interrupted: traffic stays as it is; run goes on from here", 130)


def _fail(said: str, code: int) -> int:
    print(f"error: {said}", file=sys.stderr)
    return int(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.canary",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    lint = _verb(verbs, "lint", "check a policy file, every fault at once")
    plan = _verb(verbs, "plan", "choose steps, say how long they will take")
    run = _verb(verbs, "run", "take the canary through its rollout")
    for verb in (lint, plan, run):
        verb.add_argument("-f", dest="file", type=Path, required=True)
    plan.add_argument("--seconds", type=_number, default=10.0, help="how long to look")
    plan.add_argument("--rps", type=_number, help="requests/s, instead of looking")
    plan.add_argument(
        "--bad", type=_shares, default={}, help="bad shares: errors=0.5%%,latency=1%%"
    )
    run.add_argument("--in-cluster", action="store_true", help="as a Job of its own")
    run.add_argument("--image", help="the Job's image, if not its manifest's")
    run.add_argument("--once", action="store_true", help="look and act a single time")
    run.add_argument(
        "--journal", help="also append every entry here; - for standard output"
    )
    run.add_argument(
        "--write-manifest",
        type=Path,
        metavar="FILE",
        help="after the promotion, remove canaryTrafficPercent from this manifest",
    )
    run.add_argument("--dry-run", action="store_true", help="say what a look would do")

    status = _named(verbs, "status", "where the rollout is")
    status.add_argument("--wait", action="store_true", help="until it has a verdict")
    status.add_argument("--timeout", type=_number, default=float("inf"))
    _named(verbs, "watch", "the rollout as it goes: rates, evidence, decisions")
    _named(verbs, "explain", "why it waits, and how long it still will")
    _asking(verbs)
    feedback = _named(verbs, "feedback", "true labels of answers, for its evidence")
    feedback.add_argument("file", help="CSV with id,label or JSON lines; - for stdin")
    undo = _named(verbs, "undo", "after a promotion: back to the revision before")
    undo.add_argument("--reason", default="")

    report = _verb(verbs, "report", "a journal as one HTML page with plots")
    report.add_argument("file", help="journal.jsonl; - for stdin")
    report.add_argument("--html", type=Path, help="the page; beside FILE if not said")

    replay = _verb(verbs, "replay", "decide again from a journal, or from CSV")
    replay.add_argument("file", help="journal.jsonl, or counters as CSV; - for stdin")
    replay.add_argument("--policy", type=Path, help="another policy; needed for CSV")
    return parser


def _asking(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    for name, told in (
        ("pause", "keep the weight, go on judging"),
        ("resume", "go on after a pause, a percent set by hand, or being held"),
        ("approve", "let it leave a step of pauseAt"),
        ("abort", "take all traffic from the canary, now"),
    ):
        asked = _named(verbs, name, told, module="ask")
        asked.add_argument("--reason", default="")
        asked.set_defaults(request=name)
    promote = _named(verbs, "promote", "rise whatever the evidence", module="ask")
    promote.add_argument(
        "--full",
        dest="request",
        action="store_const",
        const="promote-full",
        default="promote",
        help="to all traffic at once",
    )
    promote.add_argument("--reason", required=True)


def _verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    told: str,
    module: str = "",
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=told, description=told)
    parser.add_argument("-o", dest="output", choices=("json", "yaml"))
    parser.add_argument(
        "--dir",
        type=Path,
        default=FOLDER,
        help="local mode's state folder (./.local)",
    )
    parser.set_defaults(module=module or name)
    return parser


def _named(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    told: str,
    module: str = "",
) -> argparse.ArgumentParser:
    parser = _verb(verbs, name, told, module)
    parser.add_argument("name", help="the InferenceService")
    parser.add_argument("-n", dest="namespace", default="default")
    parser.add_argument(
        "--cluster", action="store_true", help="on the cluster that kubectl would ask"
    )
    return parser


def _number(value: str) -> float:
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
