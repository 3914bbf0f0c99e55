"""Training on a folder of real footage: NAME.mp4 with its captions in NAME.json or NAME.txt.

    python -m reelworld.train nano --out runs/mine --data footage/

A .json sidecar holds {"captions": {"raw": ..., "short": ..., "descriptive": ...}}, any of the three, as `reel
world sample` writes it; a .txt sidecar holds one caption. This is the only part of training that needs PyAV.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reelworld.core import video
from reelworld.core.errors import ConfigError, DataError
from reelworld.core.types import VideoShape
from reelworld.models.text import Tokenizer
from reelworld.recipes import CaptionMix, Stage
from reelworld.world.caption import vocabulary
from reelworld.world.stream import Batch

HELDOUT_EVERY = 10
STYLES = ("raw", "short", "descriptive")


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A video file, its captions by style and its length in seconds."""

    path: Path
    captions: dict[str, str]
    seconds: float


@dataclass(frozen=True)
class Footage:
    """A folder of videos with captions as a data set; every tenth file, by name, is held out.

    Raises: DataError for a folder without videos, or a video without a caption.
    """

    folder: str
    max_words: int = 900

    def words(self) -> tuple[str, ...]:
        """Return the world's words, then the captions' most frequent others up to `max_words` in all."""
        known = vocabulary()
        counts = Counter(
            word
            for clip in self.clips
            for text in clip.captions.values()
            for word in Tokenizer.from_words([text]).words
        )
        new = [word for word, _ in counts.most_common() if word not in set(known)]
        return known + tuple(new[: max(0, self.max_words - len(known))])

    def describe(self) -> dict[str, object]:
        """Say what was learned from."""
        return {"kind": "footage", "clips": len(self.clips)}

    @cached_property
    def clips(self) -> tuple[Clip, ...]:
        """Return the clips, ordered by name."""
        return tuple(find_clips(Path(self.folder)))

    def split(self, name: str) -> tuple[Clip, ...]:
        """Return the clips of "train" or "heldout"; a folder of fewer than ten holds nothing out."""
        if len(self.clips) < HELDOUT_EVERY:
            return self.clips
        held = name == "heldout"
        return tuple(
            clip for i, clip in enumerate(self.clips) if (i % HELDOUT_EVERY == HELDOUT_EVERY - 1) == held
        )

    def stream(
        self, stage: Stage, shape: VideoShape, batch: int, *, split: str, seed: int, device: str
    ) -> "FootageStream":
        """Open an endless shuffled stream of crops of that shape; without characters, which no footage names.

        Raises: ConfigError for a bucket with themes, or filmed from near.
        """
        if stage.themes or stage.near:
            raise ConfigError("footage has no themes and no `near`: take them out of the recipe's buckets")
        return FootageStream(self.split(split), shape, batch, stage.captions, seed)


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
        self.clips = [clip for clip in clips if clip.seconds >= shape.duration - 0.5 / shape.fps]
        if not self.clips:
            longest = max(clip.seconds for clip in clips)
            raise DataError(
                f"no video lasts {shape.duration:g} s ({shape}), the longest {longest:.1f} s: add longer ones"
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
    paths = sorted(folder.glob("*.mp4"))
    if not paths:
        raise DataError(
            f"{folder} holds no .mp4 files; put videos there, or make some with: reel world sample"
        )
    for path in paths:
        info = video.probe(path)
        seconds = info.duration if info.duration is not None else (info.num_frames or 1) / info.fps
        yield Clip(path=path, captions=read_captions(path), seconds=seconds)


def read_captions(path: Path) -> dict[str, str]:
    """Return the captions of a video by style, from the .json or .txt file of the same name.

    Raises: DataError when there is none.
    """
    text, sidecar = path.with_suffix(".txt"), path.with_suffix(".json")
    if sidecar.is_file():
        captions = _parse(sidecar)
    elif text.is_file():
        captions = {"descriptive": _read_text(text)}
    else:
        raise DataError(f"{path} has no caption; write one into {text.name} or {sidecar.name}")
    captions = {style: captions[style] for style in STYLES if captions.get(style)}
    if not captions:
        raise DataError(f"the caption of {path} is empty; write what the video shows")
    return captions


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}); save it as UTF-8 text") from error


def _parse(sidecar: Path) -> dict[str, str]:
    """Return the "captions" of a JSON sidecar."""
    try:
        data: Any = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{sidecar} is no JSON ({error}); mend it or use a .txt file") from error
    found = data.get("captions") if isinstance(data, dict) else None
    captions = (
        {style: found[style] for style in STYLES if style in found} if isinstance(found, dict) else None
    )
    if captions is None or not all(isinstance(text, str) for text in captions.values()):
        raise DataError(f'{sidecar} needs {{"captions": {{"descriptive": "what the video shows"}}}}')
    return captions
