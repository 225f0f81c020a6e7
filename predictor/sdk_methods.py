"""The gRPC methods as the SDK registers them, each behind its interceptor."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import DecodeError
from grpc_interceptor.exceptions import InvalidArgument
from kserve.protocol.grpc.interceptors import ExceptionToStatusInterceptor

GARBLED = object()


class Details(NamedTuple):
    """The call details that an interceptor receives."""

    method: str
    invocation_metadata: tuple[()] = ()


def readable(handler: Any) -> Any:
    """Return the handler, which also meets a message that is not protobuf."""

    def read(message: bytes) -> Any:
        try:
            return handler.request_deserializer(message)
        except DecodeError:
            return GARBLED

    async def answer(request: Any, context: Any) -> Any:
        if request is GARBLED:
            raise InvalidArgument("message: expected protobuf of this method's request")
        return await handler.unary_unary(request, context)

    return grpc.unary_unary_rpc_method_handler(
        answer, read, handler.response_serializer
    )


class Registered:
    """Stands in for a gRPC server while the SDK registers its methods."""

    def __init__(self) -> None:
        """Begin without handlers."""
        self.handlers: dict[str, Any] = {}

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Ignore the handlers, which `add_registered_method_handlers` gets too."""

    def add_registered_method_handlers(
        self, service: str, handlers: Mapping[str, Any]
    ) -> None:
        """Keep each handler by its full name."""
        self.handlers |= {f"/{service}/{name}": each for name, each in handlers.items()}


async def intercepted(handlers: Mapping[str, Any]) -> dict[str, Any]:
    """Put each handler behind the SDK's interceptor, once rather than at each call."""
    interceptor = ExceptionToStatusInterceptor()

    async def behind(method: str, handler: Any) -> Any:
        async def found(details: Any) -> Any:
            del details
            return handler

        return await interceptor.intercept_service(found, Details(method))

    return {method: await behind(method, each) for method, each in handlers.items()}
