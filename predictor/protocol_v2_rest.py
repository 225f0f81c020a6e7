"""Reads V2 REST bodies: JSON, or JSON followed by tensors. Pure.

The SDK's own reader answers 500 to several faults of a caller and echoes large inputs;
gRPC messages arrive parsed by the SDK.
"""

from array import array
from collections.abc import Iterable
from itertools import chain
from typing import Any

from kserve import InferInput, InferRequest
from kserve.errors import InvalidInput
from kserve.protocol.infer_type import RequestedOutput

from predictor.protocol import (
    MAX_ID,
    Predictions,
    Source,
    check_texts,
    kind,
    parse_json,
    shorten,
)
from predictor.protocol_v2 import OUTPUTS, bytes_elements, text_count

ID = {"id"}
MAX_OUTPUTS = 64
V2_FORM = (
    '{"inputs": [{"name": "text", "datatype": "BYTES", "shape": [n], "data": [...]}]}'
)


def v2_request(body: bytes, json_length: str | None, model: str) -> InferRequest:
    """Read a V2 REST body: JSON, or JSON followed by tensors (binary extension).

    `json_length` is the header `Inference-Header-Content-Length`, None where absent.
    """
    end = len(body) if json_length is None else _header_length(json_length, len(body))
    payload = parse_json(body[:end])
    if not isinstance(payload, dict):
        raise InvalidInput(f"body: expected an object {V2_FORM}, got {kind(payload)}")
    parameters = _parameters(payload, "parameters")
    binary = _flag(parameters, "binary_data_output", "parameters")
    identifier = payload.get("id")
    if identifier is not None and not isinstance(identifier, str):
        raise InvalidInput(f"id: expected a string, got {kind(identifier)}")
    return InferRequest(
        model_name=model,
        request_id=identifier,
        infer_inputs=_inputs(payload, body[end:], is_binary=json_length is not None),
        parameters={"binary_data_output": binary},
        request_outputs=_outputs(payload, is_binary=binary),
    )


def texts_from_plain_v2(payload: object) -> list[str] | None:
    """Return the texts of a JSON body without any option, None for any other body."""
    match payload:
        case {
            "inputs": [
                {
                    "name": "text",
                    "datatype": "BYTES",
                    "shape": [int() as count],
                    "data": list() as texts,
                    **others,
                }
            ],
            **rest,
        } if count == len(texts) and not (isinstance(count, bool) or others):
            is_plain = not rest or (
                rest.keys() == ID
                and isinstance(rest["id"], str)
                and len(rest["id"]) <= MAX_ID
            )
            return check_texts(texts, "inputs[0].data") if is_plain else None
    return None


def plain_v2_answer(
    identifier: str, predictions: Predictions, source: Source
) -> dict[str, Any]:
    """Return all outputs as JSON, as the SDK writes `protocol_v2.v2_answer`."""
    classes, rows, labels, confidences = predictions
    count, flat = len(labels), chain.from_iterable(rows)
    return {
        "id": identifier,
        "model_name": source.model,
        "model_version": source.version,
        "outputs": [
            {"name": "label", "shape": [count], "datatype": "BYTES", "data": labels},
            _fp32("confidence", [count], confidences),
            _fp32("probabilities", [count, len(classes)], flat),
        ],
        "parameters": {"revision": source.revision},
    }


def _fp32(name: str, shape: list[int], values: Iterable[float]) -> dict[str, Any]:
    data = array("f", values).tolist()
    return {"name": name, "shape": shape, "datatype": "FP32", "data": data}


def _header_length(value: str, size: int) -> int:
    if not value.isascii() or not value.isdigit() or int(value) > size:
        raise InvalidInput(
            "Inference-Header-Content-Length: expected a number of bytes up to the "
            f"body's {size}, got {shorten(value)}"
        )
    return int(value)


def _inputs(payload: dict[str, Any], tail: bytes, is_binary: bool) -> list[InferInput]:
    inputs = payload.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1:
        found = f"{len(inputs)} of them" if isinstance(inputs, list) else kind(inputs)
        raise InvalidInput(
            f"inputs: expected a list of one input {V2_FORM}, got {found}"
        )
    tensor = inputs[0]
    if not isinstance(tensor, dict):
        raise InvalidInput(f"inputs[0]: expected an object, got {kind(tensor)}")
    for field in ("name", "datatype"):
        if not isinstance(tensor.get(field), str):
            raise InvalidInput(
                f"inputs[0].{field}: expected a string, got {kind(tensor.get(field))}"
            )
    text_count(tensor.get("shape"))
    parameters = _parameters(tensor, "inputs[0].parameters")
    if is_binary and "binary_data_size" in parameters:
        data: list[Any] = _binary_elements(parameters["binary_data_size"], tail)
    else:
        data = _json_elements(tensor)
    return [
        InferInput(tensor["name"], tensor["shape"], tensor["datatype"].upper(), data)
    ]


def _binary_elements(size: object, tail: bytes) -> list[bytes]:
    field = "inputs[0].parameters.binary_data_size"
    if type(size) is not int or size != len(tail):
        raise InvalidInput(
            f"{field}: expected the {len(tail)} bytes that follow the JSON, "
            f"got {shorten(size)}"
        )
    return bytes_elements(tail)


def _json_elements(tensor: dict[str, Any]) -> list[Any]:
    data = tensor.get("data")
    if not isinstance(data, list):
        raise InvalidInput(f"inputs[0].data: expected a list, got {kind(data)}")
    if len(tensor["shape"]) == 2 and all(isinstance(row, list) for row in data):
        return [item for row in data for item in row]
    return data


def _outputs(payload: dict[str, Any], is_binary: bool) -> list[RequestedOutput]:
    outputs = payload.get("outputs") or [{"name": name} for name in OUTPUTS]
    if not isinstance(outputs, list):
        raise InvalidInput(f"outputs: expected a list, got {kind(outputs)}")
    if len(outputs) > MAX_OUTPUTS:
        raise InvalidInput(
            f"outputs: expected at most {MAX_OUTPUTS}, got {len(outputs)}"
        )
    requested = []
    for position, output in enumerate(outputs):
        field = f"outputs[{position}]"
        if not isinstance(output, dict) or not isinstance(output.get("name"), str):
            raise InvalidInput(f'{field}: expected an object {{"name": "label"}}')
        sent = {"binary_data": is_binary} | _parameters(output, f"{field}.parameters")
        # Only what is read: the rest must not wait with the texts.
        flag = {"binary_data": _flag(sent, "binary_data", f"{field}.parameters")}
        requested.append(RequestedOutput(output["name"], flag))
    return requested


def _parameters(holder: dict[str, Any], field: str) -> dict[str, Any]:
    parameters = holder.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise InvalidInput(f"{field}: expected an object, got {kind(parameters)}")
    return dict(parameters)


def _flag(parameters: dict[str, Any], name: str, field: str) -> bool:
    value = parameters.get(name, False)
    if not isinstance(value, bool):
        raise InvalidInput(f"{field}.{name}: expected a boolean, got {kind(value)}")
    return value
