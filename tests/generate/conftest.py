"""A tiny denoiser with weights that are not zero, as a file."""

import pytest
import torch

from reelworld.generate.pipeline import Pipeline
from reelworld.models.denoiser import Denoiser, DenoiserConfig
from reelworld.models.patches import PatchConfig
from reelworld.models.released import denoiser_to_checkpoint
from reelworld.models.text import TextConfig, Tokenizer

WORDS = ["a", "red", "blue", "ball", "box", "rolls", "past", "spins"]
CARD = {"shape": {"width": 16, "height": 16, "num_frames": 8, "fps": 8.0}, "recipe": "tiny", "trained": {}}


def tiny_denoiser(seed=0):
    config = DenoiserConfig(
        dim=32,
        depth=2,
        num_heads=2,
        patch=PatchConfig(frames=4, height=8, width=8),
        text=TextConfig(vocabulary_size=64, dim=32, depth=1, num_heads=2, max_length=32),
    )
    generator = torch.Generator().manual_seed(seed)
    denoiser = Denoiser(config, generator)
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return denoiser


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Return the path of the weights."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    tokenizer = Tokenizer.from_words(WORDS, size=64)
    return denoiser_to_checkpoint(path, tiny_denoiser(), tokenizer, CARD)


@pytest.fixture(scope="session")
def pipeline(weights):
    """Return the pipeline of those weights, on the CPU."""
    return Pipeline.load(weights, device="cpu")


@pytest.fixture(scope="session")
def knowing(tmp_path_factory):
    """Return a pipeline whose words hold places for two characters."""
    path = tmp_path_factory.mktemp("weights") / "knowing.safetensors"
    tokenizer = Tokenizer.from_words([*WORDS, "alpha", "beta"], size=64)
    return Pipeline.load(denoiser_to_checkpoint(path, tiny_denoiser(), tokenizer, CARD), device="cpu")
