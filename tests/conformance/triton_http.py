"""tritonclient.http against a predictor: JSON and binary, both ways, metadata."""

import sys

import numpy as np
import tritonclient.http as triton

TEXTS = np.array([b"good morning", "grüß dich, wo ist mein Paket?".encode()], object)


def main(url: str) -> None:
    """Assert what the client sees."""
    client = triton.InferenceServerClient(url)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("intent")
    assert client.get_model_metadata("intent")["platform"] == "scikit-learn"
    for binary_in in (True, False):
        for binary_out in (True, False):
            for shape in ([2], [2, 1]):
                tensor = triton.InferInput("text", shape, "BYTES")
                texts = TEXTS.reshape(shape)
                tensor.set_data_from_numpy(texts, binary_data=binary_in)
                outputs = [
                    triton.InferRequestedOutput(name, binary_data=binary_out)
                    for name in ("label", "probabilities")
                ]
                result = client.infer(
                    "intent", [tensor], outputs=outputs, request_id="7"
                )
                label = result.as_numpy("label")[0]
                assert label in (b"greeting", "greeting"), label
                assert result.as_numpy("probabilities").shape == (2, 4)
                assert result.as_numpy("confidence") is None
                assert result.get_response()["id"] == "7"
    print("tritonclient.http agrees")


if __name__ == "__main__":
    main(sys.argv[1])
