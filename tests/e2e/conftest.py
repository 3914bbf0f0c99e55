"""Tiny weights for the commands."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reelworld.core.config import to_json
from reelworld.core.types import VideoShape
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
