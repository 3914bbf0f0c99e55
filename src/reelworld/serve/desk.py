"""From a request to a job in the queue: models, sizes, sources, characters, idempotency.

Everything that can be wrong with a request is told here, before it waits in the queue.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from reelworld.core.checkpoint import read_card
from reelworld.core.config import from_json
from reelworld.core.encode import decode_frames, encode_frames
from reelworld.core.errors import ConfigError
from reelworld.core.types import Frames, VideoShape
from reelworld.generate.cards import native_shape
from reelworld.generate.casting import check_name, mentioned, places
from reelworld.generate.pipeline import default_weights
from reelworld.generate.storyboard import Storyboard
from reelworld.models.text import Tokenizer
from reelworld.serve.asked import MOST_SECONDS, Asked, Board, Variations, check_amount, size_of
from reelworld.serve.errors import ApiError, not_found, not_ready
from reelworld.serve.jobs import COMPLETED, Jobs, QueueFull, fingerprint, new_id
from reelworld.serve.storage import Storage
from reelworld.serve.tables import Character, Job
from reelworld.serve.uploads import Decoder

ALIASES = ("sora-2", "sora-2-pro")  # of the hosted API; served by the first model, with a note
MOST_OPEN = 100  # unfinished jobs of one owner
MOST_CHARACTERS = 200  # of one owner
SHOWN = ("image", "video")  # what a card of a board may show


@dataclass(frozen=True)
class Source:
    """A video or image that a job begins from: its frames, whose they were, and how they were made."""

    frames: Frames
    parent: str | None
    mark: str  # that tells it from others, for idempotency
    told: Mapping[str, Any]


class Desk:
    """Takes requests in, for the models that are served."""

    def __init__(self, jobs: Jobs, storage: Storage, weights: Mapping[str, Path | None]) -> None:
        self.jobs, self.storage, self.decoder = jobs, storage, Decoder()
        cards = {name: read_card(path or default_weights()) for name, path in weights.items()}
        self.cards = cards
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

    def knows_characters(self, name: str) -> bool:
        """Tell whether a model was trained with characters."""
        return bool(places(self.tokenizers[name]))

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
        board: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Queue a job with copies of all that it begins from, so that it depends on no other.

        A card of a board shows the source whose number is its "image" or "video". Raises: ApiError.
        """
        cast = self._cast(owner, asked)
        given = [*sources, *([image] if image is not None else []), *cast.values()]
        folder = new_id("input")
        names = [f"{folder}/{n}.npy" for n in range(len(given))]
        request = self._request(asked, sum(len(source.frames) for source in sources))
        told = {name: value for name, value in request.items() if name != "seed" or asked.seed is not None}
        mark = fingerprint(operation, {**told, "board": board, "given": [source.mark for source in given]})
        request["sources"] = names[: len(sources)]
        request["image"] = names[len(sources)] if image is not None else None
        request["characters"] = dict(zip(cast, names[len(given) - len(cast) :], strict=True))
        request["told"] = {name: dict(source.told) for name, source in zip(names, given, strict=True)}
        if board is not None:
            request["board"] = _with_files(board, names, request["seed"])
        parent = next((source.parent for source in given if source.parent is not None), None)
        if idempotency_key is None:
            self._room(owner, 1)
        with ExitStack() as stack:
            stack.callback(self.storage.remove, folder)
            for name, source in zip(names, given, strict=True):
                self.storage.put(name, encode_frames(source.frames))
            job = self.jobs.add(
                owner=owner, operation=operation, request=request, parent=parent, most_open=MOST_OPEN,
                idempotency_key=idempotency_key, print_of=mark,
            )  # fmt: skip
            if job.request is request:  # and not one that was asked for before
                stack.pop_all()
        return job

    def _room(self, owner: str, count: int) -> None:
        """Raise QueueFull unless an owner may queue so many jobs more."""
        if self.jobs.unfinished(owner) + count > MOST_OPEN:
            raise QueueFull(f"{MOST_OPEN} jobs are unfinished at most; wait for one, or delete it")

    def queue_many(self, owner: str, asked: Variations, image: Source | None, key: str | None) -> list[Job]:
        """Queue jobs that differ by their seeds, all or none. Raises: ApiError."""
        keys = [
            hashlib.sha256(f"{key} {n}".encode()).hexdigest() if key else None for n in range(asked.count)
        ]
        if keys[0] is None or not self.jobs.has(owner, keys[0]):
            self._room(owner, asked.count)
        drawn = random.SystemRandom() if keys[0] is None else random.Random(f"{owner} {keys[0]}")
        first = asked.seed if asked.seed is not None else drawn.randrange(2**31)
        return [
            self.queue(
                owner, "generate", asked.model_copy(update={"seed": first + n}), image=image,
                idempotency_key=own,
            )
            for n, own in enumerate(keys)
        ]  # fmt: skip

    def _request(self, asked: Asked, before: int) -> dict[str, Any]:
        """Return what a worker needs to know; `before` frames are there already. Raises: ApiError."""
        name, notes = self.model(asked.model)
        size, fps = size_of(asked), self.shapes[name].fps
        values = asked.model_dump(exclude={"model", "size", "width", "height", "characters", "cards"})
        seconds = values["num_frames"] / fps if values.get("num_frames") else values.get("seconds")
        check_amount(size, (seconds or values.get("duration") or 0.0) + before / fps, asked.fps)
        request = {name: value for name, value in values.items() if value is not None}
        request |= {"model": name, "model_asked": asked.model or name, "notes": notes, "size": size}
        request["seed"] = asked.seed if asked.seed is not None else random.SystemRandom().randrange(2**31)
        return request

    def _cast(self, owner: str, asked: Asked) -> dict[str, Source]:
        """Return the pictures of the characters that are asked for. Raises: ApiError."""
        if not asked.characters:
            return {}
        if not self.knows_characters(self.model(asked.model)[0]):
            raise ApiError(501, "this model was trained without characters; describe the looks instead",
                           code="not_supported", headers={"x-should-retry": "false"})  # fmt: skip
        found = [self.character(character, owner) for character in asked.characters]
        text = " ".join([asked.prompt, *(card.text for card in getattr(asked, "cards", ()))])
        cast = {
            one.name: Source(decode_frames(self.storage.get(one.file)), None, one.id, {"character": one.name})
            for one in found
        }
        if missing := [name for name in cast if name not in mentioned(text, cast)]:
            raise ApiError(400, f"the prompt does not mention {missing[0]}", param="characters",
                           code="invalid_value")  # fmt: skip
        return cast

    def board(self, asked: Board) -> dict[str, Any]:
        """Return the storyboard of a request; what its cards show, by number. Raises: ApiError."""
        cards: list[dict[str, Any]] = []
        number = count()
        for card in asked.cards:
            told = card.model_dump(exclude_none=True)
            cards.append(told | {name: str(next(number)) for name in SHOWN if name in told})
        board: dict[str, Any] = {"cards": cards}
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
        frames = decode_frames(self.storage.get(f"{job.result['folder']}/base.npy"))
        return Source(frames, job.id, job.id, {**job.result["made"], "id": job.id})

    async def upload(self, data: bytes, shape: VideoShape, most_seconds: float = MOST_SECONDS) -> Source:
        """Decode a file that was sent. Raises: ApiError."""
        frames = await self.decoder.decode(data, shape, max(1, round(most_seconds * shape.fps)))
        mark = hashlib.sha256(data).hexdigest()
        return Source(frames, None, mark, {"file": "upload", "hash": mark[:16]})

    def delete(self, job: Job) -> None:
        """Delete a job and its files, and the copies of what it began from."""
        self.jobs.delete(job.id, job.owner)
        for folder in folders_of(job):
            self.storage.remove(folder)

    # ---- characters

    def add_character(self, owner: str, name: str, source: Source) -> Character:
        """Store a character by the first frame that shows it. Raises: ApiError."""
        try:
            check_name(name)
        except ConfigError as error:
            raise ApiError(400, str(error), param="name", code="invalid_value") from error
        if len(self.characters(owner)) >= MOST_CHARACTERS:
            raise ApiError(400, f"{MOST_CHARACTERS} characters are stored; delete some", code="too_many")
        identity = new_id("char")
        file = f"{identity}/frames.npy"
        self.storage.put(file, encode_frames(source.frames[:1]))
        character = Character(id=identity, owner=owner, name=name, file=file, created_at=time.time())
        with Session(self.jobs.engine, expire_on_commit=False) as session, session.begin():
            session.add(character)
        return character

    def characters(self, owner: str) -> list[Character]:
        """Return an owner's characters, the oldest first."""
        asked = select(Character).where(Character.owner == owner).order_by(Character.created_at).limit(500)
        with Session(self.jobs.reading, expire_on_commit=False) as session:
            return list(session.scalars(asked))

    def forget(self, character: Character) -> None:
        """Delete a character; videos with it stay as they are."""
        with Session(self.jobs.engine) as session, session.begin():
            session.delete(session.merge(character))
        self.storage.remove(character.id)

    def character(self, character_id: str, owner: str) -> Character:
        """Return a character. Raises: ApiError."""
        with Session(self.jobs.reading, expire_on_commit=False) as session:
            found = session.scalars(
                select(Character).where(Character.id == character_id, Character.owner == owner)
            ).first()
        if found is None:
            raise not_found("character")
        return found


def folders_of(job: Job) -> list[str]:
    """Return the folders that belong to a job alone: its files, and the copies of what it began from."""
    request = job.request
    given = [*request.get("sources", ()), request.get("image"), *(request.get("characters") or {}).values()]
    return [job.id, *{str(name).split("/")[0] for name in given if name}]


def _with_files(board: Mapping[str, Any], names: Sequence[str], seed: int) -> dict[str, Any]:
    """Return a board whose cards name the files of their sources."""
    cards = [
        card | {name: names[int(card[name])] for name in SHOWN if name in card} for card in board["cards"]
    ]
    return {**board, "cards": cards, "seed": seed}
