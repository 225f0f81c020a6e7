"""KServe's own InferenceRESTClient and InferenceGRPCClient against a predictor."""

import asyncio
import sys

from kserve import (
    InferenceGRPCClient,
    InferenceRESTClient,
    InferInput,
    InferRequest,
    RESTConfig,
)


def _request() -> InferRequest:
    tensor = InferInput("text", [1], "BYTES", ["good morning"])
    return InferRequest(model_name="intent", infer_inputs=[tensor])


async def main(url: str, grpc_url: str) -> None:
    """Assert what the clients see."""
    for protocol in ("v1", "v2"):
        client = InferenceRESTClient(RESTConfig(protocol=protocol))
        request = {"instances": ["good morning"]} if protocol == "v1" else _request()
        answer = await client.infer(url, request, model_name="intent")
        if protocol == "v1":
            assert answer["predictions"][0]["label"] == "greeting"
        else:
            assert answer.outputs[0].data == ["greeting"]
        assert await client.is_model_ready(url, "intent")
        await client.close()
    grpc_client = InferenceGRPCClient(grpc_url)
    answer = await grpc_client.infer(_request())
    assert answer.outputs[0].data == [b"greeting"]
    await grpc_client.close()
    print("kserve's clients agree")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
