"""predictor.rpc on a real server, through the SDK's own stub."""

import asyncio
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import requests
from kserve import ModelRepository
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub
from prometheus_client import CollectorRegistry

from predictor import rpc
from predictor.model import IntentModel
from scripts.local.processes import free_ports
from tests.support.predictors import MODELS, Predictor
from tests.support.waiting import until

RAW = b"\x05\x00\x00\x00hello"


@pytest.fixture(scope="module")
def stub(server: Predictor) -> Iterator[GRPCInferenceServiceStub]:
    with grpc.insecure_channel(server.grpc) as channel:
        yield GRPCInferenceServiceStub(channel)


def _tensor(**changes: Any) -> Any:
    contents = {"bytes_contents": [b"hello"]}
    tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "contents": contents}
    return pb.ModelInferRequest.InferInputTensor(**(tensor | changes))


def _request(tensor: Any, **fields: Any) -> Any:
    return pb.ModelInferRequest(model_name="intent", inputs=[tensor], **fields)


def test_typed_contents_are_answered_typed(stub: Any) -> None:
    answer = stub.ModelInfer(_request(_tensor(), id="7"))
    assert (answer.id, answer.model_version) == ("7", "v1")
    assert answer.outputs[0].contents.bytes_contents == [b"greeting"]
    assert len(answer.outputs[2].contents.fp32_contents) == 4
    assert answer.parameters["revision"].string_param == "intent-predictor-00007"


def test_raw_contents_are_answered_raw(stub: Any) -> None:
    request = _request(_tensor(contents=None), raw_input_contents=[RAW])
    answer = stub.ModelInfer(request)
    assert answer.raw_output_contents[0] == b"\x08\x00\x00\x00greeting"
    assert len(answer.raw_output_contents[2]) == 4 * 4


@pytest.mark.parametrize("raw", [False, True])
def test_only_the_requested_outputs_are_sent(stub: Any, raw: bool) -> None:
    wanted = pb.ModelInferRequest.InferRequestedOutputTensor(name="confidence")
    contents: dict[str, Any] = {"raw_input_contents": [RAW]} if raw else {}
    tensor = _tensor(contents=None) if raw else _tensor()
    answer = stub.ModelInfer(_request(tensor, outputs=[wanted], **contents))
    assert [output.name for output in answer.outputs] == ["confidence"]


def test_the_answer_names_version_and_revision_in_its_metadata(stub: Any) -> None:
    _, call = stub.ModelInfer.with_call(_request(_tensor()))
    metadata = dict(call.trailing_metadata())
    assert metadata["x-model-version"] == "v1"
    assert metadata["x-revision"] == "intent-predictor-00007"


BAD = {
    "no inputs": pb.ModelInferRequest(model_name="intent"),
    "wrong name": _request(_tensor(name="txt")),
    "wrong datatype": _request(_tensor(datatype="INT32", contents=None)),
    "wrong shape": _request(_tensor(shape=[2])),
    "negative shape": _request(_tensor(shape=[-1])),
    "empty text": _request(_tensor(contents={"bytes_contents": [b""]})),
    "not UTF-8": _request(_tensor(contents={"bytes_contents": [b"\xff"]})),
    "no contents": _request(_tensor(contents=None)),
    "raw cut short": _request(_tensor(contents=None), raw_input_contents=[RAW[:-1]]),
    "raw and typed": _request(_tensor(), raw_input_contents=[RAW]),
    "raw twice": _request(_tensor(contents=None), raw_input_contents=[RAW, RAW]),
    "raw alone": pb.ModelInferRequest(model_name="intent", raw_input_contents=[RAW]),
    "unknown output": _request(
        _tensor(),
        outputs=[pb.ModelInferRequest.InferRequestedOutputTensor(name="logits")],
    ),
}


@pytest.mark.parametrize("request_", BAD.values(), ids=BAD.keys())
def test_a_callers_fault_is_invalid_argument(stub: Any, request_: Any) -> None:
    with pytest.raises(grpc.RpcError) as fault:
        stub.ModelInfer(request_)
    assert fault.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert len(fault.value.details()) > 10


def test_an_unknown_model_is_not_found(stub: Any) -> None:
    with pytest.raises(grpc.RpcError) as fault:
        stub.ModelInfer(pb.ModelInferRequest(model_name="other", inputs=[_tensor()]))
    assert fault.value.code() == grpc.StatusCode.NOT_FOUND


def test_too_large_a_message_is_resource_exhausted(stub: Any) -> None:
    large = _tensor(contents={"bytes_contents": [b"x" * (5 * 1024 * 1024)]})
    with pytest.raises(grpc.RpcError) as fault:
        stub.ModelInfer(_request(large))
    assert fault.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("verb", ["Load", "Unload"])
def test_the_model_cannot_be_unloaded_by_strangers(stub: Any, verb: str) -> None:
    request = getattr(pb, f"RepositoryModel{verb}Request")(model_name="intent")
    with pytest.raises(grpc.RpcError) as fault:
        getattr(stub, f"RepositoryModel{verb}")(request)
    assert fault.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert stub.ModelReady(pb.ModelReadyRequest(name="intent")).ready


def test_metadata_names_the_tensors(stub: Any) -> None:
    metadata = stub.ModelMetadata(pb.ModelMetadataRequest(name="intent"))
    assert [tensor.name for tensor in metadata.inputs] == ["text"]
    shapes = {tensor.name: list(tensor.shape) for tensor in metadata.outputs}
    assert shapes == {"label": [-1], "confidence": [-1], "probabilities": [-1, 4]}


@pytest.mark.parametrize(
    ("request_", "code"),
    [(_request(_tensor()), "OK"), (BAD["wrong name"], "INVALID_ARGUMENT")],
)
def test_calls_are_counted_by_status(
    server: Predictor, stub: Any, request_: Any, code: str
) -> None:
    before = _counted(server, code)
    try:
        stub.ModelInfer(request_)
    except grpc.RpcError as fault:
        assert fault.code().name == code
    # A call is counted when it is over, a moment after its answer is here.
    until(lambda: _counted(server, code) == before + 1)


def _counted(server: Predictor, code: str) -> float:
    page = requests.get(server.url + "/metrics", timeout=5).text
    start = f'intent_requests_total{{code="{code}"'
    lines = [line for line in page.splitlines() if line.startswith(start)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if "grpc" in line)


def test_a_fault_of_ours_is_internal_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry = CollectorRegistry()
    model = IntentModel("intent", MODELS / "v1", revision="r", registry=registry)
    model.load()
    monkeypatch.setattr(model, "classify_now", lambda *_: 1 / 0)
    (port,) = free_ports(1)

    async def ask() -> grpc.StatusCode:
        models = ModelRepository()
        extension = rpc.ClosedRepository(models)
        server = rpc.server_class(model)(port, DataPlane(models), extension, {})
        serving = asyncio.create_task(server.start(1))
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = GRPCInferenceServiceStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await stub.ModelInfer(_request(_tensor()), wait_for_ready=True)
        await server.stop()
        await serving
        return failed.value.code()

    assert asyncio.run(ask()) is grpc.StatusCode.INTERNAL
    assert model.metrics.requests_by_code() == {"INTERNAL": 1}
