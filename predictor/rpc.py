"""The gRPC server: the SDK's servicer behind our limits, counters and metadata.

The SDK builds its server with fixed options and interceptors, so the server is built
here. A plain ModelInfer is answered directly; every other request goes to the SDK,
behind its usual interceptors.
"""

import time
from collections.abc import Mapping
from itertools import chain
from typing import Any, NamedTuple, NoReturn

import grpc
from grpc_interceptor.exceptions import (
    InvalidArgument,
    PermissionDenied,
    ResourceExhausted,
)
from kserve.errors import InvalidInput
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import (
    add_GRPCInferenceServiceServicer_to_server,
)
from kserve.protocol.grpc.server import GRPCServer
from kserve.protocol.grpc.servicer import InferenceServicer
from kserve.protocol.model_repository_extension import ModelRepositoryExtension

from predictor import tracing
from predictor.model import TRAFFIC, IntentModel
from predictor.overload.calls import Bounded, Calls
from predictor.overload.limits import MAX_BODY, WINDOW
from predictor.overload.work import BusyError
from predictor.protocol import INPUT, MAX_ID, check_texts
from predictor.protocol_v2 import new_id
from predictor.recorder import Origin
from predictor.sdk_methods import GARBLED, Registered, intercepted, readable

INFER = "/inference.GRPCInferenceService/ModelInfer"
PENDING = 100_000
EVERYWHERE = "0.0.0.0"
STATUS_NAMES = {each.value[0]: str(each.name) for each in grpc.StatusCode}


class Metadatum(NamedTuple):
    """One pair of metadata, with the field names that the SDK reads."""

    key: str
    value: str


class ClosedRepository(ModelRepositoryExtension):  # type: ignore[misc]
    """Refuses to load or unload models."""

    async def load(self, model_name: str) -> NoReturn:
        """Refuse with PERMISSION_DENIED."""
        raise PermissionDenied(f"{model_name}: this server's models are fixed")

    async def unload(self, model_name: str) -> NoReturn:
        """Refuse with PERMISSION_DENIED."""
        raise PermissionDenied(f"{model_name}: this server's models are fixed")


class Plain:
    """Answers a ModelInfer without any option, and no other request."""

    def __init__(self, model: IntentModel) -> None:
        """Answer for `model`; prepare the part that all answers share."""
        self._model = model
        source = model.source
        self._same = pb.ModelInferResponse(
            model_name=source.model,
            model_version=source.version,
            parameters={"revision": {"string_param": source.revision}},
            outputs=[
                {"name": "label", "datatype": "BYTES"},
                {"name": "confidence", "datatype": "FP32"},
                {"name": "probabilities", "datatype": "FP32"},
            ],
        )

    def answer(self, request: Any, is_of_users: bool) -> Any:
        """Return the response, None for a request with options."""
        texts = self._texts(request)
        if texts is None or not self._model.scorer.is_short(texts):
            return None
        self._model.record(texts, Origin(request.id, "grpc"), is_of_users)
        found = self._model.classify_now(texts, is_of_users)
        response = pb.ModelInferResponse()
        response.CopyFrom(self._same)
        response.id = request.id or new_id()
        label, confidence, probabilities = response.outputs
        count = len(texts)
        label.shape.append(count)
        label.contents.bytes_contents.extend([each.encode() for each in found.labels])
        confidence.shape.append(count)
        confidence.contents.fp32_contents.extend(found.confidences)
        probabilities.shape.extend((count, len(found.classes)))
        rows = chain.from_iterable(found.rows)
        probabilities.contents.fp32_contents.extend(rows)
        return response

    def _texts(self, request: Any) -> list[str] | None:
        model = self._model
        is_compiled = model.scorer.is_compiled
        if not (is_compiled and model.ready and len(request.inputs) == 1):
            return None
        tensor = request.inputs[0]
        elements = tensor.contents.bytes_contents
        is_plain = (
            request.model_name == model.name
            and len(request.id) <= MAX_ID
            and tensor.name == INPUT
            and tensor.datatype == "BYTES"
            and tensor.shape == [len(elements)]
            and not (request.outputs or request.raw_input_contents)
            and not (request.parameters or tensor.parameters)
        )
        try:
            texts = [each.decode() for each in elements]
            return check_texts(texts, "inputs[0].data") if is_plain else None
        except (UnicodeDecodeError, InvalidInput):
            return None


class Methods(grpc.GenericRpcHandler):  # type: ignore[misc]
    """The SDK's methods behind its interceptors, bounded, with ModelInfer counted."""

    def __init__(
        self, model: IntentModel, handlers: Mapping[str, Any], *, traces: bool
    ) -> None:
        """Take one handler per method, by the method's full name."""
        self._metrics, self._source, self._traces = model.metrics, model.source, traces
        self._metadata = (
            Metadatum("x-model-version", model.source.version),
            Metadatum("x-revision", model.source.revision),
        )
        infer = handlers[INFER]
        self._answered = infer.unary_unary
        counted = grpc.unary_unary_rpc_method_handler(
            self._infer, infer.request_deserializer, infer.response_serializer
        )
        others = Calls()
        self._bounded = {
            name: Bounded(each, others, lambda _: None)
            for name, each in handlers.items()
        }
        self._bounded[INFER] = Bounded(counted, Calls(), self._refused)

    def service(self, handler_call_details: Any) -> Any:
        """Return the handler of a method, None for an unknown one."""
        method = self._bounded.get(handler_call_details.method)
        return None if method is None else method.handler()

    async def _infer(self, request: Any, context: Any) -> Any:
        """Count every ModelInfer by its status, and send the model's source."""
        context.set_trailing_metadata(self._metadata)
        carrier = _carrier(context) if self._traces else None
        if carrier is None:
            return await self._count(request, context)
        with tracing.call(INFER.removeprefix("/"), carrier) as found:
            tracing.describe(self._source)
            try:
                return await self._count(request, context)
            finally:
                status = _status_name(context.code())
                found.set_attribute("rpc.response.status_code", status)

    async def _count(self, request: Any, context: Any) -> Any:
        start = time.perf_counter()
        try:
            return await self._answered(request, context)
        finally:
            seconds, code = time.perf_counter() - start, _status_name(context.code())
            self._metrics.observe_request("grpc", code, seconds, tracing.trace_id())

    def _refused(self, seconds: float) -> None:
        self._metrics.observe_request("grpc", "RESOURCE_EXHAUSTED", seconds)


def _carrier(context: Any) -> dict[str, str] | None:
    """Return what a sampled call says of its trace, else None."""
    kept = ("traceparent", "tracestate")
    sent = {key: value for key, value in context.invocation_metadata() if key in kept}
    parent = sent.get("traceparent", "").encode("latin-1", "replace")
    return sent if tracing.is_sampled(parent) else None


def _plain_first(model: IntentModel, ordinary: Any) -> Any:
    """Return a ModelInfer handler: the direct answer if possible, else `ordinary`'s."""
    plain = Plain(model)

    async def infer(request: Any, context: Any) -> Any:
        sent = context.invocation_metadata()
        is_of_users = all(key != TRAFFIC for key, _ in sent)
        answer = None
        if request is not GARBLED and not tracing.trace_id():
            answer = plain.answer(request, is_of_users)
        if answer is not None:
            return answer
        if request is not GARBLED:
            check_raw(request)
        try:
            return await ordinary.unary_unary(request, context)
        except BusyError as busy:
            raise ResourceExhausted(str(busy)) from busy

    return grpc.unary_unary_rpc_method_handler(
        infer, ordinary.request_deserializer, ordinary.response_serializer
    )


def check_raw(request: Any) -> None:
    """Refuse raw contents without a tensor, for which the SDK raises an IndexError."""
    tensors, raw = len(request.inputs), len(request.raw_input_contents)
    if raw > tensors:
        raise InvalidArgument(
            "raw_input_contents: expected at most one for each of the "
            f"{tensors} inputs, got {raw}"
        )


def _status_name(code: grpc.StatusCode | int | None) -> str:
    """Return the name of a call's status; an unset status is OK, as gRPC sends it."""
    if isinstance(code, grpc.StatusCode):
        return str(code.name)
    return STATUS_NAMES[code or 0]


def server_class(
    model: IntentModel, host: str = EVERYWHERE, *, traces: bool = False
) -> type[GRPCServer]:
    """Return the SDK's gRPC server class, observed on behalf of `model`."""
    address = "[::]" if host == EVERYWHERE else host

    class ObservedServer(GRPCServer):  # type: ignore[misc]
        async def start(self, max_workers: int) -> None:
            del max_workers  # threads of a pool that async handlers never use
            options = (
                ("grpc.max_receive_message_length", MAX_BODY),
                ("grpc.so_reuseport", 0),
                # Of a message that was not asked for, and never a guess of more.
                ("grpc.http2.lookahead_bytes", WINDOW),
                ("grpc.http2.bdp_probe", 0),
                # Beyond these gRPC would cancel calls; ours are refused with a reason.
                ("grpc.server.max_pending_requests", PENDING),
                ("grpc.server.max_pending_requests_hard_limit", PENDING),
            )
            self._server = grpc.aio.server(options=options)
            registered = Registered()
            add_GRPCInferenceServiceServicer_to_server(
                InferenceServicer(self._data_plane, self._model_repository_extension),
                registered,
            )
            sdks = {name: readable(each) for name, each in registered.handlers.items()}
            infer = _plain_first(model, sdks[INFER])
            handlers = await intercepted(sdks | {INFER: infer})
            self._server.add_generic_rpc_handlers(
                (Methods(model, handlers, traces=traces),)
            )
            self._server.add_insecure_port(f"{address}:{self._port}")
            await self._server.start()
            await self._server.wait_for_termination()

    return ObservedServer
