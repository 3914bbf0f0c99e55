"""From a request to a job in the queue: models, sizes, sources, characters, idempotency.

Everything that can be wrong with a request is told here, before it waits in the queue.
"""

from __future__ import annotations

import hashlib
import io
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from reelworld.core.checkpoint import read_card
from reelworld.core.config import from_json
from reelworld.core.errors import ConfigError
from reelworld.core.types import Frames, VideoShape
from reelworld.generate.casting import mentioned
from reelworld.generate.pipeline import default_weights, native_shape
from reelworld.generate.storyboard import Storyboard
from reelworld.models.text import Tokenizer
from reelworld.serve.asked import MOST_SECONDS, Asked, check_amount, size_of
from reelworld.serve.errors import ApiError, not_found, not_ready
from reelworld.serve.jobs import COMPLETED, Jobs, KeyReused, QueueFull, fingerprint, new_id
from reelworld.serve.storage import Storage
from reelworld.serve.tables import Job, Upload
from reelworld.serve.uploads import Decoder

ALIASES = ("sora-2", "sora-2-pro")  # of the hosted API; served by the first model, with a note
MOST_OPEN = 100  # unfinished jobs of one owner


@dataclass(frozen=True)
class Source:
    """A video or image that a job begins from: stored frames, and whose they were."""

    file: str
    parent: str | None
    mark: str  # that tells it from others, for idempotency


class Desk:
    """Takes requests in, for the models that are served."""

    def __init__(self, jobs: Jobs, storage: Storage, weights: Mapping[str, Path | None]) -> None:
        self.jobs, self.storage, self.decoder = jobs, storage, Decoder()
        cards = {name: read_card(path or default_weights()) for name, path in weights.items()}
        self.shapes = {name: native_shape(card) for name, card in cards.items()}
        self.tokenizers = {name: Tokenizer.from_json(card["tokenizer"]) for name, card in cards.items()}

    def model(self, asked: str | None) -> tuple[str, list[str]]:
        """Return the model that serves a name, and notes on it. Raises: ApiError."""
        default = next(iter(self.shapes))
        if asked is None:
            return default, []
        if asked in ALIASES:
            return default, [f"{asked} is not served by anybody any more; {default} made this video"]
        if asked not in self.shapes:
            known = ", ".join((*self.shapes, *ALIASES))
            raise ApiError(400, f"there is no model {asked[:64]}; there is {known}", param="model",
                           code="model_not_found")  # fmt: skip
        return asked, []

    def tokenizer(self, name: str) -> Tokenizer:
        """Return what reads the prompts of a model."""
        return self.tokenizers[name]

    def shape(self, asked: Asked) -> VideoShape:
        """Return the native shape of the model that a request asks for."""
        return self.shapes[self.model(asked.model)[0]]

    def queue(
        self,
        owner: str,
        operation: str,
        asked: Asked,
        *,
        sources: Sequence[Source] = (),
        image: Source | None = None,
        idempotency_key: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Job:
        """Queue a job. Raises: ApiError."""
        request = self._request(owner, asked, operation)
        request |= {"sources": [source.file for source in sources], **(extra or {})}
        request["image"] = image.file if image is not None else None
        given = [*sources, *([image] if image is not None else [])]
        told = {name: value for name, value in request.items() if name not in ("sources", "image")}
        if asked.seed is None:
            told.pop("seed")
        mark = fingerprint(operation, {**told, "given": [source.mark for source in given]})
        parent = next((source.parent for source in given if source.parent is not None), None)
        try:
            return self.jobs.add(
                owner=owner, operation=operation, request=request, parent=parent, most_open=MOST_OPEN,
                idempotency_key=idempotency_key, print_of=mark,
            )  # fmt: skip
        except QueueFull as error:
            raise ApiError(429, str(error), code="queue_full", headers={"retry-after": "10"}) from error
        except KeyReused as error:
            raise ApiError(400, str(error), code="idempotency_key_reused") from error

    def _request(self, owner: str, asked: Asked, operation: str) -> dict[str, Any]:
        """Return what a worker needs to know."""
        name, notes = self.model(asked.model)
        size = size_of(asked)
        values = asked.model_dump(exclude={"model", "size", "width", "height", "characters"})
        seconds = values.get("num_frames") and values["num_frames"] / self.shapes[name].fps
        check_amount(size, seconds or values.get("seconds") or MOST_SECONDS / 4, asked.fps)
        request = {name: value for name, value in values.items() if value is not None}
        request |= {"model": name, "model_asked": asked.model or name, "notes": notes, "size": size}
        request["seed"] = asked.seed if asked.seed is not None else random.SystemRandom().randrange(2**31)
        if asked.characters:
            request["characters"] = self._cast(owner, asked)
        return request

    def _cast(self, owner: str, asked: Asked) -> dict[str, str]:
        """Return the pictures of the characters that are asked for. Raises: ApiError."""
        found = [self.character(character, owner) for character in asked.characters or ()]
        cast = {character.name: character.file for character in found}
        text = asked.prompt + " ".join(card.text for card in getattr(asked, "cards", ()))
        if missing := [name for name in cast if name not in mentioned(text, cast)]:
            raise ApiError(400, f"the prompt does not mention {missing[0]}", param="characters",
                           code="invalid_value")  # fmt: skip
        return cast

    def board(self, asked: Any, owner: str) -> dict[str, Any]:
        """Return the storyboard of a request as the worker reads it. Raises: ApiError."""
        cards = []
        for card in asked.cards:
            told = card.model_dump(exclude_none=True)
            if card.video is not None:
                told["video"] = self.source(card.video, owner).file
            cards.append(told)
        board = {"cards": cards, "seed": asked.seed or 0}
        if asked.duration is not None:
            board["duration"] = asked.duration
        try:
            from_json(Storyboard, board)
        except ConfigError as error:
            raise ApiError(400, str(error), param="cards", code="invalid_value") from error
        return board

    # ---- what jobs begin from

    def finished(self, job_id: str, owner: str) -> Job:
        """Return a job whose video is there. Raises: ApiError."""
        job = self.jobs.get(job_id, owner)
        if job is None:
            raise not_found("video")
        if job.status != COMPLETED or job.result is None:
            raise not_ready(job.status)
        return job

    def source(self, job_id: str, owner: str) -> Source:
        """Return the frames of one of our videos. Raises: ApiError."""
        job = self.finished(job_id, owner)
        assert job.result is not None
        return Source(f"{job.result['folder']}/base.npy", job.id, job.id)

    async def upload(self, data: bytes, shape: VideoShape, most_seconds: float = MOST_SECONDS) -> Source:
        """Decode and store a file that was sent. Raises: ApiError."""
        frames = await self.decoder.decode(data, shape, max(1, round(most_seconds * shape.fps)))
        name = f"{new_id('upload')}/frames.npy"
        self.storage.put(name, stored(frames))
        return Source(name, None, hashlib.sha256(data).hexdigest())

    # ---- characters

    def add_character(self, owner: str, name: str, source: Source) -> Upload:
        """Store a character by the frames that show it."""
        character = Upload(
            id=new_id("char"), owner=owner, name=name, file=source.file, created_at=time.time()
        )
        with Session(self.jobs.engine, expire_on_commit=False) as session, session.begin():
            session.add(character)
        return character

    def characters(self, owner: str) -> list[Upload]:
        """Return an owner's characters, the oldest first."""
        asked = select(Upload).where(Upload.owner == owner).order_by(Upload.created_at).limit(500)
        with Session(self.jobs.reading, expire_on_commit=False) as session:
            return list(session.scalars(asked))

    def forget(self, character: Upload) -> None:
        """Delete a character; videos with it stay as they are."""
        with Session(self.jobs.engine) as session, session.begin():
            session.delete(session.merge(character))

    def character(self, character_id: str, owner: str) -> Upload:
        """Return a character. Raises: ApiError."""
        with Session(self.jobs.reading, expire_on_commit=False) as session:
            found = session.scalars(
                select(Upload).where(Upload.id == character_id, Upload.owner == owner)
            ).first()
        if found is None:
            raise not_found("character")
        return found


def stored(frames: Frames) -> bytes:
    """Return frames as bytes that `making.read_frames` reads."""
    buffer = io.BytesIO()
    np.save(buffer, frames, allow_pickle=False)
    return buffer.getvalue()
