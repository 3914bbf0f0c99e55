"""The API: the hosted Videos API's calls, and those of a studio of one's own.

    app = build(Desk(jobs, storage, {"nano": None}), Keys(engine), Rules())
    uvicorn.run(app)

Handlers that touch the database or files run in threads; only what waits for others is async.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from reelworld import __version__
from reelworld.core.errors import ReelWorldError, StorageError
from reelworld.serve import asked as ask
from reelworld.serve.bodies import read_body, take_file
from reelworld.serve.desk import Desk, Source
from reelworld.serve.documents import body_of, describe
from reelworld.serve.errors import ApiError, not_found
from reelworld.serve.gate import Gate, Keys, Rules
from reelworld.serve.jobs import COMPLETED, FAILED
from reelworld.serve.objects import POLL_MS, character_object, page_object, video_object
from reelworld.serve.tables import Job
from reelworld.serve.uploads import from_data_url

VARIANTS = {
    "video": ("video.mp4", "video/mp4"),
    "thumbnail": ("thumbnail.png", "image/png"),
    "spritesheet": ("spritesheet.png", "image/png"),
}
EVENT_SECONDS = 0.5
EVENTS = {COMPLETED: "video.completed", FAILED: "video.failed"}
MOST_STREAMS = 50  # of events, of one owner
STUDIO = Path(__file__).parent / "studio"
IDEMPOTENCY = "idempotency-key"
ID = re.compile(r"(video|char)_[0-9a-f]{32}")


def build(desk: Desk, keys: Keys, rules: Rules) -> FastAPI:
    """Return the application."""
    app = FastAPI(title="ReelWorld", version=__version__, docs_url=None, redoc_url=None)
    app.include_router(_videos(desk))
    app.include_router(_service(desk))
    app.mount("/studio", StaticFiles(directory=STUDIO), name="studio")
    app.add_middleware(Gate, rules=rules, keys=keys)
    app.add_exception_handler(ReelWorldError, _told)
    app.add_exception_handler(HTTPException, _routing)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unforeseen)
    describe(app)
    return app


async def _told(_: Request, error: Exception) -> Response:
    if isinstance(error, ApiError):
        return error.response()
    if isinstance(error, StorageError):
        return ApiError(503, "the server cannot store or read files now", code="storage_error").response()
    return ApiError(400, str(error), code="invalid_value").response()


async def _routing(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = {404: "there is nothing at this address", 405: "this method is not answered here"}
    text = told.get(error.status_code, "the request cannot be answered")
    return ApiError(error.status_code, text, code="unknown_url", headers=error.headers).response()


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = str(first["loc"][-1])
    return ApiError(400, f"{place}: {first['msg']}", param=place, code="invalid_value").response()


async def _unforeseen(_: Request, error: Exception) -> Response:
    return ApiError(500, "something went wrong; the server's log says what", code="internal_error").response()


def _owner(request: Request) -> str:
    owner: str = request.state.owner
    return owner


def _known(identity: str, kind: str) -> str:
    """Return an id that can be one. Raises: ApiError."""
    if not ID.fullmatch(identity):
        raise not_found(kind)
    return identity


def _answer(job: Job) -> JSONResponse:
    """Return a video object; its header says when to ask again."""
    return JSONResponse(video_object(job), headers={"openai-poll-after-ms": str(POLL_MS)})


def _key(request: Request) -> str | None:
    key = request.headers.get(IDEMPOTENCY)
    if key is not None and not 1 <= len(key) <= 255:
        raise ApiError(
            400, "an idempotency key has 1 to 255 characters", param=IDEMPOTENCY, code="invalid_value"
        )
    return key


async def _source(desk: Desk, owner: str, fields: dict[str, Any], shape_of: ask.Asked) -> Source:
    """Return the video of a request: a file that was sent, or one of ours by id. Raises: ApiError."""
    shape = desk.shape(shape_of)
    file = take_file(fields, "video", "file")
    if file is not None:
        return await desk.upload(file, shape)
    given = fields.get("video")
    given = given.get("id") if isinstance(given, dict) else given
    if isinstance(given, str) and given.startswith("data:"):
        return await desk.upload(from_data_url(given), shape)
    if not isinstance(given, str):
        raise ApiError(
            400, "give a video: a file, or the id of one", param="video", code="missing_required_parameter"
        )
    return await run_in_threadpool(desk.source, _known(given, "video"), owner)


async def _image(desk: Desk, owner: str, fields: dict[str, Any], shape_of: ask.Asked) -> Source | None:
    """Return the image that a video should begin with, if one is given. Raises: ApiError."""
    shape = desk.shape(shape_of)
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
    if isinstance(given, dict) and isinstance(given.get("file_id"), str):
        return await run_in_threadpool(desk.source, _known(given["file_id"], "video"), owner)
    raise ApiError(400, "input_reference is a file, a data URL or the id of a video of yours",
                   param="input_reference", code="invalid_value")  # fmt: skip


def _videos(desk: Desk) -> APIRouter:
    """Return the calls of the hosted API, and their kin."""
    router = APIRouter(prefix="/v1/videos", tags=["videos"])
    listeners: Counter[str] = Counter()

    def making(path: str, operation: str, model: type[ask.Asked]) -> None:
        """Add a call that makes a video of another one."""

        async def handler(request: Request) -> Response:
            fields = await read_body(request)
            asked = ask.read(model, fields)
            source = await _source(desk, _owner(request), fields, asked)
            queue = lambda: desk.queue(  # noqa: E731
                _owner(request), operation, asked, sources=[source], idempotency_key=_key(request)
            )
            return _answer(await run_in_threadpool(queue))

        handler.__doc__ = f"Queue: {model.__doc__}"
        router.post(path, name=operation, openapi_extra=body_of(model, video=True))(handler)

    for path, operation, model in (
        ("/edits", "edit", ask.Remix), ("/extensions", "extend", ask.Extend), ("/loops", "loop", ask.Loop),
        ("/fills", "fill", ask.Fill),
    ):  # fmt: skip
        making(path, operation, model)

    @router.post("", openapi_extra=body_of(ask.Create, image=True))
    async def create(request: Request) -> Response:
        """Queue a video of a text, and of an image where one is given."""
        fields = await read_body(request)
        asked = ask.read(ask.Create, fields)
        image = await _image(desk, _owner(request), fields, asked)
        queue = lambda: desk.queue(  # noqa: E731
            _owner(request), "generate", asked, image=image, idempotency_key=_key(request)
        )
        return _answer(await run_in_threadpool(queue))

    @router.post("/variations", openapi_extra=body_of(ask.Variations, image=True))
    async def variations(request: Request) -> Response:
        """Queue several videos of one text, with seeds that follow each other."""
        fields = await read_body(request)
        asked = ask.read(ask.Variations, fields)
        image = await _image(desk, _owner(request), fields, asked)
        jobs = await run_in_threadpool(desk.queue_many, _owner(request), asked, image, _key(request))
        return JSONResponse(page_object([video_object(job) for job in jobs], False))

    @router.post("/blends", openapi_extra=body_of(ask.Blend))
    async def blend(request: Request) -> Response:
        """Queue a video that goes from one of ours over into another."""
        asked = ask.read(ask.Blend, await read_body(request))

        def queue() -> Job:
            sources = [desk.source(name, _owner(request)) for name in (asked.first, asked.second)]
            return desk.queue(_owner(request), "blend", asked, sources=sources, idempotency_key=_key(request))

        return _answer(await run_in_threadpool(queue))

    @router.post("/storyboards", openapi_extra=body_of(ask.Board))
    async def storyboard(request: Request) -> Response:
        """Queue a video of cards on a timeline."""
        asked = ask.read(ask.Board, await read_body(request))

        def queue() -> Job:
            owner, key = _owner(request), _key(request)
            board, sources = desk.board(asked, owner)
            text = asked.prompt or " ".join(card.text for card in asked.cards)[: ask.MOST_PROMPT]
            told = asked.model_copy(update={"prompt": text})
            return desk.queue(owner, "storyboard", told, sources=sources, board=board, idempotency_key=key)

        return _answer(await run_in_threadpool(queue))

    @router.post("/characters", openapi_extra=body_of(ask.Character, video=True))
    async def create_character(request: Request) -> Response:
        """Store a character by a video or image of it."""
        fields = await read_body(request)
        asked = ask.read(ask.Character, fields)
        plain = ask.Asked(prompt=asked.name)
        source = await _source(desk, _owner(request), fields, plain)
        character = await run_in_threadpool(desk.add_character, _owner(request), asked.name, source)
        return JSONResponse(character_object(character))

    @router.get("/characters")
    def list_characters(request: Request) -> Response:
        """Return all stored characters."""
        found = desk.characters(_owner(request))
        return JSONResponse(page_object([character_object(character) for character in found], False))

    @router.delete("/characters/{character_id}")
    def delete_character(request: Request, character_id: str) -> Response:
        """Forget a character."""
        character = desk.character(_known(character_id, "character"), _owner(request))
        desk.forget(character)
        return JSONResponse({"id": character.id, "deleted": True, "object": "character.deleted"})

    @router.get("/characters/{character_id}")
    def get_character(request: Request, character_id: str) -> Response:
        """Return a stored character."""
        return JSONResponse(
            character_object(desk.character(_known(character_id, "character"), _owner(request)))
        )

    @router.get("")
    def list_videos(
        request: Request,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        order: Literal["asc", "desc"] = "desc",
    ) -> Response:
        """Return a page of videos."""
        owner, before = _owner(request), None
        if after is not None and (before := desk.jobs.get(_known(after, "video"), owner)) is None:
            raise not_found("video")
        jobs, more = desk.jobs.page(owner, after=before, limit=limit, newest_first=order == "desc")
        return JSONResponse(page_object([video_object(job) for job in jobs], more))

    @router.get("/{video_id}")
    def retrieve(request: Request, video_id: str) -> Response:
        """Return a video object."""
        return _answer(_job(desk, request, video_id))

    @router.delete("/{video_id}")
    def delete(request: Request, video_id: str) -> Response:
        """Delete a video in any state; what makes it stops."""
        job = _job(desk, request, video_id)
        desk.delete(job)
        return JSONResponse({"id": job.id, "deleted": True, "object": "video.deleted"})

    @router.post("/{video_id}/cancel")
    def cancel(request: Request, video_id: str) -> Response:
        """Stop a video that is queued or in progress; it becomes failed with the code "cancelled"."""
        job = _job(desk, request, video_id)
        desk.jobs.cancel(job.id, _owner(request))
        return _answer(_job(desk, request, video_id))

    @router.post("/{video_id}/remix", openapi_extra=body_of(ask.Remix))
    async def remix(request: Request, video_id: str) -> Response:
        """Queue a video like this one after another text."""
        fields = await read_body(request)
        asked = ask.read(ask.Remix, fields)

        def queue() -> Job:
            source = desk.source(_known(video_id, "video"), _owner(request))
            return desk.queue(
                _owner(request), "remix", asked, sources=[source], idempotency_key=_key(request)
            )

        return _answer(await run_in_threadpool(queue))

    @router.get("/{video_id}/children")
    def children(request: Request, video_id: str) -> Response:
        """Return the videos that were made of this one."""
        job = _job(desk, request, video_id)
        found = desk.jobs.children(job.id, _owner(request))
        return JSONResponse(page_object([video_object(child) for child in found], False))

    @router.get("/{video_id}/content")
    def content(
        request: Request, video_id: str, variant: Literal["video", "thumbnail", "spritesheet"] = "video"
    ) -> Response:
        """Return the file of a finished video."""
        job = desk.finished(_known(video_id, "video"), _owner(request))
        assert job.result is not None
        name, kind = VARIANTS[variant]
        return _file(desk.storage.get(f"{job.result['folder']}/{name}"), kind, f"{job.id}_{name}", request)

    @router.get("/{video_id}/preview")
    def preview(request: Request, video_id: str) -> Response:
        """Return what can be seen so far of a video that is being made."""
        job = _job(desk, request, video_id)
        if not job.preview or not desk.storage.has(f"{job.id}/preview.png"):
            raise ApiError(404, "there is no preview yet", code="not_found")
        return Response(desk.storage.get(f"{job.id}/preview.png"), media_type="image/png",
                        headers={"cache-control": "no-store"})  # fmt: skip

    @router.get("/{video_id}/events")
    async def events(request: Request, video_id: str) -> Response:
        """Tell of a video as it is made: server-sent events, until it is completed or failed."""
        job, owner = await run_in_threadpool(_job, desk, request, video_id), _owner(request)
        if listeners[owner] >= MOST_STREAMS:
            raise ApiError(429, "too many streams of events are open", code="rate_limit",
                           headers={"retry-after": "5"})  # fmt: skip
        return StreamingResponse(
            _events(desk, request, job.id, listeners), media_type="text/event-stream",
            headers={"cache-control": "no-store"},
        )  # fmt: skip

    return router


def _job(desk: Desk, request: Request, video_id: str) -> Job:
    """Return a job of whoever asks. Raises: ApiError."""
    job = desk.jobs.get(_known(video_id, "video"), _owner(request))
    if job is None:
        raise not_found("video")
    return job


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
        return Response(status_code=416, headers={"content-range": f"bytes */{len(data)}"})
    headers["content-range"] = f"bytes {first}-{last}/{len(data)}"
    return Response(data[first : last + 1], 206, media_type=kind, headers=headers)


async def _events(desk: Desk, request: Request, job_id: str, listeners: Counter[str]) -> AsyncIterator[str]:
    """Yield an event whenever something changed; `listeners` counts open streams by owner."""
    owner, told = _owner(request), None
    listeners[owner] += 1
    try:
        while not await request.is_disconnected():
            job = await run_in_threadpool(desk.jobs.get, job_id, owner)
            if job is None:
                yield _event("video.deleted", {"id": job_id})
                return
            now = (job.status, job.progress, job.preview)
            if now != told:
                yield _event(EVENTS.get(job.status, "video.progress"), video_object(job))
                told = now
            if job.status in (COMPLETED, FAILED):
                return
            await asyncio.sleep(EVENT_SECONDS)
    finally:
        listeners[owner] -= 1


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def _service(desk: Desk) -> APIRouter:
    """Return what tells of the server itself."""
    router, registry = APIRouter(tags=["service"]), CollectorRegistry()
    jobs = Gauge("reelworld_jobs", "Jobs by status.", ["status"], registry=registry)

    @router.get("/v1/models")
    def models() -> Response:
        """Return the models that are served."""
        data = [_model(name, str(shape)) for name, shape in desk.shapes.items()]
        return JSONResponse({"object": "list", "data": data})

    @router.get("/v1/models/{model}")
    def model(model: str) -> Response:
        """Return one model."""
        name, _ = desk.model(model)
        return JSONResponse(_model(name, str(desk.shapes[name])))

    @router.get("/v1/models/{model}/words")
    def words(model: str, text: Annotated[str, Query(max_length=ask.MOST_PROMPT)]) -> Response:
        """Return the words of a text that a model never learnt, with known ones spelt alike."""
        name, _ = desk.model(model)
        unknown = [{"word": word, "nearest": near} for word, near in desk.tokenizer(name).unknown_words(text)]
        return JSONResponse({"object": "words", "model": name, "unknown": unknown})

    @router.get("/", include_in_schema=False)
    def studio() -> Response:
        """Return the studio's page."""
        return FileResponse(STUDIO / "index.html", headers={"cache-control": "no-cache"})

    @router.get("/healthz")
    def healthz() -> Response:
        """Say that the server answers and its database too."""
        desk.jobs.counts()
        return JSONResponse({"status": "ok"})

    @router.get("/metrics")
    def metrics() -> Response:
        """Return figures for Prometheus."""
        counts = desk.jobs.counts()
        for status in ("queued", "in_progress", COMPLETED, FAILED):
            jobs.labels(status).set(counts.get(status, 0))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router


def _model(name: str, shape: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "reelworld", "native_shape": shape}
