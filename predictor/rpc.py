"""The gRPC side: the SDK's servicer behind our limits, counters and metadata.

The SDK builds its server with fixed options and interceptors, so the server is built
here; the requests themselves are read and answered by the SDK.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, NoReturn

import grpc
from grpc_interceptor.exceptions import PermissionDenied
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import (
    add_GRPCInferenceServiceServicer_to_server,
)
from kserve.protocol.grpc.interceptors import ExceptionToStatusInterceptor
from kserve.protocol.grpc.server import GRPCServer
from kserve.protocol.grpc.servicer import InferenceServicer
from kserve.protocol.model_repository_extension import ModelRepositoryExtension

from predictor.app import MAX_BODY
from predictor.model import IntentModel


class Metadatum(NamedTuple):
    """A pair of metadata with the names that the SDK reads it by."""

    key: str
    value: str


class ClosedRepository(ModelRepositoryExtension):  # type: ignore[misc]
    """Refuses to load or unload models for whoever can reach the port."""

    async def load(self, model_name: str) -> NoReturn:
        """Refuse with PERMISSION_DENIED."""
        raise PermissionDenied(f"{model_name}: this server's models are fixed")

    async def unload(self, model_name: str) -> NoReturn:
        """Refuse with PERMISSION_DENIED."""
        raise PermissionDenied(f"{model_name}: this server's models are fixed")


class Observer(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Counts every ModelInfer by its status and says who answered."""

    def __init__(self, model: IntentModel) -> None:
        """Name the model's source in the trailing metadata of each answer."""
        self._metrics = model.metrics
        self._metadata = (
            Metadatum("x-model-version", model.source.version),
            Metadatum("x-revision", model.source.revision),
        )

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: Any
    ) -> Any:
        """Wrap ModelInfer, pass every other method on."""
        handler = await continuation(details)
        if handler is None or not details.method.endswith("/ModelInfer"):
            return handler

        async def observed(request: Any, context: Any) -> Any:
            start = time.perf_counter()
            context.set_trailing_metadata(self._metadata)
            try:
                return await handler.unary_unary(request, context)
            finally:
                code = _status_name(context.code())
                self._metrics.observe_request("grpc", code, time.perf_counter() - start)

        return grpc.unary_unary_rpc_method_handler(
            observed, handler.request_deserializer, handler.response_serializer
        )


def _status_name(code: grpc.StatusCode | int | None) -> str:
    """The status of a call; one that nobody set is OK, as gRPC sends it."""
    if isinstance(code, grpc.StatusCode):
        return str(code.name)
    names = {each.value[0]: str(each.name) for each in grpc.StatusCode}
    return names[code or 0]


def server_class(model: IntentModel) -> type[GRPCServer]:
    """The SDK's gRPC server, observed on behalf of `model`."""

    class ObservedServer(GRPCServer):  # type: ignore[misc]
        async def start(self, max_workers: int) -> None:
            del max_workers  # threads of a pool that async handlers never use
            limit = ("grpc.max_receive_message_length", MAX_BODY)
            self._server = grpc.aio.server(
                interceptors=(Observer(model), ExceptionToStatusInterceptor()),
                options=(limit, ("grpc.so_reuseport", 0)),
            )
            add_GRPCInferenceServiceServicer_to_server(
                InferenceServicer(self._data_plane, self._model_repository_extension),
                self._server,
            )
            self._server.add_insecure_port(f"[::]:{self._port}")
            await self._server.start()
            await self._server.wait_for_termination()

    return ObservedServer
