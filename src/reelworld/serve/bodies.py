"""Bodies of requests: JSON, forms and multipart, read into one dictionary; uploads are `Sent`.

    fields = await read_body(request)            # {"prompt": "...", "video": {"id": "..."}}

`video[id]` in a form is {"video": {"id": ...}}; the size of the body was bounded before (`gate`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from reelworld.serve.errors import ApiError

MOST_TEXT = 1 << 30  # of a field, which may be a picture's data URL: the gate bounds the whole
MOST_FIELDS, MOST_FILES, MOST_DEPTH = 200, 4, 8
MOST_PLAIN, MOST_PARTS = 1 << 20, 10_000  # characters of JSON of any kind, and lists and items in longer one
BRACKETED = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)")


@dataclass(frozen=True)
class Sent:
    """A file that was sent; the body that held it was bounded."""

    data: bytes


async def read_body(request: Request) -> dict[str, Any]:
    """Return the fields of a request. Raises: ApiError for what cannot be read."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("multipart/form-data", "application/x-www-form-urlencoded"):
        return await _form(request)
    if kind not in ("application/json", ""):
        raise ApiError(
            400, f"{kind} is not read here; send JSON or a multipart form", code="unsupported_media_type"
        )
    return await run_in_threadpool(_json, await request.body())


def read_json(text: str) -> Any:
    """Read JSON. What is long is so by its strings: millions of small things take seconds and gigabytes.

    Raises: ValueError.
    """
    if len(text) > MOST_PLAIN and sum(map(text.count, "[{,")) > MOST_PARTS:
        raise ValueError(f"more than {MOST_PARTS} things")
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _json(data: bytes) -> dict[str, Any]:
    try:
        fields = read_json(data.decode(json.detect_encoding(data), "surrogatepass") or "{}")
    except ValueError as error:
        raise ApiError(400, "the body is no JSON that can be read", code="invalid_json") from error
    if not isinstance(fields, dict):
        raise ApiError(400, "the body must be a JSON object", code="invalid_json")
    return fields


async def _form(request: Request) -> dict[str, Any]:
    try:
        form = await request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS, max_part_size=MOST_TEXT)
    except (HTTPException, ValueError, AssertionError, KeyError) as error:
        raise ApiError(400, "the form cannot be read", code="invalid_form") from error
    fields: dict[str, Any] = {}
    try:
        for name, value in form.multi_items():
            if not isinstance(value, UploadFile):
                _place(fields, name, value)
            elif data := await value.read():  # clients send an empty file beside an id
                _place(fields, name, Sent(data))
    finally:
        await form.close()
    return fields


def _place(fields: dict[str, Any], name: str, value: Any) -> None:
    """Put a value where its name says: "a[b][c]" into nested objects, "a[]" and "a[][b]" into lists."""
    match = BRACKETED.fullmatch(name)
    path = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])] if match else [name]
    if len(path) > MOST_DEPTH:
        raise ApiError(400, f"{name[:80]!a} is nested too deeply", code="invalid_form")
    try:
        _put(fields, path, value)
    except (AttributeError, TypeError, KeyError) as error:
        raise ApiError(400, f"{name[:80]!a} contradicts another field", code="invalid_form") from error


def _put(there: Any, path: list[str], value: Any) -> None:
    """Put a value at a path of names, "" for an item of a list, which is a new one where it has the key."""
    part, *rest = path
    if part == "":
        if not rest:
            there.append(value)
            return
        if not (there and isinstance(there[-1], dict) and rest[0] not in there[-1]):
            there.append({})
        _put(there[-1], rest, value)
    elif not rest:
        there.update({part: value})
    else:
        _put(there.setdefault(part, [] if rest[0] == "" else {}), rest, value)


def take_file(fields: dict[str, Any], *names: str) -> bytes | None:
    """Take the file that was sent out of the fields that may hold it."""
    for name in names:
        if isinstance(fields.get(name), Sent):
            sent: Sent = fields.pop(name)
            return sent.data
    return None
