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

from reelworld.serve.asked import MOST_SECONDS, Asked, BoardCard, id_of
from reelworld.serve.bodies import Sent, take_file
from reelworld.serve.desk import Desk, Source
from reelworld.serve.errors import ApiError, not_found
from reelworld.serve.tables import Job
from reelworld.serve.uploads import from_data_url

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


async def given_video(request: Request, fields: dict[str, Any], asked: Asked) -> Source:
    """Return the video of a request: a file that was sent, or one of ours by id. Raises: ApiError."""
    desk = desk_of(request)
    shape = desk.shape(asked)
    file = take_file(fields, "video", "file")
    if file is not None:
        return await desk.upload(file, shape)
    given = id_of(fields.get("video"))
    if isinstance(given, str) and given.startswith("data:"):
        return await desk.upload(from_data_url(given), shape)
    if not isinstance(given, str):
        raise ApiError(
            400, "give a video: a file, or the id of one", param="video", code="missing_required_parameter"
        )
    return await run_in_threadpool(desk.source, known_id(given, "video"), owner_of(request))


async def shown(request: Request, card: BoardCard, asked: Asked) -> Source:
    """Return the image or video that a card of a storyboard shows. Raises: ApiError."""
    desk, given = desk_of(request), card.image or card.video or ""
    shape = desk.shape(asked)
    if given.startswith("data:"):
        most = MOST_SECONDS if card.image is None else 1.0 / shape.fps
        return await desk.upload(from_data_url(given), shape, most)
    return await run_in_threadpool(desk.source, known_id(given, "video"), owner_of(request))


async def given_image(request: Request, fields: dict[str, Any], asked: Asked) -> Source | None:
    """Return the image that a video should begin with, if one is given. Raises: ApiError."""
    desk = desk_of(request)
    shape = desk.shape(asked)
    file = take_file(fields, "input_reference")
    if file is not None:
        return await desk.upload(file, shape, 1.0 / shape.fps)
    given = fields.get("input_reference")
    if given in (None, ""):
        return None
    if isinstance(given, str) and given.startswith("{"):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            given = None
    url = given.get("image_url") if isinstance(given, dict) else given
    if isinstance(url, str) and url.startswith("data:"):
        return await desk.upload(from_data_url(url), shape, 1.0 / shape.fps)
    ours = (given.get("file_id") or given.get("id")) if isinstance(given, dict) else given
    if isinstance(ours, str) and ID.fullmatch(ours):
        return await run_in_threadpool(desk.source, ours, owner_of(request))
    raise ApiError(400, "input_reference is a file, a data URL or the id of a video of yours",
                   param="input_reference", code="invalid_value")  # fmt: skip
