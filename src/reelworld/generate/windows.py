"""Frames made window by window: a window holds as many as the weights were trained for, some of them known.

    with opened(pipeline, "the ball rolls", options, to_grow(pipeline, len(frames), 40)) as windows:
        longer = windows.grown(frames, 40, seed=0)

However long the result, each window sees the frames before it, or those on both sides, and no more; one
progress bar counts the denoising steps of all of them. With the option `kept`, a folder, finished windows are
stored there under a hash of all that they depend on, and found again: work that was interrupted goes on, and
what did not change is not made anew.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reelworld.core import runtime
from reelworld.core.config import to_json
from reelworld.core.encode import decode_frames, encode_frames
from reelworld.core.errors import ConfigError, StorageError, VideoError
from reelworld.core.progress import progress as open_progress
from reelworld.core.storage import make_folder, write_bytes
from reelworld.core.types import Frames, Video
from reelworld.core.version import __version__
from reelworld.diffusion.masks import known_frames
from reelworld.generate.pipeline import Pipeline
from reelworld.generate.request import Sampling, seed_after
from reelworld.generate.shots import shots_of

MOST_KEPT = 1 << 30  # bytes of windows that are kept, so that only what is new or changed is made again
MARK = 24  # digits of the name of a window that is kept
MAKING = "within tubelets"  # changed with whatever makes other frames of the same options
WATCHING = ("progress", "callback", "kept")  # options that do not change a result
OPTIONS = {*WATCHING, *(field.name for field in fields(Sampling)), "negative_prompt", "characters"}
CONTEXT = 0.5  # share of a window that is known when a video goes on, and a frame


def with_defaults(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of `Pipeline` with all that say how it samples: defaults may change."""
    return {**to_json(Sampling()), "negative_prompt": None, **options}


def window_size(pipeline: Pipeline) -> int:
    """Return how many frames are made at once. Raises: ConfigError for weights that make images."""
    if pipeline.shape.num_frames < 4:
        raise ConfigError("these weights make images; videos are edited by weights that make videos")
    return pipeline.shape.num_frames


def context(pipeline: Pipeline, length: int) -> int:
    """Return how many frames a window shows of so many beside it: half of its own, and one more.

    So the border lies within a tubelet, which is made in one piece; what one shows and the next one makes
    need not meet (docs/design/0023).
    """
    return min(length, int(CONTEXT * window_size(pipeline)) + 1)


def shown_before(pipeline: Pipeline, left: int, right: int, gap: int) -> int:
    """Return how many of `left` frames a window shows before a gap, of which `right` follow.

    It shows as many as it can in all; of these as near to half as both borders lie within tubelets.
    """
    shown, tubelet = window_size(pipeline) - gap, pipeline.denoiser.config.patch.frames
    counts = range(min(max(shown - right, 1), left), min(left, shown - 1) + 1)

    def torn(n: int) -> bool:
        return n % tubelet == 0 or (n + gap) % tubelet == 0

    return min(counts, key=lambda n: (torn(n), abs(2 * n - shown)))


def to_grow(pipeline: Pipeline, length: int, count: int) -> int:
    """Return how many windows it takes to make `count` frames beside `length` others."""
    size = window_size(pipeline)
    rest = count - (size - context(pipeline, length))  # after the first window
    return 0 if count <= 0 else 1 + max(0, math.ceil(rest / (size - context(pipeline, size))))


def to_bridge(pipeline: Pipeline, length: int, gap: int) -> int:
    """Return how many windows it takes to close a gap of so many frames behind `length` others."""
    return 1 + to_grow(pipeline, length, gap - _widest_gap(window_size(pipeline)))


def to_make_anew(pipeline: Pipeline, length: int) -> int:
    """Return how many windows it takes to make so many frames anew."""
    size = window_size(pipeline)
    return 1 + to_grow(pipeline, size, length - size)


def _widest_gap(size: int) -> int:
    """Return the widest gap that one window closes: a quarter of it is known on each side."""
    return size - 2 * (size // 4)


def padded(frames: Frames, count: int) -> Frames:
    """Repeat the last frame until there are `count`."""
    more = count - len(frames)
    return np.concatenate([frames, np.repeat(frames[-1:], more, axis=0)]) if more > 0 else frames


@dataclass(frozen=True)
class Windows:
    """What makes the frames of windows for a prompt; `options` are those of `Pipeline`."""

    pipeline: Pipeline
    prompt: str
    options: Mapping[str, Any]
    skip: Callable[[], None]  # count a window that need not be made
    kept: Path | None = None

    @property
    def size(self) -> int:
        """Return how many frames a window holds."""
        return window_size(self.pipeline)

    def saying(self, prompt: str, **options: Any) -> Windows:
        """Return the same for another prompt, with some options changed."""
        return replace(self, prompt=prompt, options={**self.options, **options})

    def beyond_cuts(self, before: bool = False) -> Windows:
        """Return the same for what follows the shots of the prompt, or comes before: one shot goes on."""
        return self.saying(shots_of(self.prompt)[0 if before else -1])

    def fresh(self, seed: int) -> Frames:
        """Make a window of which nothing is known."""
        return self._window(seed=seed)

    def noise(self, first: int, seed: int) -> Tensor:
        """Return the noise of a window that begins with a frame; each frame has its own, in every window."""
        _, height, width = self.pipeline.shape.size
        frames = range(first, first + self.size)
        drawn = [
            torch.randn(height, width, 3, generator=runtime.generator(_of_frame(seed, n))) for n in frames
        ]
        return torch.stack(drawn)[None]

    def complete(
        self, frames: Frames, known: Sequence[int], seed: int, noise: Tensor | None = None, soft: int = 0
    ) -> Frames:
        """Make the frames of a window that are not known; `soft` known ones fade into them."""
        mask = known_frames(len(frames), known, soft)
        frames, fps = np.ascontiguousarray(frames), self.pipeline.shape.fps
        return self._window(known=frames, mask=mask, seed=seed, fps=fps, noise=noise)

    def _window(self, **given: Any) -> Frames:
        """Make a window, or find it where it is kept."""
        path = None if self.kept is None else self.kept / f"{self._mark(given)}.npy"
        if path is not None and (old := _stored(path)) is not None:
            self.skip()
            return old
        (video,) = self.pipeline(self.prompt, **given, **self.options)
        if path is not None:
            _keep(path, video.frames)
        return video.frames

    def _mark(self, given: Mapping[str, Any]) -> str:
        """Return a hash of all that a window depends on."""
        own = {name: value for name, value in {**self.options, **given}.items() if name not in WATCHING}
        found = hashlib.sha256(f"{self.pipeline.weights_hash} {__version__} {MAKING} {self.prompt}".encode())
        found.update(_bytes(own))
        return found.hexdigest()[:MARK]

    def grown(self, frames: Frames, count: int, seed: int, before: bool = False) -> Frames:
        """Return frames with `count` more behind or before them, window by window.

        Frames that two windows share have the same noise in both.
        """
        wanted, length = len(frames) + count, len(frames)
        while len(frames) < wanted:
            shown = context(self.pipeline, len(frames))
            seen = frames[:shown] if before else frames[-shown:]
            new = self.size - len(seen)
            part = padded(seen[::-1], self.size)[::-1] if before else padded(seen, self.size)
            known = range(new, self.size) if before else range(len(seen))
            first = length - len(frames) - new if before else len(frames) - len(seen)
            made = self.beyond_cuts(before).complete(part, known, seed, self.noise(first, seed))
            frames = np.concatenate([made[:new], frames] if before else [frames, made[len(seen) :]])
        return frames[-wanted:] if before else frames[:wanted]

    def anew(self, frames: Frames, fixed: Sequence[int], seed: int) -> Frames:
        """Make frames anew from themselves, as noised as the options say; the `fixed` ones stay.

        Noise is shared as in `grown`.
        """
        made = np.empty((0, *frames.shape[1:]), np.uint8)
        while len(made) < len(frames):
            seen = made[len(made) - context(self.pipeline, len(made)) :]
            first = len(made) - len(seen)
            part = padded(frames[first : first + self.size], self.size)
            begun = np.concatenate([seen, part[len(seen) :]])
            known = {*range(len(seen)), *(n - first for n in fixed if first <= n < first + self.size)}
            saying = self.saying(self.prompt, init=begun)
            new = saying.complete(begun, sorted(known), seed, self.noise(first, seed))
            made = np.concatenate([made, new[len(seen) :]])
        return made[: len(frames)]

    def bridge(self, left: Frames, right: Frames, gap: int, seed: int) -> Frames:
        """Return `gap` frames that lead from the end of `left` to the beginning of `right`."""
        return self.joined(left, right, gap, seed)[len(left) :][:gap]

    def joined(self, left: Frames, right: Frames, gap: int, seed: int, soft: int = 0) -> Frames:
        """Return `left` and `right` with `gap` frames between them that lead from the one to the other.

        As many as `soft` frames beside what is made last fade into how the model itself shows them, so that
        its motion goes on.
        A gap too wide for one window is first narrowed from the left.
        """
        begun = left
        if gap > (most := _widest_gap(self.size)):
            begun = self.grown(left, gap - most, seed_after(seed, 1))
        rest = gap - (len(begun) - len(left))
        before = begun[-shown_before(self.pipeline, len(begun), len(right), rest) :]
        after = right[: self.size - rest - len(before)]
        part = padded(np.concatenate([before, np.repeat(before[-1:], rest, 0), after]), self.size)
        gap_frames = range(len(before), len(before) + rest)
        known = [n for n in range(len(before) + rest + len(after)) if n not in gap_frames]
        soft = min(soft, len(before), len(after))
        made = self.beyond_cuts().complete(part, known, seed, soft=soft)
        made = made[: len(before) + rest + len(after)]
        return np.concatenate([begun[: len(begun) - len(before)], made, right[len(after) :]])


def _keep(path: Path, frames: Frames) -> None:
    """Keep a window if there is room: without it a result costs more where it is begun again, no less."""
    try:
        make_folder(path.parent)
        write_bytes(path, encode_frames(frames))
    except StorageError as error:
        logging.getLogger(__name__).warning("a window is not kept: %s", error)


def _stored(path: Path) -> Frames | None:
    """Return the frames of a window that was kept, which was used now; None where none can be read."""
    try:
        frames = decode_frames(path.read_bytes())
        path.touch()
    except (OSError, VideoError):
        return None
    return frames


def forget_oldest(folder: Path, most: int) -> None:
    """Forget the windows that were not used for longest, until no more than so many bytes are kept.

    Other workers may do the same at the same time.
    """
    found = []
    for path in folder.glob("[0-9a-f]" * MARK + ".npy"):  # nothing else that lies there
        with suppress(OSError):
            state = path.stat()
            found.append((state.st_mtime, state.st_size, path))
    kept = 0
    for _, size, path in sorted(found, reverse=True):
        kept += size
        if kept > most:
            path.unlink(missing_ok=True)


def _bytes(value: Any) -> bytes:
    """Return bytes that differ where values do: frames, noise, pictures of characters, plain values."""
    if isinstance(value, Mapping):
        return b"".join(f"{name}:".encode() + _bytes(value[name]) for name in sorted(value))
    if isinstance(value, Video):
        return _bytes(value.frames)
    if isinstance(value, Tensor):
        value = value.numpy(force=True)
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}".encode() + np.ascontiguousarray(value).tobytes()
    return f"{value!r};".encode()


def _of_frame(seed: int, frame: int) -> int:
    """Return a seed for the noise of a frame; frames before the first have numbers below zero."""
    text = f"{seed} {frame}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:7], "big")


@contextmanager
def opened(pipeline: Pipeline, prompt: str, options: Mapping[str, Any], count: int) -> Iterator[Windows]:
    """Yield what makes windows, `count` of them, under one progress bar.

    `options` are those of `Pipeline`, whose `callback` sees the steps of each window, and `kept`.
    Raises: ConfigError for weights that make images, and for what is no such option or not open here: an
    edit makes one video, in the size and rate of the weights.
    """
    window_size(pipeline)
    if unknown := [name for name in options if name not in OPTIONS]:
        raise ConfigError(f"an edit takes no {unknown[0]!r}; its options are {', '.join(sorted(OPTIONS))}")
    own = with_defaults({name: value for name, value in options.items() if name not in WATCHING})
    watching: Callable[..., None] | None = options.get("callback")
    sampling = Sampling(**{field.name: own[field.name] for field in fields(Sampling)})
    kind = options.get("progress", "silent")
    with open_progress(kind, count * sampling.steps_left, "generating") as bar:

        def watch(step: int, num_steps: int, clean: Tensor, noisy: Tensor) -> None:
            bar.advance()
            if watching is not None:
                watching(step, num_steps, clean, noisy)

        def skip() -> None:
            bar.advance(sampling.steps_left)

        kept = options.get("kept")
        place = None if kept is None else Path(kept)
        yield Windows(pipeline, prompt, {**own, "callback": watch}, skip, place)
