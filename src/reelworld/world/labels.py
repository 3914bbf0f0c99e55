"""What each pixel and frame of rendered clips show: what a parser of videos learns from.

    pixels, labels = film_labelled(clips, config)
    labels["kind"]          # uint8 [B, T, H, W]: 0 nothing, 1 + index in KINDS

thing: 0 nothing, 1 + index in the cast; color, size likewise (of the whole thing, whatever its part wears);
side: 1 a left leg, 2 a right one; depth float16, metres, 0 where there is only sky; camera float32 [B, T, 13]
as in `stage.camera_path`; shot uint8 [B, T].
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from reelworld.world.naming import COLORLESS
from reelworld.world.render import FAR, Rendered, render
from reelworld.world.scene import COLORS, Kind, Size, Thing
from reelworld.world.stage import build
from reelworld.world.things import body

if TYPE_CHECKING:
    from reelworld.world.stream import Clip, WorldConfig

KINDS: tuple[str, ...] = get_args(Kind)
SIZES: tuple[str, ...] = get_args(Size)
NO_LEG, LEFT, RIGHT = 0, 1, 2
# Of a camera, from the frame before: turns (radians, left and up), steps (metres: right, up, forward), log of
# the focal lengths' ratio; and the height of the horizon in picture heights.
MOTION = ("yaw", "pitch", "right", "up", "forward", "zoom", "horizon")
HIGHEST = 2.5  # horizons further than this many picture heights from the middle all count as this far


def film_labelled(
    clips: Sequence[Clip], config: WorldConfig, device: str | torch.device = "cpu"
) -> tuple[Tensor, dict[str, Tensor]]:
    """Render clips: uint8 [B, T, H, W, 3], and the labels of this module, on `device`."""
    films, labels = [], []
    for clip in clips:
        geometry = build([clip.scene], [clip.trajectory], clip.frames, config.fps).to(device)
        rendered = render(geometry, config.width, config.height)
        films.append((rendered.color * 255.0).round().to(torch.uint8))
        labels.append(_labels(clip, rendered, geometry.camera, config.fps))
    return torch.stack(films), {name: torch.stack([each[name] for each in labels]) for name in labels[0]}


def _labels(clip: Clip, rendered: Rendered, camera: Tensor, fps: float) -> dict[str, Tensor]:
    cast, things = clip.scene.cast, rendered.thing.clamp(min=0)
    shows_color = clip.scene.style not in COLORLESS
    shots = [clip.scene.shots.index(clip.scene.shot_at(frame / fps)) for frame in clip.frames]
    depth = torch.where(rendered.depth >= FAR, 0.0, rendered.depth)
    return {
        "thing": things.to(torch.uint8),
        "kind": _look_up([1 + KINDS.index(t.kind) for t in cast], things),
        "color": _look_up([1 + COLORS.index(t.color) if shows_color else 0 for t in cast], things),
        "size": _look_up([1 + SIZES.index(t.size) for t in cast], things),
        "side": _sides(cast, rendered),
        "depth": depth.half(),
        "camera": camera.float(),
        "shot": torch.tensor(shots, dtype=torch.uint8, device=things.device),
    }


def _look_up(values: Sequence[int], things: Tensor) -> Tensor:
    """Replace ids of things by a value for each."""
    return torch.tensor([0, *values], dtype=torch.uint8, device=things.device)[things]


def _sides(cast: Sequence[Thing], rendered: Rendered) -> Tensor:
    """Return which leg each pixel shows."""
    most = max(len(body(thing.kind).parts) for thing in cast)
    table = torch.zeros(len(cast) + 1, most, dtype=torch.uint8, device=rendered.thing.device)
    for n, thing in enumerate(cast):
        table[n + 1, : len(body(thing.kind).parts)] = torch.tensor(leg_sides(thing.kind), dtype=torch.uint8)
    return table[rendered.thing.clamp(min=0), rendered.part.long().clamp(0, most - 1)]


@cache
def leg_sides(kind: str) -> tuple[int, ...]:
    """Return for each part of a person or dog whether it belongs to a left or a right leg."""
    parts = body(kind).parts
    if kind not in ("person", "dog"):
        return (NO_LEG,) * len(parts)
    low = [part.joint is not None and part.center[2] < 1.0 and part.role != "skin" for part in parts]
    return tuple(
        NO_LEG if not leg else LEFT if part.center[1] > 0 else RIGHT
        for leg, part in zip(low, parts, strict=True)
    )


def offsets(things: Tensor) -> Tensor:
    """Return the way from each pixel to the middle of the pixels of its thing, in picture heights.

    things int64 [B, T, H, W], 0 for nothing; result float [B, T, H, W, 2], right and down.
    """
    *lead, height, width = things.shape
    flat, most = things.flatten(0, 1).flatten(1), int(things.max()) + 1
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    place = torch.stack([x, y], -1).flatten(0, 1).to(things.device).float() / height
    member = F.one_hot(flat, most).float()  # [B * T, H * W, things]
    middle = member.mT @ place / member.sum(1).clamp(min=1.0)[..., None]
    there = torch.gather(middle, 1, flat[..., None].expand(-1, -1, 2))
    return (there - place).view(*lead, height, width, 2)


def camera_motion(camera: Tensor) -> Tensor:
    """Return the motion of cameras [B, T, 13] in `MOTION`'s terms: [B, T, 7].

    In the axes of the frame before, the new forward is (r, u, f): yaw = -atan2(r, f), pitch = asin(u). The
    horizon is where level rays of the camera's forward meet the picture: -focal tan(elevation) / 2.
    """
    before = torch.cat([camera[:, :1], camera[:, :-1]], 1)
    right, up, forward = (before[..., i : i + 3] for i in (3, 6, 9))
    ahead, step = camera[..., 9:12], camera[..., :3] - before[..., :3]
    yaw = -torch.atan2((ahead * right).sum(-1), (ahead * forward).sum(-1))
    pitch = torch.asin((ahead * up).sum(-1).clamp(-1, 1))
    moved = [(step * axis).sum(-1) for axis in (right, up, forward)]
    zoom = (camera[..., 12] / before[..., 12]).log()
    elevation = torch.asin(camera[..., 11].clamp(-0.99, 0.99))
    horizon = (-0.5 * camera[..., 12] * elevation.tan()).clamp(-HIGHEST, HIGHEST)
    return torch.stack([yaw, pitch, *moved, zoom, horizon], -1)


def cuts(shots: Tensor) -> Tensor:
    """Return 1 where a frame is the first of a new shot: float [B, T] from shots [B, T]."""
    later = (shots[:, 1:] != shots[:, :-1]).float()
    return F.pad(later, (1, 0))
