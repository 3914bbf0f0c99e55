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
    Grid.of(num_frames, height, width, config)
    if num_frames == 1:
        video = video.expand(-1, config.frames, -1, -1, -1)
    windows = F.pad(video, [0, 0, *(m for m in reversed(config.overlap) for _ in range(2))])
    for axis, size, window in zip(VIDEO_AXES, config.size, config.window, strict=True):
        windows = windows.unfold(axis, window, size)
    return rearrange(windows, "b t y x c f h w -> b (t y x) (f h w c)")


def unpatchify(tokens: Tensor, grid: Grid, config: PatchConfig) -> Tensor:
    """Blend tokens [B, N, window pixels * C] into a video [B, T, H, W, C]: the exact inverse of `patchify`.

    Raises: ShapeError when the tokens are not those of the grid.
    """
    if tokens.shape[1] != grid.num_tokens or tokens.shape[2] % config.window_pixels:
        raise ShapeError(
            f"{tokens.shape[1]} tokens of {tokens.shape[2]} numbers do not fill a grid of {grid.num_tokens} "
            f"windows of {config.window_pixels} pixels; pass the grid and patch that made them"
        )
    if not any(config.overlap):
        return _fold(tokens, grid, config)
    return _blend(tokens, *_to_lists(grid, config))


# The blend and its gradient are opaque operators: automatic differentiation, and the loops that the compiler
# generates, each took about twice as long as the plain kernels below.
@torch.library.custom_op("reelworld::blend", mutates_args=())
def _blend(tokens: Tensor, grid: list[int], size: list[int], overlap: list[int]) -> Tensor:
    """Add overlapping windows up to a video, each times its weights."""
    tiles, config = _from_lists(grid, size, overlap)
    return _fold(tokens, tiles, config).contiguous()


@torch.library.custom_op("reelworld::blend_adjoint", mutates_args=())
def _blend_adjoint(gradient: Tensor, grid: list[int], size: list[int], overlap: list[int]) -> Tensor:
    """Turn the gradient of a video into that of its windows: what each sees of it, times its weights."""
    tiles, config = _from_lists(grid, size, overlap)
    windows = patchify(gradient, config)
    return (windows * _weights(tiles, config, windows)).contiguous()


@_blend.register_fake
def _(tokens: Tensor, grid: list[int], size: list[int], overlap: list[int]) -> Tensor:
    _, config = _from_lists(grid, size, overlap)
    shape = (n * s for n, s in zip(grid, size, strict=True))
    return tokens.new_empty(tokens.shape[0], *shape, tokens.shape[2] // config.window_pixels)


@_blend_adjoint.register_fake
def _(gradient: Tensor, grid: list[int], size: list[int], overlap: list[int]) -> Tensor:
    tiles, config = _from_lists(grid, size, overlap)
    return gradient.new_empty(gradient.shape[0], tiles.num_tokens, config.window_pixels * gradient.shape[-1])


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.lists = inputs[1:]


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
    return _blend_adjoint(gradient, *ctx.lists), None, None, None


_blend.register_autograd(_backward, setup_context=_remember)


def _to_lists(grid: Grid, config: PatchConfig) -> tuple[list[int], list[int], list[int]]:
    """Write a grid and patch as lists of integers, the types an operator takes."""
    return list(grid.shape), list(config.size), list(config.overlap)


def _from_lists(grid: list[int], size: list[int], overlap: list[int]) -> tuple[Grid, PatchConfig]:
    """Read back what `_to_lists` wrote."""
    frames, height, width = size
    before, above, left = overlap
    config = PatchConfig(frames=frames, height=height, width=width, overlap=(before, above, left))
    return Grid(frames=grid[0], rows=grid[1], columns=grid[2]), config


def _fold(tokens: Tensor, grid: Grid, config: PatchConfig) -> Tensor:
    """Blend overlapping windows into a video, one axis after the other."""
    windows = tokens.reshape(tokens.shape[0], *grid.shape, *config.window, -1)
    for tile, axis, size, margin in zip(VIDEO_AXES, WINDOW_AXES, config.size, config.overlap, strict=True):
        windows = _fold_axis(windows, tile, axis, size, margin)
    return rearrange(windows, "b t y x f h w c -> b (t f) (y h) (x w) c")


def _fold_axis(windows: Tensor, tile: int, axis: int, size: int, margin: int) -> Tensor:
    """Blend the windows' margins with their neighbours' along one axis; leaves tiles without margins."""
    if margin == 0:
        return windows
    before, first, middle, last, after = windows.split(
        [margin, margin, size - 2 * margin, margin, margin], dim=axis
    )
    own = _rise(margin, windows)[margin:].view(-1, *[1] * (windows.ndim - 1 - axis))
    first = torch.lerp(_neighbour(after, first, tile, -1), first, own)
    last = torch.lerp(_neighbour(before, last, tile, 1), last, own.flip(0))
    return torch.cat([first, middle, last], dim=axis)


def _neighbour(theirs: Tensor, mine: Tensor, axis: int, step: int) -> Tensor:
    """Give each tile what its neighbour at `step` says; at the video's border, what it says itself."""
    length = mine.shape[axis]
    if step < 0:
        return torch.cat([mine.narrow(axis, 0, 1), theirs.narrow(axis, 0, length - 1)], dim=axis)
    return torch.cat([theirs.narrow(axis, 1, length - 1), mine.narrow(axis, length - 1, 1)], dim=axis)


def _rise(margin: int, like: Tensor) -> Tensor:
    """How a window comes in over the 2m pixels around a border: w(i) = sin^2(pi/2 (i + 1/2) / 2m)."""
    steps = (torch.arange(2 * margin, device=like.device) + 0.5) / (2 * margin)
    return torch.sin(math.pi / 2 * steps).square().to(like.dtype)


def _weights(grid: Grid, config: PatchConfig, like: Tensor) -> Tensor:
    """Return the weights of all windows [N, window pixels * C], in the layout and type of tokens."""
    return _weight_table(grid, config, like.shape[-1] // config.window_pixels, like.dtype, like.device)


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
    rise = _rise(margin, weights)
    weights[1:, : 2 * margin] = rise
    weights[:-1, size:] = rise.flip(0)
    return weights
