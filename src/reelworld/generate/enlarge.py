"""A small video -> a large one, by the trained upsampler (64 x 64 -> 256 x 256).

    large = Enlarger.load()(video)

It was trained on renders of the simulated world and sharpens what looks like them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from reelworld.core.types import Frames, Video
from reelworld.models.released import packaged
from reelworld.models.upsampler import Upsampler, UpsamplerConfig

CHUNK = 16  # frames enlarged together, so that memory does not grow with length
OVERLAP = 4  # frames before and after that a chunk also looks at: as far as the network does


@dataclass(frozen=True)
class Enlarger:
    """A trained upsampler and the hash of its weights."""

    network: Upsampler
    weights_hash: str

    @classmethod
    def load(cls, path: str | Path | None = None) -> Enlarger:
        """Load weights, by default the packaged ones. Raises: CheckpointError."""
        network, weights_hash = packaged(Upsampler, UpsamplerConfig, "upsampler", path)
        return cls(network.to(memory_format=torch.channels_last), weights_hash)  # type: ignore[call-overload]

    def __call__(self, video: Video) -> Video:
        """Return the video at the network's scale; its metadata says so.

        Shots, where the metadata tell of cuts, are enlarged each for itself; a loop is looked at all the way
        round, or its beginning and end would differ where they meet.
        """
        around = OVERLAP if video.metadata.get("operation") == "loop" else 0
        number = np.arange(-around, len(video) + around) % len(video)
        frames = video.frames[number]
        cuts = 1 + np.flatnonzero(np.isin(number[1:], video.cuts))
        large = self._empty(frames)
        for a, b in pairwise([0, *cuts, len(frames)]):
            self._fill(large[a:b], frames[a:b])
        large = large[around : around + len(video)]
        return Video(large, video.fps, {**video.metadata, "upsampler": self.weights_hash})

    def enlarge(self, frames: Frames) -> Frames:
        """Enlarge uint8 [T, H, W, 3], some frames at a time; where chunks meet nothing shows."""
        large = self._empty(frames)
        self._fill(large, frames)
        return large

    def _empty(self, frames: Frames) -> Frames:
        scale = self.network.config.scale
        return np.empty((len(frames), scale * frames.shape[1], scale * frames.shape[2], 3), np.uint8)

    @torch.inference_mode()
    def _fill(self, to: Frames, frames: Frames) -> None:
        for first in range(0, len(frames), CHUNK):
            start, stop = max(0, first - OVERLAP), min(len(frames), first + CHUNK + OVERLAP)
            clip = torch.from_numpy(np.ascontiguousarray(frames[start:stop])).float()[None] / 127.5 - 1
            large = self.network(clip)[0, first - start : first - start + CHUNK]
            to[first : first + CHUNK] = ((large.clamp(-1, 1) + 1) * 127.5).round().byte().numpy()
