"""The calls that tell of the server itself: models and their words, health, metrics, the studio's page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from reelworld.generate.cards import told_in_full
from reelworld.serve.asked import MOST_PROMPT
from reelworld.serve.desk import ALIASES, Desk
from reelworld.serve.errors import ApiError, not_found
from reelworld.serve.given import desk_of
from reelworld.serve.jobs import COMPLETED, FAILED, QUEUED, RUNNING
from reelworld.serve.objects import model_object

STUDIO = Path(__file__).parent / "studio"

router = APIRouter(tags=["service"])


def _served(desk: Desk, model: str, text: str = "") -> str:
    """Return the name of the model that an address names. Raises: ApiError, 404 where there is none."""
    try:
        return desk.model(model, text)[0]
    except ApiError as error:
        raise not_found("model") from error


def _object(desk: Desk, name: str) -> dict[str, Any]:
    return model_object(name, desk.shapes[name], desk.knows_characters(name), name in desk.packaged)


@router.get("/v1/models")
def models(request: Request) -> Response:
    """Return the models that are served, and names that stand for whichever reads a prompt best."""
    desk = desk_of(request)
    data = [_object(desk, name) for name in desk.shapes]
    return JSONResponse({"object": "list", "data": data, "aliases": ALIASES})


@router.get("/v1/models/{model}")
def model(request: Request, model: str) -> Response:
    """Return one model."""
    desk = desk_of(request)
    name = _served(desk, model)
    return JSONResponse(_object(desk, name))


@router.get("/v1/models/{model}/words")
def words(request: Request, model: str, text: Annotated[str, Query(max_length=MOST_PROMPT)]) -> Response:
    """Return the words of a text that a model never learnt, with known ones spelt alike."""
    desk = desk_of(request)
    name = _served(desk, model, text)
    strange = desk.readers[name].tokenizer.unknown_words(text)
    unknown = [{"word": word, "nearest": near} for word, near in strange]
    return JSONResponse({"object": "words", "model": name, "unknown": unknown})


@router.get("/v1/models/{model}/expansion")
def expansion(
    request: Request,
    model: str,
    text: Annotated[str, Query(min_length=1, max_length=MOST_PROMPT)],
    seed: Annotated[int, Query(ge=0, le=2**53)] = 0,
) -> Response:
    """Return a short prompt told in full, as a job of this seed would tell it; or why it stays as it is."""
    desk = desk_of(request)
    name = _served(desk, model, text)
    told, why = told_in_full(text, seed, desk.cards[name])
    return JSONResponse({"object": "expansion", "model": name, "text": told, "why": why})


@router.get("/", include_in_schema=False)
def studio() -> Response:
    """Return the studio's page."""
    return FileResponse(STUDIO / "index.html", headers={"cache-control": "no-cache"})


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
def healthz(request: Request) -> Response:
    """Say that the server answers and its database too."""
    desk_of(request).jobs.ping()
    return JSONResponse({"status": "ok"})


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """Return figures for Prometheus: the queue's, for all owners, and this server's requests."""
    table, registry = desk_of(request).jobs, CollectorRegistry()
    counts = table.counts()
    jobs = Gauge("reelworld_jobs", "Jobs by status.", ["status"], registry=registry)
    for status in (QUEUED, RUNNING, COMPLETED, FAILED):
        jobs.labels(status).set(counts.get(status, 0))
    oldest = Gauge("reelworld_oldest_queued_seconds", "Wait of the oldest queued job.", registry=registry)
    oldest.set(table.oldest_queued())
    latest = Gauge("reelworld_job_seconds", "Mean work on the latest completed jobs.", registry=registry)
    latest.set(table.mean_seconds())
    own: CollectorRegistry = request.app.state.metrics
    return Response(generate_latest(registry) + generate_latest(own), media_type=CONTENT_TYPE_LATEST)
