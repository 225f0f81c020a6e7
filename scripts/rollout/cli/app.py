"""The verbs of the command line, their options and the functions that carry them out.

A verb imports its module when it runs, so that help is shown at once.
"""

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from scripts.entry import CommandLine, number
from scripts.rollout.cli import options
from scripts.rollout.cli.options import Common, Named, PolicyFile, Reported, Rollout
from scripts.rollout.errors import Exit, RolloutError

EPILOG = """\b
exit codes:
  0 promoted, or done     2 usage or policy
  10 rolled back on evidence     11 rolled back on a guard or a deadline
  12 aborted by a person         20 held, nothing decided
  21 waits for an approval       30 superseded by a newer revision
  31 another promoter holds the lock     32 the target or its journal was deleted
  40 metrics or API unreachable, traffic left as it was
  50 a rollback could not be verified"""
CANARY = CommandLine(
    "scripts.canary",
    fault=RolloutError,
    failed=Exit.USAGE,
    interrupted="interrupted: traffic stays as it is; run goes on from here",
    told="Roll a canary out by evidence.",
    epilog=EPILOG,
)
Reason = Annotated[str, Option(help="for the journal")]


@CANARY.verb
def lint(file: PolicyFile, common: Common) -> Exit:
    """Check a policy file, every fault at once."""
    from scripts.rollout.cli import policy

    return policy.lint(file, common.output)


@CANARY.verb
def plan(
    file: PolicyFile,
    common: Common,
    seconds: Annotated[float, number("how long to look")] = 10.0,
    rps: Annotated[float | None, number("instead of looking")] = None,
    bad: Annotated[
        options.Shares | None, Option(parser=options.shares, metavar=options.SHARES)
    ] = None,
) -> Exit:
    """Choose steps, say how long they will take."""
    from scripts.rollout.cli import policy

    return policy.plan(file, seconds, rps, bad or {}, common)


@CANARY.verb
def check(
    file: PolicyFile,
    common: Common,
    from_file: Annotated[str | None, Option(help=options.PAST)] = None,
    looks: Annotated[int, Option(help="to read, where no history is kept")] = 60,
) -> Exit:
    """Check the promises' conditions on the stable's own traffic."""
    from scripts.rollout.cli import check as verb

    return verb.check(file, from_file, looks, common)


@CANARY.verb
def run(rollout: Rollout, common: Common) -> Exit:
    """Take the canary through its rollout."""
    from scripts.rollout.cli import run as verb

    return verb.run(rollout, common)


@CANARY.verb
def manifests(
    name: Annotated[str, Argument(help="the target's name")],
    namespace: Annotated[str, Option("-n", help="of the target")] = "default",
    backend: Annotated[str | None, Option(help="the policy's, or knative")] = None,
    file: Annotated[Path | None, Option("-f", help="the policy, if not auto")] = None,
    image: Annotated[str | None, Option(help="of the promoter")] = None,
    folder: Annotated[Path | None, Option(help=options.FOLDER)] = None,
    ingress: Annotated[str, Option(help=options.INGRESS)] = "",
) -> Exit:
    """Print what a promoter in the cluster needs, its Job included."""
    from scripts.rollout.cli.inside import manifests as verb

    return verb.manifests(name, namespace, backend, file, image, folder, ingress)


@CANARY.verb
def gitops(file: PolicyFile, common: Common) -> Exit:
    """Print what Argo CD and Flux need beside a rollout."""
    from scripts.rollout.cli import gitops as verb

    return verb.gitops(file, common)


@CANARY.verb
def status(
    named: Named,
    common: Common,
    wait: Annotated[bool, Option("--wait", help="until it has a verdict")] = False,
    timeout: Annotated[float | None, number("seconds of --wait")] = None,
) -> Exit:
    """Say where the rollout is."""
    from scripts.rollout.cli import status as verb

    return verb.status(named, wait, timeout, common)


@CANARY.verb
def watch(named: Named, common: Common) -> Exit:
    """Show the rollout as it goes: rates, evidence, decisions."""
    from scripts.rollout.cli import status as verb

    return verb.watch(named, common)


@CANARY.verb
def export(named: Named, common: Common) -> Exit:
    """Print the rollout's last numbers for a Prometheus."""
    from scripts.rollout.cli.telling import export as verb

    return verb.export(named, common)


@CANARY.verb
def explain(named: Named, common: Common) -> Exit:
    """Say why the rollout waits, and for how long."""
    from scripts.rollout.cli import status as verb

    return verb.explain(named, common)


@CANARY.verb
def dashboard(
    common: Common,
    port: Annotated[int, Option(help="on loopback; 0 takes a free one")] = 0,
    read_only: Annotated[bool, Option("--read-only", help="no buttons")] = False,
    on_cluster: Annotated[
        bool | None, Option("--cluster/--local", help=options.HINT)
    ] = None,
) -> Exit:
    """Serve a page with all rollouts, live."""
    from scripts.rollout.dashboard.start import start

    where = options.places(on_cluster, common)
    return start(common.place, where, port, is_read_only=read_only)


def _ask(
    verb: Literal["pause", "resume", "approve", "promote", "promote-full", "abort"],
    named: Named,
    common: Common,
    reason: str,
) -> Exit:
    from scripts.rollout.cli import ask

    return ask.ask(verb, named, common, reason)


@CANARY.verb
def pause(named: Named, common: Common, reason: Reason = "") -> Exit:
    """Keep the weight; the evidence goes on."""
    return _ask("pause", named, common, reason)


@CANARY.verb
def resume(named: Named, common: Common, reason: Reason = "") -> Exit:
    """Go on after a pause, a percent set by hand, or being held."""
    return _ask("resume", named, common, reason)


@CANARY.verb
def approve(named: Named, common: Common, reason: Reason = "") -> Exit:
    """Let the rollout leave a step of pauseAt."""
    return _ask("approve", named, common, reason)


@CANARY.verb
def promote(
    named: Named,
    common: Common,
    reason: Reason,
    full: Annotated[bool, Option("--full", help="to all traffic")] = False,
) -> Exit:
    """Raise the weight, whatever the evidence."""
    return _ask("promote-full" if full else "promote", named, common, reason)


@CANARY.verb
def abort(named: Named, common: Common, reason: Reason = "") -> Exit:
    """Take all traffic from the canary, now."""
    return _ask("abort", named, common, reason)


@CANARY.verb
def undo(named: Named, common: Common, reason: Reason = "") -> Exit:
    """Roll back to the previous revision after a promotion."""
    from scripts.rollout.cli import undo as verb

    return verb.undo(named, common, reason)


@CANARY.verb
def feedback(
    named: Named,
    file: Annotated[str, Argument(help="id,label: CSV or JSON lines; - is stdin")],
    common: Common,
) -> Exit:
    """Hand in true labels of answers, as evidence."""
    from scripts.rollout.cli import feedback as verb

    return verb.feedback(named, file, common)


@CANARY.verb
def replay(
    file: Annotated[str, Argument(help="journal.jsonl, counters as CSV, or -")],
    common: Common,
    policy: Annotated[Path | None, Option(help="another; needed for CSV")] = None,
) -> Exit:
    """Decide again from a journal, or from CSV."""
    from scripts.rollout.cli import journal

    return journal.replay(file, policy, common.output)


@CANARY.verb
def report(
    file: Annotated[str, Argument(help="journal.jsonl; - for stdin")],
    common: Reported,
    html: Annotated[Path | None, Option(help="the page, if not beside FILE")] = None,
) -> Exit:
    """Show a journal as one HTML page with plots."""
    from scripts.rollout.cli import journal

    return journal.report(file, html, common.output)
