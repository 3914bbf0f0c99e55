"""What the measurements of editing share: held-out renders, real files, strips to look at, differences."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from skimage.registration import optical_flow_tvl1

from reelworld.core.types import Frames, Video
from reelworld.core.video import read, write
from reelworld.evaluate.perceive import Perceiver
from reelworld.evaluate.tracking import Track
from reelworld.generate.pipeline import Pipeline
from reelworld.world.scene import Thing
from reelworld.world.stream import Clip, WorldConfig, film, plan

SEED, SPLIT = 808, "heldout"
CUT = 4.0  # median steps that make a cut
Looks = tuple[str, str, str]
NOBODY: Looks = ("", "", "")
Say = Callable[[str, str], None]


@dataclass(frozen=True)
class Bench:
    """What all measurements need; `strips` collects what was made, to be looked at."""

    pipeline: Pipeline
    parser: Perceiver
    clips: int
    files: tuple[Path, ...]
    strips: dict[str, list[tuple[Video, str]]]
    weights: Path | None = None

    def keep(self, operation: str, video: Video, label: str) -> None:
        """Keep the first few results of an operation for its picture."""
        kept = self.strips.setdefault(operation, [])
        if len(kept) < 5:
            kept.append((video, label))

    def renders(self, number: int, *, still: bool = False, things: int = 1) -> list[tuple[Clip, Video]]:
        """Return held-out renders with their captions."""
        config = WorldConfig(split=SPLIT, seed=SEED, caption_mix=(0.0, 0.0, 1.0))
        chosen = [c for c in plan(config, range(24 * number)) if len(c.told.cast) == things]
        if still:
            chosen = [c for c in chosen if c.told.shots[0].camera.move == "still"]
        films = film(chosen[:number], config).numpy()
        return [(c, Video(f, 8.0)) for c, f in zip(chosen, films, strict=False)]

    @cached_property
    def sources(self) -> list[tuple[str, list[tuple[str, Video]]]]:
        """Return what editing begins from, by kind; own samples are of the captions of the renders."""
        renders = [(clip.caption, true) for clip, true in self.renders(self.clips)]
        own = [(caption, self.pipeline(caption, seed=n)[0]) for n, (caption, _) in enumerate(renders)]
        return [("renders", renders), ("own samples", own), ("films", self.films())]

    def real(self) -> list[tuple[str, Video]]:
        """Return photographs and the longest shots of films, resized and cropped to what the weights make."""
        shape = self.pipeline.shape
        sizes = {"width": shape.width, "height": shape.height}
        whole = [(p.name, read(p, fps=shape.fps, **sizes)) for p in self.files]
        return [(name, Video(longest_shot(v.frames)[: shape.num_frames], v.fps)) for name, v in whole]

    def films(self) -> list[tuple[str, Video]]:
        """Return the real films that are as long as a window."""
        return [(name, video) for name, video in self.real() if len(video) == self.pipeline.shape.num_frames]


def longest_shot(frames: Frames) -> Frames:
    """Return the longest stretch in which no step is as large as a cut: many times the median one."""
    if len(frames) < 3:
        return frames
    change = np.array(steps(frames))
    cuts = [0, *(np.flatnonzero(change > max(CUT * np.median(change), 25.0)) + 1), len(frames)]
    first, last = max(pairwise(cuts), key=lambda part: part[1] - part[0])
    return frames[first:last]


def round_trip(video: Video) -> Video:
    """Return a video after the round trip through an mp4."""
    with tempfile.TemporaryDirectory() as folder:
        return read(write(video, Path(folder) / "a.mp4"))


def difference(one: Frames, other: Frames) -> float:
    """Return the mean absolute difference."""
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


def steps(frames: Frames) -> list[float]:
    """Return the differences of neighbouring frames."""
    return [difference(a, b) for a, b in pairwise(frames)]


def between(frames: Frames, seam: int) -> float:
    """Return the change into a frame as a share of the larger one of the changes before and behind it."""
    before, at, behind = steps(frames[seam - 2 : seam + 2])
    return at / max(before, behind, 0.5)


def flow(one: Frames, other: Frames) -> float:
    """Return the mean length of the optical flow, in pixels."""
    grey = [frame.astype(float).mean(-1) / 255 for frame in (one, other)]
    return float(np.hypot(*optical_flow_tvl1(*grey)).mean())


def looks(track: Track | Thing) -> Looks:
    """Return colour, kind and size."""
    return track.color, track.kind, track.size


def share(passed: Sequence[bool | None]) -> str:
    """Write how many of those that can be judged pass."""
    judged = [bool(p) for p in passed if p is not None]
    return f"{sum(judged)} of {len(judged)}"
