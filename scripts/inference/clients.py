"""One prediction client per protocol, all with the same form of answer."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

TIMEOUT_S = 30.0
PROTOCOLS = ("v1", "v2", "predict", "grpc")

Ask = Callable[[str], "Answer"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one text; `error` is "" for a prediction."""

    text: str
    label: str
    confidence: float
    version: str
    revision: str
    code: str
    latency_ms: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A server or gateway: its URL, a Host header if not the URL's, the model."""

    url: str
    host: str | None
    model: str


def model_name(args: Sequence[str], service: str) -> str:
    """Return the model that a predictor's arguments name, else `service`."""
    prefix = "--model_name="
    named = [arg.removeprefix(prefix) for arg in args if arg.startswith(prefix)]
    return named[-1] if named else service


def connect(protocol: str, target: Target) -> Ask:
    """Return a function that asks over one kept-alive connection; not thread-safe."""
    if protocol == "grpc":
        return _grpc(target)
    return _rest(target, *_FORMS[protocol](target.model))


def _rest(
    target: Target,
    path: str,
    body: Callable[[str], Any],
    read: Callable[[Any], tuple[str, float]],
) -> Ask:
    session = requests.Session()
    if target.host:
        session.headers["Host"] = target.host
    address = target.url if "://" in target.url else f"http://{target.url}"
    url = address.rstrip("/") + path

    def ask(text: str) -> Answer:
        start = time.perf_counter()
        try:
            response = session.post(url, json=body(text), timeout=TIMEOUT_S)
            took = (time.perf_counter() - start) * 1000
            code = str(response.status_code)
            if not response.ok:
                return _failed(text, code, took, _reason(response))
            label, confidence = read(response.json())
        except requests.RequestException as error:
            took = (time.perf_counter() - start) * 1000
            return _failed(text, "none", took, f"no answer from {url}: {_cause(error)}")
        except (KeyError, IndexError, TypeError, ValueError) as error:
            return _failed(text, code, took, f"not a prediction: {error!r}")
        headers = response.headers
        version = headers.get("x-model-version", "")
        revision = headers.get("x-revision", "")
        return Answer(text, label, confidence, version, revision, code, took)

    return ask


def _failed(text: str, code: str, latency_ms: float, error: str) -> Answer:
    return Answer(text, "", 0.0, "", "", code, latency_ms, error)


def _reason(response: requests.Response) -> str:
    try:
        return str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return response.text[:200] or str(response.reason)


def _cause(error: BaseException) -> str:
    """Return the innermost reason: requests wraps it three times."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(getattr(error, "strerror", None) or error)


def _v1(model: str) -> tuple[str, Callable[[str], Any], Callable[[Any], Any]]:
    def read(body: Any) -> tuple[str, float]:
        first = body["predictions"][0]
        return first["label"], first["confidence"]

    return f"/v1/models/{model}:predict", lambda text: {"instances": [text]}, read


def _v2(model: str) -> tuple[str, Callable[[str], Any], Callable[[Any], Any]]:
    def body(text: str) -> Any:
        tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "data": [text]}
        return {"inputs": [tensor]}

    def read(body: Any) -> tuple[str, float]:
        outputs = {output["name"]: output["data"] for output in body["outputs"]}
        return outputs["label"][0], outputs["confidence"][0]

    return f"/v2/models/{model}/infer", body, read


def _plain(model: str) -> tuple[str, Callable[[str], Any], Callable[[Any], Any]]:
    del model
    return (
        "/predict",
        lambda text: {"text": text},
        lambda body: (body["intent"], body["confidence"]),
    )


_FORMS = {"v1": _v1, "v2": _v2, "predict": _plain}


def _grpc(target: Target) -> Ask:
    # Imported here: it takes a second, and cannot share a process with kserve.
    import numpy as np
    import tritonclient.grpc as triton
    from tritonclient.utils import InferenceServerException

    address = urlsplit(target.url).netloc or target.url
    options = [("grpc.default_authority", target.host)] if target.host else []
    client = triton.InferenceServerClient(address, channel_args=options)
    tensor = triton.InferInput("text", [1], "BYTES")

    def ask(text: str) -> Answer:
        tensor.set_data_from_numpy(np.array([text.encode()], dtype=object))
        start = time.perf_counter()
        try:
            result = client.infer(target.model, [tensor], client_timeout=TIMEOUT_S)
        except InferenceServerException as error:
            took = (time.perf_counter() - start) * 1000
            code = str(error.status()).removeprefix("StatusCode.")
            return _failed(text, code, took, str(error.message()))
        took = (time.perf_counter() - start) * 1000
        response = result.get_response()
        return Answer(
            text,
            result.as_numpy("label")[0].decode(),
            float(result.as_numpy("confidence")[0]),
            response.model_version,
            response.parameters["revision"].string_param,
            "OK",
            took,
        )

    return ask
