"""The open inference protocol's REST half as OpenAPI, written from its specification.

It says what any server of the protocol takes and answers, not what ours makes of it.
"""

from typing import Any

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
NUMBERS: Json = {"type": "array", "items": {"type": "integer", "minimum": -1}}
PARAMETERS: Json = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean"]},
}
DATATYPE: Json = {
    "enum": [
        "BOOL",
        *(f"{kind}{bits}" for kind in ("UINT", "INT") for bits in (8, 16, 32, 64)),
        *("FP16", "FP32", "FP64", "BYTES"),
    ]
}


def document(model: str) -> Json:
    """Describe a server of one model."""
    path = f"/v2/models/{model}"
    return {
        "openapi": "3.1.0",
        "info": {"title": "Open inference protocol", "version": "2"},
        "paths": {
            "/v2/health/live": _told(_some({"live": {"type": "boolean"}})),
            "/v2/health/ready": _told(_some({"ready": {"type": "boolean"}})),
            "/v2": _told(_all(name=TEXT, version=TEXT, extensions=_list(TEXT))),
            f"{path}/ready": _told(_some({"ready": {"type": "boolean"}})),
            path: _told(_metadata()),
            f"{path}/infer": {
                "post": {
                    "requestBody": {"required": True, **_content(_request())},
                    "responses": _answers(_response()),
                }
            },
        },
    }


def _metadata() -> Json:
    tensor = _all(name=TEXT, datatype=DATATYPE, shape=NUMBERS)
    found = _all(name=TEXT, platform=TEXT, inputs=_list(tensor), outputs=_list(tensor))
    found["properties"]["versions"] = _list(TEXT)
    return found


def _request() -> Json:
    data = {"type": "array", "items": {"type": ["string", "number", "boolean"]}}
    given = _all(name=TEXT, shape=NUMBERS, datatype=DATATYPE, data=data)
    wanted = _all(name=TEXT)
    for each in (given, wanted):
        each["properties"]["parameters"] = PARAMETERS
    found = _all(inputs=_list(given))
    found["properties"] |= {
        "id": TEXT,
        "parameters": PARAMETERS,
        "outputs": _list(wanted),
    }
    return found


def _response() -> Json:
    tensor = _all(name=TEXT, shape=NUMBERS, datatype=DATATYPE, data={"type": "array"})
    found = _all(model_name=TEXT, outputs=_list(tensor))
    found["properties"] |= {"model_version": TEXT, "id": TEXT, "parameters": PARAMETERS}
    return found


def _all(**fields: Json) -> Json:
    return {**_some(fields), "required": list(fields)}


def _some(fields: Json) -> Json:
    return {"type": "object", "properties": fields}


def _list(item: Json) -> Json:
    return {"type": "array", "items": item}


def _told(schema: Json) -> Json:
    return {"get": {"responses": _answers(schema)}}


def _answers(schema: Json) -> Json:
    told = {"200": schema, "4XX": _all(error=TEXT)}
    return {code: {"description": "", **_content(each)} for code, each in told.items()}


def _content(schema: Json) -> Json:
    return {"content": {"application/json": {"schema": schema}}}
