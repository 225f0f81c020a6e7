"""Ten times what it can serve: probes are answered, the rest is refused at once."""

import asyncio
import json
import resource
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import grpc
import pytest
import requests
import uvloop
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

from predictor.overload.server import Listener
from tests.overload.attack import head, peak_mib
from tests.support.predictors import MODELS, Predictor, predictor

V1, V2 = "/v1/models/intent:predict", "/v2/models/intent/infer"
PROBES = ("/v2/health/live", "/v2/models/intent/ready", "/metrics")
SECONDS = 3.0
SLOWEST_S = 15.0  # of a probe here, whatever else runs; SECURITY.md has the figures
MEMORY_MIB = 512


@pytest.fixture(scope="module")
def simple(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    """Serve v1."""
    with predictor(tmp_path_factory.mktemp("simple")) as server:
        yield server


@pytest.fixture(scope="module")
def slower(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    """Serve v2, which costs more a text."""
    folder = tmp_path_factory.mktemp("slower")
    with predictor(folder, f"--model_dir={MODELS / 'v2'}") as server:
        yield server


class Load:
    """Callers that send the same request again and again, each on its connection."""

    def __init__(self, server: Predictor, request: bytes) -> None:
        """Aim at `server`."""
        self._host, self._port = urlsplit(server.url).netloc.split(":")
        self._request = request
        self.statuses: Counter[int] = Counter()
        self.told_to_wait = 0
        self.probed: list[float] = []

    def run(self, callers: int) -> None:
        """Call for SECONDS, and probe on new connections meanwhile."""
        asyncio.run(self._all(callers))

    async def _all(self, callers: int) -> None:
        open_one = asyncio.open_connection
        lines = [await open_one(self._host, int(self._port)) for _ in range(callers)]
        calls = [asyncio.create_task(self._call(*line)) for line in lines]
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for path in PROBES:
                began = time.monotonic()
                await asyncio.wait_for(self._get(path), 20)
                self.probed.append(time.monotonic() - began)
            await asyncio.sleep(0.1)
        for each in calls:
            each.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    async def _call(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while True:
                writer.write(self._request)
                await self._answer(reader)
        finally:
            writer.transport.abort()

    async def _get(self, path: str) -> None:
        reader, writer = await asyncio.open_connection(self._host, int(self._port))
        asked = head(path).replace(b"POST", b"GET", 1)
        writer.write(asked.replace(b"host:", b"connection: close\r\nhost:", 1))
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        fields = dict(line.split(b": ", 1) for line in lines if b": " in line)
        await reader.readexactly(int(fields[b"content-length"]))
        status = int(lines[0].split()[1])
        self.statuses[status] += 1
        self.told_to_wait += b"retry-after" in fields


def _v1(texts: list[str]) -> bytes:
    body = json.dumps({"instances": texts}).encode()
    return head(V1, "content-type: application/json", length=len(body)) + body


def _v2(texts: list[str]) -> bytes:
    tensor = {"name": "text", "datatype": "BYTES", "shape": [len(texts)], "data": texts}
    body = json.dumps({"inputs": [tensor]}).encode()
    return head(V2, "content-type: application/json", length=len(body)) + body


@pytest.fixture(scope="module", params=["v1", "v2"])
def either(request: pytest.FixtureRequest) -> Predictor:
    """Serve v1, then v2."""
    name = {"v1": "simple", "v2": "slower"}[request.param]
    found: Predictor = request.getfixturevalue(name)
    return found


@pytest.fixture
def files() -> Iterator[None]:
    """Let this process open a file for each of its callers."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("callers", [256, 512])
def test_many_one_letter_texts_do_not_move_a_probe(
    either: Predictor, callers: int
) -> None:
    load = Load(either, _v1(["a"] * 1024))
    load.run(callers)
    assert max(load.probed) < SLOWEST_S, load.probed
    assert {200} <= set(load.statuses) <= {200, 503}
    assert load.told_to_wait == load.statuses[503]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("callers", [512, 2000])
@pytest.mark.parametrize("asked", [_v1, _v2])
def test_busy_connections_do_not_move_a_probe_on_a_new_one(
    either: Predictor, asked: Callable[[list[str]], bytes], callers: int
) -> None:
    load = Load(either, asked(["where is my parcel?"]))
    load.run(callers)
    assert max(load.probed) < SLOWEST_S, load.probed
    assert set(load.statuses) == {200}


@pytest.mark.parametrize("asked", [_v1, _v2])
def test_bodies_of_four_mebibytes_stay_within_the_pods_memory(
    either: Predictor, asked: Callable[[list[str]], bytes]
) -> None:
    load = Load(either, asked(["ab cdefghi " * 363] * 1024))
    load.run(128)
    assert max(load.probed) < SLOWEST_S, load.probed
    assert set(load.statuses) <= {400, 503}
    assert peak_mib(either) < MEMORY_MIB
    began = time.monotonic()
    answer = requests.post(f"{either.url}/predict", json={"text": "hi"}, timeout=20)
    assert answer.ok
    assert time.monotonic() - began < SLOWEST_S


async def _grpc(server: Predictor, calls: int, text: bytes) -> Counter[str]:
    texts = [text] * 1024
    tensor = pb.ModelInferRequest.InferInputTensor(
        name="text",
        datatype="BYTES",
        shape=[len(texts)],
        contents={"bytes_contents": texts},
    )
    request = pb.ModelInferRequest(model_name="intent", inputs=[tensor])
    codes: Counter[str] = Counter()

    async def call(stub: GRPCInferenceServiceStub) -> None:
        try:
            await stub.ModelInfer(request, timeout=60)
            codes["OK"] += 1
        except grpc.aio.AioRpcError as fault:
            codes[fault.code().name] += 1

    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [
        grpc.aio.insecure_channel(server.grpc, options=options) for _ in range(4)
    ]
    stubs = [GRPCInferenceServiceStub(each) for each in channels]
    await asyncio.gather(*(call(stubs[n % 4]) for n in range(calls)))
    for each in channels:
        await each.close()
    return codes


def test_grpc_calls_beyond_what_can_wait_are_resource_exhausted(
    slower: Predictor,
) -> None:
    codes = asyncio.run(_grpc(slower, 600, b"where is it"))
    assert set(codes) == {"OK", "RESOURCE_EXHAUSTED"}, codes
    assert peak_mib(slower) < MEMORY_MIB


def test_grpc_messages_of_four_mebibytes_stay_within_the_pods_memory(
    slower: Predictor,
) -> None:
    """gRPC itself would read all of them: 1.9 GiB."""
    codes = asyncio.run(_grpc(slower, 300, b"a" * 4090))
    assert set(codes) <= {"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}, codes
    assert peak_mib(slower) < MEMORY_MIB
    assert asyncio.run(_grpc(slower, 1, b"where is it")) == {"OK": 1}


def test_all_who_wait_are_accepted_in_one_turn() -> None:
    """uvloop alone accepts one a turn."""
    made = 0

    class Counted(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            nonlocal made
            del transport
            made += 1

    async def run() -> None:
        listening = socket.create_server(("127.0.0.1", 0), backlog=200)
        listening.setblocking(False)
        waiting = [
            socket.create_connection(listening.getsockname()) for _ in range(100)
        ]
        listener = Listener(listening, Counted, None)
        for _ in range(10):
            await asyncio.sleep(0)
        assert made == 100
        listener.close()
        await listener.wait_closed()
        for each in waiting:
            each.close()

    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(run())
    finally:
        loop.close()
