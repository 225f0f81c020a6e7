"""The floor of gRPC: grpc.aio and a method that sends always the same."""

import asyncio
import os
from typing import Any

import grpc
import uvloop
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

FLOATS = [0.91, 0.02, 0.03, 0.04]
ANSWER = pb.ModelInferResponse(
    id="3f5f110c-0fca-44d3-a19e-ec716d6138e2",
    model_name="intent",
    model_version="v1",
    parameters={"revision": {"string_param": "local"}},
    outputs=[
        {"name": "label", "datatype": "BYTES", "shape": [1]}
        | {"contents": {"bytes_contents": [b"greeting"]}},
        {"name": "confidence", "datatype": "FP32", "shape": [1]}
        | {"contents": {"fp32_contents": FLOATS[:1]}},
        {"name": "probabilities", "datatype": "FP32", "shape": [1, 4]}
        | {"contents": {"fp32_contents": FLOATS}},
    ],
)


class Static(grpc.GenericRpcHandler):  # type: ignore[misc]
    """One method, by whatever name."""

    def service(self, handler_call_details: Any) -> Any:
        """Its handler."""
        del handler_call_details
        return HANDLER


async def infer(request: Any, context: Any) -> Any:
    """The answer."""
    del request, context
    return ANSWER


HANDLER = grpc.unary_unary_rpc_method_handler(
    infer, pb.ModelInferRequest.FromString, pb.ModelInferResponse.SerializeToString
)


async def main() -> None:
    """Serve until the end."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Static(),))
    server.add_insecure_port(f"127.0.0.1:{os.environ['PORT']}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(main())
