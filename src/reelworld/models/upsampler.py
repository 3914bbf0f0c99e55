"""Spacetime super-resolution: a video of 64 x 64 becomes one of 256 x 256.

    large = Upsampler(UpsamplerConfig())(video)       # [B, T, H, W, 3] -> [B, T, 4 H, 4 W, 3], in [-1, 1]

Residual convolutions at the small size, each second one with a look at the frames before and after, then
depth to space (arXiv:1609.05158). What they find is added to the bicubic picture (arXiv:1511.04587).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reelworld.core.errors import ConfigError
from reelworld.models.perception import Neighbours, draw_weights


@dataclass(frozen=True, kw_only=True)
class UpsamplerConfig:
    """Channels, number of residual blocks, and how many times the picture grows."""

    width: int = 48
    num_blocks: int = 6
    scale: int = 4

    def __post_init__(self) -> None:
        if min(self.width, self.num_blocks) < 1 or self.scale < 2:
            raise ConfigError(
                f"width {self.width}, num_blocks {self.num_blocks}: give 1 or more; scale {self.scale}: 2"
            )


class _Block(nn.Module):
    """x + conv(relu(conv(x))), without normalisation (arXiv:1707.02921); zero at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.relu(self.first(x)))


class Upsampler(nn.Module):
    """The network; any size and number of frames."""

    def __init__(self, config: UpsamplerConfig, generator: torch.Generator | None = None) -> None:
        """Draw the weights from `generator`, or from the global one."""
        super().__init__()
        self.config = config
        self.stem = nn.Conv2d(3, config.width, 3, padding=1)
        self.residuals = nn.ModuleList(_Block(config.width) for _ in range(config.num_blocks))
        self.neighbours = nn.ModuleList(Neighbours(config.width) for _ in range((config.num_blocks + 1) // 2))
        self.head = nn.Conv2d(config.width, 3 * config.scale**2, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        draw_weights(self, generator)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, video: Tensor) -> Tensor:
        """Enlarge a video [B, T, H, W, 3] by the scale."""
        lead = video.shape[:2]
        x = video.flatten(0, 1).permute(0, 3, 1, 2)
        y = self.stem(x)
        for n, block in enumerate(self.residuals):
            y = block(self.neighbours[n // 2](y, lead[1]) if n % 2 == 0 else y)
        detail = F.pixel_shuffle(self.head(y), self.config.scale)
        return (bicubic(x, self.config.scale) + detail).permute(0, 2, 3, 1).unflatten(0, lead)


def bicubic(pictures: Tensor, scale: int) -> Tensor:
    """Enlarge [N, C, H, W] by a factor."""
    return F.interpolate(pictures, scale_factor=scale, mode="bicubic", align_corners=False)


def shrink(pictures: Tensor, scale: int) -> Tensor:
    """Make [N, C, H, W] smaller by a factor: each new pixel is the mean of those it covers."""
    return F.avg_pool2d(pictures, scale)
