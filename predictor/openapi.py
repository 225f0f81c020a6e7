"""The OpenAPI document of what is served, which the SDK cannot know in its own."""

from typing import Any

from predictor.overload.limits import MAX_BODY, RETRY_S
from predictor.protocol import MAX_CHARACTERS, MAX_ID, MAX_LETTERS, MAX_TEXTS

Json = dict[str, Any]
FAULTS = {
    400: "The request is invalid; the message names the field.",
    404: "There is no such model.",
    405: "Another method is expected.",
    408: "The request did not come in time.",
    413: f"The body has more than {MAX_BODY} bytes.",
    415: "The body is compressed.",
    431: "The head has too many bytes or headers.",
    500: "The predictor failed.",
    503: f"Too much waits; ask again after {RETRY_S} second.",
}
ROWS = ("application/jsonlines", "text/csv")  # a text a line
TEXT: Json = {"type": "string", "minLength": 1, "maxLength": MAX_CHARACTERS}
NUMBERS: Json = {"type": "array", "items": {"type": "number"}}
SAID = f"In all texts of a request at most {MAX_LETTERS} characters."


def document(model: str, version: str, labels: tuple[str, ...]) -> Json:
    """Describe the server of one model."""
    v1, v2 = f"/v1/models/{model}", f"/v2/models/{model}"
    label: Json = {"type": "string", "enum": list(labels)}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Predictor of {model}", "version": version},
        "paths": {
            f"{v1}:predict": _asked("Classify texts (V1)", _v1(), _v1_answer(label)),
            f"{v2}/infer": _asked("Classify texts (V2)", _v2(), _v2_answer()),
            "/predict": _asked(
                "Classify one text",
                _object(text=TEXT),
                _object(intent=label, confidence={"type": "number"}),
            ),
            "/v1/models": _told("Names of the models"),
            v1: _told("Whether the model is ready", 503),
            "/v2": _told("The server"),
            "/v2/models": _told("Names of the models"),
            v2: _told("Tensors, labels, limits of the model"),
            f"{v2}/ready": _told("Whether the model is ready; not once it ends", 503),
            "/v2/health/live": _told("Whether the server lives"),
            "/v2/health/ready": _told("Whether the server takes requests", 503),
            "/metrics": _told("Counters, as Prometheus reads them", kind="text/plain"),
        },
        "components": {"schemas": {"Error": _object(error={"type": "string"})}},
    }


def managed(labels: tuple[str, ...]) -> Json:
    """Describe the paths of a managed service's contract."""
    label: Json = {"type": "string", "enum": list(labels)}
    plain = _object(intent=label, confidence={"type": "number"})
    asked = _asked(
        "Classify texts, in the form that Accept names",
        {"oneOf": [_v1(), _object(text=TEXT)]},
        {"oneOf": [_v1_answer(label), plain]},
    )
    operation = asked["post"]
    for part in (operation["requestBody"], operation["responses"]["200"]):
        part["content"] |= {kind: {"schema": {"type": "string"}} for kind in ROWS}
    operation["responses"]["406"] = _fault("No form that is served is accepted.")
    operation["responses"]["415"] = _fault("Another type, or a compressed body.")
    return {"/invocations": asked, "/ping": _told("Whether the model is ready", 503)}


def _object(**fields: Json) -> Json:
    return {"type": "object", "properties": fields, "required": list(fields)}


def _some(item: Json, most: int = MAX_TEXTS) -> Json:
    return {"type": "array", "items": item, "minItems": 1, "maxItems": most}


def _v1() -> Json:
    return _object(instances=_some({"oneOf": [TEXT, _object(text=TEXT)]}))


def _v1_answer(label: Json) -> Json:
    number = {"type": "number"}
    each = {"type": "object", "additionalProperties": number}
    found = _object(label=label, confidence=number, probabilities=each)
    return _object(predictions=_some(found))


def _v2() -> Json:
    tensor = _object(
        name={"const": "text"},
        datatype={"const": "BYTES"},
        shape={"type": "array", "items": {"type": "integer"}, "maxItems": 2},
        data=_some(TEXT),
    )
    asked = _object(inputs=_some(tensor, 1))
    name = {"type": "string", "enum": ["label", "confidence", "probabilities"]}
    asked["properties"] |= {
        "id": {"type": "string", "maxLength": MAX_ID},
        "outputs": {"type": "array", "items": _object(name=name)},
    }
    return asked


def _v2_answer() -> Json:
    tensor = _object(
        name={"type": "string"},
        datatype={"enum": ["BYTES", "FP32"]},
        shape={"type": "array", "items": {"type": "integer"}},
        data={"type": "array"},
    )
    text = {"type": "string"}
    return _object(id=text, model_name=text, model_version=text, outputs=_some(tensor))


def _asked(summary: str, body: Json, answer: Json) -> Json:
    faults = {str(code): _fault(said) for code, said in FAULTS.items()}
    operation = {
        "summary": summary,
        "description": SAID,
        "requestBody": {"required": True, "content": _content(body)},
        "responses": {"200": _answer("The answer.", answer), **faults},
    }
    return {"post": operation}


def _told(summary: str, *faults: int, kind: str = "application/json") -> Json:
    found: Json = {"200": {"description": summary, "content": {kind: {}}}}
    found |= {str(code): _fault(FAULTS[code]) for code in faults}
    return {"get": {"summary": summary, "responses": found}}


def _fault(said: str) -> Json:
    return _answer(said, {"$ref": "#/components/schemas/Error"})


def _answer(said: str, schema: Json) -> Json:
    return {"description": said, "content": _content(schema)}


def _content(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}
