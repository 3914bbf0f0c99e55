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
    "408": "Too slow.", "413": "Too large.", "416": "There is no such part.", "421": "Another host.",
    "429": "Too much at once; Retry-After says when again.", "500": "Something went wrong.",
    "501": "This model or server cannot.", "503": "No storage.",
}  # fmt: skip
WAIT = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
POLL = {"openai-poll-after-ms": {"description": "When to ask again.", "schema": {"type": "integer"}}}
IDEMPOTENCY = {
    "name": "Idempotency-Key", "in": "header", "required": False,
    "description": "The same key and body give the same video; another body is an error.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}  # fmt: skip
WITHOUT_KEY = ("get /healthz",)  # calls that never need one
FILE = {"type": "string", "format": "binary"}
TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
EVENT = {"type": "object", "required": ["event", "data"], "properties": {"event": TEXT, "data": TEXT}}
MEDIA = {"text/event-stream": EVENT, "text/plain": TEXT}  # others are files
VIDEO = {
    "type": "object",
    "required": ["id", "object", "model", "status", "progress", "created_at", "prompt", "seconds", "size"],
    "properties": {
        "id": TEXT, "object": {"const": "video"}, "model": TEXT,
        "progress": {**WHOLE, "minimum": 0, "maximum": 100},
        "status": {"enum": ["queued", "in_progress", "completed", "failed"]}, "created_at": WHOLE,
        "completed_at": {"type": ["integer", "null"]}, "expires_at": {"type": ["integer", "null"]},
        "prompt": TEXT, "seconds": TEXT, "size": TEXT, "remixed_from_video_id": {"type": ["string", "null"]},
        "error": {"anyOf": [{"type": "null"}, {"type": "object", "required": ["code", "message"]}]},
        "reelworld": {"type": "object"},
    },
}  # fmt: skip


def _list_of(item: dict[str, Any]) -> dict[str, Any]:
    properties = {"object": {"const": "list"}, "data": {"type": "array", "items": item}}
    return {"type": "object", "required": ["object", "data"], "properties": properties}


def _thing(kind: str, *names: str) -> dict[str, Any]:
    properties = {"object": {"const": kind}, **{name: {} for name in names}}
    return {"type": "object", "required": list(properties), "properties": properties}


SCHEMAS = {
    "Error": ERROR,
    "Video": VIDEO,
    "Videos": _list_of({"$ref": "#/components/schemas/Video"}),
    "Character": _thing("character", "id", "name", "created_at"),
    "Characters": _list_of({"$ref": "#/components/schemas/Character"}),
    "Model": _thing("model", "id", "native_shape", "native", "characters"),
    "Models": _list_of({"$ref": "#/components/schemas/Model"}),
    "Words": _thing("words", "model", "unknown"),
    "Expansion": _thing("expansion", "model", "text", "why"),
    "DeletedVideo": _thing("video.deleted", "id", "deleted"),
    "DeletedCharacter": _thing("character.deleted", "id", "deleted"),
    "Health": {"type": "object", "required": ["status"], "properties": {"status": {"const": "ok"}}},
}
ANSWERS = {  # what a call answers with; a video object where nothing is said
    "get /v1/videos": "Videos", "post /v1/videos/variations": "Videos",
    "get /v1/videos/{video_id}/children": "Videos",
    "delete /v1/videos/{video_id}": "DeletedVideo", "post /v1/videos/characters": "Character",
    "get /v1/videos/characters": "Characters", "get /v1/videos/characters/{character_id}": "Character",
    "delete /v1/videos/characters/{character_id}": "DeletedCharacter", "get /v1/models": "Models",
    "get /v1/models/{model}": "Model", "get /v1/models/{model}/words": "Words",
    "get /v1/models/{model}/expansion": "Expansion", "get /healthz": "Health",
}  # fmt: skip
FILES = {  # media types of calls that answer with a file or a stream
    "get /v1/videos/{video_id}/content": ("video/mp4", "image/png"), "get /metrics": ("text/plain",),
    "get /v1/videos/{video_id}/preview": ("image/png",),
    "get /v1/videos/{video_id}/events": ("text/event-stream",),
}  # fmt: skip


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
    content = {
        "application/json": {"schema": plain}, "multipart/form-data": {"schema": form},
        "application/x-www-form-urlencoded": {"schema": plain},
    }  # fmt: skip
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
            schemas |= SCHEMAS
            schemas |= asked.Board.model_json_schema(ref_template="#/components/schemas/{model}")["$defs"]
            for path, calls in document["paths"].items():
                for method, call in calls.items():
                    _describe_answers(f"{method} {path}", call["responses"])
                    if "requestBody" in call and not path.endswith("/characters"):
                        call.setdefault("parameters", []).append(IDEMPOTENCY)
                    if f"{method} {path}" not in WITHOUT_KEY:
                        call["security"] = [{"key": []}, {}]  # none on loopback, unless it is asked for
            document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _describe_answers(call: str, responses: dict[str, Any]) -> None:
    """Say what a call answers with, and its errors."""
    responses.pop("422", None)
    schema = {"$ref": f"#/components/schemas/{ANSWERS.get(call, 'Video')}"}
    content = {kind: {"schema": MEDIA.get(kind, FILE)} for kind in FILES.get(call, ())}
    responses["200"]["content"] = content or {"application/json": {"schema": schema}}
    if call == "get /v1/videos/{video_id}/content":
        responses["206"] = {"description": "A part of the file.", "content": content}
    if not content and call not in ANSWERS:
        responses["200"]["headers"] = POLL
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for status, text in ERRORS.items():
        told = {"description": text, "content": error} | ({"headers": WAIT} if status == "429" else {})
        responses.setdefault(status, told)
