"""The OpenAPI document: bodies that come as JSON or as forms, answers and errors, for every call.

app.openapi() after describe(app)
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
ERRORS = {
    "400": "The request is wrong, or its video is not finished.", "401": "No valid API key.",
    "403": "From another site.", "404": "There is no such thing.", "405": "Another method.",
    "413": "Too large.", "421": "Another host.", "429": "Too much at once.", "503": "No storage.",
}  # fmt: skip
FILE = {"type": "string", "format": "binary"}
JSON_TYPES = {"video": {"type": "object", "required": ["id", "object", "status"]}}


def body_of(model: type[BaseModel], *, video: bool = False, image: bool = False) -> dict[str, Any]:
    """Return the body of a call: the fields of a model, and the file that goes with them."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    plain, form = dict(schema), dict(schema)
    if video:
        by_id = {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"id": {"type": "string"}}}]}
        plain = _with(plain, "video", by_id, True)
        form = _with(form, "video", FILE, True)
    if image:
        given = {
            "type": "object",
            "properties": {"image_url": {"type": "string"}, "file_id": {"type": "string"}},
        }
        plain = _with(plain, "input_reference", given, False)
        form = _with(form, "input_reference", FILE, False)
    content = {"application/json": {"schema": plain}, "multipart/form-data": {"schema": form}}
    return {"requestBody": {"required": True, "content": content}}


def _with(schema: dict[str, Any], name: str, value: dict[str, Any], needed: bool) -> dict[str, Any]:
    properties = {**schema["properties"], name: value}
    required = [*schema.get("required", ()), *([name] if needed else [])]
    return {**schema, "properties": properties, "required": required}


def describe(app: FastAPI) -> None:
    """Let the application's document name its schemas, its errors and what answers hold."""
    from reelworld.serve import asked

    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas["Error"] = ERROR
            schemas |= asked.Board.model_json_schema(ref_template="#/components/schemas/{model}")["$defs"]
            for calls in document["paths"].values():
                for call in calls.values():
                    _add_errors(call["responses"])
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _add_errors(responses: dict[str, Any]) -> None:
    responses.pop("422", None)
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for status, text in ERRORS.items():
        responses.setdefault(status, {"description": text, "content": content})
