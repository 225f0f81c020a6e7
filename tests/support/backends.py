"""Where the scenarios run: on this machine, or on a cluster (tests/support/site.py)."""

import io
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Protocol

import requests
import yaml

from scripts.local import processes
from scripts.local.__main__ import main
from scripts.local.manifest import PROGRESS_DEADLINE
from scripts.local.processes import ROOT
from tests.support.waiting import until

HOST = "intent-predictor.default.example.com"

POLICY_VERBS = ("run", "plan", "lint", "replay", "report")

Object = dict[str, Any]


class Backend(Protocol):
    """An InferenceService `intent` somewhere, and a gateway in front of it.

    `host` is its address at the gateway `url`. `target` is it in a policy, `journal`
    where the audit of its rollouts lies.
    """

    host: str
    url: str
    target: str
    journal: Path

    def apply(self, document: Object) -> None:
        """What `kubectl apply -f` does."""

    def patch(self, percent: int | None) -> None:
        """Set canaryTrafficPercent, None removes it."""

    def status(self) -> Object:
        """The InferenceService's status."""

    def ask(self, host: str) -> requests.Response:
        """One prediction through the gateway."""

    def flags(self, verb: str) -> list[str]:
        """What the promotion script needs to find it."""


class Local:
    """Local mode in a folder of its own."""

    host = HOST
    target = "{inferenceservice: intent}"

    def __init__(self, folder: Path) -> None:
        """Keep state below `folder`; the gateway takes a free port."""
        self.folder = folder / "state"
        self.journal = self.folder / "rollouts" / "default.intent" / "journal.jsonl"
        self._manifests = folder
        (self.port,) = processes.free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self._session = requests.Session()

    def run(self, *args: str) -> tuple[int, str]:
        """Run the command line in this process: exit code, and what it printed.

        A process of its own would cost half a second for each look at the status.
        """
        printed = io.StringIO()
        with redirect_stdout(printed), redirect_stderr(printed):
            try:
                code = main(["--dir", str(self.folder), *args])
            except SystemExit as error:
                code = int(error.code or 0)
        return code, printed.getvalue()

    def apply(self, document: Object) -> None:
        """Apply without waiting, as kubectl does."""
        path = self._manifests / "applied.yaml"
        path.write_text(yaml.safe_dump(document))
        port = str(self.port)
        code, printed = self.run(
            "apply", "-f", str(path), "--port", port, "--timeout", "0"
        )
        assert code == 0, printed

    def patch(self, percent: int | None) -> None:
        """Patch as an operator would."""
        value = "none" if percent is None else str(percent)
        code, printed = self.run("patch", "intent", "--percent", value)
        assert code == 0, printed

    def status(self) -> Object:
        """Read what `get -o json` prints."""
        code, printed = self.run("get", "intent", "-o", "json")
        assert code == 0, printed
        return dict(json.loads(printed)["status"])

    def flags(self, verb: str) -> list[str]:
        """The state folder, and that no cluster is to be asked about a name."""
        folder = ["--dir", str(self.folder)]
        if verb in POLICY_VERBS:
            return folder
        return [*folder, "--local"]

    def ask(self, host: str) -> requests.Response:
        """Ask the gateway in the name of `host`."""
        return self._session.post(
            f"{self.url}/predict",
            json={"text": "hello"},
            headers={"Host": host},
            timeout=10,
        )


@contextmanager
def local(folder: Path) -> Iterator[Local]:
    """Local mode until the block ends; nothing may be left of it."""
    backend = Local(folder)
    try:
        yield backend
    finally:
        backend.run("down")
        assert processes.find(backend.folder) == []


def intent(name: str, percent: int | None = None, **env: str) -> Object:
    """The shipped manifest `isvc-<name>.yaml` with another percent and more env."""
    path = ROOT / "manifests" / f"isvc-{name}.yaml"
    document: Object = yaml.safe_load(path.read_text())
    predictor = document["spec"]["predictor"]
    predictor.pop("canaryTrafficPercent", None)
    if percent is not None:
        predictor["canaryTrafficPercent"] = percent
    for key, value in env.items():
        predictor["containers"][0]["env"].append({"name": key, "value": value})
    return document


def serves(document: Object, model: str, *more: str) -> None:
    """Let a shipped manifest serve another model, without the pin of its own."""
    (container,) = document["spec"]["predictor"]["containers"]
    assert container["args"][2].startswith("--model_sha256=")
    container["args"][1:3] = [f"--model_dir={model}", *more]


def broken(percent: int, deadline: str = "10s") -> Object:
    """A v2 that can never start."""
    document = intent("v2", percent)
    document["metadata"]["annotations"][PROGRESS_DEADLINE] = deadline
    serves(document, "models/v9")
    return document


def predictor(status: Object) -> Object:
    """The predictor's part of a status."""
    return dict(status.get("components", {}).get("predictor", {}))


def shares(status: Object) -> list[tuple[str, int]]:
    """Revision and percent of each traffic entry; revisions by their number."""
    return [
        (entry["revisionName"][-1], entry["percent"])
        for entry in predictor(status).get("traffic", ())
    ]


def ready(status: Object) -> str:
    """The status of the condition Ready."""
    for condition in status.get("conditions", ()):
        if condition["type"] == "Ready":
            return str(condition["status"])
    return "Unknown"


def messages(status: Object) -> list[str]:
    """What the conditions say, and the container that failed.

    On a busy node Knative's deadline may be the condition before the container's words.
    """
    failed = status.get("modelStatus", {}).get("lastFailureInfo", {})
    every = [*status.get("conditions", ()), failed]
    return [each.get("message", "") for each in every]


def settles(
    backend: Backend,
    traffic: list[tuple[str, int]],
    *,
    created: str,
    is_ready: str = "True",
    says: str = "",
) -> Object:
    """Wait for a split, a newest revision and what the status says; that status."""

    def settled() -> Object | None:
        status = backend.status()
        newest = predictor(status).get("latestCreatedRevision", "")[-1:]
        seen = (shares(status), newest, ready(status))
        is_said = any(says in message for message in messages(status))
        return status if seen == (traffic, created, is_ready) and is_said else None

    status = until(settled, shown=lambda: (traffic, created, backend.status()))
    assert status is not None
    return status


def answered(backend: Backend, count: int = 40, tag: str = "") -> Counter[str]:
    """Which revisions answer, by number; anything but 200 fails."""
    answers = [backend.ask(tag + backend.host) for _ in range(count)]
    assert {answer.status_code for answer in answers} == {200}
    return Counter(answer.headers["x-revision"][-1] for answer in answers)
