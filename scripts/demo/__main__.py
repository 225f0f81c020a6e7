"""Demonstrates a promotion and a rollback on this machine, within minutes.

It applies the manifests unchanged, asks through the gateway in every protocol, shows
the split beside the wanted one, and lets the promotion script promote v2 and roll back
a bad canary, both watched live. It ends its processes and leaves two reports.
"""

import argparse
import os
import sys
import tempfile
from functools import partial

from scripts import console
from scripts.demo import rollout, vm
from scripts.demo.rollout import FOLDER
from scripts.inference.clients import Target, connect
from scripts.inference.load import summarise
from scripts.inference.terminal import ask_all, print_summary
from scripts.local import processes
from scripts.local.__main__ import main as local
from scripts.local.store import Store
from scripts.rollout.metrics.haproxy import Runtime

MANIFESTS = processes.ROOT / "manifests"
REQUESTS = 2000
CONCURRENCY = 4
TEXTS = (
    "good morning",
    "hello, anyone there?",
    "where is my parcel",
    "can I pay in two parts?",
    "I was charged twice for the same month",
    "not what I ordered, and the box was open",
    "thanks, that was quick",
    "not bad at all",
)


def main(argv: list[str] | None = None) -> int:
    """Run the demo; return 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="python -m scripts.demo")
    parser.add_argument("--port", type=int, default=8080, help="the gateway's port")
    told = "the home: local mode's Envoy, or a VM's HAProxy"
    parser.add_argument("--backend", choices=SHOWS, default="local", help=told)
    options = parser.parse_args(argv)
    os.chdir(processes.ROOT)
    os.chdir(processes.ROOT)  # the manifests' relative paths begin there
    if processes.find(FOLDER):
        console.out.print("ending what an earlier demo left running")
        local(["down"])
    reports: dict[str, str] = {}
    try:
        failed = SHOWS[options.backend](options.port, reports)
    except KeyboardInterrupt:
        console.err.print("interrupted")
        failed = 1
    local(["down"])
    FOLDER.mkdir(exist_ok=True)
    for name, page in reports.items():
        path = FOLDER / f"demo-{name}.html"
        path.write_text(page, encoding="utf-8")
        console.out.print(f"report: {path}", soft_wrap=True)
    return failed


def _show(port: int, reports: dict[str, str]) -> int:
    for name in ("isvc-v1.yaml", "isvc-v2.yaml"):
        _title(f"kubectl apply -f manifests/{name}, without a cluster")
        path = str(MANIFESTS / name)
        if local(["apply", "-f", path, "--port", str(port)]):
            return 1
    local(["get", "-o", "wide"])
    gateway = f"http://127.0.0.1:{port}"
    _title("one request in each protocol")
    for protocol, url in (("v1", gateway), ("v2", gateway), ("grpc", _grpc_url())):
        answer = connect(protocol, Target(url, None, "intent"))(TEXTS[4])
        if answer.error:
            console.err.print(f"error: {protocol}: {answer.error}", markup=False)
            return 1
        console.out.print(
            f"{protocol:5} {answer.text!r} -> {answer.label} "
            f"{answer.confidence:.2f} from {answer.revision} ({answer.version})"
        )
    if _split(gateway, _wanted()):
        return 1
    _title("v2 promoted by evidence")
    if rollout.promote(gateway):
        return 1
    reports["promoted"] = rollout.REPORT.read_text(encoding="utf-8")
    _title("a canary that answers 500 to every tenth request")
    failed = rollout.roll_back(gateway)
    reports["rolled-back"] = rollout.REPORT.read_text(encoding="utf-8")
    return failed


def _show_vm(port: int, reports: dict[str, str]) -> int:
    _title("v1 and v2 behind HAProxy, from manifests/vm")
    if not vm.begin(port):
        return 1
    gateway, policy = f"http://127.0.0.1:{port}", vm.policy()
    Runtime(vm.SOCKET, "intent").set_weights({"v2": 10, "v1": 90})
    if _split(gateway, {"v1": 90, "v2": 10}):
        return 1
    _title("v2 promoted by evidence")
    if rollout.promote(gateway, policy):
        return 1
    reports["promoted"] = rollout.REPORT.read_text(encoding="utf-8")
    _title("a version that answers 500 to every tenth request, after an undo")
    with tempfile.TemporaryDirectory() as folder:
        if rollout.undo() or not vm.exchange(rollout.faulty(folder)):
            return 1
        failed = rollout.expect_rollback(gateway, policy)
    reports["rolled-back"] = rollout.REPORT.read_text(encoding="utf-8")
    return failed


def _split(gateway: str, wanted: dict[str, int]) -> int:
    """Send requests; print each version's share beside the one that is set."""
    _title(f"{REQUESTS} requests through the gateway")
    answers = ask_all(
        partial(connect, "v2", Target(gateway, None, "intent")),
        TEXTS,
        total=REQUESTS,
        rate=None,
        concurrency=CONCURRENCY,
    )
    summary = summarise(answers)
    print_summary(summary, wanted)
    for share in summary.split:
        if not share.holds(wanted.get(share.revision, 0) / 100):
            console.out.print(
                f"{share.revision}: the interval misses the wanted percent, as one in "
                "twenty does by chance"
            )
    return summary.failed


def _title(text: str) -> None:
    console.out.print(f"\n[bold]{text}[/bold]")


def _grpc_url() -> str:
    """Return the first predictor's gRPC address; the gateway routes REST only."""
    first = min(
        (child for child in processes.find(FOLDER) if "/" in child.role),
        key=lambda child: child.role,
    )
    return f"127.0.0.1:{first.env['GRPC_PORT']}"


def _wanted() -> dict[str, int]:
    state = Store(FOLDER).state("default.intent")
    return {
        target.revision: state.routed_percent(target.revision)
        for target in state.routed
    }


SHOWS = {"local": _show, "haproxy": _show_vm}

if __name__ == "__main__":
    sys.exit(main())
