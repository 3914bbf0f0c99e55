"""Tiny models for the tests of this room: real classes, a few thousand weights."""

from collections.abc import Callable

import pytest
import torch

from reelworld.models.denoiser import Denoiser, DenoiserConfig
from reelworld.models.patches import PatchConfig
from reelworld.models.text import TextConfig

TEXT = TextConfig(vocabulary_size=64, dim=48, depth=2, num_heads=3, max_length=64)
PATCH = PatchConfig(frames=2, height=4, width=4, overlap=(1, 1, 2))


def stir(config: DenoiserConfig) -> Denoiser:
    """Build a denoiser whose zero-initialised weights are stirred, so that every part has a say."""
    generator = torch.Generator().manual_seed(1)
    denoiser = Denoiser(config)
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return denoiser


@pytest.fixture
def config() -> DenoiserConfig:
    return DenoiserConfig(dim=32, depth=2, num_heads=2, patch=PATCH, text=TEXT)


@pytest.fixture
def stirred() -> Callable[[DenoiserConfig], Denoiser]:
    return stir


@pytest.fixture
def denoiser(config: DenoiserConfig) -> Denoiser:
    return stir(config)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)
