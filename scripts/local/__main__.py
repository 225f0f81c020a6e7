"""InferenceServices on this machine, with kubectl's verbs.

python -m scripts.local apply -f manifests/isvc-v1.yaml
"""

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import yaml
from typer import Argument, BadParameter, Option

from scripts import console
from scripts.entry import CommandLine
from scripts.local import background, manifest, processes, tables
from scripts.local.background import PORT
from scripts.local.errors import LocalError, NotRunning
from scripts.local.store import Store

GRACE_S = 15.0
FOLDER = Path(".local")


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
    background.check_installed()
    background.supervise(store, port)
    for document in documents:
        verb = store.apply(document)
        name = document["metadata"]["name"]
        console.out.print(f"inferenceservice.serving.kserve.io/{name} {verb}")
    if timeout:
        for document in documents:
            background.wait(store, manifest.key(document), timeout)
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
    background.check_applied(store)
    background.supervise(store, None)
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
    background.check_applied(store)
    verb = store.patch_percent(f"{namespace}.{name}", wanted)
    background.supervise(store, None)
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
    store = context.ensure_object(Store)
    children = processes.find(store.folder)
    processes.end([c for c in children if c.role == background.SUPERVISOR], GRACE_S)
    processes.end(processes.find(store.folder), GRACE_S)
    if store.gateway_port() is not None:
        shutil.rmtree(store.folder)
    console.out.print(f"ended {len(children)} processes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
