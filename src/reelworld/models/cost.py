"""What a denoiser costs: parameters, floating-point operations, bytes.

    cost = Cost.of(DenoiserConfig(), VideoShape(width=64, height=64, num_frames=16, fps=8.0), text_length=64)
    print(cost.denoise_flops / 1e9, "GFLOP per clip and denoising evaluation")

Counted are the matrix products, a multiplication and an addition as 2, as torch.utils.flop_counter does.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from reelworld.core.types import VideoShape
from reelworld.models.denoiser import Denoiser, DenoiserConfig
from reelworld.models.layers import swiglu_width
from reelworld.models.patches import Grid


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cost of one clip: evaluating the denoiser, encoding its text, a training step; and of the weights."""

    denoise_flops: int
    text_flops: int
    training_flops: int
    num_parameters: int
    weight_bytes: int
    text_bytes: int

    @classmethod
    def of(
        cls,
        config: DenoiserConfig,
        shape: VideoShape,
        text_length: int = 64,
        known: bool = True,
        references: int = 0,
    ) -> Cost:
        """Count for a shape of clip and text_length words, in float32; known: known pixels are passed.

        `references` is the number of pictures of characters beside it, of the same width and height.
        Raises: ShapeError when the tubelet does not divide the shape.
        """
        denoise = denoise_flops(config, shape, text_length, known, references)
        text = text_flops(config, text_length)
        parameters = num_parameters(config)
        return cls(
            denoise_flops=denoise,
            text_flops=text,
            training_flops=3 * (denoise + text) - _embed_flops(config, shape, known, references),
            num_parameters=parameters,
            weight_bytes=4 * parameters,
            text_bytes=4 * 2 * config.depth * config.dim * text_length,
        )


def denoise_flops(
    config: DenoiserConfig, shape: VideoShape, text_length: int = 64, known: bool = True, references: int = 0
) -> int:
    """Count one evaluation of the denoiser for one clip, its text already encoded."""
    grid = _grid(config, shape)
    tokens = grid.num_tokens + references * grid.rows * grid.columns
    block = _block_flops(tokens, tokens + text_length, config.dim, config.mlp_ratio)
    window = config.patch.window_pixels * config.channels
    condition = 2 * config.dim * config.dim * (2 + 6 + 2)
    return (
        _embed_flops(config, shape, known, references)
        + config.depth * block
        + 2 * grid.num_tokens * config.dim * window
        + condition
    )


def text_flops(config: DenoiserConfig, text_length: int = 64) -> int:
    """Count the encoding of one text, its keys and values for every block included."""
    text = config.text
    block = _block_flops(text_length, text_length, text.dim, text.mlp_ratio)
    return text.depth * block + 2 * text_length * text.dim * 2 * config.depth * config.dim


def num_parameters(config: DenoiserConfig) -> int:
    """Count the parameters, by building the model without memory."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in Denoiser(config).parameters())


def _grid(config: DenoiserConfig, shape: VideoShape) -> Grid:
    return Grid.of(shape.num_frames, shape.height, shape.width, config.patch)


def _embed_flops(config: DenoiserConfig, shape: VideoShape, known: bool, references: int) -> int:
    """Count the input embedding: windows of noisy pixels, tubelets of known pixels and mask."""
    grid = _grid(config, shape)
    noisy = config.patch.window_pixels * config.channels
    given = config.patch.tubelet_pixels * (config.channels + 1)
    pictures = references * grid.rows * grid.columns
    numbers = grid.num_tokens * (noisy + given * known) + pictures * (noisy + given)
    return 2 * numbers * config.dim


def _block_flops(num_queries: int, num_keys: int, dim: int, mlp_ratio: float) -> int:
    """Count a transformer block: query, key, value and output; scores and their sum; gate, up and out."""
    projections = 2 * num_queries * dim * 4 * dim
    scores = 2 * 2 * num_queries * num_keys * dim
    mlp = 2 * num_queries * dim * 3 * swiglu_width(dim, mlp_ratio)
    return projections + scores + mlp
