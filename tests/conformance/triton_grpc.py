"""tritonclient.grpc against a predictor: raw tensors, selection, errors, metadata."""

import sys

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException


def main(url: str) -> None:
    """Assert what the client sees."""
    client = triton.InferenceServerClient(url)
    assert client.is_server_live()
    assert client.is_model_ready("intent")
    assert client.get_model_metadata("intent").inputs[0].name == "text"
    tensor = triton.InferInput("text", [1, 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[b"good morning"]], object))
    result = client.infer("intent", [tensor], request_id="7")
    assert result.as_numpy("label").tolist() == [b"greeting"]
    assert result.as_numpy("confidence").dtype == np.float32
    assert result.as_numpy("probabilities").shape == (1, 4)
    assert result.get_response().id == "7"
    wanted = [triton.InferRequestedOutput("confidence")]
    result = client.infer("intent", [tensor], outputs=wanted)
    assert result.as_numpy("label") is None
    try:
        client.infer("other", [tensor])
    except InferenceServerException as error:
        assert "NOT_FOUND" in str(error.status())
    else:
        raise AssertionError("an unknown model was answered")
    print("tritonclient.grpc agrees")


if __name__ == "__main__":
    main(sys.argv[1])
