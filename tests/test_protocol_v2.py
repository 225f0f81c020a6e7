"""predictor.protocol_v2: tensors, on REST and gRPC."""

import struct
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kserve import InferInput, InferRequest
from kserve.errors import InvalidInput

from predictor.protocol import Predictions, Source
from predictor.protocol_v2 import (
    bytes_elements,
    texts_from_v2,
    v2_answer,
)
from predictor.protocol_v2_rest import v2_request
from tests.test_protocol import JSON

SOURCE = Source("intent", "v1", "rev-1")
PREDICTIONS = Predictions.of(("a", "b"), [[0.25, 0.75]])


def _tensor(**changes: Any) -> dict[str, Any]:
    tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["hi"]}
    return tensor | changes


def _texts(body: object) -> list[str]:
    return texts_from_v2(v2_request(orjson.dumps(body), None, "intent"))


def _packed(*elements: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(each)) + each for each in elements)


@pytest.mark.parametrize(
    ("shape", "data"),
    [([2], ["a", "b"]), ([2, 1], ["a", "b"]), ([2, 1], [["a"], ["b"]])],
    ids=["flat", "column, flat data", "column, nested data"],
)
def test_both_shapes_are_read(shape: list[int], data: list[Any]) -> None:
    assert _texts({"inputs": [_tensor(shape=shape, data=data)]}) == ["a", "b"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "body: expected an object"),
        ({}, "inputs: expected a list of one input .* got nothing"),
        ({"inputs": []}, "inputs: .* got 0 of them"),
        ({"inputs": [_tensor(), _tensor()]}, "inputs: .* got 2 of them"),
        ({"inputs": [1]}, r"inputs\[0\]: expected an object, got a number"),
        ({"inputs": [_tensor(name="txt")]}, r"name: expected 'text', got 'txt'"),
        ({"inputs": [_tensor(name=1)]}, r"inputs\[0\]\.name: expected a string"),
        ({"inputs": [_tensor(datatype="INT32")]}, "expected BYTES, got 'INT32'"),
        ({"inputs": [_tensor(datatype=None)]}, "datatype: expected a string"),
        ({"inputs": [_tensor(shape=[2])]}, r"\[2\] holds 2 texts, .* has 1"),
        ({"inputs": [_tensor(shape=["1"])]}, r"shape: expected \[n\] or \[n,1\]"),
        ({"inputs": [_tensor(shape=[1.0])]}, r"shape: expected \[n\] or \[n,1\]"),
        ({"inputs": [_tensor(shape=[-1])]}, r"shape: expected \[n\] or \[n,1\]"),
        ({"inputs": [_tensor(shape=[1, 2])]}, r"shape: expected \[n\] or \[n,1\]"),
        ({"inputs": [_tensor(shape=[2**62])]}, "holds 4611686018427387904 texts"),
        ({"inputs": [_tensor(shape=[0], data=[])]}, "expected 1 to 1024 texts"),
        ({"inputs": [_tensor(data=None)]}, "data: expected a list, got nothing"),
        ({"inputs": [_tensor(data="hi")]}, "data: expected a list, got a string"),
        ({"inputs": [_tensor(data=[7])]}, r"data\[0\]: expected a text, got a num"),
        ({"inputs": [_tensor(data=[[]])]}, r"data\[0\]: expected a text, got a list"),
        ({"inputs": [_tensor(parameters=[])]}, r"inputs\[0\]\.parameters: expected"),
        ({"inputs": [_tensor()], "id": 7}, "id: expected a string, got a number"),
        ({"inputs": [_tensor()], "parameters": 1}, "parameters: expected an object"),
        ({"inputs": [_tensor()], "outputs": {"a": 1}}, "outputs: expected a list"),
        ({"inputs": [_tensor()], "outputs": [1]}, r"outputs\[0\]: expected an obj"),
        (
            {"inputs": [_tensor()], "parameters": {"binary_data_output": 1}},
            "parameters.binary_data_output: expected a boolean",
        ),
    ],
)
def test_faults_name_the_field(body: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        _texts(body)


def test_an_unknown_output_is_named() -> None:
    body = {"inputs": [_tensor()], "outputs": [{"name": "logits"}]}
    request = v2_request(orjson.dumps(body), None, "intent")
    with pytest.raises(InvalidInput, match="got 'logits'"):
        v2_answer(request, PREDICTIONS, SOURCE)


def test_a_large_name_is_not_echoed() -> None:
    with pytest.raises(InvalidInput) as fault:
        _texts({"inputs": [_tensor(name="x" * 10_000)]})
    assert len(fault.value.reason) < 120


@given(JSON | st.fixed_dictionaries({"inputs": st.lists(JSON)}))
def test_whatever_json_there_is_gets_texts_or_a_short_fault(body: Any) -> None:
    try:
        _texts(body)
    except InvalidInput as fault:
        assert len(fault.reason) < 250


def _binary(raw: bytes, size: object) -> tuple[bytes, str]:
    tensor = _tensor(parameters={"binary_data_size": size})
    del tensor["data"]
    head = orjson.dumps({"inputs": [tensor]})
    return head + raw, str(len(head))


def test_the_binary_extension_is_read() -> None:
    raw = _packed("grüß dich".encode())
    request = v2_request(*_binary(raw, len(raw)), "intent")
    assert texts_from_v2(request) == ["grüß dich"]


@pytest.mark.parametrize("size", [3, 10**12, -1, "6", None, True])
def test_a_wrong_binary_size_is_the_callers_fault(size: object) -> None:
    with pytest.raises(InvalidInput, match="binary_data_size: expected the 6 bytes"):
        v2_request(*_binary(_packed(b"hi"), size), "intent")


@pytest.mark.parametrize("length", ["abc", "-1", "99999999", "", "1.0", "²"])
def test_a_wrong_header_length_is_the_callers_fault(length: str) -> None:
    with pytest.raises(InvalidInput, match="Inference-Header-Content-Length"):
        v2_request(b"{}", length, "intent")


@pytest.mark.parametrize("raw", [b"\x01", b"\xff\xff\xff\xff", _packed(b"hi")[:-1]])
def test_raw_elements_cut_short_are_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInput, match="cut short"):
        bytes_elements(raw)


@given(st.lists(st.binary()))
def test_raw_elements_come_back_as_they_were_packed(elements: list[bytes]) -> None:
    assert bytes_elements(_packed(*elements)) == elements


def test_text_that_is_not_utf8_is_refused() -> None:
    tensor = InferInput("text", [1], "BYTES", [b"\xff\xfe"])
    request = InferRequest(model_name="intent", infer_inputs=[tensor])
    with pytest.raises(InvalidInput, match="expected UTF-8"):
        texts_from_v2(request)


def test_the_answer_carries_id_version_and_revision() -> None:
    body = {"id": "42", "inputs": [_tensor()], "outputs": [{"name": "label"}]}
    request = v2_request(orjson.dumps(body), None, "intent")
    answer, length = v2_answer(request, PREDICTIONS, SOURCE).to_rest()
    assert length is None
    assert answer == {
        "id": "42",
        "model_name": "intent",
        "model_version": "v1",
        "outputs": [
            {"name": "label", "shape": [1], "datatype": "BYTES", "data": ["b"]}
        ],
        "parameters": {"revision": "rev-1"},
    }


def test_one_output_can_be_binary_beside_json() -> None:
    outputs = [
        {"name": "label"},
        {"name": "confidence", "parameters": {"binary_data": True}},
    ]
    body = {"inputs": [_tensor()], "outputs": outputs}
    request = v2_request(orjson.dumps(body), None, "intent")
    content, length = v2_answer(request, PREDICTIONS, SOURCE).to_rest()
    head = orjson.loads(content[:length])
    assert head["outputs"][0]["data"] == ["b"]
    assert np.frombuffer(content[length:], "<f4").tolist() == [0.75]
