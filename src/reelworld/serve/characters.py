"""The calls under /v1/videos/characters: store, list, forget those whom prompts call by name."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from reelworld.serve import asked as ask
from reelworld.serve.bodies import read_body
from reelworld.serve.documents import body_of
from reelworld.serve.given import desk_of, given_video, known_id, owner_of
from reelworld.serve.objects import character_object, page_object
from reelworld.serve.tables import Character

router = APIRouter(prefix="/v1/videos/characters", tags=["characters"])


def character_of(request: Request, character_id: str) -> Character:
    """Return a character of whoever asks. Raises: ApiError."""
    return desk_of(request).shelf.get(known_id(character_id, "character"), owner_of(request))


@router.post("", openapi_extra=body_of(ask.Character, video=True))
async def create(request: Request) -> Response:
    """Store a character by a video or image of it."""
    fields = await read_body(request)
    asked = await run_in_threadpool(ask.read, ask.Character, fields)
    source = await given_video(request, fields, ask.Asked(prompt=asked.name))
    add, owner = desk_of(request).shelf.add, owner_of(request)
    return JSONResponse(character_object(await run_in_threadpool(add, owner, asked.name, source.frames)))


@router.get("")
def list_characters(request: Request) -> Response:
    """Return all stored characters."""
    found = desk_of(request).shelf.all_of(owner_of(request))
    return JSONResponse(page_object([character_object(character) for character in found], False))


@router.get("/{character_id}")
def retrieve(request: Request, character_id: str) -> Response:
    """Return a stored character."""
    return JSONResponse(character_object(character_of(request, character_id)))


@router.delete("/{character_id}")
def delete(request: Request, character_id: str) -> Response:
    """Forget a character; videos with it stay."""
    character = character_of(request, character_id)
    desk_of(request).shelf.forget(character)
    return JSONResponse({"id": character.id, "deleted": True, "object": "character.deleted"})
