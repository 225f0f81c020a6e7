"""Draws V1 and V2 bodies, binary tensors and gRPC messages; reads them both ways."""

import json
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import orjson
from google.protobuf.message import DecodeError
from grpc_interceptor.exceptions import InvalidArgument
from kserve import InferRequest
from kserve.errors import InvalidInput
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from predictor.protocol import Source, parse_json, texts_from_v1
from predictor.protocol_v2 import requested_outputs, texts_from_v2
from predictor.protocol_v2_rest import texts_from_plain_v2, v2_request
from predictor.rpc import Plain, check_raw
from tests.fuzz.streams import CHANGES

TEXTS: tuple[Any, ...] = (
    "",
    "a",
    "hello",
    "é",
    "\u0000",
    "😀",
    "x" * 300,
    1,
    None,
    True,
    [],
    {},
    1.5,
)
NAMES = ("text",) * 40 + ("", "txt", 7, None)
SHAPES: tuple[Any, ...] = ([-1], [0], [1, 1], [], None, "1", [True], [1.0], [2**70])
NOTHING: tuple[Any, ...] = (None, [], {}, 1, "a", True, [{}], {"a": {}})

MODEL: Any = SimpleNamespace(
    name="intent",
    ready=True,
    scorer=SimpleNamespace(is_compiled=True),
    source=Source("intent", "v1", "r"),
)
# A body and how long its JSON is, None where there is no header; or a message.
Content = tuple[bytes, str | None]


def _texts(chance: random.Random) -> list[Any]:
    return chance.choices(TEXTS[: chance.choice((7, 7, 7, 13))], k=chance.randint(0, 4))


def v1(chance: random.Random) -> Content:
    """Draw a V1 body or the tutorial's."""
    odd = chance.choice(NOTHING)
    good = ({"instances": _texts(chance)},) * 5
    body = chance.choice((*good, {"instances": odd}, odd))
    return _changed(chance, json.dumps(body).encode()), None


def v2(chance: random.Random) -> Content:
    """Draw a V2 body, with a tensor in JSON or behind it."""
    texts = _texts(chance)
    shape = chance.choice(([len(texts)],) * 60 + SHAPES)
    tensor: dict[str, Any] = {"name": chance.choice(NAMES), "shape": shape}
    tensor["datatype"] = chance.choice(("BYTES",) * 30 + ("bytes", "FP32", 3))
    tail, length = b"", None
    if chance.random() < 0.5:
        tensor["data"] = texts
    else:
        tail = _packed(chance, texts)
        wrong: tuple[Any, ...] = (len(tail) + 1, -1, True, "3", 2**70)
        size = chance.choice((len(tail),) * 40 + wrong)
        tensor["parameters"] = {"binary_data_size": size}
    body: dict[str, Any] = {"inputs": chance.choice(([tensor],) * 60 + NOTHING)}
    if chance.random() < 0.3:
        body |= {chance.choice(("id", "outputs", "parameters")): chance.choice(NOTHING)}
    head = _changed(chance, json.dumps(body).encode())
    if tail or chance.random() < 0.1:
        odd = ("-1", "", "9" * 30, "1e3", " 7", "٣", str(len(head) + 1))
        length = chance.choice((str(len(head)),) * 20 + odd)
    return head + tail, length


def grpc(chance: random.Random) -> Content:
    """Draw a message of gRPC, with texts in their field or raw."""
    texts = [each for each in _texts(chance) if isinstance(each, str)]
    message = pb.ModelInferRequest(model_name="intent", id=chance.choice(("", "7")))
    tensor = message.inputs.add(name=str(chance.choice(NAMES)), datatype="BYTES")
    tensor.shape.append(chance.choice((len(texts),) * 30 + (0, -1, 2**62)))
    if chance.random() < 0.5:
        tensor.contents.bytes_contents.extend([each.encode() for each in texts])
    if chance.random() < 0.5:
        message.raw_input_contents.append(_packed(chance, texts))
    return _changed(chance, message.SerializeToString()), None


def _packed(chance: random.Random, texts: list[Any]) -> bytes:
    given = [str(each).encode() for each in texts]
    whole = b"".join(len(each).to_bytes(4, "little") + each for each in given)
    return _changed(chance, whole)


def _changed(chance: random.Random, content: bytes) -> bytes:
    for _ in range(chance.choice((0, 0, 0, 1, 2))):
        content = chance.choice(CHANGES)(chance, content)
    return content


# What the caller is told, and by which status, is not compared: only what is read.
FAULTS = (InvalidInput, InvalidArgument, orjson.JSONDecodeError, DecodeError)


def _hot(kind: str, content: Content) -> Any:
    """Return what the direct way reads, None where it leaves a request to the other."""
    body, length = content
    if kind == "grpc":
        return Plain(MODEL)._texts(pb.ModelInferRequest.FromString(body))
    if length is not None:
        return None
    payload = orjson.loads(body)
    return texts_from_v1(payload) if kind == "v1" else texts_from_plain_v2(payload)


def _ordinary(kind: str, content: Content) -> Any:
    """Return what the application reads."""
    body, length = content
    if kind == "v1":
        return texts_from_v1(parse_json(body))
    if kind == "v2":
        request = v2_request(body, length, "intent")
    else:
        message = pb.ModelInferRequest.FromString(body)
        check_raw(message)
        request = InferRequest.from_grpc(message)
    requested_outputs(request)
    return texts_from_v2(request)


def _read(reader: Callable[[str, Content], Any], kind: str, content: Content) -> Any:
    """Return what was read, a fault of the caller, or a fault of ours as a string."""
    try:
        return reader(kind, content)
    except FAULTS:
        return None
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"


def compare(requests: int, seed: int) -> tuple[int, list[str]]:
    """Return how many had texts, and those that raised or were read in two ways."""
    chance = random.Random(seed)
    read, found = 0, []
    kinds = {"v1": v1, "v2": v2, "grpc": grpc}
    for _ in range(requests):
        kind = chance.choice(tuple(kinds))
        content = kinds[kind](chance)
        hot, plain = (_read(way, kind, content) for way in (_hot, _ordinary))
        read += isinstance(plain, list)
        if isinstance(plain, str) or (hot is not None and hot != plain):
            found.append(f"{kind} {content!r}\nhot: {hot!r}\nplain: {plain!r}")
    return read, found
