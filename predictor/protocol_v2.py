"""V2 (Open Inference Protocol): tensors in, tensors out, on REST and gRPC alike.

Pure. The SDK's own reader answers 500 to several faults of a caller and echoes large
inputs, so REST bodies are read here; gRPC messages arrive as the SDK parsed them.
"""

import struct
from typing import Any

from kserve import InferInput, InferOutput, InferRequest, InferResponse
from kserve.errors import InvalidInput
from kserve.protocol.infer_type import RequestedOutput
from kserve.utils.utils import generate_uuid

from predictor.protocol import (
    INPUT,
    Predictions,
    Source,
    checked,
    kind,
    parse_json,
    shown,
)

OUTPUTS = ("label", "confidence", "probabilities")
V2_FORM = (
    '{"inputs": [{"name": "text", "datatype": "BYTES", "shape": [n], "data": [...]}]}'
)


def texts_from_v2(request: InferRequest) -> list[str]:
    """Texts of a V2 request: JSON, binary extension, gRPC typed or raw contents."""
    if len(request.inputs) != 1:
        raise InvalidInput(
            f"inputs: expected exactly one input named '{INPUT}', "
            f"got {len(request.inputs)}"
        )
    tensor = request.inputs[0]
    if tensor.name != INPUT:
        raise InvalidInput(
            f"inputs[0].name: expected '{INPUT}', got {shown(tensor.name)}"
        )
    if tensor.datatype != "BYTES":
        raise InvalidInput(
            f"inputs[0].datatype: expected BYTES, got {shown(tensor.datatype)}"
        )
    size = _size(tensor.shape)
    elements = _elements(tensor)
    if len(elements) != size:
        raise InvalidInput(
            f"inputs[0].shape: {list(tensor.shape)} holds {size} texts, "
            f"inputs[0].data has {len(elements)}"
        )
    return checked([_decoded(item) for item in elements], "inputs[0].data")


def v2_answer(
    request: InferRequest, predictions: Predictions, source: Source
) -> InferResponse:
    """The requested outputs: label BYTES [n], confidence FP32 [n], probabilities [n,k].

    The SDK applies `outputs` only on REST, so the selection is made here for both.
    """
    requested = requested_outputs(request)
    labels, confidences = predictions.best()
    count, width = predictions.probabilities.shape
    values: dict[str, tuple[str, list[int], list[Any]]] = {
        "label": ("BYTES", [count], labels),
        "confidence": ("FP32", [count], confidences),
        "probabilities": (
            "FP32",
            [count, width],
            predictions.probabilities.ravel().tolist(),
        ),
    }
    outputs = [
        InferOutput(name=name, datatype=datatype, shape=shape, data=data)
        for name, (datatype, shape, data) in values.items()
        if name in requested
    ]
    return InferResponse(
        response_id=request.id or generate_uuid(),
        model_name=source.model,
        model_version=source.version,
        infer_outputs=outputs,
        parameters={"revision": source.revision},
        use_binary_outputs=request.use_binary_outputs,
        requested_outputs=request.request_outputs,
    )


def requested_outputs(request: InferRequest) -> list[str]:
    """Names of the outputs to send; all of them where the request names none."""
    names = [output.name for output in request.request_outputs or ()]
    for position, name in enumerate(names):
        if name not in OUTPUTS:
            raise InvalidInput(
                f"outputs[{position}].name: expected one of {', '.join(OUTPUTS)}, "
                f"got {shown(name)}"
            )
    return names or list(OUTPUTS)


def v2_request(body: bytes, json_length: str | None, model: str) -> InferRequest:
    """Read a V2 REST body: JSON, or JSON and tensors after it (binary extension).

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
        parameters=parameters,
        request_outputs=_outputs(payload, is_binary=binary),
    )


def _header_length(value: str, size: int) -> int:
    if not value.isascii() or not value.isdigit() or int(value) > size:
        raise InvalidInput(
            "Inference-Header-Content-Length: expected a number of bytes up to the "
            f"body's {size}, got {shown(value)}"
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
    _size(tensor.get("shape"))
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
            f"got {shown(size)}"
        )
    return bytes_elements(tail)


def bytes_elements(raw: bytes) -> list[bytes]:
    """Split a raw BYTES tensor: each element is its uint32 length, then itself."""
    elements, position = [], 0
    while position < len(raw):
        start = position + 4
        if start > len(raw):
            break
        (length,) = struct.unpack_from("<I", raw, position)
        position = start + length
        elements.append(raw[start:position])
    if position != len(raw):
        raise InvalidInput(
            "inputs[0]: raw BYTES data is cut short, expected each element as a "
            "4-byte little-endian length and its bytes"
        )
    return elements


def _json_elements(tensor: dict[str, Any]) -> list[Any]:
    data = tensor.get("data")
    if not isinstance(data, list):
        raise InvalidInput(f"inputs[0].data: expected a list, got {kind(data)}")
    if len(tensor["shape"]) == 2 and all(isinstance(row, list) for row in data):
        return [item for row in data for item in row]
    return data


def _outputs(payload: dict[str, Any], is_binary: bool) -> list[RequestedOutput] | None:
    outputs = payload.get("outputs") or [{"name": name} for name in OUTPUTS]
    if not isinstance(outputs, list):
        raise InvalidInput(f"outputs: expected a list, got {kind(outputs)}")
    requested = []
    for position, output in enumerate(outputs):
        field = f"outputs[{position}]"
        if not isinstance(output, dict) or not isinstance(output.get("name"), str):
            raise InvalidInput(f'{field}: expected an object {{"name": "label"}}')
        parameters = _parameters(output, f"{field}.parameters")
        parameters.setdefault("binary_data", is_binary)
        _flag(parameters, "binary_data", f"{field}.parameters")
        requested.append(RequestedOutput(output["name"], parameters))
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


def _size(shape: object) -> int:
    """Number of texts in a shape [n] or [n, 1]."""
    fits = (
        isinstance(shape, list)
        and len(shape) in (1, 2)
        and all(type(edge) is int and edge >= 0 for edge in shape)
        and shape[1:] in ([], [1])
    )
    if not fits or not isinstance(shape, list):
        raise InvalidInput(
            f"inputs[0].shape: expected [n] or [n,1], got {shown(shape)}"
        )
    return int(shape[0])


def _elements(tensor: InferInput) -> list[Any]:
    if tensor.data is not None and len(tensor.data):
        return list(tensor.data)
    return bytes_elements(tensor._raw_data or b"")


def _decoded(element: object) -> object:
    if not isinstance(element, bytes):
        return element
    try:
        return element.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"inputs[0].data: expected UTF-8 text, byte {error.start} of an element "
            "is not"
        ) from error
