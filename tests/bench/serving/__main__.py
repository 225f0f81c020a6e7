"""Serving against its peers: python -m tests.bench.serving (make bench).

Each round starts every server anew, one at a time on one core, asks it from the other
core, and ends it; figures are medians of the rounds. Writes SERVING.md and serving.svg
beside this folder, in at most a quarter of an hour.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import joblib
import requests

from scripts.local.processes import ROOT, free_ports
from tests.bench.serving import load, tables
from tests.bench.serving.cases import CONNECTIONS, Bench, Sample, Texts
from tests.bench.serving.peers import OTHERS, PLAIN, STATIC, STATIC_GRPC, Peer, ours
from tests.bench.serving.servers import SERVER_CORE, Running, running
from tests.bench.serving.tables import Found
from training import dataset

ENVIRONMENTS = ROOT / ".local" / "bench"
ROUNDS, TEXTS = 3, 500
FIRST = "hello, could you help me with my order please"
MLSERVER = {
    "settings.json": '{"http_port": %d, "grpc_port": %d, "metrics_port": %d, '
    '"host": "127.0.0.1", "parallel_workers": 0, "debug": false}',
    "model-settings.json": '{"name": "intent", '
    '"implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "%s"}}',
}
LOADED = "import kserve, sklearn, joblib; joblib.load('{}')"


def main() -> None:
    """Measure, print, write. Raises RuntimeError."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.serving")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    load.needs()
    others = [(peer, _environment(peer)) for peer in OTHERS]
    found = Found()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            Round(Path(folder), found, is_first=number == 0).run(others)
            print(f"round {number + 1} of {rounds} is over", flush=True)
    tables.write(found)


def _environment(peer: Peer) -> str:
    """A Python with the peer's packages; nothing if they cannot be installed."""
    home = ENVIRONMENTS / peer.name.split()[0].lower()
    python = home / "bin" / "python"
    uv = [sys.executable, "-m", "uv"]
    install = [*uv, "pip", "install", "-q", "--python", str(python), *peer.packages]
    for command in ([*uv, "venv", "-q", "--clear", str(home)], install):
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            print(f"{peer.name}: not installed\n{done.stderr}", file=sys.stderr)
            return ""
    return str(python)


class Round:
    """Every server once."""

    def __init__(self, folder: Path, found: Found, *, is_first: bool) -> None:
        """Keep in `found` what is measured; the first round checks the labels."""
        self._folder, self._found, self._is_first = folder, found, is_first
        self._benches = {name: Bench(folder, _texts(name)) for name in ("v1", "v2")}

    def run(self, others: list[tuple[Peer, str]]) -> None:
        """Ours, the floors, kserve, the others."""
        self._start()
        self._visit(ours("v1"), self._ours)
        self._visit(STATIC, self._static)
        self._visit(STATIC_GRPC, self._static_grpc)
        self._visit(PLAIN, self._ways_and_batches)
        self._visit(ours("v2"), self._ways_and_batches, model="v2")
        self._visit(PLAIN, self._ways_and_batches, model="v2")
        for peer, python in others:
            if python:
                self._visit(peer, self._ways, python=python)

    def _start(self) -> None:
        """What importing and loading takes without a server."""
        code = LOADED.format(_pickle("v1"))
        start = time.monotonic()
        subprocess.run(
            ["taskset", "-c", SERVER_CORE, sys.executable, "-c", code],
            check=True,
            cwd=ROOT,
        )
        self._found.starts["imports and pickle"].append(time.monotonic() - start)

    def _visit(
        self,
        peer: Peer,
        measure: Callable[[Peer, Running, str], None],
        *,
        model: str = "v1",
        python: str = sys.executable,
    ) -> None:
        port = free_ports(1)[0]
        cwd = self._configured(port) if peer.name == "MLServer" else peer.cwd
        with running(
            peer.command(python, port),
            f"http://127.0.0.1:{port}",
            {"PORT": str(port), "MODEL": str(_pickle(model)), **self._answers()},
            cwd,
        ) as server:
            if peer not in (STATIC, STATIC_GRPC):
                self._benches[model].wait(server, peer)
                if self._is_first:
                    self._benches[model].check(server, peer)
            measure(peer, server, model)
            name = tables.title(peer, model)
            self._found.starts[name].append(server.ready_s)
            self._found.memory[name].append(server.rss_mib())

    def _keep(self, peer: Peer, model: str, case: str, sample: Sample) -> None:
        self._found.samples[tables.title(peer, model), case].append(sample)

    def _ways(self, peer: Peer, server: Running, model: str) -> None:
        for name, way in peer.ways.items():
            sample = self._benches[model].single(server, way, CONNECTIONS)
            self._keep(peer, model, name, sample)

    def _ways_and_batches(self, peer: Peer, server: Running, model: str) -> None:
        self._ways(peer, server, model)
        for name, way in peer.ways.items():
            sample = self._benches[model].batch(server, way)
            self._keep(peer, model, f"{name} batch", sample)

    def _ours(self, peer: Peer, server: Running, model: str) -> None:
        self._save_answers(server)
        self._ways_and_batches(peer, server, model)
        bench, way = self._benches[model], peer.ways["V1"]
        self._keep(peer, model, "V1 alone", bench.single(server, way, 1))
        full = self._found.samples[tables.title(peer, model), "V1"][-1].load.rps
        self._keep(peer, model, "V1 half", bench.paused(server, way, full / 2))
        port = int(server.url.rsplit(":", 1)[1]) + 1
        self._keep(peer, model, "gRPC", bench.grpc(server, port))

    def _static(self, peer: Peer, server: Running, model: str) -> None:
        self._ways(peer, server, model)
        alone = self._benches[model].single(server, peer.ways["V1"], 1)
        self._keep(peer, model, "V1 alone", alone)

    def _static_grpc(self, peer: Peer, server: Running, model: str) -> None:
        port = int(server.url.rsplit(":", 1)[1])
        self._keep(peer, model, "gRPC", self._benches[model].grpc(server, port))

    def _save_answers(self, server: Running) -> None:
        """Our answers to one text, for the floors to repeat."""
        for name, way in ours("v1").ways.items():
            body = way.body([FIRST])
            answer = requests.post(server.url + way.path, json=body, timeout=10)
            (self._folder / name).write_bytes(answer.content)

    def _answers(self) -> Mapping[str, str]:
        files = {way.path: self._folder / name for name, way in STATIC.ways.items()}
        said = ",".join(f"{path}={file}" for path, file in files.items())
        return {"ANSWERS": said}

    def _configured(self, port: int) -> Path:
        """MLServer's two files."""
        folder = self._folder / "mlserver"
        folder.mkdir(exist_ok=True)
        values = ((port, *free_ports(2)), (str(_pickle("v1")),))
        for (name, text), value in zip(MLSERVER.items(), values, strict=True):
            (folder / name).write_text(text % value)
        return folder


def _pickle(version: str) -> Path:
    return ROOT / "models" / version / "intent_model.pkl"


def _texts(version: str) -> Texts:
    rows = dataset.read(dataset.DATA)
    texts = [row.text for row in rows[:: len(rows) // TEXTS][:TEXTS]]
    return Texts(texts, joblib.load(_pickle(version)).predict(texts).tolist())


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        sys.exit(f"error: {error}")
