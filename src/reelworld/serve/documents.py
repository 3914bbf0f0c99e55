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
A_VIDEO = "A video or image to begin from: a file, a data URL, or the id of a video of yours."
A_PICTURE = "The first frame: a file, a data URL, or the id of a video of yours, whose first frame it is."
TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
EVENT = {"type": "object", "required": ["event", "data"], "properties": {"event": TEXT, "data": TEXT}}
MEDIA = {"text/event-stream": EVENT, "text/plain": TEXT}  # others are files
TIME = {"type": "integer", "description": "Seconds since 1970."}
NUMBER, YES = {"type": "number"}, {"type": "boolean"}


def _maybe(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _said(schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {**schema, "description": text}


def _many(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**properties: Any) -> dict[str, Any]:
    """Return the schema of an object that has all of these."""
    return {"type": "object", "required": list(properties), "properties": properties}


def _list_of(item: str) -> dict[str, Any]:
    """Return the schema of a page as clients go through it: the next one is `after` the last id."""
    page = {"first_id": _maybe(TEXT), "last_id": _maybe(TEXT), "has_more": YES}
    return _object(object={"const": "list"}, data=_many(_ref(item)), **page)


DONE = {"type": "string", "description": "What was done so that the video has the size that was asked for."}
OURS = _object(
    operation={"type": "string", "description": "What made it: generate, remix, extend, blend, ..."},
    model=_maybe(_said(TEXT, "Which of the served models makes it.")), seed=_maybe(WHOLE),
    notes=_many(_said(TEXT, "What whoever asked should know.")), done=_many(DONE),
    expanded_prompt=_maybe(_said(TEXT, "The prompt as the model read it.")),
    num_frames=_maybe(WHOLE), fps=_maybe(NUMBER), previews=_said(WHOLE, "How many there were so far."),
    attempts=_said(WHOLE, "How often a worker began with it."),
    parents=_many(_said(TEXT, "The ids of the videos that it is made of.")),
    given=_said(YES, "Whether it begins from an image or videos."),
    characters=_many(_said(TEXT, "Their names.")),
    request={"type": "object", "description": "The settings that were asked for."},
)  # fmt: skip
VIDEO = _object(
    id=TEXT, object={"const": "video"}, model=TEXT,
    status={"enum": ["queued", "in_progress", "completed", "failed"]},
    progress={**WHOLE, "minimum": 0, "maximum": 100, "description": "In per cent."},
    created_at=TIME, completed_at=_maybe(TIME), expires_at=_maybe(_said(TIME, "When it is deleted.")),
    prompt=TEXT, seconds=_said(TEXT, "How long it is or will be."), size=_said(TEXT, "Width x height."),
    remixed_from_video_id=_maybe(TEXT),
    error=_maybe(_object(code=_maybe(TEXT), message=_maybe(TEXT))), reelworld=_ref("ReelWorld"),
)  # fmt: skip
CHARACTER = _object(id=TEXT, object={"const": "character"}, name=TEXT, created_at=TIME)
MODEL = _object(
    id=TEXT, object={"const": "model"}, created=WHOLE, owned_by=TEXT, native_shape=TEXT,
    native=_object(width=WHOLE, height=WHOLE, num_frames=WHOLE, fps=NUMBER), characters=YES, packaged=YES,
)  # fmt: skip
WORDS = _object(object={"const": "words"}, model=TEXT, unknown=_many(_object(word=TEXT, nearest=_many(TEXT))))
EXPANSION = _object(object={"const": "expansion"}, model=TEXT, text=_maybe(TEXT), why=_maybe(TEXT))
HOOK = _object(
    id=TEXT, object={"const": "event"}, created_at=TIME, data=_object(id=TEXT),
    type={"enum": ["video.completed", "video.failed"]},
)  # fmt: skip


def _deleted(kind: str) -> dict[str, Any]:
    return _object(id=TEXT, deleted={"const": True}, object={"const": f"{kind}.deleted"})


SCHEMAS = {
    "Error": ERROR, "ReelWorld": OURS, "Video": VIDEO, "Videos": _list_of("Video"), "Event": HOOK,
    "Character": CHARACTER, "Characters": _list_of("Character"), "Words": WORDS, "Expansion": EXPANSION,
    "Model": MODEL, "Models": _object(
        object={"const": "list"}, data=_many(_ref("Model")), aliases=_many({"type": "string"})
    ),
    "DeletedVideo": _deleted("video"), "DeletedCharacter": _deleted("character"),
    "Health": _object(status={"const": "ok"}),
}  # fmt: skip
SIGNED = [
    {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
    for name, text in (
        ("webhook-id", "The event's id, the same whenever it is told again."),
        ("webhook-timestamp", "When it was sent, in seconds since 1970."),
        ("webhook-signature", "v1 and the HMAC of id, time and body (Standard Webhooks 1.0)."),
    )
]
WEBHOOKS = {
    name: {
        "post": {
            "summary": summary, "parameters": SIGNED,
            "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("Event")}}},
            "responses": {"2XX": {"description": "Taken; anything else is told again later."}},
        }
    }
    for name, summary in (
        ("video.completed", "A video is finished."),
        ("video.failed", "A video was not made, or was cancelled."),
    )
}  # fmt: skip
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
        ids = [{"type": "string"}, {"type": "object", "properties": {"id": {"type": "string"}}}]
        by_id = {"anyOf": ids, "description": A_VIDEO}
        plain = _with(plain, "video", by_id, True)
        form = _with(form, "video", FILE, True)
    if image:
        given = {
            "type": "object",
            "description": A_PICTURE,
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
            document["webhooks"] = WEBHOOKS
            document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _describe_answers(call: str, responses: dict[str, Any]) -> None:
    """Say what a call answers with, and its errors."""
    responses.pop("422", None)
    schema = _ref(ANSWERS.get(call, "Video"))
    content = {kind: {"schema": MEDIA.get(kind, FILE)} for kind in FILES.get(call, ())}
    responses["200"]["content"] = content or {"application/json": {"schema": schema}}
    if call == "get /v1/videos/{video_id}/content":
        responses["206"] = {"description": "A part of the file.", "content": content}
    if not content and call not in ANSWERS:
        responses["200"]["headers"] = POLL
    error = {"application/json": {"schema": _ref("Error")}}
    for status, text in ERRORS.items():
        told = {"description": text, "content": error} | ({"headers": WAIT} if status == "429" else {})
        responses.setdefault(status, told)
