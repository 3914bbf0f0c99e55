"""Video <-> spacetime patches: one token is a tubelet of 4 frames x 8 x 8 pixels.

A token may also see, and predict, a margin of its neighbours' pixels (`overlap`). What it predicts there is
blended with what the neighbours predict, so that no seam shows at the tubelets' borders.

    tokens = patchify(video, config)                        # [B, T, H, W, C] -> [B, N, D]
    video = unpatchify(tokens, Grid.of(16, 64, 64, config), config)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from reelworld.core.errors import ConfigError, ShapeError

WINDOW_AXES = (4, 5, 6)  # frames, height, width inside a window of [B, t, y, x, frames, height, width, C]
VIDEO_AXES = (1, 2, 3)  # time, height, width of a video, or of a grid of tubelets


@dataclass(frozen=True, kw_only=True)
class PatchConfig:
    """Size of a tubelet in frames and pixels, and the margin it shares with its neighbours on each side."""

    frames: int = 4
    height: int = 8
    width: int = 8
    overlap: tuple[int, int, int] = (1, 2, 2)

    def __post_init__(self) -> None:
        for size, margin in zip(self.size, self.overlap, strict=True):
            if size < 1 or not 0 <= 2 * margin <= size:
                raise ConfigError(
                    f"patch {self.size} with overlap {self.overlap}: each margin must be between 0 and half "
                    "the tubelet, so that no pixel is shared by more than two tubelets of an axis"
                )

    def without_overlap(self) -> PatchConfig:
        """Return the same tubelet without margins."""
        return replace(self, overlap=(0, 0, 0))

    @property
    def size(self) -> tuple[int, int, int]:
        """Frames, height and width of a tubelet."""
        return (self.frames, self.height, self.width)

    @property
    def window(self) -> tuple[int, int, int]:
        """Frames, height and width of a tubelet with its margins."""
        frames, height, width = (s + 2 * m for s, m in zip(self.size, self.overlap, strict=True))
        return (frames, height, width)

    @property
    def tubelet_pixels(self) -> int:
        """Pixels of a tubelet."""
        return math.prod(self.size)

    @property
    def window_pixels(self) -> int:
        """Pixels of a tubelet with its margins."""
        return math.prod(self.window)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """How many tubelets a video holds along time, height and width."""

    frames: int
    rows: int
    columns: int

    @classmethod
    def of(cls, num_frames: int, height: int, width: int, config: PatchConfig) -> Grid:
        """Count the tubelets of a video; an image (one frame) counts as one tubelet of equal frames.

        Raises: ShapeError when the tubelet does not divide the video.
        """
        num_frames = config.frames if num_frames == 1 else num_frames
        shape = (num_frames, height, width)
        if min(shape) < 1 or any(n % size for n, size in zip(shape, config.size, strict=True)):
            raise ShapeError(
                f"{num_frames} frames of {width}x{height}: the number of frames must be 1 or a multiple of "
                f"{config.frames}, height of {config.height}, width of {config.width}"
            )
        frames, rows, columns = (n // size for n, size in zip(shape, config.size, strict=True))
        return cls(frames=frames, rows=rows, columns=columns)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Tubelets along time, height and width."""
        return (self.frames, self.rows, self.columns)

    @property
    def num_tokens(self) -> int:
        """Tubelets in all."""
        return math.prod(self.shape)


def patchify(video: Tensor, config: PatchConfig) -> Tensor:
    """Cut a video [B, T, H, W, C] into tokens [B, N, window pixels * C]; beyond the border are zeros.

    Raises: ShapeError when the tubelet does not divide the video.
    """
    _, num_frames, height, width, _ = video.shape
    grid = Grid.of(num_frames, height, width, config)
    if num_frames == 1:
        video = video.expand(-1, config.frames, -1, -1, -1)
    return _cut(video, *_to_lists(grid, config), weighted=False)


def unpatchify(tokens: Tensor, grid: Grid, config: PatchConfig) -> Tensor:
    """Blend tokens [B, N, window pixels * C] into a video [B, T, H, W, C]: the exact inverse of `patchify`.

    Raises: ShapeError when the tokens are not those of the grid.
    """
    if tokens.shape[1] != grid.num_tokens or tokens.shape[2] % config.window_pixels:
        raise ShapeError(
            f"{tokens.shape[1]} tokens of {tokens.shape[2]} numbers do not fill a grid of {grid.num_tokens} "
            f"windows of {config.window_pixels} pixels; pass the grid and patch that made them"
        )
    return _overlap_add(tokens, *_to_lists(grid, config), weighted=True)


# Cutting and adding up are each other's gradient. They are opaque operators: the loops that the compiler
# generates for them, and automatic differentiation, each took two to three times as long as these kernels.
@torch.library.custom_op("reelworld::cut", mutates_args=())
def _cut(video: Tensor, grid: list[int], size: list[int], overlap: list[int], weighted: bool) -> Tensor:
    """Cut a video into windows, times the weights of `blending_weights` if asked for."""
    tiles, config = _from_lists(grid, size, overlap)
    windows = F.pad(video, [0, 0, *(m for m in reversed(overlap) for _ in range(2))])
    for axis, step, window in zip(VIDEO_AXES, size, config.window, strict=True):
        windows = windows.unfold(axis, window, step)
    tokens = windows.permute(0, 1, 2, 3, 5, 6, 7, 4).clone(memory_format=torch.contiguous_format)
    tokens = tokens.view(len(video), tiles.num_tokens, -1)
    return (tokens * _weights(tiles, config, tokens)).type_as(video) if weighted else tokens


@torch.library.custom_op("reelworld::overlap_add", mutates_args=())
def _overlap_add(
    tokens: Tensor, grid: list[int], size: list[int], overlap: list[int], weighted: bool
) -> Tensor:
    """Add windows, weighted if asked for, up to a video: margins onto their neighbours, axis after axis."""
    tiles, config = _from_lists(grid, size, overlap)
    windows = tokens * _weights(tiles, config, tokens) if weighted else tokens.clone()
    windows = windows.view(len(tokens), *grid, *config.window, -1)
    for tile, axis, length, margin in zip(VIDEO_AXES, WINDOW_AXES, size, overlap, strict=True):
        before, own, after = windows.split([margin, length, margin], dim=axis)
        others = grid[tile - 1] - 1
        own.narrow(tile, 1, others).narrow(axis, 0, margin).add_(after.narrow(tile, 0, others))
        own.narrow(tile, 0, others).narrow(axis, length - margin, margin).add_(before.narrow(tile, 1, others))
        windows = own
    video = rearrange(windows, "b t y x f h w c -> b (t f) (y h) (x w) c")
    return video.type_as(tokens).contiguous()


@_cut.register_fake
def _(video: Tensor, grid: list[int], size: list[int], overlap: list[int], weighted: bool) -> Tensor:
    tiles, config = _from_lists(grid, size, overlap)
    return video.new_empty(video.shape[0], tiles.num_tokens, config.window_pixels * video.shape[-1])


@_overlap_add.register_fake
def _(tokens: Tensor, grid: list[int], size: list[int], overlap: list[int], weighted: bool) -> Tensor:
    _, config = _from_lists(grid, size, overlap)
    shape = (n * s for n, s in zip(grid, size, strict=True))
    return tokens.new_empty(tokens.shape[0], *shape, tokens.shape[2] // config.window_pixels)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.given = inputs[1:]


def _cut_backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
    return _overlap_add(gradient, *ctx.given), None, None, None, None


def _overlap_add_backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
    return _cut(gradient, *ctx.given), None, None, None, None


_cut.register_autograd(_cut_backward, setup_context=_remember)
_overlap_add.register_autograd(_overlap_add_backward, setup_context=_remember)


def _to_lists(grid: Grid, config: PatchConfig) -> tuple[list[int], list[int], list[int]]:
    """Write a grid and patch as lists of integers, the types an operator takes."""
    return list(grid.shape), list(config.size), list(config.overlap)


def _from_lists(grid: list[int], size: list[int], overlap: list[int]) -> tuple[Grid, PatchConfig]:
    """Read back what `_to_lists` wrote."""
    frames, height, width = size
    before, above, left = overlap
    config = PatchConfig(frames=frames, height=height, width=width, overlap=(before, above, left))
    return Grid(frames=grid[0], rows=grid[1], columns=grid[2]), config


def _weights(grid: Grid, config: PatchConfig, like: Tensor) -> Tensor:
    """Return the weights of all windows [N, window pixels * C] in the layout of tokens, at least float32."""
    dtype = torch.promote_types(like.dtype, torch.float32)
    return _weight_table(grid, config, like.shape[-1] // config.window_pixels, dtype, like.device)


@lru_cache(maxsize=16)
def _weight_table(
    grid: Grid, config: PatchConfig, channels: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    axes = zip(grid.shape, config.size, config.overlap, strict=True)
    t, y, x = (blending_weights(tiles, size, margin, device) for tiles, size, margin in axes)
    product = torch.einsum("tf,yh,xw->tyxfhw", t, y, x).reshape(grid.num_tokens, config.window_pixels, 1)
    return product.expand(-1, -1, channels).flatten(1).to(dtype)


def blending_weights(num_tiles: int, size: int, margin: int, device: torch.device | None = None) -> Tensor:
    """Return the windows' weights [num_tiles, size + 2 margin]; over each pixel of the video they sum to one.

    A window rises over the 2m pixels around each border it shares as w(i) = sin^2(pi/2 (i + 1/2) / 2m), a
    raised cosine, and its neighbour falls there as 1 - w. The video's own border is not shared: w = 1.
    """
    weights = torch.ones(num_tiles, size + 2 * margin, device=device)
    steps = (torch.arange(2 * margin, device=device) + 0.5) / (2 * margin)
    rise = torch.sin(math.pi / 2 * steps).square()
    weights[1:, : 2 * margin] = rise
    weights[:-1, size:] = rise.flip(0)
    return weights
