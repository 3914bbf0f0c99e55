"""What a request brings with it: who asks, ids, idempotency keys, the video or image to begin from.

source = await given_video(request, fields, asked)
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from reelworld.core.types import VideoShape
from reelworld.serve.asked import MOST_SECONDS, Asked, Board, id_of, parsed
from reelworld.serve.bodies import Sent, take_file
from reelworld.serve.desk import Desk, Source
from reelworld.serve.errors import ApiError, not_found
from reelworld.serve.tables import Job

IDEMPOTENCY = "idempotency-key"
ID = re.compile(r"(video|char)_[0-9a-f]{32}")


def desk_of(request: Request) -> Desk:
    """Return the desk of the application that is asked."""
    desk: Desk = request.app.state.desk
    return desk


def owner_of(request: Request) -> str:
    """Return who asks, as the gate found out."""
    owner: str = request.state.owner
    return owner


def known_id(identity: str, kind: str) -> str:
    """Return an id that can be one. Raises: ApiError."""
    if not ID.fullmatch(identity):
        raise not_found(kind)
    return identity


def job_of(request: Request, video_id: str) -> Job:
    """Return a job of whoever asks. Raises: ApiError."""
    job = desk_of(request).jobs.get(known_id(video_id, "video"), owner_of(request))
    if job is None:
        raise not_found("video")
    return job


def mark_of(operation: str, fields: dict[str, Any]) -> str:
    """Return what tells a request from others: what is made, and all that the body said."""

    def plain(value: Any) -> str:
        return hashlib.sha256(value.data).hexdigest() if isinstance(value, Sent) else str(value)

    text = json.dumps([operation, fields], sort_keys=True, default=plain)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def key_of(request: Request) -> str | None:
    """Return the idempotency key of a request. Raises: ApiError."""
    key = request.headers.get(IDEMPOTENCY)
    if key is not None and not 1 <= len(key) <= 255:
        raise ApiError(
            400, "an idempotency key has 1 to 255 characters", param=IDEMPOTENCY, code="invalid_value"
        )
    return key


async def _shape(request: Request, asked: Asked) -> VideoShape:
    """Return the native shape of the model that is asked for; the texts may tell which. Raises: ApiError."""
    return await run_in_threadpool(desk_of(request).shape, asked)


async def _loaded(
    request: Request, given: bytes | str, shape: VideoShape, most_seconds: float = MOST_SECONDS
) -> Source:
    """Return what a file, a data URL, or the video of an id shows. Raises: ApiError."""
    desk, owner = desk_of(request), owner_of(request)
    if isinstance(given, bytes) or given.startswith("data:"):
        return await desk.upload(owner, given, shape, most_seconds)
    return await run_in_threadpool(desk.source, known_id(given, "video"), owner)


async def given_video(request: Request, fields: dict[str, Any], asked: Asked) -> Source:
    """Return the video of a request: a file that was sent, or one of ours by id. Raises: ApiError."""
    shape, file = await _shape(request, asked), take_file(fields, "video", "file")
    given = file if file is not None else await run_in_threadpool(id_of, fields.get("video"))
    if not isinstance(given, bytes | str):
        raise ApiError(
            400, "give a video: a file, or the id of one", param="video", code="missing_required_parameter"
        )
    return await _loaded(request, given, shape)


async def shown(request: Request, asked: Board) -> list[Source]:
    """Return what the cards of a storyboard show; what several show is loaded once. Raises: ApiError."""
    shape = await _shape(request, asked)
    found: dict[tuple[str, float], Source] = {}
    shows = [
        (card.image or card.video or "", 1.0 / shape.fps if card.image else MOST_SECONDS)
        for card in asked.cards
        if card.image or card.video
    ]
    for given, most in shows:
        if (given, most) not in found:
            found[given, most] = await _loaded(request, given, shape, most)
    return [found[one] for one in shows]


async def given_image(request: Request, fields: dict[str, Any], asked: Asked) -> Source | None:
    """Return the image that a video should begin with, if one is given. Raises: ApiError."""
    shape = await _shape(request, asked)
    file = take_file(fields, "input_reference")
    given = file if file is not None else await run_in_threadpool(parsed, fields.get("input_reference"))
    if given in (None, ""):
        return None
    if isinstance(given, dict):
        given = given.get("image_url") or given.get("file_id") or given.get("id")
    if isinstance(given, str) and not (given.startswith("data:") or ID.fullmatch(given)):
        given = None
    if not isinstance(given, bytes | str):
        raise ApiError(400, "input_reference is a file, a data URL or the id of a video of yours",
                       param="input_reference", code="invalid_value")  # fmt: skip
    return await _loaded(request, given, shape, 1.0 / shape.fps)
