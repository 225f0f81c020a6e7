"""InferenceServices on this machine, with kubectl's verbs.

python -m scripts.local apply -f manifests/isvc-v1.yaml
"""

import argparse
import json
import shutil
import socket
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from scripts import console
from scripts.local import manifest, processes, status, tables
from scripts.local.errors import LocalError, NotRunning, PortTaken
from scripts.local.store import Store
from scripts.local.supervisor import SUPERVISOR, is_running

START_S = 20.0
GRACE_S = 15.0
POLL_S = 0.1
FOLDER = Path(".local")
PORT = 8080
PREDICTOR = ("kserve", "sklearn")


def main(argv: list[str] | None = None) -> int:
    """Run one command; 1 and one line on standard error where it fails, 130 on ^C."""
    options = _parser().parse_args(argv)
    try:
        return int(options.run(Store(options.dir), options))
    except (LocalError, OSError) as error:
        console.err.print(f"error: {error}", markup=False)
        return 1
    except KeyboardInterrupt:
        console.err.print("interrupted; what was applied goes on in the background")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.local")
    parser.add_argument(
        "--dir", type=Path, default=FOLDER, help="state folder (./.local)"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    apply = commands.add_parser("apply", help="create or change InferenceServices")
    apply.add_argument(
        "-f", dest="files", type=Path, nargs="+", action="extend", required=True
    )
    apply.add_argument("--port", type=int, help=f"the gateway's port ({PORT})")
    apply.add_argument(
        "--timeout", type=float, default=120, help="seconds to wait for Ready; 0: none"
    )
    apply.set_defaults(run=_apply)

    get = commands.add_parser("get", help="show InferenceServices")
    get.add_argument("name", nargs="?")
    get.add_argument("-n", dest="namespace", default="default")
    get.add_argument("-o", dest="output", choices=("json", "yaml", "wide"))
    get.set_defaults(run=_get)

    logs = commands.add_parser("logs", help="what the predictors wrote")
    logs.add_argument("name", help="an InferenceService, a revision, or envoy")
    logs.add_argument("-n", dest="namespace", default="default")
    logs.set_defaults(run=_logs)

    patch = commands.add_parser("patch", help="set or remove canaryTrafficPercent")
    patch.add_argument("name")
    patch.add_argument("-n", dest="namespace", default="default")
    patch.add_argument(
        "--percent",
        type=_percent,
        required=True,
        help="0 rolls back; none removes the field, and that promotes",
    )
    patch.set_defaults(run=_patch)

    down = commands.add_parser("down", help="end every process, remove the state")
    down.set_defaults(run=_down)
    return parser


def _percent(value: str) -> int | None:
    if value == "none":
        return None
    if not value.isdecimal() or int(value) > 100:
        raise argparse.ArgumentTypeError(
            f"expected an integer from 0 to 100, or none; got {value!r}"
        )
    return int(value)


def _apply(store: Store, options: argparse.Namespace) -> int:
    documents = manifest.read(options.files)
    _check_installed()
    _supervise(store, options.port)
    for document in documents:
        verb = store.apply(document)
        name = document["metadata"]["name"]
        console.out.print(f"inferenceservice.serving.kserve.io/{name} {verb}")
    if options.timeout:
        for document in documents:
            _wait(store, manifest.key(document), options.timeout)
    return 0


def _supervise(store: Store, port: int | None) -> None:
    """Have a supervisor running; it adopts what one before it left."""
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
    """The predictor comes with these commands, its packages by an extra only."""
    missing = [name for name in PREDICTOR if find_spec(name) is None]
    if missing:
        raise LocalError(
            f"local mode runs predictors on this machine, and {', '.join(missing)} "
            "is not installed: pip install 'intent-classifier[predictor]'"
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
    """Until the object as applied is Ready. Raises LocalError where it fails."""
    document = store.object(key)
    if document is None:
        raise NotRunning(f"InferenceService {key} is gone")
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


def _get(store: Store, options: argparse.Namespace) -> int:
    _check_applied(store)
    _supervise(store, None)
    found = [
        document | {"status": store.status(manifest.key(document))}
        for document in store.objects()
        if options.name in (None, document["metadata"]["name"])
        and manifest.namespace(document) == options.namespace
    ]
    if options.name and not found:
        raise NotRunning(f"InferenceService {options.name} not found")
    content: Any = found[0] if options.name else {"kind": "List", "items": found}
    match options.output:
        case "json":
            print(json.dumps(content, indent=2))
        case "yaml":
            print(yaml.safe_dump(content, sort_keys=False), end="")
        case _:
            console.table(tables.services(found))
            if options.output == "wide":
                console.table(tables.revisions(store, found))
    return 0


def _logs(store: Store, options: argparse.Namespace) -> int:
    name = f"{options.namespace}.{options.name}"
    candidates = [store.logs / f"{stem}.log" for stem in (options.name, name)]
    paths = [path for path in candidates if path.exists()]
    paths = paths or sorted(store.logs.glob(f"{name}-predictor-*.log"))
    if not paths:
        raise NotRunning(f"no logs of {options.name} in {store.logs}")
    for path in paths:
        print(path.read_text(encoding="utf-8", errors="replace"), end="")
    return 0


def _patch(store: Store, options: argparse.Namespace) -> int:
    _check_applied(store)
    key = f"{options.namespace}.{options.name}"
    verb = store.patch_percent(key, options.percent)
    _supervise(store, None)
    console.out.print(f"inferenceservice.serving.kserve.io/{options.name} {verb}")
    return 0


def _down(store: Store, options: argparse.Namespace) -> int:
    del options
    children = processes.find(store.folder)
    processes.end([c for c in children if c.role == SUPERVISOR], GRACE_S)
    processes.end(processes.find(store.folder), GRACE_S)
    if store.gateway_port() is not None:
        shutil.rmtree(store.folder)
    console.out.print(f"ended {len(children)} processes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
