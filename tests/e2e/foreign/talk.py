"""A gRPC server with a service of its own: echo.Echo/Say repeats its bytes.

FAILING=N ends each Nth call with INTERNAL. It counts nothing.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import grpc

FAILING = int(os.environ.get("FAILING", "0"))
NUMBERS = count(1)


def _say(request: bytes, context: grpc.ServicerContext) -> bytes:
    if FAILING and next(NUMBERS) % FAILING == 0:
        context.abort(grpc.StatusCode.INTERNAL, "as asked")
    return request


if __name__ == "__main__":
    server = grpc.server(ThreadPoolExecutor(8))
    say = grpc.unary_unary_rpc_method_handler(_say)
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("echo.Echo", {"Say": say})]
    )
    server.add_insecure_port("[::]:6000")
    server.start()
    server.wait_for_termination()
