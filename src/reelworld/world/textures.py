"""What has no shape of its own: ground patterns, sea, sky, far ridges and shop fronts, as formulas of a ray.

All functions take and return flat tensors, one value for each ray; colours are linear light. Fine texture is
averaged over the footprint of a pixel, so that it does not flicker. `shades` gives the setting's columns for
these rays (see `render.SETTING`).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Vector = tuple[Tensor, Tensor, Tensor]
Shades = Callable[[str], Vector]

WALL_DISTANCE = 7.0  # shop fronts stand at y = 7
SHORE = 4.0


def mix(a: Vector, b: Vector, weight: Tensor) -> Vector:
    """Interpolate linearly from a to b."""
    return a[0] + (b[0] - a[0]) * weight, a[1] + (b[1] - a[1]) * weight, a[2] + (b[2] - a[2]) * weight


def choose(mask: Tensor, a: Vector, b: Vector) -> Vector:
    """Take a where the mask is true, b elsewhere."""
    return torch.where(mask, a[0], b[0]), torch.where(mask, a[1], b[1]), torch.where(mask, a[2], b[2])


def _hash(x: Tensor, y: Tensor | float) -> Tensor:
    """Repeatable pseudo-random numbers in [0, 1) of lattice points."""
    return torch.frac(torch.sin(x * 12.9898 + y * 78.233) * 437.585).abs()


def _noise(x: Tensor, y: Tensor) -> Tensor:
    """Value noise: lattice hashes, smoothly interpolated."""
    ix, iy = torch.floor(x), torch.floor(y)
    u, v = x - ix, y - iy
    u, v = u * u * (3.0 - 2.0 * u), v * v * (3.0 - 2.0 * v)
    low = torch.lerp(_hash(ix, iy), _hash(ix + 1.0, iy), u)
    high = torch.lerp(_hash(ix, iy + 1.0), _hash(ix + 1.0, iy + 1.0), u)
    return torch.lerp(low, high, v)


def _square_wave(x: Tensor, width: Tensor) -> Tensor:
    """A +-1 square wave of period 2, averaged over a width. Source: Quilez, "Box-filtered checkers"."""

    def triangle(u: Tensor) -> Tensor:
        return torch.abs(u * 0.5 - torch.floor(u * 0.5) - 0.5) * 2.0

    return (triangle(x - 0.5 * width) - triangle(x + 0.5 * width)) / width


def _pattern(name: str, x: Tensor, y: Tensor, width: Tensor) -> Tensor:
    """The share of the ground's second colour at x, y, averaged over a width (metres)."""
    blur = torch.exp(-3.0 * width)
    if name == "checker":
        size = 1.2
        return 0.5 - 0.5 * _square_wave(x / size, width / size) * _square_wave(y / size, width / size)
    if name == "planks":
        seam = 0.5 - 0.5 * _square_wave(x / 0.45, width / 0.45)
        return 0.35 * seam + 0.4 * blur * _hash(torch.floor(x / 0.45), 0.0)
    if name == "cobbles":
        row = torch.floor(y / 0.4)
        return 0.5 + (0.8 * _hash(torch.floor(x / 0.5 + 0.5 * row), row) - 0.4) * blur
    if name == "grass":
        fine = (_noise(x * 3.1, y * 3.1) - 0.5) * blur
        return (0.5 + fine + 0.5 * (_noise(x * 0.6, y * 0.6) - 0.5)).clamp(0.0, 1.0)
    return torch.zeros_like(x)


def ground(pattern: str, backdrop: str, shades: Shades, x: Tensor, y: Tensor, footprint: Tensor) -> Vector:
    """The ground's colour at world x, y seen by a pixel that covers `footprint` metres."""
    width = footprint.clamp_min(1e-3)
    color = mix(shades("ground_a"), shades("ground_b"), _pattern(pattern, x, y, width))
    return _sea(shades, x, y, color, width) if backdrop == "sea" else color


def _sea(shades: Shades, x: Tensor, y: Tensor, beach: Vector, width: Tensor) -> Vector:
    """Water with ripples and a foam line beyond the shore."""
    variant, _, night = shades("misc")
    depth = y - SHORE - 0.25 * torch.sin(x * 0.9 + variant)
    foam = torch.exp(-8.0 * (depth - 0.15).abs()) * 0.8
    ripple = 0.06 * torch.sin(y * 2.3 + torch.sin(x * 0.7)) * torch.exp(-width)
    dim = (1.0 - 0.3 * night) * (1.0 - foam)
    water = tuple((shade + ripple) * dim + 0.9 * foam for shade in (0.05, 0.30, 0.42))
    return choose(depth > 0, water, beach)  # type: ignore[arg-type]


def sky(backdrop: str, shades: Shades, direction: Vector) -> Vector:
    """Sky gradient, the sun's or moon's disc, and the far ridge of the place."""
    height = direction[2]
    root = (height * 1.8).clamp(0.0, 1.0).sqrt_()
    color = mix(shades("horizon"), shades("zenith"), root * root.sqrt())
    if backdrop == "plain":
        return color
    variant, _, night = shades("misc")
    sun, light = shades("sun"), shades("sun_color")
    away = direction[0] * sun[0] + direction[1] * sun[1] + direction[2] * sun[2] - 1.0
    disc = (torch.exp(350.0 * away) * 2.0 + 0.25 * torch.exp(12.0 * away)) * (1.0 - 0.6 * night)
    color = tuple(c + s * disc for c, s in zip(color, light, strict=True))  # type: ignore[assignment]
    if backdrop in ("sea", "shops"):
        return color
    ridge = _ridge(backdrop, torch.atan2(direction[0], direction[1]), variant)
    return mix(color, shades("ridge"), ((ridge - height) * 90.0).clamp(0.0, 1.0))


def _ridge(backdrop: str, azimuth: Tensor, phase: Tensor) -> Tensor:
    """Height of the far ridge (sine of the elevation) by azimuth."""
    if backdrop == "hills":
        return (
            0.05 + 0.035 * torch.sin(azimuth * 5.0 + phase) + 0.02 * torch.sin(azimuth * 11.0 + 2.0 * phase)
        )
    if backdrop == "dunes":
        return 0.03 + 0.03 * torch.sin(azimuth * 3.0 + phase).abs()
    saw = (azimuth * 4.0 + phase) / 3.0
    return 0.05 + 0.16 * (saw - torch.floor(saw) - 0.5).abs() + 0.02 * torch.sin(azimuth * 23.0 + phase)


def roof_height(x: Tensor, variant: Tensor) -> Tensor:
    """Height of the house fronts (metres) at x along the street."""
    return 3.4 + 1.5 * _hash(torch.floor(x / 3.0), variant + 1.0)


def _neon(house: Tensor, tone: Tensor) -> Vector:
    """Colour of a house's neon sign."""
    hue = 6.2832 * (tone + 0.37 * house)
    return 0.5 + 0.5 * torch.cos(hue), 0.5 + 0.5 * torch.cos(hue + 2.1), 0.5 + 0.5 * torch.cos(hue + 4.2)


def neon_light(shades: Shades, x: Tensor, y: Tensor) -> Vector:
    """Light of the neon signs on what stands or lies before them after dark; it fades with the distance."""
    variant, _, night = shades("misc")
    place = x / 3.0 - 0.5
    house = torch.floor(place)
    near, far = (_neon(h, _hash(h, variant)) for h in (house, house + 1.0))
    away = (WALL_DISTANCE - y).clamp_min(0.0)
    strength = 1.3 * night * away / (2.0 + 0.3 * away**3)
    red, green, blue = mix(near, far, place - house)
    return red * strength, green * strength, blue * strength


def shop_front(shades: Shades, x: Tensor, z: Tensor) -> tuple[Vector, Tensor]:
    """Colour of house fronts with windows, doors and neon signs, and how much of it glows."""
    variant, _, night = shades("misc")
    house = torch.floor(x / 3.0)
    u, tone = x / 3.0 - house, _hash(house, variant)
    column, row = torch.floor(u * 3.0), torch.floor(z / 1.3)
    pane = ((u * 3.0 - column - 0.5).abs() < 0.28) & ((z / 1.3 - row - 0.55).abs() < 0.25) & (z > 2.2)
    lamp = pane & (_hash(house * 3.0 + column, row + variant) > 0.45) & (night > 0.5)
    door = ((u - 0.5).abs() < 0.38) & (z > 0.25) & (z < 1.5)
    sign = ((u - 0.5).abs() < 0.36) & ((z - 1.9).abs() < 0.22)
    bricks: Vector = (0.30 + 0.25 * tone, 0.24 + 0.12 * tone, 0.22 + 0.06 * tone)
    glass: Vector = tuple(torch.full_like(z, s) for s in (0.22, 0.26, 0.32))  # type: ignore[assignment]
    warm: Vector = tuple(torch.full_like(z, s) for s in (1.0, 0.8, 0.45))  # type: ignore[assignment]
    color = choose(pane | door, choose(lamp | (door & (night > 0.5)), warm, glass), bricks)
    glow = torch.where(sign, 0.25 + 1.1 * night, torch.where(lamp | door, 0.9 * night, 0.0))
    return choose(sign, _neon(house, tone), color), glow
