"""Training on a folder of real footage: NAME.mp4 with its captions in NAME.json or NAME.txt.

    python -m reelworld.train nano --out runs/mine --data footage/

A .json sidecar holds {"captions": {"raw": ..., "short": ..., "descriptive": ...}}, any of the three, as `reel
world sample` writes it; a .txt sidecar holds one caption. This is the only part of training that needs PyAV.
"""

import hashlib
import json
import os
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reelworld.core import video
from reelworld.core.errors import ConfigError, DataError
from reelworld.core.types import VideoShape
from reelworld.models.text import PUNCTUATION, split_words
from reelworld.recipes import CaptionMix, Recipe, Stage
from reelworld.world.caption import vocabulary
from reelworld.world.stream import Batch

HELDOUT_EVERY = 10
STYLES = ("raw", "short", "descriptive")
ASIDE = ("raw_is_true",)  # what the world's sidecars hold beside captions


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A video file, its size in bytes, its captions by style and its length in seconds."""

    path: Path
    size: int
    captions: dict[str, str]
    seconds: float

    def lasts(self, shape: VideoShape) -> bool:
        """Tell whether it is as long as a clip of that shape, but for half a frame."""
        return self.seconds >= shape.duration - 0.5 / shape.fps

    @property
    def held(self) -> bool:
        """Tell whether its name is one of those held out: the same ones, whatever else is in the folder."""
        return zlib.crc32(os.fsencode(self.path.stem)) % HELDOUT_EVERY == 0


@dataclass(frozen=True)
class Footage:
    """A folder of videos with captions as a data set; about every tenth file, by its name, is held out.

    Raises: DataError for a folder without videos, or a video without a caption.
    """

    folder: str
    max_words: int = 900  # of the vocabulary in all: some rows stay free for a training that goes on

    def words(self) -> tuple[str, ...]:
        """Return the world's words."""
        return vocabulary()

    def own_words(self) -> tuple[str, ...]:
        """Return the captions' other words, the most frequent first, up to `max_words` with the world's."""
        return self._own_words[: max(0, self.max_words - len(vocabulary()))]

    @cached_property
    def _own_words(self) -> tuple[str, ...]:
        texts = (text for clip in self.clips for text in clip.captions.values())
        counts = Counter(word for text in texts for word in split_words(text))
        known = {*vocabulary(), *PUNCTUATION}
        return tuple(word for word, _ in counts.most_common() if word not in known)

    def describe(self) -> dict[str, object]:
        """Say what was learned from; other files or captions have another digest."""
        told = [(clip.path.name, clip.size, clip.captions) for clip in self.clips]
        digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
        return {"kind": "footage", "clips": len(self.clips), "digest": digest}

    def notes(self, recipe: Recipe, words: Collection[str]) -> list[str]:
        """Say how much of the folder a training can use, and what nothing is held out for.

        `words`: of the model's vocabulary, empty where it reads no captions.
        """
        shapes = [bucket.shape for stage in recipe.stages for bucket in stage.buckets]
        longest, last = max(shapes, key=lambda shape: shape.duration), recipe.stages[-1]
        short = sum(not clip.lasts(longest) for clip in self.clips)
        told = [f"{len(self.clips)} videos, {short} of them too short for clips of {longest.duration:g} s"]
        if words:
            most = max(stage.text_length for stage in recipe.stages)
            texts = [text for clip in self.clips for text in clip.captions.values()]
            cut = sum(len(split_words(text)) > most for text in texts)
            unknown = len(set(self._own_words) - set(words))
            told.append(f"{cut} of {len(texts)} captions cut at {most} words and marks")
            told.append(f"{unknown} rare words left out of the vocabulary")
        notes = [f"{self.folder}: {'; '.join(told)}"]
        if not self._held_out(last.buckets[last.main].shape):
            notes.append(
                f"{self.folder}: no video is held out, so the held-out loss is of what was trained on; "
                f"from {HELDOUT_EVERY} long enough videos on, about one in {HELDOUT_EVERY} is"
            )
        return notes

    @cached_property
    def clips(self) -> tuple[Clip, ...]:
        """Return the clips, ordered by name."""
        return tuple(find_clips(Path(self.folder)))

    def split(self, name: str) -> tuple[Clip, ...]:
        """Return the clips of "train" or "heldout"; a folder of fewer than ten holds nothing out."""
        few = len(self.clips) < HELDOUT_EVERY
        held = name == "heldout"
        return tuple(clip for clip in self.clips if (clip.held and not few) == held)

    def _held_out(self, shape: VideoShape) -> tuple[Clip, ...]:
        """Return the clips that are held out and as long as a shape."""
        return tuple(clip for clip in self.split("heldout") if clip.lasts(shape))

    def stream(
        self, stage: Stage, shape: VideoShape, batch: int, *, split: str, seed: int, device: str
    ) -> "FootageStream":
        """Open an endless shuffled stream of crops of that shape; without characters, which no footage names.

        Where nothing that is long enough is held out, "heldout" is of the clips that are trained on; `notes`
        says so. Raises: ConfigError for a bucket with themes, or filmed from near; DataError when no video
        lasts as long as the shape.
        """
        if stage.themes or stage.near:
            raise ConfigError("footage has no themes and no `near`: take them out of the recipe's buckets")
        clips = self._held_out(shape) if split == "heldout" else ()
        return FootageStream(clips or self.split("train"), shape, batch, stage.captions, seed)


class FootageStream:
    """Crops of random moments, a new order each time round; clip n of the stream is a function of the seed
    and n.

    Raises: DataError when no video lasts as long as the shape.
    """

    def __init__(
        self, clips: tuple[Clip, ...], shape: VideoShape, batch: int, captions: CaptionMix, seed: int
    ) -> None:
        self.shape, self.batch, self.seed, self.position = shape, batch, seed, 0
        self.weights = np.array([captions.raw, captions.short, captions.descriptive])
        self.clips = [clip for clip in clips if clip.lasts(shape)]
        if not self.clips:
            longest = max((clip.seconds for clip in clips), default=0.0)
            raise DataError(
                f"none of the {len(clips)} videos to train on lasts {shape.duration:g} s ({shape}), "
                f"the longest {longest:.1f} s: add longer ones"
            )

    def seek(self, count: int) -> None:
        """Continue as if `count` clips had been taken."""
        self.position = count

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        indices = list(range(self.position, self.position + self.batch))
        self.position += self.batch
        pixels, captions = zip(*(self._draw(index) for index in indices), strict=True)
        return Batch(pixels=torch.from_numpy(np.stack(pixels)), captions=list(captions), indices=indices)

    def _draw(self, index: int) -> tuple[np.ndarray, str]:
        """Return frames uint8 [T, H, W, 3] and a caption."""
        lap, place = divmod(index, len(self.clips))
        order = np.random.default_rng([self.seed, 0, lap]).permutation(len(self.clips))
        clip = self.clips[order[place]]
        rng = np.random.default_rng([self.seed, 1, index])
        start = rng.uniform(0, max(0.0, clip.seconds - self.shape.duration))
        styles = [style for style in STYLES if style in clip.captions]
        weights = np.array(
            [w for style, w in zip(STYLES, self.weights, strict=True) if style in clip.captions]
        )
        weights = weights if weights.sum() > 0 else np.ones(len(styles))
        style = styles[rng.choice(len(styles), p=weights / weights.sum())]
        return self._read(clip, start), clip.captions[style]

    def _read(self, clip: Clip, start: float) -> np.ndarray:
        """Read frames from `start` seconds on, resized and cropped; repeat a last one missing by rounding."""
        shape = self.shape
        found = video.read(
            clip.path,
            width=shape.width,
            height=shape.height,
            fps=shape.fps,
            start=start,
            num_frames=shape.num_frames,
        )
        missing = shape.num_frames - len(found)
        if missing > 1:
            raise DataError(
                f"{clip.path} ends {missing} frames early; its header is wrong: convert it again or remove it"
            )
        return np.pad(found.frames, ((0, missing), (0, 0), (0, 0), (0, 0)), mode="edge")


def find_clips(folder: Path) -> Iterator[Clip]:
    """Yield the folder's videos with their captions, ordered by name.

    Raises: DataError as `Footage` does; VideoError for a file that is broken.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder} is no folder; give a folder of NAME.mp4 files with NAME.json or NAME.txt beside each"
        )
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    videos = [path for path in paths if path.suffix.lower() == ".mp4"]
    if not videos:
        raise DataError(
            f"{folder} holds no .mp4 files; put videos there, or make some with: reel world sample"
        )
    beside = {path.stem + path.suffix.lower(): path for path in paths}
    for path in videos:
        info = video.probe(path)
        seconds = info.duration if info.duration is not None else (info.num_frames or 1) / info.fps
        captions = read_captions(path, beside)
        yield Clip(path=path, size=path.stat().st_size, captions=captions, seconds=seconds)


def read_captions(path: Path, beside: Mapping[str, Path]) -> dict[str, str]:
    """Return the captions of a video by style, from the .json or .txt file of the same name.

    `beside`: the folder's files, by name with the suffix in small letters.
    Raises: DataError when there is none.
    """
    sidecar, text = (beside.get(path.stem + suffix) for suffix in (".json", ".txt"))
    if sidecar is not None:
        captions = _parse(sidecar)
    elif text is not None:
        captions = {"descriptive": _read_text(text)}
    else:
        raise DataError(f"{path} has no caption; write one into {path.stem}.txt or {path.stem}.json")
    captions = {style: captions[style].strip() for style in STYLES if style in captions}
    captions = {style: text for style, text in captions.items() if text}
    if not captions:
        raise DataError(f"the caption of {path} is empty; write what the video shows")
    return captions


def _read_text(path: Path) -> str:
    """Read UTF-8, with the mark before it that some editors write, or without."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}); save it as UTF-8 text") from error


def _parse(sidecar: Path) -> dict[str, str]:
    """Return the "captions" of a JSON sidecar."""
    try:
        data: Any = json.loads(_read_text(sidecar))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{sidecar} is no JSON ({error}); mend it or use a .txt file") from error
    found = data.get("captions") if isinstance(data, dict) else None
    if not isinstance(found, dict):
        raise DataError(f'{sidecar} needs {{"captions": {{"descriptive": "what the video shows"}}}}')
    if strange := [key for key in found if key not in (*STYLES, *ASIDE)]:
        raise DataError(f"{sidecar} has a caption called {strange[0]!r}; call it {' or '.join(STYLES)}")
    captions = {style: found[style] for style in STYLES if style in found}
    if not all(isinstance(text, str) for text in captions.values()):
        raise DataError(f'{sidecar} needs {{"captions": {{"descriptive": "what the video shows"}}}}')
    return captions
