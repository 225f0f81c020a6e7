"""predictor.tracing: spans of sampled requests, as a collector receives them."""

import gzip
import importlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

import grpc
import pytest
import requests
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from predictor import tracing
from predictor.errors import StartError
from predictor.protocol import Source
from tests.support.predictors import Predictor, predictor
from tests.support.waiting import until

TEXT = "where is my parcel, a word that no span may hold"
PARENT = "00f067aa0ba902b7"
V2 = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": [TEXT]}]}
ASKED = {
    "v1": ("/v1/models/intent:predict", {"instances": [TEXT]}),
    "v2": ("/v2/models/intent/infer", V2),
    "predict": ("/predict", {"text": TEXT}),
}
SOURCE = Source("intent", "v1", "r")


@dataclass
class Collector:
    """What a collector's OTLP port has received."""

    bodies: list[bytes] = field(default_factory=list)

    def take(self, request: Request) -> Response:
        """Keep a body, packed or not."""
        body = request.get_data()
        is_packed = request.headers.get("content-encoding") == "gzip"
        self.bodies.append(gzip.decompress(body) if is_packed else body)
        return Response(b"", 200, content_type="application/x-protobuf")

    def all(self) -> list[Span]:
        """Return every span."""
        sent = map(ExportTraceServiceRequest.FromString, list(self.bodies))
        scopes = (
            scope
            for request in sent
            for resource in request.resource_spans
            for scope in resource.scope_spans
        )
        return [span for scope in scopes for span in scope.spans]

    def spans(self, trace: str) -> dict[str, Span]:
        """Return the spans of a trace by name."""
        return {each.name: each for each in self.all() if each.trace_id.hex() == trace}


@pytest.fixture(scope="module")
def collector() -> Collector:
    """Nothing has come yet."""
    return Collector()


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, collector: Collector
) -> Iterator[Predictor]:
    """A predictor that KServe's `spec.tracing` has told where spans go."""
    with HTTPServer(host="127.0.0.1", port=0) as receiver:
        receiver.expect_request("/v1/traces").respond_with_handler(collector.take)
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url_for("").rstrip("/"),
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_SERVICE_NAME": "intent-predictor",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        folder = tmp_path_factory.mktemp("traced")
        with predictor(folder, "--revision=r1", env=environ) as running:
            yield running


def _headers(trace: str, flags: str = "01") -> dict[str, str]:
    return {"traceparent": f"00-{trace}-{PARENT}-{flags}"}


def _ask(server: Predictor, protocol: str, headers: dict[str, str]) -> None:
    if protocol == "grpc":
        tensor = {"name": "text", "datatype": "BYTES", "shape": [1]}
        contents = {"bytes_contents": [TEXT.encode()]}
        asked = pb.ModelInferRequest(
            model_name="intent", inputs=[{**tensor, "contents": contents}]
        )
        with grpc.insecure_channel(server.grpc) as channel:
            stub = GRPCInferenceServiceStub(channel)
            stub.ModelInfer(asked, metadata=list(headers.items()), timeout=30)
        return
    path, body = ASKED[protocol]
    answer = requests.post(server.url + path, json=body, headers=headers, timeout=30)
    assert answer.status_code == 200


def _attributes(span: Span) -> dict[str, str | int]:
    return {
        each.key: each.value.string_value or each.value.int_value
        for each in span.attributes
    }


@pytest.mark.parametrize("protocol", ["v1", "v2", "predict", "grpc"])
def test_a_sampled_request_has_spans_below_its_callers(
    server: Predictor, collector: Collector, protocol: str
) -> None:
    trace = secrets.token_hex(16)
    _ask(server, protocol, _headers(trace))
    until(lambda: len(collector.spans(trace)) == 4, shown=lambda: collector.bodies)
    spans = collector.spans(trace)
    (root,) = (each for each in spans.values() if each.parent_span_id.hex() == PARENT)
    parts = {name: each for name, each in spans.items() if each is not root}
    assert sorted(parts) == ["classify", "decode", "encode"]
    assert {each.parent_span_id for each in parts.values()} == {root.span_id}
    assert root.kind == Span.SPAN_KIND_SERVER
    about = _attributes(root)
    assert (about["intent.model.version"], about["intent.revision"]) == ("v1", "r1")
    status = "OK" if protocol == "grpc" else 200
    name = "rpc" if protocol == "grpc" else "http"
    assert about[f"{name}.response.status_code"] == status
    assert _attributes(parts["classify"]) == {"texts": 1}
    assert b"parcel" not in b"".join(collector.bodies)
    assert b"intent-predictor" in collector.bodies[0]
    page = requests.get(
        f"{server.url}/metrics",
        headers={"accept": "application/openmetrics-text; version=1.0.0"},
        timeout=30,
    ).text
    assert f'# {{trace_id="{trace}"}}' in page
    assert trace not in requests.get(f"{server.url}/metrics", timeout=30).text


@pytest.mark.parametrize("protocol", ["v2", "grpc"])
@pytest.mark.parametrize(
    "headers", [{}, _headers("ab" * 16, "00"), {"traceparent": "none"}]
)
def test_any_other_request_has_none(
    server: Predictor, collector: Collector, protocol: str, headers: dict[str, str]
) -> None:
    known = {each.trace_id.hex() for each in collector.all()}
    _ask(server, protocol, headers)
    later = secrets.token_hex(16)
    _ask(server, protocol, _headers(later))
    until(lambda: len(collector.spans(later)) == 4, shown=lambda: collector.bodies)
    assert {each.trace_id.hex() for each in collector.all()} - known == {later}


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({tracing.TO[1]: ""}, False),
        ({tracing.TO[1]: "http://collector:4317", "OTEL_SDK_DISABLED": "true"}, False),
        ({tracing.TO[0]: "http://a:1", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_spans_go_nowhere_without_an_address(
    environ: dict[str, str], expected: bool
) -> None:
    assert tracing.configure(environ, SOURCE) is expected


def test_a_protocol_that_is_not_known_is_named() -> None:
    environ = {tracing.TO[1]: "http://a:1", tracing.HOW[1]: "http/json"}
    with pytest.raises(StartError, match="OTEL_EXPORTER_OTLP_PROTOCOL: expected grpc"):
        tracing.configure(environ, SOURCE)


def test_an_image_without_the_extra_serves_without_spans(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", missing)
    assert not tracing.configure({tracing.TO[1]: "http://a:1"}, SOURCE)
    assert "install the extra tracing" in caplog.text


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"00-{'a' * 32}-{'b' * 16}-01", True),
        (f"00-{'a' * 32}-{'b' * 16}-03", True),
        (f"00-{'a' * 32}-{'b' * 16}-00", False),
        (f"00-{'a' * 32}-{'b' * 16}-", False),
        ("", False),
    ],
)
def test_the_sampled_flag_is_the_last_bit(header: str, expected: bool) -> None:
    assert tracing.is_sampled(header.encode()) is expected
