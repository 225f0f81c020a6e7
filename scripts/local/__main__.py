"""InferenceServices on this machine, with kubectl's verbs.

python -m scripts.local apply -f manifests/isvc-v1.yaml
"""

import json
import shutil
import socket
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import yaml
from typer import Argument, BadParameter, Option

from scripts import console
from scripts.entry import CommandLine
from scripts.local import manifest, processes, status, tables
from scripts.local.errors import LocalError, NotRunning, PortTaken
from scripts.local.store import Store

START_S = 20.0
GRACE_S = 15.0
POLL_S = 0.1
FOLDER = Path(".local")
PORT = 8080
PREDICTOR = ("kserve", "sklearn")


COMMANDS = CommandLine(
    "scripts.local",
    fault=LocalError,
    failed=1,
    interrupted="interrupted; what was applied goes on in the background",
    told="InferenceServices on this machine, with kubectl's verbs.",
)
Namespace = Annotated[str, Option("-n", help="of the InferenceService")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 1 after an error, printed as one line, and 130 on ^C."""
    return COMMANDS.run(arguments)


@COMMANDS.app.callback()
def _in(
    context: typer.Context,
    folder: Annotated[Path, Option("--dir", help="state folder")] = FOLDER,
) -> None:
    context.obj = Store(folder)


@COMMANDS.verb
def apply(
    context: typer.Context,
    files: Annotated[list[Path], Option("-f", help="manifests")],
    more: Annotated[list[Path] | None, Argument(hidden=True)] = None,
    port: Annotated[int | None, Option(min=0, help=f"the gateway's ({PORT})")] = None,
    timeout: Annotated[float, Option(min=0, help="seconds until Ready; 0: none")] = 120,
) -> int:
    """Create or change InferenceServices."""
    store = context.ensure_object(Store)
    documents = manifest.read([*files, *(more or ())])
    _check_installed()
    _supervise(store, port)
    for document in documents:
        verb = store.apply(document)
        name = document["metadata"]["name"]
        console.out.print(f"inferenceservice.serving.kserve.io/{name} {verb}")
    if timeout:
        for document in documents:
            _wait(store, manifest.key(document), timeout)
    return 0


@COMMANDS.verb
def get(
    context: typer.Context,
    name: Annotated[str | None, Argument(help="all, if none is named")] = None,
    namespace: Namespace = "default",
    output: Annotated[
        Literal["json", "yaml", "wide"] | None, Option("-o", help="than a table")
    ] = None,
) -> int:
    """Show InferenceServices."""
    store = context.ensure_object(Store)
    _check_applied(store)
    _supervise(store, None)
    found = [
        document | {"status": store.status(manifest.key(document))}
        for document in store.objects()
        if name in (None, document["metadata"]["name"])
        and manifest.namespace(document) == namespace
    ]
    if name and not found:
        raise NotRunning(f"InferenceService {name} not found")
    content: Any = found[0] if name else {"kind": "List", "items": found}
    match output:
        case "json":
            print(json.dumps(content, indent=2))
        case "yaml":
            print(yaml.safe_dump(content, sort_keys=False), end="")
        case _:
            console.table(tables.services(found))
            if output == "wide":
                console.table(tables.revisions(store, found))
    return 0


@COMMANDS.verb
def logs(
    context: typer.Context,
    name: Annotated[str, Argument(help="an InferenceService, a revision, or envoy")],
    namespace: Namespace = "default",
) -> int:
    """Print what the predictors wrote."""
    store = context.ensure_object(Store)
    whole = f"{namespace}.{name}"
    candidates = [store.logs / f"{stem}.log" for stem in (name, whole)]
    paths = [path for path in candidates if path.exists()]
    paths = paths or sorted(store.logs.glob(f"{whole}-predictor-*.log"))
    if not paths:
        raise NotRunning(f"no logs of {name} in {store.logs}")
    for path in paths:
        print(path.read_text(encoding="utf-8", errors="replace"), end="")
    return 0


@COMMANDS.verb
def patch(
    context: typer.Context,
    name: Annotated[str, Argument(help="an InferenceService")],
    percent: Annotated[str, Option(help="0 rolls back; none removes it, and promotes")],
    namespace: Namespace = "default",
) -> int:
    """Set or remove canaryTrafficPercent."""
    store, wanted = context.ensure_object(Store), _percent(percent)
    _check_applied(store)
    verb = store.patch_percent(f"{namespace}.{name}", wanted)
    _supervise(store, None)
    console.out.print(f"inferenceservice.serving.kserve.io/{name} {verb}")
    return 0


def _percent(value: str) -> int | None:
    if value == "none":
        return None
    if not value.isdecimal() or int(value) > 100:
        raise BadParameter(
            f"expected an integer from 0 to 100, or none; got {value!r}",
            param_hint="--percent",
        )
    return int(value)


@COMMANDS.verb
def down(context: typer.Context) -> int:
    """End every process, remove the state."""
    from scripts.local.supervisor import SUPERVISOR

    store = context.ensure_object(Store)
    children = processes.find(store.folder)
    processes.end([c for c in children if c.role == SUPERVISOR], GRACE_S)
    processes.end(processes.find(store.folder), GRACE_S)
    if store.gateway_port() is not None:
        shutil.rmtree(store.folder)
    console.out.print(f"ended {len(children)} processes")
    return 0


def _supervise(store: Store, port: int | None) -> None:
    """Start a supervisor if none runs; it adopts an earlier one's processes."""
    from scripts.local.supervisor import SUPERVISOR, is_running

    known = store.gateway_port()
    if is_running(store):
        if port is not None and port != known:
            raise LocalError(f"the gateway is on port {known} already; down it first")
        return
    port = port or known or PORT
    if not processes.find(store.folder):
        _check_port(port)
    home = store.home() or Path.cwd()
    store.create(port, home)
    command = processes.module("scripts.local.supervisor", str(store.folder))
    log = store.folder / "supervisor.log"
    child = processes.spawn(store.folder, SUPERVISOR, command, {}, log, home)
    deadline = time.monotonic() + START_S
    while not is_running(store):
        if not child.is_alive() or time.monotonic() > deadline:
            raise LocalError(f"no supervisor: {processes.last_line(log)}; see {log}")
        time.sleep(POLL_S)


def _check_installed() -> None:
    """Check for the predictor's packages, which come by an extra only."""
    missing = [name for name in PREDICTOR if find_spec(name) is None]
    if missing:
        raise LocalError(
            f"local mode runs predictors on this machine and lacks their packages "
            f"({', '.join(missing)}): pip install '.[predictor]' in the clone"
        )


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortTaken(
                f"port {port}: {error.strerror}; stop what listens there or choose "
                "another (--port, make demo PORT=8090)"
            ) from error


def _wait(store: Store, key: str, timeout_s: float) -> None:
    """Wait until the object as applied is Ready. Raises LocalError if it fails."""
    document = store.object(key)
    if document is None:
        raise NotRunning(f"InferenceService {key} was deleted")
    deadline = time.monotonic() + timeout_s
    with console.step(f"waiting for {key}"):
        while time.monotonic() < deadline:
            current = store.status(key)
            is_ready = status.is_ready(current)
            observed = store.state(key).revisions[-1:]
            is_new = observed and observed[0].template == manifest.template(document)
            if is_new and is_ready:
                return
            if is_new and is_ready is False:
                raise LocalError(f"{key} is not Ready: {status.message(current)}")
            time.sleep(POLL_S)
    message = status.message(store.status(key))
    last = processes.last_line(_newest_log(store, key))
    raise LocalError(
        f"{key} is not Ready after {timeout_s:.0f} s: {message}; its log ends: {last}"
    )


def _newest_log(store: Store, key: str) -> Path:
    namespace = key.partition(".")[0]
    return store.logs / f"{namespace}.{store.state(key).latest_created}.log"


def _check_applied(store: Store) -> None:
    if store.gateway_port() is None:
        raise NotRunning("nothing was applied here; start with: apply -f FILE")


if __name__ == "__main__":
    sys.exit(main())
