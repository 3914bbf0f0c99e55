"""What is in a video, pixel by pixel: the parser of the world checks. Never used by a generator.

    seen = Perception(PerceptionConfig())(video)      # float [B, T, H, W, 3] in [-1, 1]
    seen.kind.argmax(-1), seen.offset, seen.camera

A small U-Net looks at each frame (arXiv:1505.04597), and on its two coarse levels at the frames before and
after. A pixel says what kind of thing it shows, its colour and size, where the middle of the thing is
(arXiv:1911.10194: pixels that point to one place are one thing), how far it is and which leg it belongs to.
Each frame says how the camera got there from the frame before.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reelworld.core.errors import ConfigError, ShapeError

NUM_KINDS, NUM_COLORS, NUM_SIZES, NUM_SIDES = 16, 8, 2, 3  # kind 0: nothing; sides: no leg, left, right
PER_PIXEL = {
    "kind": NUM_KINDS,
    "color": NUM_COLORS,
    "size": NUM_SIZES,
    "side": NUM_SIDES,
    "offset": 2,
    "depth": 1,
}
# Of the camera, from the frame before: turns (radians, left and up), steps (metres: right, up, forward),
# log of the focal lengths' ratio; now: height of the horizon in picture heights; log odds of a cut before.
CAMERA = ("yaw", "pitch", "right", "up", "forward", "zoom", "horizon", "cut")
# So that what the network gives is of the size of one: offsets, log depth, the camera's motion in a frame.
OFFSET_SCALE, DEPTH_SCALE, DEPTH_MIDDLE = 0.1, 0.5, 1.7
CAMERA_SCALE = (0.02, 0.02, 0.05, 0.05, 0.05, 0.03, 0.1, 1.0)
PATCH = 2  # pixels of a side that are worked on together: most of what there is to see is coarser
FINE = 64  # channels that see the features and the pixels themselves, for borders that are exact
GROUPS = 8  # of channels that are normalised together


@dataclass(frozen=True, kw_only=True)
class PerceptionConfig:
    """Channels of each level; the first sees pixels two by two, and each halves the picture again."""

    widths: tuple[int, ...] = (40, 80, 128)

    def __post_init__(self) -> None:
        if len(self.widths) < 3 or any(width < GROUPS or width % GROUPS for width in self.widths):
            raise ConfigError(f"widths {self.widths}: give three levels or more, multiples of {GROUPS}")


class Seen(NamedTuple):
    """What each pixel and each frame show.

    kind, color, size, side [B, T, H, W, classes]: log odds; offset [B, T, H, W, 2]: from the pixel to its
    thing's middle, right and down, in picture heights; depth [B, T, H, W]: log metres; camera [B, T, 8].
    """

    kind: Tensor
    color: Tensor
    size: Tensor
    side: Tensor
    offset: Tensor
    depth: Tensor
    camera: Tensor


class _Residual(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x)))))), the last one zero at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(GROUPS, width) for _ in range(2))
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        nn.init.zeros_(self.convs[1].get_parameter("weight"))

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for norm, conv in zip(self.norms, self.convs, strict=True):
            y = conv(F.silu(norm(y)))
        return x + y


class Neighbours(nn.Module):
    """Add to each frame what the frames before and after it show at the same place; zero at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3 * width, width, 1)
        nn.init.zeros_(self.mix.weight)

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        """x [B * T, C, H, W]; the first and the last frame are their own neighbours."""
        clips = x.unflatten(0, (-1, num_frames))
        before = torch.cat([clips[:, :1], clips[:, :-1]], 1).flatten(0, 1)
        after = torch.cat([clips[:, 1:], clips[:, -1:]], 1).flatten(0, 1)
        return x + self.mix(torch.cat([before, x, after], 1))


class _Camera(nn.Module):
    """From the pixels of a frame and of the one before: how the camera moved between them.

    It shares nothing with the rest: its errors are of another kind, and what they taught drowned the rest.
    """

    def __init__(self, channels: int, widths: tuple[int, ...] = (48, 64, 96)) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2 * channels, widths[0], 3, padding=1)
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(widths))
        self.blocks = nn.ModuleList(_Residual(width) for width in widths[1:])
        self.hidden, self.out = nn.Linear(widths[-1] * 16, 128), nn.Linear(128, len(CAMERA))

    def forward(self, x: Tensor, num_frames: int) -> Tensor:
        clips = x.unflatten(0, (-1, num_frames))
        before = torch.cat([clips[:, :1], clips[:, :-1]], 1).flatten(0, 1)
        y = self.stem(torch.cat([x, x - before], 1))
        for down, block in zip(self.downs, self.blocks, strict=True):
            y = block(down(F.silu(y)))
        y = F.adaptive_avg_pool2d(F.silu(y), 4).flatten(1)
        y = self.out(F.silu(self.hidden(y))) * y.new_tensor(CAMERA_SCALE)
        return y.unflatten(0, (-1, num_frames))


class Perception(nn.Module):
    """The network; any height and width that its levels divide."""

    def __init__(self, config: PerceptionConfig, generator: torch.Generator | None = None) -> None:
        """Draw the weights from `generator`, or from the global one."""
        super().__init__()
        self.config = config
        widths = config.widths
        steps = list(pairwise(widths))
        self.stem = nn.Conv2d(3 * PATCH**2, widths[0], 3, padding=1)
        self.encoders = nn.ModuleList(_Residual(width) for width in widths)
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in steps)
        self.neighbours = nn.ModuleList(Neighbours(width) for width in widths[-2:])
        self.ups = nn.ModuleList(nn.Conv2d(a + b, a, 1) for a, b in steps)
        self.decoders = nn.ModuleList(_Residual(width) for width in widths[:-1])
        self.fine = nn.Conv2d(widths[0] + 3 * PATCH**2, FINE, 3, padding=1)
        self.pixels = nn.Conv2d(FINE, sum(PER_PIXEL.values()) * PATCH**2, 1)
        self.camera = _Camera(3 * PATCH**2)
        draw_weights(self, generator)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, video: Tensor) -> Seen:
        """Look at a video [B, T, H, W, 3]. Raises: ShapeError for a size that the levels do not divide."""
        *lead, height, width, _ = video.shape
        step = PATCH * 2 ** len(self.downs)
        if height % step or width % step:
            raise ShapeError(
                f"perception needs height and width in multiples of {step}, not {height}x{width}"
            )
        x = video.flatten(0, 1).permute(0, 3, 1, 2)  # [B * T, C, H, W], channels last in memory
        patches = F.pixel_unshuffle(x, PATCH)
        levels = self._encode(self.stem(patches), lead[1])
        y = levels[-1]
        for up, decoder, level in zip(
            reversed(self.ups), reversed(self.decoders), reversed(levels[:-1]), strict=True
        ):
            y = F.interpolate(y, scale_factor=2, mode="nearest")
            y = decoder(up(torch.cat([level, y], 1)))
        y = F.silu(self.fine(torch.cat([y, patches], 1)))
        y = F.pixel_shuffle(self.pixels(y), PATCH)
        y = y.permute(0, 2, 3, 1).unflatten(0, tuple(lead))
        parts = dict(zip(PER_PIXEL, y.split(list(PER_PIXEL.values()), -1), strict=True))
        parts["offset"] = OFFSET_SCALE * parts["offset"]
        parts["depth"] = DEPTH_MIDDLE + DEPTH_SCALE * parts["depth"].squeeze(-1)
        return Seen(**parts, camera=self.camera(patches, lead[1]))

    def _encode(self, x: Tensor, num_frames: int) -> list[Tensor]:
        """Return the features of each level."""
        levels: list[Tensor] = []
        for n, encoder in enumerate(self.encoders):
            x = encoder(self.downs[n - 1](x) if n else x)
            if (coarse := n - len(self.encoders) + len(self.neighbours)) >= 0:
                x = self.neighbours[coarse](x, num_frames)
            levels.append(x)
        return levels


@torch.no_grad()
def draw_weights(network: nn.Module, generator: torch.Generator | None) -> None:
    """Draw what is not zero from N(0, 1 / fan in), which keeps the variance; biases are zero.

    Twice that is right behind an activation (arXiv:1502.01852); most convolutions here have none before them,
    and the coarse levels, which the most of them lead to, then drowned what the fine ones see.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            if module.weight.any():
                fan = module.weight[0].numel()
                module.weight.normal_(std=fan**-0.5, generator=generator)
            nn.init.zeros_(module.get_parameter("bias"))
