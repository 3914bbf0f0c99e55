"""The application: the API's calls behind the gate, and every error in the API's own format.

app = build(Desk(jobs, storage, {"nano": None}), Keys(engine), Rules())
uvicorn.run(app)
"""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException

from reelworld.core.errors import ReelWorldError, StorageError
from reelworld.core.version import __version__
from reelworld.serve import characters, service, videos
from reelworld.serve.desk import Desk
from reelworld.serve.documents import describe
from reelworld.serve.errors import AWAY, ApiError, no_storage
from reelworld.serve.gate import Gate, Keys, Rules
from reelworld.serve.jobs import KeyReused, QueueFull
from reelworld.serve.metrics import Counting


def build(desk: Desk, keys: Keys, rules: Rules) -> FastAPI:
    """Return the application."""
    app = FastAPI(title="ReelWorld", version=__version__, docs_url=None, redoc_url=None)
    app.state.desk, app.state.metrics = desk, CollectorRegistry()
    for part in (characters, videos, service):  # "characters" before any id of a video
        app.include_router(part.router)
    app.mount("/studio", StaticFiles(directory=service.STUDIO), name="studio")
    app.add_middleware(Gate, rules=rules, keys=keys)
    app.add_middleware(Counting, registry=app.state.metrics)
    for kind in (ReelWorldError, *AWAY):
        app.add_exception_handler(kind, _told)
    app.add_exception_handler(HTTPException, _routing)
    app.add_exception_handler(RequestValidationError, _invalid)
    describe(app)
    return app


async def _told(_: Request, error: Exception) -> Response:
    if isinstance(error, ApiError):
        return error.response()
    if isinstance(error, QueueFull):
        return ApiError(429, str(error), code="queue_full", headers={"retry-after": "10"}).response()
    if isinstance(error, KeyReused):
        return ApiError(400, str(error), code="idempotency_key_reused").response()
    if isinstance(error, (StorageError, *AWAY)):
        return no_storage().response()
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
