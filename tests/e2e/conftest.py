"""Tiny weights for the commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from reelworld.core.config import to_json
from reelworld.core.types import Video, VideoShape
from reelworld.core.video import write
from reelworld.models.denoiser import Denoiser, DenoiserConfig
from reelworld.models.released import denoiser_to_checkpoint
from reelworld.models.text import TextConfig, Tokenizer
from reelworld.world.caption import vocabulary


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a tiny untrained denoiser whose output is not zero."""
    denoiser = Denoiser(
        DenoiserConfig(dim=32, depth=1, num_heads=1, text=TextConfig(dim=32, depth=1, num_heads=1))
    )
    torch.nn.init.normal_(denoiser.final.weight, std=0.05, generator=torch.Generator().manual_seed(1))
    shape = VideoShape(width=32, height=32, num_frames=8, fps=8.0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    return denoiser_to_checkpoint(
        path, denoiser, Tokenizer.from_words(vocabulary()), {"shape": to_json(shape)}
    )


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second and a half of noise that moves, of another size and rate than the weights make."""
    rng = np.random.default_rng(0)
    still = rng.integers(0, 256, (48, 96, 3), dtype=np.uint8)
    frames = np.stack([np.roll(still, 2 * t, axis=1) for t in range(24)])
    return write(Video(frames, 16.0), tmp_path_factory.mktemp("film") / "film.mp4")
