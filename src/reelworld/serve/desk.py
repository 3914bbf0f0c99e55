"""From a request to a job in the queue: models, sizes, sources, characters, idempotency.

Everything that can be wrong with a request is told here, before it waits in the queue.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool

from reelworld.core.checkpoint import read_card
from reelworld.core.config import from_json
from reelworld.core.encode import decode_frames, encode_frames
from reelworld.core.errors import ConfigError, PromptError
from reelworld.core.types import Frames, VideoShape
from reelworld.generate.cards import native_shape
from reelworld.generate.casting import mentioned, places
from reelworld.generate.edit import GAPS, own_prompt
from reelworld.generate.lineage import ancestry
from reelworld.generate.packaged import Reader, best_reader, weights_file
from reelworld.generate.storyboard import Storyboard
from reelworld.serve.asked import MOST_SECONDS, Asked, Board, Variations, check_amount, size_of
from reelworld.serve.errors import ApiError, not_found, not_made, not_ready
from reelworld.serve.jobs import COMPLETED, FAILED, OVER, Ask, Jobs, QueueFull, new_id
from reelworld.serve.shelf import Shelf
from reelworld.serve.storage import Storage, folders_of, inputs_of
from reelworld.serve.tables import Job
from reelworld.serve.uploads import Decoder, from_data_url

ALIAS = re.compile(r"sora-2(-pro)?(-\d{4}-\d\d-\d\d)?")  # of the hosted API
AUTO = "auto"  # the model that reads the prompt best, as where none is named
ALIASES = (AUTO, "sora-2", "sora-2-pro")  # names of whichever reads the prompt best; dated ones too
MOST_OPEN = 100  # unfinished jobs of one owner
SHOWN = ("image", "video")  # what a card of a board may show


@dataclass(frozen=True)
class Source:
    """A video or image that a job begins from: its frames and their rate, and how they were made.

    What is made of one of ours has its model, size and rate (`like`), unless others are asked for.
    """

    frames: Frames
    fps: float
    told: Mapping[str, Any]
    parent: str | None = None
    like: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Return how long it lasts."""
        return len(self.frames) / self.fps


@dataclass(frozen=True)
class Entry:
    """A job to be queued, the folder of what it begins from, and what lies there by name."""

    ask: Ask
    folder: str
    files: Mapping[str, Source]


class Desk:
    """Takes requests in, for the models that are served."""

    def __init__(self, jobs: Jobs, storage: Storage, weights: Mapping[str, Path | None]) -> None:
        self.jobs, self.storage, self.decoder = jobs, storage, Decoder()
        self.shelf = Shelf(jobs, storage)
        cards = {name: read_card(weights_file(path or name)) for name, path in weights.items()}
        self.cards, self.packaged = cards, {name for name, path in weights.items() if path is None}
        self.shapes = {name: native_shape(card) for name, card in cards.items()}
        self.longest = {name: int(card["model"]["text"]["max_length"]) for name, card in cards.items()}
        self.readers = {name: Reader.of(card) for name, card in cards.items()}

    def model(self, asked: str | None, *texts: str) -> tuple[str, list[str]]:
        """Return the model that serves a name, or reads texts best, and notes on it. Raises: ApiError."""
        best = best_reader(texts, self.readers)
        if asked is None or asked == AUTO:
            return best, []
        if ALIAS.fullmatch(asked):
            return best, [f"{asked} is not served by anybody any more; {best} made this video"]
        if asked not in self.shapes:
            known = ", ".join((*self.shapes, *ALIASES))
            raise ApiError(400, f"there is no model {asked[:64]}; there is {known}", param="model",
                           code="model_not_found")  # fmt: skip
        return asked, []

    def knows_characters(self, name: str) -> bool:
        """Tell whether a model was trained with characters."""
        return bool(places(self.readers[name].tokenizer))

    def shape(self, asked: Asked) -> VideoShape:
        """Return the native shape of the model that a request asks for."""
        return self.shapes[self.chosen(asked)[0]]

    def chosen(self, asked: Asked) -> tuple[str, list[str]]:
        """Return the model that a request asks for, and notes on it. Raises: ApiError."""
        return self.model(asked.model, *_texts(asked))

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
        mark: str | None = None,
    ) -> Job:
        """Queue a job with copies of all that it begins from, so that it depends on no other.

        A card of a board shows the source whose number is its "image" or "video". `mark` tells the request
        from others that come with the same idempotency key. Raises: ApiError.
        """
        entry = self._entry(owner, operation, asked, sources, image, board, idempotency_key, mark)
        return self._enter([entry])[0]

    def _entry(
        self,
        owner: str,
        operation: str,
        asked: Asked,
        sources: Sequence[Source],
        image: Source | None,
        board: Mapping[str, Any] | None,
        idempotency_key: str | None,
        mark: str | None,
    ) -> Entry:
        """Write down what a worker needs, and which files it begins from. Raises: ApiError."""
        named = asked.model
        if sources:
            asked = self._told(owner, _like(asked, sources[0].like, self.shapes), sources[0])
        cast = self._cast(owner, asked)
        given = [*sources, *([image] if image is not None else []), *cast.values()]
        folder = new_id("input")
        numbers = {id(source): n for n, source in enumerate(given)}  # what is given twice is stored once
        names = [f"{folder}/{numbers[id(source)]}.npy" for source in given]
        files = dict(zip(names, given, strict=True))
        request = self._request(asked, operation, sources, board)
        if sources and named is None:
            request["model_asked"] = sources[0].like.get("model_asked") or request["model_asked"]
        self._check_texts(request["model"], asked)
        request["sources"] = names[: len(sources)]
        request["image"] = names[len(sources)] if image is not None else None
        request["characters"] = dict(zip(cast, names[len(given) - len(cast) :], strict=True))
        request["told"] = dict(zip(files, ancestry([one.told for one in files.values()]), strict=True))
        request["rates"] = {name: source.fps for name, source in files.items()}
        if board is not None:
            request["board"] = _with_files(board, names, request["seed"])
        parents = [source.parent for source in given if source.parent is not None]
        ask = Ask(
            owner=owner, operation=operation, request=request, parents=parents,
            idempotency_key=idempotency_key, print_of=mark,
        )  # fmt: skip
        return Entry(ask, folder, files)

    def _enter(self, entries: Sequence[Entry]) -> list[Job]:
        """Store what jobs begin from, then queue them, all or none. Raises: QueueFull, KeyReused."""
        asked = [entry.ask for entry in entries]
        if asked[0].idempotency_key is None and self.jobs.unfinished(asked[0].owner) + len(asked) > MOST_OPEN:
            raise QueueFull(f"{MOST_OPEN} jobs are unfinished at most; wait for one, or delete it")
        with ExitStack() as stack:
            for entry in entries:
                stack.callback(self.storage.remove, entry.folder)
                for name, source in entry.files.items():
                    self.storage.put(name, encode_frames(source.frames))
            jobs = self.jobs.add_all(asked, most_open=MOST_OPEN)
            if jobs[0].request is asked[0].request:  # and none that were asked for before
                stack.pop_all()
        return jobs

    def queue_many(
        self, owner: str, asked: Variations, image: Source | None, key: str | None, mark: str
    ) -> list[Job]:
        """Queue jobs that differ by their seeds, all or none. Raises: ApiError."""
        drawn = random.SystemRandom() if key is None else random.Random(f"{owner} {key}")
        first = asked.seed if asked.seed is not None else drawn.randrange(2**31)
        entries = [
            self._entry(
                owner, "generate", asked.model_copy(update={"seed": first + n}), (), image, None, own, mark
            )
            for n, own in enumerate(_keys(key, asked.count))
        ]
        return self._enter(entries)

    def queued_before(self, owner: str, count: int, key: str | None, mark: str) -> list[Job]:
        """Return the jobs that were queued together with an idempotency key. Raises: KeyReused."""
        found = [self.jobs.asked_before(owner, own, mark) for own in _keys(key, count)]
        return [job for job in found if job is not None]

    def _request(
        self, asked: Asked, operation: str, sources: Sequence[Source], board: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """Return what a worker needs to know. Raises: ApiError."""
        name, notes = self.chosen(asked)
        size, shape = size_of(asked), self.shapes[name]
        values = asked.model_dump(exclude={"model", "size", "width", "height", "characters", "cards"})
        length = _seconds(operation, values, [source.seconds for source in sources], board, shape)
        check_amount(shape, size, length, asked.fps)
        values["expected_seconds"], values["character_ids"] = length, asked.characters
        request = {name: value for name, value in values.items() if value is not None}
        request |= {"model": name, "model_asked": asked.model or name, "notes": notes, "size": size}
        request["seed"] = asked.seed if asked.seed is not None else random.SystemRandom().randrange(2**31)
        return request

    def _told(self, owner: str, asked: Asked, source: Source) -> Asked:
        """Return a request with its source's own prompt where it has none. Raises: ApiError."""
        if asked.prompt or isinstance(asked, Board):
            return asked
        names = [self.shelf.get(one, owner).name for one in asked.characters or ()]
        return asked.model_copy(update={"prompt": own_prompt(source.told, names)})

    def _check_texts(self, model: str, asked: Asked) -> None:
        """Find out before the queue whether what is read of a request is too long. Raises: ApiError."""
        cards = getattr(asked, "cards", None)
        texts = [("prompt", asked.prompt)] if cards is None else [("cards", card.text) for card in cards]
        for param, text in (*texts, ("negative_prompt", asked.negative_prompt or "")):
            try:
                self.readers[model].tokenizer.encode([text], self.longest[model], truncate=False)
            except PromptError as error:
                raise ApiError(400, str(error), param=param, code="invalid_value") from error

    def _cast(self, owner: str, asked: Asked) -> dict[str, Source]:
        """Return the pictures of the characters that are asked for. Raises: ApiError."""
        if not asked.characters:
            return {}
        model = self.chosen(asked)[0]
        if not self.knows_characters(model):
            raise ApiError(501, "this model was trained without characters; describe the looks instead",
                           code="not_supported", headers={"x-should-retry": "false"})  # fmt: skip
        found = [self.shelf.get(character, owner) for character in asked.characters]
        text = " ".join(_texts(asked))
        if len({one.name.lower() for one in found}) < len(found):
            raise ApiError(400, "two characters have the same name in small letters", param="characters",
                           code="invalid_value")  # fmt: skip
        fps = self.shapes[model].fps
        cast = {
            one.name: Source(decode_frames(self.storage.get(one.file)), fps, {"character": one.name})
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
        if job.status == FAILED:
            raise not_made(job.error_message)
        if job.status != COMPLETED or job.result is None:
            raise not_ready(job.status)
        return job

    def source(self, job_id: str, owner: str) -> Source:
        """Return the frames of one of our videos. Raises: ApiError."""
        job = self.finished(job_id, owner)
        assert job.result is not None
        frames = decode_frames(self.storage.get(f"{job.result['folder']}/base.npy"))
        made, asked = job.result, job.request
        native = self.shapes[self.model(None)[0]]
        model = {"model": asked.get("model"), "model_asked": asked.get("model_asked")}
        like = {**model, "size": "{}x{}".format(*made["size"]), "fps": made["fps"]}
        return Source(frames, made.get("base_fps", native.fps), {**made["made"], "id": job.id}, job.id, like)

    async def upload(self, owner: str, sent: bytes | str, shape: VideoShape, most_seconds: float) -> Source:
        """Decode a file that was sent, or a data URL. Raises: ApiError."""
        data = sent if isinstance(sent, bytes) else await run_in_threadpool(from_data_url, sent)
        frames = await self.decoder.decode(owner, data, shape, max(1, round(most_seconds * shape.fps)))
        mark = await run_in_threadpool(lambda: hashlib.sha256(data).hexdigest()[:16])
        return Source(frames, shape.fps, {"file": "upload", "hash": mark})

    def delete(self, job: Job) -> None:
        """Delete a job, then its files and the copies of what it began from.

        The job goes first, or a crash between the two would leave a completed one without its video. Files
        that cannot be removed now are named by nobody: the sweep removes them later.
        """
        self.jobs.delete(job.id, job.owner)
        self.storage.let_go(folders_of(job.id, job.request))

    def cancel(self, job: Job) -> Job | None:
        """Stop a job and return it; of one that had not begun, remove what it would have begun from."""
        self.jobs.cancel(job.id, job.owner)
        now = self.jobs.get(job.id, job.owner)
        if now is None or now.status in OVER:
            self.storage.let_go(inputs_of(job.request))
        return now


def _keys(key: str | None, count: int) -> list[str | None]:
    """Return an idempotency key for each of several jobs: for the first one the key itself."""
    more = [f"{key} {n}".encode() for n in range(1, count)]
    return [key, *(None if key is None else hashlib.sha256(one).hexdigest() for one in more)]


def _texts(asked: Asked) -> list[str]:
    """Return the prompt of a request, and those of its cards."""
    return [asked.prompt, *(card.text for card in getattr(asked, "cards", ()))]


def _like(asked: Asked, like: Mapping[str, Any], served: Mapping[str, object]) -> Asked:
    """Return a request that asks for what its source had, where it says nothing else."""
    own: dict[str, Any] = {}
    if asked.model is None and like.get("model") in served:
        own["model"] = like["model"]
    if asked.size is None and asked.width is None and asked.height is None:
        own["size"] = like.get("size")
    if asked.fps is None:
        own["fps"] = like.get("fps")
    return asked.model_copy(update=own)


def _seconds(
    operation: str,
    values: Mapping[str, Any],
    sources: Sequence[float],
    board: Mapping[str, Any] | None,
    shape: VideoShape,
) -> float:
    """Return how long a video will be. Raises: ApiError for times that lie outside the source."""
    window = shape.num_frames / shape.fps
    match operation:
        case "generate":
            count = values.get("num_frames")
            rate = values.get("fps") or shape.fps
            if count and count / rate > MOST_SECONDS:
                raise ApiError(400, f"a video has at most {MOST_SECONDS:g} seconds", param="num_frames",
                               code="invalid_value")  # fmt: skip
            return count / rate if count else float(values["seconds"])
        case "extend":
            return sources[0] + float(values["seconds"])
        case "loop":
            length = values["length"] or "normal"
            return sources[0] + float(GAPS.get(length, 0.0) if isinstance(length, str) else length)
        case "blend":
            return min(sources)
        case "fill":
            if not 0 < values["start"] < values["end"] < sources[0]:
                raise _outside("start", sources[0], "start and end must follow each other within it")
            return sources[0]
        case "recut":
            if any(not start < end <= sources[0] + 0.5 / shape.fps for start, end in values["keep"]):
                raise _outside("keep", sources[0], "each part must begin before it ends, within it")
            kept = sum(end - start for start, end in values["keep"])
            return float(kept + (len(values["keep"]) - 1) * values["gap"] + values["seconds"])
        case "storyboard":
            assert board is not None
            return float(board.get("duration") or board["cards"][-1]["time"] + window)
        case _:
            return sources[0]


def _outside(name: str, seconds: float, text: str) -> ApiError:
    return ApiError(400, f"the video has {seconds:g} seconds; {text}", param=name, code="invalid_value")


def _with_files(board: Mapping[str, Any], names: Sequence[str], seed: int) -> dict[str, Any]:
    """Return a board whose cards name the files of their sources."""
    cards = [
        card | {name: names[int(card[name])] for name in SHOWN if name in card} for card in board["cards"]
    ]
    return {**board, "cards": cards, "seed": seed}
