"""Options that verbs share, the search for a rollout, reading files and printing."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer import Argument, BadParameter, Option

from scripts.rollout.errors import NoRollout, RolloutError

if TYPE_CHECKING:
    from scripts.rollout.journal.port import SharedJournal
    from scripts.rollout.journal.saved import Saved
    from scripts.rollout.traffic.port import Place

LOCAL = Path(".local")
NAMESPACE = "namespace; if none, the context's, or default"
HINT = "where to look, by default in both"
MANIFEST = "bring this file's canaryTrafficPercent in line with the verdict"
GIT = "as a commit on this branch of the repository that holds it"
METRICS = "serve /metrics there while it runs, such as 127.0.0.1:9464"
COPY = "also append every entry here; - for standard output"
SHARES = "errors=0.5%,latency=1%"
FOLDER = "write files for kubectl apply -k there instead"
INGRESS = "whose Envoys count: kourier; of a route contour or envoy-gateway"
PAST = "the stable's counters as CSV, instead of its history; - is stdin"
Shares = dict[str, float]
Format = Literal["json", "yaml"]
Folder = Annotated[Path, Option("--dir", help="local mode's state folder")]
Context = Annotated[str | None, Option(help="the kubeconfig's current, if none")]
Output = Annotated[Format | None, Option("-o", help="instead of text")]
ReportFormat = Literal["json", "yaml", "markdown"]
ReportOutput = Annotated[ReportFormat | None, Option("-o", help="markdown: no page")]
PolicyFile = Annotated[Path, Option("-f", help="the policy")]


def shares(value: str) -> Shares:
    """Read bad shares by metric from the command line."""
    found = {}
    for part in value.split(","):
        name, _, share = part.partition("=")
        try:
            found[name] = float(share.removesuffix("%")) / 100
        except ValueError:
            expected = "expected metric=percent, such as errors=0.5%"
            raise BadParameter(f"{expected}, got {part!r}") from None
    return found


def _names(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of rollouts on this machine, for shell completion."""
    folder = Path(context.params.get("folder") or LOCAL) / "rollouts"
    namespace = context.params.get("namespace") or "default"
    found = [path.name.partition(".")[2] for path in folder.glob(f"{namespace}.*")]
    return sorted(name for name in found if name.startswith(incomplete))


@dataclass(frozen=True, slots=True)
class Located:
    """Where rollouts are looked for."""

    folder: Folder = LOCAL
    context: Context = None

    @property
    def place(self) -> "Place":
        """Return the places where adapters look."""
        from scripts.rollout.traffic.port import Place

        return Place(self.folder, self.context)


@dataclass(frozen=True, slots=True)
class Common(Located):
    """The options of every verb."""

    output: Output = None


@dataclass(frozen=True, slots=True)
class Reported(Located):
    """The options of `report`, which knows one more format."""

    output: ReportOutput = None


@dataclass(frozen=True, slots=True)
class Named:
    """The options of a verb about one rollout."""

    name: Annotated[str, Argument(help="the target's name", autocompletion=_names)]
    namespace: Annotated[str | None, Option("-n", help=NAMESPACE)] = None
    on_cluster: Annotated[bool | None, Option("--cluster/--local", help=HINT)] = None


@dataclass(frozen=True, slots=True)
class Rollout:
    """The options of `run`."""

    file: PolicyFile
    in_cluster: Annotated[bool, Option("--in-cluster", help="by a Job there")] = False
    image: Annotated[str | None, Option(help="of the Job of --in-cluster")] = None
    once: Annotated[bool, Option("--once", help="look and act a single time")] = False
    journal: Annotated[str | None, Option(help=COPY)] = None
    manifest: Annotated[
        Path | None,
        Option("--write-manifest", help=MANIFEST),
    ] = None
    git: Annotated[str | None, Option(help=GIT, metavar="BRANCH")] = None
    push: Annotated[bool, Option("--push", help="push that branch too")] = False
    metrics: Annotated[
        str | None, Option("--metrics", metavar="HOST:PORT", help=METRICS)
    ] = None
    dry_run: Annotated[bool, Option("--dry-run", help="say what it would do")] = False


def find(named: Named, common: Common) -> "tuple[SharedJournal, Saved]":
    """Return the journal of the rollout with this name, and its last commit.

    Searches this machine and the context's cluster, or only where the options say.
    Raises RolloutError if the rollout is in neither or in both.
    """
    looked: list[tuple[SharedJournal, Saved | None]] = []
    unasked: RolloutError | None = None
    candidates = places(named.on_cluster, common)
    for on_cluster in candidates:
        try:
            journal = _journal(named, common, on_cluster=on_cluster)
            looked.append((journal, journal.load()))
        except RolloutError as error:
            if not on_cluster or len(candidates) == 1:
                raise
            unasked = error
    found = [(journal, saved) for journal, saved in looked if saved is not None]
    if len(found) != 1:
        raise _lost([journal for journal, _ in found or looked], unasked, bool(found))
    if unasked is not None:
        told = f"the cluster cannot be read: {unasked}; this is about {found[0][0]}"
        print(told, file=sys.stderr)
    return found[0]


def places(on_cluster: bool | None, common: Common) -> list[bool]:
    """Return where to search (True: on the cluster): everywhere not ruled out."""
    from scripts.rollout.cluster.client import ACCOUNT

    if on_cluster is not None:
        return [on_cluster]
    if common.context is not None:
        return [True]
    config = Path.home() / ".kube" / "config"
    has_config = bool(os.environ.get("KUBECONFIG")) or config.is_file()
    return [False, True] if has_config or ACCOUNT.is_dir() else [False]


def _journal(named: Named, common: Common, *, on_cluster: bool) -> "SharedJournal":
    from scripts.rollout import wiring
    from scripts.rollout.cluster.client import Cluster

    namespace = named.namespace
    if namespace is None and on_cluster:
        namespace = Cluster.of(common.context).namespace
    key = f"{namespace or 'default'}.{named.name}"
    return wiring.journal(common.place, key, on_cluster=on_cluster)


def _lost(
    looked: "list[SharedJournal]", unasked: RolloutError | None, is_twice: bool
) -> RolloutError:
    """Return the error for a name that is not exactly one rollout's."""
    if is_twice:
        both = " and ".join(f"{each.name} in {each}" for each in looked)
        return RolloutError(f"two rollouts: {both}; say which: --local or --cluster")
    told = ", ".join(f"no rollout of {each.name} in {each}" for each in looked)
    if unasked is None:
        return NoRollout(told)
    error = NoRollout(f"{told}; the cluster cannot be read: {unasked}")
    error.code = unasked.code
    return error


def emit(output: Format | None, content: dict[str, Any], text: str) -> None:
    """Print one thing in the chosen format."""
    match output:
        case "json":
            print(json.dumps(content))
        case "yaml":
            import yaml

            print("---\n" + yaml.safe_dump(content, sort_keys=False), end="")
        case _ if text:
            print(text)


def text_of(file: str | Path) -> str:
    """Read a file, or standard input for "-". Raises RolloutError."""
    try:
        if file == "-":
            return sys.stdin.read()
        return Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise RolloutError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RolloutError(f"{file}: not UTF-8 text") from error


@contextmanager
def naming(file: str) -> Iterator[None]:
    """Name the file in an error about its content."""
    try:
        yield
    except RolloutError as error:
        raise RolloutError(f"{file}: {error}") from error
