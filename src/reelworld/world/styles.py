"""How a picture is developed: historical footage, black and white, papercraft, film noir.

    color = develop(color, "historical", variant)     # display values [F, H, W, 3] in [0, 1]

Lighting belongs to a style too (`stage.setting_row`, `render._light`), and an old projector's weaving gate
moves the camera (`stage.scene_camera`), so that ids, depth and flow stay true. Here is what the film does.
"""

from __future__ import annotations

import torch
from torch import Tensor

LUMA = (0.2126, 0.7152, 0.0722)  # Source: ITU-R BT.709
SEPIA = (1.06, 0.86, 0.62)


def develop(color: Tensor, style: str, variant: Tensor) -> Tensor:
    """Develop pictures [F, H, W, 3]; variant [F] seeds grain, flicker and paper."""
    if style == "natural":
        return color
    if style == "papercraft":
        return (color * _paper(color, variant)).clamp_(0.0, 1.0)
    gray = (color * color.new_tensor(LUMA)).sum(-1, keepdim=True)
    if style == "black_and_white":
        return (_contrast(gray, 0.4) + 0.03 * _grain(gray, variant)).clamp_(0.0, 1.0).expand_as(color)
    if style == "film_noir":
        dark = _contrast(gray, 1.0) * _vignette(gray, 0.75)
        return (dark + 0.03 * _grain(gray, variant)).clamp_(0.0, 1.0).expand_as(color)
    faded = 0.12 + 0.78 * _contrast(gray, 0.3)
    old = faded * _flicker(gray, variant) * _vignette(gray, 0.45) + 0.06 * _grain(gray, variant)
    return (old * color.new_tensor(SEPIA)).clamp_(0.0, 1.0)


def _contrast(gray: Tensor, strength: float) -> Tensor:
    """Blend with the smoothstep curve x^2 (3 - 2 x)."""
    return torch.lerp(gray, gray * gray * (3.0 - 2.0 * gray), strength)


def _grid(like: Tensor) -> tuple[Tensor, Tensor]:
    """Columns and rows from -1 to 1: [1, H, W, 1] each."""
    _, height, width, _ = like.shape
    y = (torch.arange(height, device=like.device) + 0.5) * (2.0 / height) - 1.0
    x = (torch.arange(width, device=like.device) + 0.5) * (2.0 / width) - 1.0
    return x.expand(height, width)[None, ..., None], y[:, None].expand(height, width)[None, ..., None]


def _vignette(like: Tensor, strength: float) -> Tensor:
    """Darken towards the corners: 1 - strength (r / r_corner)^4."""
    x, y = _grid(like)
    return 1.0 - strength * ((x * x + y * y) / 2.0).square()


def _noise(like: Tensor, seed: Tensor) -> Tensor:
    """Repeatable numbers in [-1, 1) for each pixel; seed [F] differs between frames that should differ."""
    _, height, width, _ = like.shape
    x = torch.arange(width, device=like.device)[None, None, :, None]
    y = torch.arange(height, device=like.device)[None, :, None, None]
    return (
        2.0 * torch.frac(torch.sin(x * 12.9898 + y * 78.233 + seed.view(-1, 1, 1, 1)) * 437.585).abs() - 1.0
    )


def _per_frame(like: Tensor, variant: Tensor) -> Tensor:
    return variant + 1.7 * torch.arange(len(like), device=like.device)


def _grain(like: Tensor, variant: Tensor) -> Tensor:
    return _noise(like, _per_frame(like, variant))


def _paper(like: Tensor, variant: Tensor) -> Tensor:
    """The paper's fibres, which stay where they are."""
    return 0.97 + 0.05 * _noise(like, variant)


def _flicker(like: Tensor, variant: Tensor) -> Tensor:
    """The lamp of an old projector: brighter and darker from frame to frame."""
    return (1.0 + 0.06 * torch.sin(5.3 * _per_frame(like, variant))).view(-1, 1, 1, 1)
