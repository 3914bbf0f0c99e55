"""The calls under /v1/videos: queue, follow, download, delete.

What makes a video reads the body, reads what it asks for, fetches what it begins from, and queues a job.
Handlers that touch the database or files run in threads; only what waits for others is async.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from reelworld.serve import asked as ask
from reelworld.serve.bodies import read_body
from reelworld.serve.desk import Desk, Source
from reelworld.serve.documents import body_of
from reelworld.serve.errors import ApiError, not_found, too_much
from reelworld.serve.given import (
    desk_of,
    given_image,
    given_video,
    job_of,
    key_of,
    known_id,
    mark_of,
    owner_of,
    shown,
)  # fmt: skip
from reelworld.serve.jobs import OVER
from reelworld.serve.objects import EVENTS, POLL_MS, page_object, video_object
from reelworld.serve.tables import Job

VARIANTS = {
    "video": ("video.mp4", "video/mp4"),
    "thumbnail": ("thumbnail.png", "image/png"),
    "spritesheet": ("spritesheet.png", "image/png"),
}
EVENT_SECONDS, PING_SECONDS = 0.5, 15.0  # between looks at a job, and signs of life where nothing changes
MOST_STREAMS = 50  # of events, of one owner

router = APIRouter(prefix="/v1/videos", tags=["videos"])
listeners: Counter[str] = Counter()  # open streams of events, by owner


# ---- what makes videos


@dataclass(frozen=True)
class Call(Generic[ask.Body]):
    """A request for a video: who asks for what, with which idempotency key and body."""

    desk: Desk
    owner: str
    operation: str
    key: str | None
    mark: str
    fields: dict[str, Any]
    asked: ask.Body

    @classmethod
    async def of(
        cls, request: Request, operation: str, model: type[ask.Body], about: str = ""
    ) -> Call[ask.Body]:
        """Read a request, in threads: it may be long; `about` is what its address says. Raises: ApiError."""
        key, fields = key_of(request), await read_body(request)
        mark = await run_in_threadpool(mark_of, f"{operation} {about}", fields)
        asked = await run_in_threadpool(ask.read, model, fields)
        return cls(desk_of(request), owner_of(request), operation, key, mark, fields, asked)

    async def before(self) -> Job | None:
        """Return the job of the same request, if it was made before: its source may be gone by now."""
        return await run_in_threadpool(self.desk.jobs.asked_before, self.owner, self.key, self.mark)

    async def source(self, name: str) -> Source:
        """Return a finished video of the owner's. Raises: ApiError."""
        return await run_in_threadpool(self.desk.source, known_id(name, "video"), self.owner)

    async def queue(self, asked: ask.Asked, **given: Any) -> JSONResponse:
        """Queue a job in a thread; return its video object, with when to ask again."""

        def queue() -> Job:
            return self.desk.queue(
                self.owner, self.operation, asked, idempotency_key=self.key, mark=self.mark, **given
            )

        return answer(await run_in_threadpool(queue))


def answer(job: Job) -> JSONResponse:
    """Return a video object; its header says when to ask again."""
    return JSONResponse(video_object(job), headers={"openai-poll-after-ms": str(POLL_MS)})


@router.post("", openapi_extra=body_of(ask.Create, image=True))
async def create(request: Request) -> Response:
    """Queue a video of a text, and of an image where one is given."""
    call = await Call.of(request, "generate", ask.Create)
    if (old := await call.before()) is not None:
        return answer(old)
    return await call.queue(call.asked, image=await given_image(request, call.fields, call.asked))


@router.post("/variations", openapi_extra=body_of(ask.Variations, image=True))
async def variations(request: Request) -> Response:
    """Queue several videos of one text, with seeds that follow each other."""
    call = await Call.of(request, "variations", ask.Variations)
    desk, asked, own = call.desk, call.asked, (call.key, call.mark)
    jobs = await run_in_threadpool(desk.queued_before, call.owner, asked.count, *own)
    if not jobs:
        image = await given_image(request, call.fields, asked)
        jobs = await run_in_threadpool(desk.queue_many, call.owner, asked, image, *own)
    return JSONResponse(page_object([video_object(job) for job in jobs], False))


async def _of_another(request: Request, operation: str, model: type[ask.Asked]) -> Response:
    """Queue a video of another one, which is sent or named."""
    call = await Call.of(request, operation, model)
    if (old := await call.before()) is not None:
        return answer(old)
    return await call.queue(call.asked, sources=[await given_video(request, call.fields, call.asked)])


@router.post("/edits", openapi_extra=body_of(ask.Remix, video=True))
async def edit(request: Request) -> Response:
    """Queue a video made anew after a text."""
    return await _of_another(request, "edit", ask.Remix)


@router.post("/extensions", openapi_extra=body_of(ask.Extend, video=True))
async def extend(request: Request) -> Response:
    """Queue a video that goes on, or begins earlier."""
    return await _of_another(request, "extend", ask.Extend)


@router.post("/loops", openapi_extra=body_of(ask.Loop, video=True))
async def loop(request: Request) -> Response:
    """Queue a video that leads back to its beginning."""
    return await _of_another(request, "loop", ask.Loop)


@router.post("/fills", openapi_extra=body_of(ask.Fill, video=True))
async def fill(request: Request) -> Response:
    """Queue a video of which a stretch is made anew."""
    return await _of_another(request, "fill", ask.Fill)


@router.post("/recuts", openapi_extra=body_of(ask.Recut, video=True))
async def recut(request: Request) -> Response:
    """Queue a video of parts of another one, with what leads from each to the next."""
    return await _of_another(request, "recut", ask.Recut)


async def _of_ours(call: Call[Any], *names: str) -> Response:
    """Queue a video of finished ones of the owner's; one that is named twice is loaded once."""
    if (old := await call.before()) is not None:
        return answer(old)
    found = {name: await call.source(name) for name in dict.fromkeys(names)}
    return await call.queue(call.asked, sources=[found[name] for name in names])


@router.post("/{video_id}/remix", openapi_extra=body_of(ask.Remix))
async def remix(request: Request, video_id: str) -> Response:
    """Queue a video like this one after another text."""
    return await _of_ours(await Call.of(request, "remix", ask.Remix, video_id), video_id)


@router.post("/blends", openapi_extra=body_of(ask.Blend))
async def blend(request: Request) -> Response:
    """Queue a video that goes from one of ours over into another."""
    call = await Call.of(request, "blend", ask.Blend)
    return await _of_ours(call, call.asked.first, call.asked.second)


@router.post("/storyboards", openapi_extra=body_of(ask.Board))
async def storyboard(request: Request) -> Response:
    """Queue a video of cards on a timeline."""
    call = await Call.of(request, "storyboard", ask.Board)
    asked = call.asked
    if (old := await call.before()) is not None:
        return answer(old)
    board = await run_in_threadpool(call.desk.board, asked)
    sources = await shown(request, asked)
    text = asked.prompt or " ".join(card.text for card in asked.cards if card.text)[: ask.MOST_PROMPT]
    return await call.queue(asked.model_copy(update={"prompt": text}), sources=sources, board=board)


# ---- what is made of them


@router.get("")
def list_videos(
    request: Request,
    after: Annotated[str | None, Query(description="The id with which the page before ended.")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="Videos of a page at most.")] = 20,
    order: Annotated[Literal["asc", "desc"], Query(description="The oldest or the newest first.")] = "desc",
) -> Response:
    """Return a page of videos."""
    jobs, owner, before = desk_of(request).jobs, owner_of(request), None
    if after is not None and (before := jobs.number(known_id(after, "video"), owner)) is None:
        raise not_found("video")
    page, more = jobs.page(owner, after=before, limit=limit, newest_first=order == "desc")
    return JSONResponse(page_object([video_object(job) for job in page], more))


@router.get("/{video_id}")
def retrieve(request: Request, video_id: str) -> Response:
    """Return a video object."""
    return answer(job_of(request, video_id))


@router.delete("/{video_id}")
def delete(request: Request, video_id: str) -> Response:
    """Delete a video in any state; what makes it stops."""
    job = job_of(request, video_id)
    desk_of(request).delete(job)
    return JSONResponse({"id": job.id, "deleted": True, "object": "video.deleted"})


@router.post("/{video_id}/cancel")
def cancel(request: Request, video_id: str) -> Response:
    """Stop a video that is queued or in progress; it becomes failed with the code "cancelled"."""
    job = desk_of(request).cancel(job_of(request, video_id))
    if job is None:
        raise not_found("video")
    return answer(job)


@router.get("/{video_id}/children")
def children(
    request: Request,
    video_id: str,
    limit: Annotated[int, Query(ge=1, le=100, description="So many at most.")] = 100,
) -> Response:
    """Return the videos that were made of this one."""
    job = job_of(request, video_id)
    found, more = desk_of(request).jobs.children(job.id, job.owner, limit)
    return JSONResponse(page_object([video_object(child) for child in found], more))


@router.head("/{video_id}/content", include_in_schema=False)
@router.get("/{video_id}/content")
def content(
    request: Request,
    video_id: str,
    variant: Annotated[
        Literal["video", "thumbnail", "spritesheet"], Query(description="Which file of it.")
    ] = "video",
) -> Response:
    """Return the file of a finished video."""
    desk = desk_of(request)
    job = desk.finished(known_id(video_id, "video"), owner_of(request))
    assert job.result is not None
    name, kind = VARIANTS[variant]
    return _file(desk.storage.get(f"{job.result['folder']}/{name}"), kind, f"{job.id}_{name}", request)


@router.get("/{video_id}/preview")
def preview(request: Request, video_id: str) -> Response:
    """Return what can be seen so far of a video that is being made."""
    job, storage = job_of(request, video_id), desk_of(request).storage
    if not job.preview or not storage.has(f"{job.id}/preview.png"):
        raise ApiError(404, "there is no preview yet", code="not_found")
    data, headers = storage.get(f"{job.id}/preview.png"), {"cache-control": "no-store"}
    return Response(data, media_type="image/png", headers=headers)


@router.get("/{video_id}/events")
async def events(request: Request, video_id: str) -> Response:
    """Tell of a video as it is made: server-sent events, until it is completed or failed."""
    job = await run_in_threadpool(job_of, request, video_id)
    if listeners[job.owner] >= MOST_STREAMS:
        raise too_much("too many streams of events are open")
    headers = {"cache-control": "no-store"}
    return StreamingResponse(_events(request, job), media_type="text/event-stream", headers=headers)


def _file(data: bytes, kind: str, name: str, request: Request) -> Response:
    """Return a file, or the part of it that is asked for: players seek by ranges."""
    headers = {
        "content-disposition": f'attachment; filename="{name}"', "accept-ranges": "bytes",
        "content-security-policy": "default-src 'none'; sandbox",
    }  # fmt: skip
    match = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", request.headers.get("range", ""))
    if match is None or not (match[1] or match[2]):
        return Response(data, media_type=kind, headers=headers)
    first = int(match[1]) if match[1] else max(0, len(data) - int(match[2]))
    last = min(int(match[2]), len(data) - 1) if match[1] and match[2] else len(data) - 1
    if first > last:
        there = {"content-range": f"bytes */{len(data)}"}
        raise ApiError(416, "the file has no such part", code="invalid_range", headers=there)
    headers["content-range"] = f"bytes {first}-{last}/{len(data)}"
    return Response(data[first : last + 1], 206, media_type=kind, headers=headers)


async def _events(request: Request, job: Job) -> AsyncIterator[str]:
    """Yield an event whenever something changed, a preview's address where there is a new one."""
    jobs, owner, told, shown, last = desk_of(request).jobs, job.owner, None, 0, time.monotonic()
    listeners[owner] += 1
    try:
        while not await request.is_disconnected():
            seen = await run_in_threadpool(jobs.get, job.id, owner)
            if seen is None:
                yield _event("video.deleted", {"id": job.id})
                return
            if seen.preview not in (0, shown) and seen.status not in OVER:
                shown = seen.preview
                place = f"/v1/videos/{job.id}/preview"
                yield _event("video.preview", {"id": job.id, "number": shown, "url": place})
            now = (seen.status, seen.progress, seen.preview)
            if now != told:
                yield _event(EVENTS.get(seen.status, "video.progress"), video_object(seen))
                told, last = now, time.monotonic()
            elif time.monotonic() - last > PING_SECONDS:
                last = time.monotonic()
                yield ": still there\n\n"
            if seen.status in OVER:
                return
            await asyncio.sleep(EVENT_SECONDS)
    finally:
        listeners[owner] -= 1


def _event(name: str, data: dict[str, object]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
