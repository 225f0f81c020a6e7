"""What each server is asked in a round, and what is kept of it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import requests
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from tests.bench.serving.load import Load, h2load, wrk
from tests.bench.serving.peers import Peer, Way
from tests.bench.serving.servers import START_S, Running

CONNECTIONS, BATCH, BATCH_CONNECTIONS = 64, 256, 8
WARM_S, MEASURED_S = 1.0, 2.0
INFER = "/inference.GRPCInferenceService/ModelInfer"


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured case: the load's figures, and the server's CPU a request."""

    load: Load
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of the bench and the labels that the pipeline gives them."""

    texts: Sequence[str]
    labels: Sequence[str]


class Bench:
    """Asks servers; `folder` is for what the load generators read."""

    def __init__(self, folder: Path, texts: Texts) -> None:
        """Ask these texts, one by one or by the batch."""
        self._folder, self._texts = folder, texts

    def wait(self, server: Running, peer: Peer) -> None:
        """Until the first text is answered: some listen before they can."""
        deadline = time.monotonic() + START_S
        with requests.Session() as session:
            for way in peer.ways.values():
                while not self._is_there(session, server, way):
                    if time.monotonic() > deadline:
                        raise RuntimeError(f"{peer.name}: no answer in {START_S} s")
                    time.sleep(0.2)

    def _is_there(self, session: requests.Session, server: Running, way: Way) -> bool:
        try:
            return bool(self._asked(session, server, way, self._texts.texts[:1]))
        except requests.RequestException:
            return False

    def check(self, server: Running, peer: Peer) -> None:
        """Compare the labels of all texts, each way. Raises RuntimeError."""
        for name, way in peer.ways.items():
            with requests.Session() as session:
                found = [
                    self._asked(session, server, way, [text])[0]
                    for text in self._texts.texts
                ]
            wrong = sum(map(str.__ne__, found, self._texts.labels))
            if wrong:
                raise RuntimeError(f"{peer.name} {name}: {wrong} labels differ")

    def single(self, server: Running, way: Way, connections: int) -> Sample:
        """One text a request, each connection at once again."""
        bodies = [way.encoded([text]) for text in self._texts.texts]
        return self._measured(server, way, bodies, connections)

    def paused(self, server: Running, way: Way, rps: float) -> Sample:
        """One text a request, about so many requests a second at random times."""
        bodies = [way.encoded([text]) for text in self._texts.texts]
        most = max(1, round(2 * CONNECTIONS / rps * 1000))
        return self._measured(server, way, bodies, CONNECTIONS, most)

    def batch(self, server: Running, way: Way) -> Sample:
        """BATCH texts a request; rps counts requests."""
        bodies = [way.encoded(self._texts.texts[:BATCH])]
        return self._measured(server, way, bodies, BATCH_CONNECTIONS)

    def grpc(self, server: Running, port: int) -> Sample:
        """One text a call."""
        contents = {"bytes_contents": [self._texts.texts[0].encode()]}
        tensor = {"name": "text", "datatype": "BYTES", "shape": [1]}
        message = pb.ModelInferRequest(
            model_name="intent", inputs=[tensor | {"contents": contents}]
        ).SerializeToString()
        file = self._folder / "grpc.bin"
        file.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
        url = f"http://127.0.0.1:{port}{INFER}"
        h2load(url, file, connections=CONNECTIONS, seconds=WARM_S)
        before = server.cpu_s()
        load = h2load(url, file, connections=CONNECTIONS, seconds=MEASURED_S)
        return _sample(load, server.cpu_s() - before)

    def _measured(
        self,
        server: Running,
        way: Way,
        bodies: Sequence[bytes],
        connections: int,
        most_pause_ms: int = 0,
    ) -> Sample:
        def load(seconds: float) -> Load:
            return wrk(
                self._folder,
                server.url,
                way.path,
                bodies,
                connections=connections,
                seconds=seconds,
                most_pause_ms=most_pause_ms,
            )

        load(WARM_S)
        before = server.cpu_s()
        return _sample(load(MEASURED_S), server.cpu_s() - before)

    def _asked(
        self, session: requests.Session, server: Running, way: Way, texts: Sequence[str]
    ) -> list[str]:
        answer = session.post(server.url + way.path, json=way.body(texts), timeout=10)
        answer.raise_for_status()
        return way.labels(answer.json())


def _sample(load: Load, cpu_s: float) -> Sample:
    if load.bad or not load.rps:
        raise RuntimeError(f"{load.bad} bad answers, {load.rps} requests/s")
    return Sample(load, cpu_s / (load.rps * MEASURED_S) * 1e6)
