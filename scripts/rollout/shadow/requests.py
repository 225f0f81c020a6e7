"""A user's request as both arms are asked it again: its protocol, form and texts. Pure.

Not copied: ids, credentials and other headers, V2's `outputs` and `parameters`, and
whether a V1 instance was a text or an object.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

GRPC, PLAIN, BINARY, EVENT = "grpc", "plain", "binary", "event"
LENGTH = "inference-header-content-length"
JSON = {"content-type": "application/json"}
AS_EVENT = {
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "intent-canary",
    "ce-type": "intent.request",
}
Answers = tuple[tuple[str, float], ...]
"""Label and confidence of each text."""


@dataclass(frozen=True, slots=True)
class Lent:
    """A request to ask again; `name` is its id, "" without one.

    `protocol`: v1, v2, predict or grpc. `form`: plain JSON, tensors as bytes (binary),
    or a CloudEvent. `model` is the name by which the user asked. `path` and `body` are
    a request of the policy's own, whose answer has no label that is known here.
    """

    name: str
    texts: tuple[str, ...]
    protocol: str = "predict"
    form: str = PLAIN
    model: str = ""
    path: str = ""
    body: str = ""

    @property
    def over_http(self) -> "Lent":
        """Return a gRPC request as V2 over HTTP, which has the same tensors."""
        return replace(self, protocol="v2") if self.protocol == GRPC else self


@dataclass(frozen=True, slots=True)
class Message:
    """The request over HTTP: path, headers and body."""

    path: str
    headers: Mapping[str, str]
    body: bytes


def message(lent: Lent) -> Message:
    """Write a request for HTTP."""
    if lent.path:
        return Message(lent.path, JSON, lent.body.encode())
    match lent.protocol, lent.form:
        case "predict", _:
            return _json("/predict", {"text": lent.texts[0]})
        case "v1", form:
            path = f"/v1/models/{lent.model}:predict"
            headers = AS_EVENT if form == EVENT else {}
            return _json(path, {"instances": lent.texts}, headers)
    path = f"/v2/models/{lent.model}/infer"
    tensor = {"name": "text", "datatype": "BYTES", "shape": [len(lent.texts)]}
    if lent.form != BINARY:
        return _json(path, {"inputs": [{**tensor, "data": lent.texts}]})
    tail = raw(lent)
    sized = {**tensor, "parameters": {"binary_data_size": len(tail)}}
    head = _json(path, {"inputs": [sized]}).body
    kind = {"content-type": "application/octet-stream", LENGTH: str(len(head))}
    return Message(path, kind, head + tail)


def raw(lent: Lent) -> bytes:
    """Return the texts as one tensor of bytes: each after its length."""
    texts = [text.encode() for text in lent.texts]
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def answers(lent: Lent, body: bytes) -> Answers:
    """Read an answer over HTTP. Raises ValueError, LookupError or TypeError."""
    if lent.path:
        return (("", 1.0),)
    content: Any = json.loads(body)
    match lent.protocol:
        case "predict":
            return ((str(content["intent"]), float(content["confidence"])),)
        case "v1":
            found = content["predictions"]
            return tuple((str(x["label"]), float(x["confidence"])) for x in found)
    outputs = {each["name"]: each["data"] for each in content["outputs"]}
    pairs = zip(outputs["label"], outputs["confidence"], strict=True)
    return tuple((str(label), float(confidence)) for label, confidence in pairs)


def _json(path: str, content: Any, headers: Mapping[str, str] | None = None) -> Message:
    body = json.dumps(content, separators=(",", ":")).encode()
    return Message(path, {"content-type": "application/json", **(headers or {})}, body)
