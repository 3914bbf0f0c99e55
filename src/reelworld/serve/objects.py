"""Jobs as the API tells of them: the hosted API's video object, and what is ours under "reelworld"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reelworld.core.types import VideoShape
from reelworld.serve.jobs import COMPLETED, FAILED
from reelworld.serve.tables import Character, Job

POLL_MS = 1000
EVENTS = {COMPLETED: "video.completed", FAILED: "video.failed"}  # by the status of a job
SHOWN = (
    "num_inference_steps", "guidance_scale", "negative_prompt", "strength", "length", "start", "end",
    "keep", "gap", "before", "curve", "num_frames", "seconds", "upsample", "expand", "size", "fps",
    "character_ids",
)  # fmt: skip


def video_object(job: Job) -> dict[str, Any]:
    """Return a job as an object "video"."""
    request, result = job.request, job.result or {}
    width, height = result.get("size") or request.get("size") or (256, 256)
    failed = job.status == FAILED
    return {
        "id": job.id,
        "object": "video",
        "model": request.get("model_asked") or request.get("model"),
        "status": job.status,
        "progress": job.progress,
        "created_at": int(job.created_at),
        "completed_at": _whole(job.completed_at if job.status == COMPLETED else None),
        "expires_at": _whole(job.expires_at),
        "prompt": request.get("prompt"),
        "seconds": _seconds(request, result),
        "size": f"{width}x{height}",
        "remixed_from_video_id": job.parent,
        "error": {"code": job.error_code, "message": job.error_message} if failed else None,
        "reelworld": _ours(job, request, result),
    }


def _ours(job: Job, request: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """Return what the hosted API's object has no place for."""
    return {
        "operation": job.operation,
        "model": request.get("model"),
        "seed": request.get("seed"),
        "expanded_prompt": result.get("expanded_prompt"),
        "notes": request.get("notes", []),
        "done": result.get("done", []),
        "num_frames": result.get("num_frames"),
        "fps": result.get("fps"),
        "previews": job.preview,
        "attempts": job.attempts,
        "parents": [told["id"] for told in (request.get("told") or {}).values() if "id" in told],
        "given": bool(request.get("image") or request.get("sources")),
        "characters": list(request.get("characters") or {}),
        "request": {name: request[name] for name in SHOWN if request.get(name) is not None} | _board(request),
    }


def _board(request: dict[str, Any]) -> dict[str, Any]:
    """Return a storyboard as it was asked for; cards show videos by id, and None for files that were sent."""
    board, told = request.get("board"), request.get("told") or {}
    if board is None:
        return {}

    def shown(name: str, value: Any) -> Any:
        return told.get(value, {}).get("id") if name in ("image", "video") else value

    cards = [{name: shown(name, value) for name, value in card.items()} for card in board["cards"]]
    return {"board": {"cards": cards, "duration": board.get("duration")}}


def _whole(time: float | None) -> int | None:
    return None if time is None else int(time)


def _seconds(request: dict[str, Any], result: dict[str, Any]) -> str:
    if result.get("num_frames"):
        return f"{result['num_frames'] / result['fps']:g}"
    return f"{request.get('expected_seconds') or request.get('seconds') or 0:g}"


def page_object(data: Sequence[dict[str, Any]], has_more: bool) -> dict[str, Any]:
    """Return a list of objects as the clients page through it."""
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {"object": "list", "data": list(data), "first_id": first, "last_id": last, "has_more": has_more}


def character_object(character: Character) -> dict[str, Any]:
    """Return a stored character."""
    about = {"id": character.id, "object": "character", "name": character.name}
    return {**about, "created_at": int(character.created_at)}


def model_object(name: str, shape: VideoShape, characters: bool, packaged: bool) -> dict[str, Any]:
    """Return a served model: what it makes by itself, if it knows characters and comes with the package."""
    about = {"id": name, "object": "model", "created": 0, "owned_by": "reelworld"}
    native = {"width": shape.width, "height": shape.height, "num_frames": shape.num_frames, "fps": shape.fps}
    knows = {"characters": characters, "packaged": packaged}
    return {**about, "native_shape": str(shape), "native": native, **knows}
