"""Storyboards: cards on a timeline, of text, an image or a video each; and a cast that stays the same.

    board = Storyboard.load("ball.toml")
    video = render(pipeline, board, kept=Path("out/cards"))

    duration = 6.0
    [[characters]]
    name = "Bo"
    text = "a small red ball stands in a studio"      # or image = "bo.png"; else from the shelf
    [[cards]]
    time = 0.0
    text = "Bo rolls to the right in a meadow"
    [[cards]]
    time = 2.0
    text = "Bo bounces on a wooden floor"
    cut = true

A card has a text, or an image or a video (`image = "bo.png"`, `video = "film.mp4"`), or both. One closer to
the card before than a window of the weights begins with a cut, one further away goes on from it; `cut`
decides otherwise. A card's image or video is shown from its time on, and what comes before leads to it. Cards
that did not change are not made again where `kept` holds them.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from reelworld.core.config import from_json, to_json
from reelworld.core.errors import ConfigError
from reelworld.core.types import Frames, Video, VideoShape
from reelworld.core.version import __version__
from reelworld.core.video import fit, read_named
from reelworld.generate.casting import check_name, mentioned
from reelworld.generate.lineage import ancestry
from reelworld.generate.pipeline import Pipeline
from reelworld.generate.request import seed_after, seeds
from reelworld.generate.shelf import Shelf
from reelworld.generate.shots import check_shots, cuts_of
from reelworld.generate.windows import (
    WATCHING,
    Windows,
    opened,
    to_bridge,
    to_grow,
    window_size,
    with_defaults,
)

MOST_SECONDS, MOST_CARDS = 600.0, 200


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is to be seen from a time on, in seconds; files are beside the storyboard's.

    A card that shows something itself may have no text; one that goes on has that of the card before then.
    A video is shown from the second `at` of it on.
    """

    time: float
    text: str = ""
    image: str | None = None
    video: str | None = None
    at: float = 0.0
    cut: bool | None = None
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class Role:
    """A character: in an image (of a video, the frame after `at` seconds), drawn from a text, or stored."""

    name: str
    image: str | None = None
    at: float = 0.0
    text: str | None = None


@dataclass(frozen=True, kw_only=True)
class Storyboard:
    """Cards in the order of their times, and who plays; without `duration` the last card lasts a window."""

    cards: tuple[Card, ...]
    characters: tuple[Role, ...] = ()
    duration: float | None = None
    seed: int = 0
    folder: str = "."

    def __post_init__(self) -> None:
        if not 1 <= len(self.cards) <= MOST_CARDS:
            raise ConfigError(f"a storyboard has 1 to {MOST_CARDS} cards, not {len(self.cards)}")
        times = [card.time for card in self.cards]
        if times[0] != 0.0:
            raise ConfigError(f"the first card is at {times[0]:g} s; put it at 0")
        ends = [*times[1:], *([] if self.duration is None else [self.duration])]
        for before, after in zip(times, ends, strict=False):
            if not before < after <= MOST_SECONDS:
                what = "the end" if after == self.duration and before == times[-1] else "a card"
                raise ConfigError(
                    f"{what} at {after:g} s follows the card at {before:g} s; times must rise, to "
                    f"{MOST_SECONDS:g} s at most"
                )
        for card in self.cards:
            if card.image is not None and card.video is not None:
                raise ConfigError(f"the card at {card.time:g} s has an image and a video; give one of them")
            if not 0 <= card.at <= MOST_SECONDS or (card.at and card.video is None):
                raise ConfigError(
                    f"the card at {card.time:g} s begins at {card.at:g} s; give seconds from 0 of a video"
                )
        for role in self.characters:
            check_name(role.name)
            if role.image is not None and role.text is not None:
                raise ConfigError(f"{role.name} has an image and a text; give one of them")
        names = [role.name.lower() for role in self.characters]
        if len(set(names)) < len(names):
            raise ConfigError("two characters have the same name; give each its own")

    @property
    def files(self) -> list[str]:
        """Return the names of the files that cards and characters show."""
        shown = [name for card in self.cards for name in (card.image, card.video)]
        return [name for name in (*shown, *(role.image for role in self.characters)) if name is not None]

    @classmethod
    def load(cls, path: str | Path) -> Storyboard:
        """Read a TOML file. Raises: ConfigError for what is not one, or says what cannot be."""
        path = Path(path)
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
            return replace(from_json(cls, data), folder=str(path.parent))
        except (OSError, ValueError, RecursionError, OverflowError) as error:
            raise ConfigError(f"{path} is no storyboard that can be read: {error}") from error


@dataclass(frozen=True)
class _Part:
    """A card with all that its frames depend on: what it shows itself, and what it leads to.

    Without a text of its own it goes on with that of the card before in its shot.
    """

    card: Card
    text: str
    count: int
    cut: bool
    seed: int
    shown: Video | None  # its own image or video
    target: Frames  # of the next card, where that goes on from here and shows something itself; may be none
    characters: Mapping[str, Video]

    @property
    def given(self) -> Frames:
        """Return the frames that it shows itself; may be none."""
        return self.target[:0] if self.shown is None else self.shown.frames[: self.count]

    @property
    def fresh(self) -> bool:
        """Tell whether it begins with a window of which nothing is known."""
        return self.cut and not len(self.given)

    @property
    def cuts(self) -> list[int]:
        """Return the frames with which later shots of what it shows begin."""
        return [] if self.shown is None else [cut for cut in self.shown.cuts if cut < self.count]


Reader = Callable[..., Video]  # a card's file by name, with the options of `video.read`


def render(
    pipeline: Pipeline,
    board: Storyboard,
    *,
    kept: Path | None = None,
    shelf: Shelf | None = None,
    cast: Mapping[str, Video] | None = None,
    reader: Reader | None = None,
    **options: Any,
) -> Video:
    """Make the video of a storyboard; `options` are those of `Pipeline`.

    `kept` is a folder for finished windows: they are found there again while nothing they depend on changes.
    `cast` adds characters by their pictures; `reader` opens the cards' files, if not from the board's folder.
    Raises: ConfigError, VideoError for files of cards; as `Pipeline` does.
    """
    if "characters" in options:
        raise ConfigError("a storyboard's characters are its own; give more of them as `cast`")
    reader, counts = reader or partial(_file, board), _counts(pipeline, board)
    roles = _roles(pipeline, board, shelf or Shelf(), reader, options) | dict(cast or {})
    parts = list(_parts(pipeline, board, counts, roles, reader))
    _check(pipeline, parts)
    film, begin, cuts = np.empty((0, *pipeline.shape.size[1:], 3), np.uint8), 0, []
    with opened(pipeline, "", {**options, "kept": kept}, _count_windows(pipeline, parts)) as windows:
        for part in parts:
            if part.cut:
                begin = len(film)
                cuts.append(begin)
            saying = windows.saying(part.text, characters=part.characters)
            made, own_cuts = _made(saying, part, film[begin:])
            inside = [len(film) + cut for cut in own_cuts]
            film = np.concatenate([film, made])
            cuts += inside
            begin = max([begin, *inside])  # what follows goes on with its last shot
    about = {
        "operation": "storyboard",
        "prompt": " ".join(card.text for card in board.cards if card.text),
        "board": {name: value for name, value in to_json(board).items() if name != "folder"},
        "cuts": cuts[1:],
        "characters": {name: picture.metadata for name, picture in roles.items()},
        "weights": pipeline.weights_hash,
        "reelworld": __version__,
        "parents": ancestry([part.shown.metadata for part in parts if part.shown is not None]),
        "seed": board.seed,
        **with_defaults({name: value for name, value in options.items() if name not in WATCHING}),
    }
    return Video(film, pipeline.shape.fps, about)


def _check(pipeline: Pipeline, parts: Sequence[_Part]) -> None:
    """Find out before the work whether each card can be made. Raises: as `Pipeline` does."""
    for part in parts:
        seeds(part.seed, 1)
        if part.text or part.fresh:
            pipeline.check(part.text, part.characters)
        if part.fresh:
            check_shots(part.text, window_size(pipeline) / pipeline.shape.fps)


def _roles(
    pipeline: Pipeline, board: Storyboard, shelf: Shelf, reader: Reader, options: Mapping[str, Any]
) -> dict[str, Video]:
    """Return a picture of each character."""
    found, sampling = {}, {name: value for name, value in options.items() if name not in WATCHING}
    for role in board.characters:
        if role.image is not None:
            found[role.name] = reader(role.image, start=role.at, num_frames=1)
        elif role.text is not None:
            (found[role.name],) = pipeline(role.text, num_frames=1, seed=board.seed, **sampling)
        else:
            found |= shelf.take([role.name])
    return found


def _counts(pipeline: Pipeline, board: Storyboard) -> list[int]:
    """Return how many frames each card lasts. Raises: ConfigError for one that lasts none."""
    fps = pipeline.shape.fps
    starts = [round(card.time * fps) for card in board.cards]
    last = starts[-1] + window_size(pipeline) if board.duration is None else round(board.duration * fps)
    counts: list[int] = np.diff([*starts, last]).tolist()
    for card, count in zip(board.cards, counts, strict=True):
        if count < 1:
            raise ConfigError(f"the card at {card.time:g} s lasts no frame at {fps:g} fps; give it time")
    return counts


def _parts(
    pipeline: Pipeline, board: Storyboard, counts: Sequence[int], roles: Mapping[str, Video], reader: Reader
) -> Iterator[_Part]:
    """Yield the cards with the numbers of their frames, what they show, and what they lead to."""
    shape, number = pipeline.shape, len(board.cards)
    shown = [_shown(card, reader, shape, count) for card, count in zip(board.cards, counts, strict=True)]
    nothing = np.empty((0, shape.height, shape.width, 3), np.uint8)
    cuts, text = [_begins_with_cut(n, board, counts, shown, shape) for n in range(number)], ""
    for n, (card, count) in enumerate(zip(board.cards, counts, strict=True)):
        after = shown[n + 1] if n + 1 < number and not cuts[n + 1] else None
        text = card.text or ("" if cuts[n] else text)
        own = {name: roles[name] for name in mentioned(text, roles)}
        seed = _seed(board.seed, card) if card.seed is None else card.seed
        target = nothing if after is None else after.frames
        yield _Part(card, text, count, cuts[n], seed, shown[n], target, own)


def _seed(seed: int, card: Card) -> int:
    """Return a card's own seed: of its text and time, so that a card put in before it changes nothing."""
    own = hashlib.sha256(f"{card.time:g} {card.text}".encode()).digest()[:3]
    return seed_after(seed, int.from_bytes(own, "big"))


def _begins_with_cut(
    n: int, board: Storyboard, counts: Sequence[int], shown: Sequence[Video | None], shape: VideoShape
) -> bool:
    """Tell whether a card begins with a cut: as it says, or where it is close to the one before.

    Also where both are filled by what they show themselves: there is no frame left to lead over.
    """
    if n == 0:
        return True
    card, before, after = board.cards[n], shown[n - 1], shown[n]
    if before is not None and after is not None and len(before) >= counts[n - 1]:
        return True
    return counts[n - 1] < shape.num_frames if card.cut is None else card.cut


def _shown(card: Card, reader: Reader, shape: VideoShape, count: int) -> Video | None:
    """Return what a card itself shows, in the shape of the weights; None where it is text alone."""
    name = card.image or card.video
    if name is None:
        return None
    sizes = {"width": shape.width, "height": shape.height, "fps": shape.fps}
    video = reader(name, start=card.at, num_frames=1 if card.image is not None else count, **sizes)
    return Video(fit(video, width=shape.width, height=shape.height).frames, shape.fps, video.metadata)


def _file(board: Storyboard, name: str, **options: Any) -> Video:
    """Read a file beside the storyboard."""
    return read_named(Path(board.folder) / name, **options)


def _count_windows(pipeline: Pipeline, parts: list[_Part]) -> int:
    """Return how many windows all cards need."""
    total, before = 0, 0
    for part in parts:
        before = 0 if part.cut else before
        total += _windows_of(pipeline, part, before)
        before += part.count
    return total


def _windows_of(pipeline: Pipeline, part: _Part, before: int) -> int:
    """Return how many windows a card needs behind so many frames of its shot."""
    made, total = len(part.given), 0
    if before + made == 0:
        made, total = _fresh(pipeline, part), 1
    rest = part.count - made
    if rest > 0 and len(part.target):
        return total + to_bridge(pipeline, before + made, rest)
    return total + to_grow(pipeline, before + made, rest)


def _fresh(pipeline: Pipeline, part: _Part) -> int:
    """Return how many frames of a new window a card takes: with something to lead to, half of them."""
    size = window_size(pipeline)
    return min(part.count, size) if not len(part.target) else max(1, min(part.count - 1, size // 2))


def _made(windows: Windows, part: _Part, before: Frames) -> tuple[Frames, list[int]]:
    """Make the frames of a card that goes on with those before it; return them, and its cuts."""
    own, cuts, seed = part.given, part.cuts, part.seed
    if len(before) + len(own) == 0:
        own = windows.fresh(seed)[: _fresh(windows.pipeline, part)]
        cuts, seed = cuts_of(part.text, own, windows.pipeline.shape.fps), seed_after(seed, 1)
    rest = part.count - len(own)
    if rest == 0:
        return own, cuts
    shot = own[cuts[-1] :] if cuts else np.concatenate([before, own])
    if len(part.target):
        return np.concatenate([own, windows.bridge(shot, part.target, rest, seed)]), cuts
    return np.concatenate([own, windows.grown(shot, rest, seed)[len(shot) :]]), cuts
