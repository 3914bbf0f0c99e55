"""A batched analytic ray tracer in plain torch: colour, ids, depth and flow from one nearest hit.

Everything that is not ground, sky or a house front is made of two primitives (see `intersect`).
Rays are flat lists: each stage (a member of the cast, its shadow, the ground, the sky, the edges that need
anti-aliasing) picks the rays that concern it and works on these alone. That is several times faster than
fixed shapes with masks, needs no compiler, and gives the same bytes everywhere
(docs/design/0001-renderer.md). Vectors are tuples of three tensors. Axes: F frames (clip-major), N cast, P
primitives, M rays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from reelworld.world.intersect import (
    COLOR,
    FAR,
    GLOSS,
    GLOW,
    IS_BOX,
    PART,
    SHAPE,
    STRIPE,
    STRIPES,
    Cast,
    Rays,
    add,
    affine,
    ahead,
    dot,
    put,
    scale,
    spread,
    sub,
    take,
    unit,
    where_true,
)
from reelworld.world.styles import develop
from reelworld.world.textures import (
    WALL_DISTANCE,
    Shades,
    Vector,
    choose,
    ground,
    mix,
    neon_light,
    roof_height,
    shop_front,
    sky,
)

GROUND, SKY, WALL = 0, -1, -2  # ids; the cast counts from 1

# Columns of the setting table; misc is (variant, fog, night).
SETTING = {
    name: slice(3 * i, 3 * i + 3)
    for i, name in enumerate(
        ("sun", "sun_color", "ambient", "zenith", "horizon", "ground_a", "ground_b", "ridge", "misc")
    )
}


@dataclass(frozen=True)
class Geometry:
    """What the frames of some clips with one look are made of; tensors are float32.

    quadrics, boxes [F, N, P, NUM_COLUMNS] (an unused primitive is all zeros); spheres [F, N, 4], bounds of
    the cast (radius 0: absent); lamp [F, 6], position and colour; camera [F, 13], position, right, up,
    forward and focal length (of the half height); setting [clips, 27]; pattern and backdrop as in
    `textures`, style as in `styles`.
    """

    quadrics: Tensor
    boxes: Tensor
    spheres: Tensor
    lamp: Tensor
    camera: Tensor
    setting: Tensor
    pattern: str
    backdrop: str
    style: str = "natural"

    def to(self, device: torch.device | str) -> Geometry:
        """Move to a device."""
        moved: dict[str, Any] = {k: v.to(device) for k, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, **moved)

    def join(self, others: Sequence[Geometry]) -> Geometry:
        """Put the clips of several geometries of one look and one number of frames after another."""
        if not others:
            return self
        tables = [vars(g) for g in (self, *others)]
        names = ("quadrics", "boxes", "spheres", "lamp", "camera", "setting")
        joined: dict[str, Any] = {name: _stack([t[name] for t in tables]) for name in names}
        return replace(self, **joined)

    def shades(self, frame: Tensor) -> Shades:
        """Return a reader of setting columns for rays of these frames (scalars if there is but one clip)."""
        if len(self.setting) == 1:
            row = self.setting[0]
            return lambda name: tuple(row[SETTING[name]])
        clip = frame // (len(self.camera) // len(self.setting))
        columns = self.setting.T.contiguous()
        return lambda name: tuple(columns[SETTING[name]].index_select(1, clip))


def _stack(tables: Sequence[Tensor]) -> Tensor:
    """Concatenate tables that differ in the number of cast members and primitives, padding with zeros."""
    size = [max(t.shape[i] for t in tables) for i in range(1, tables[0].ndim)]
    out = tables[0].new_zeros((sum(len(t) for t in tables), *size))
    first = 0
    for table in tables:
        out[(slice(first, first + len(table)), *(slice(s) for s in table.shape[1:]))] = table
        first += len(table)
    return out


def _visibility(cast: Cast, rays: Rays, normal: Vector) -> tuple[Tensor, Tensor]:
    """What the cast leaves of the light along rays to the sun (0 or 1) and of the sky's (0 to 1): two [M].

    Around a point with this normal, a sphere of radius r at distance d and angle theta hides cos(theta) (r /
    d)^2 of the hemisphere. Source: Quilez, "Sphere ambient occlusion".
    """
    free, hidden = torch.ones_like(rays.origin[0]), torch.zeros_like(rays.origin[0])
    for n in range(cast.num):
        *center, radius = cast.spheres[n].index_select(1, rays.frame).unbind()
        squared_radius = radius * radius
        to = sub(tuple(center), rays.origin)  # type: ignore[arg-type]
        squared = dot(to, to).clamp_min_(1e-6)
        facing = dot(to, normal).mul_(torch.rsqrt(squared)).clamp_min_(0.0)
        hidden.addcmul_(facing, (squared_radius / squared).mul_(0.8).clamp_max_(1.0))
        along = dot(to, rays.direction)
        passing = torch.addcmul(squared, along, along, value=-1) < squared_radius
        near = where_true(passing & (along > -radius))
        if len(near):
            blocked = near.index_select(0, where_true(cast.hit(n, rays[near])[0] < FAR))
            free.scatter_(0, blocked, 0.0)
    return free, 1.0 - 0.7 * hidden.clamp_max_(1.0)


@dataclass(frozen=True)
class _Surface:
    """What a ray met: point, normal, colour, share that glows, gloss; all [M]."""

    point: Vector
    normal: Vector
    albedo: Vector
    glow: Tensor | float
    gloss: Tensor | None


def _light(geometry: Geometry, cast: Cast, rays: Rays, surface: _Surface) -> tuple[Vector, Tensor]:
    """Colour of lit surfaces (linear), and 1 where the sun reaches them.

    Lambert's law for the sun, the sky and one lamp; Blinn's half vector for highlights,
    gloss (n . h)^60. Source: Blinn 1977, "Models of light reflection for computer synthesized pictures".
    """
    shades = geometry.shades(rays.frame)
    point, normal = surface.point, surface.normal
    sun, sun_color, ambient = shades("sun"), shades("sun_color"), shades("ambient")
    facing = dot(normal, sun).clamp_min(0.0)
    start = ahead(point, normal, 2e-3)
    lit, open_sky = _visibility(cast, Rays(rays.frame, start, spread(sun, start)), normal)
    open_sky = open_sky * (0.75 + 0.25 * normal[2])
    direct = facing * lit
    if geometry.style == "papercraft":  # flat bands of light
        direct = torch.floor(2.0 * direct + 0.6) / 2.0
    light = ahead(scale(sun_color, direct), ambient, open_sky)
    if geometry.backdrop == "shops" and bool((geometry.setting[:, SETTING["misc"]][:, 2] > 0).any()):
        light = add(light, neon_light(shades, point[0], point[1]))
    if bool(geometry.lamp[:, 3:].any()):
        light = add(light, _lamp_light(geometry, rays.frame, point, normal))
    color = tuple(a * (s + surface.glow) for a, s in zip(surface.albedo, light, strict=True))
    if surface.gloss is not None and geometry.style != "papercraft":
        half = unit(sub(sun, rays.direction))
        highlight = surface.gloss * dot(normal, half).clamp_min(0.0).pow(60.0) * lit
        color = ahead(color, sun_color, highlight)  # type: ignore[arg-type]
    return color, lit * (facing > 0)  # type: ignore[return-value]


def _lamp_light(geometry: Geometry, frame: Tensor, point: Vector, normal: Vector) -> Vector:
    """Light of the scene's lamp: Lambert with the inverse square, softened near the lamp."""
    lamp = geometry.lamp.T.contiguous().index_select(1, frame)
    to = sub((lamp[0], lamp[1], lamp[2]), point)
    squared = dot(to, to).clamp_min(0.05)
    strength = (dot(to, normal) * torch.rsqrt(squared) * 0.8 + 0.2).clamp_min(0.0) / (0.6 + squared)
    return lamp[3] * strength, lamp[4] * strength, lamp[5] * strength


# ---------------------------------------------------------------- from rays to colours


def _normal(rows: Sequence[Tensor], point: Vector) -> tuple[Vector, Vector]:
    """World normal and local position on the primitives that were hit, columns [M] of each."""
    p = affine(rows, point, point=True)
    a, b, c = rows[SHAPE]
    side = torch.sign(p[2])
    cap = (p[2].abs() > 0.9995) & (a + b * side + c < -1e-6)
    round_ = (
        torch.where(cap, 0.0, p[0]),
        torch.where(cap, 0.0, p[1]),
        torch.where(cap, side, a * p[2] + 0.5 * b),
    )
    ax, ay, az = p[0].abs(), p[1].abs(), p[2].abs()
    flat = (
        torch.where((ax >= ay) & (ax >= az), torch.sign(p[0]), 0.0),
        torch.where((ay > ax) & (ay >= az), torch.sign(p[1]), 0.0),
        torch.where((az > ax) & (az > ay), side, 0.0),
    )
    n = choose(rows[IS_BOX] > 0, flat, round_)
    return unit(tuple(rows[i] * n[0] + rows[i + 4] * n[1] + rows[i + 8] * n[2] for i in range(3))), p  # type: ignore[arg-type]


def _haze(geometry: Geometry, frame: Tensor, color: Vector, t: Tensor, strength: float) -> Vector:
    """Fade towards the horizon's colour: 1 - exp(-fog t^2)."""
    shades = geometry.shades(frame)
    return mix(color, shades("horizon"), (1.0 - torch.exp(-shades("misc")[1] * t * t)) * strength)


class _Hits:
    """Per-ray results, filled in stage by stage; at first rays that go down meet the ground."""

    def __init__(self, rays: Rays, pixel: float) -> None:
        like, self.pixel = rays.direction[0], pixel
        down = rays.direction[2] < -2e-3
        self.t = torch.where(down, -rays.origin[2] / rays.direction[2], FAR)
        self.thing = torch.where(down, GROUND, SKY)
        self.primitive = torch.full_like(rays.frame, -1)
        self.color: Vector = (torch.empty_like(like), torch.empty_like(like), torch.empty_like(like))
        self.part = torch.zeros_like(like)
        self.key = torch.zeros_like(like)  # differs between neighbours where anti-aliasing is due


def _nearest(geometry: Geometry, cast: Cast, rays: Rays, hits: _Hits) -> None:
    """Find what each ray meets before the ground: a wall, then the members of the cast."""
    if geometry.backdrop == "shops":
        t = (WALL_DISTANCE - rays.origin[1]) / (rays.direction[1] + 1e-12)
        x, z = rays.origin[0] + t * rays.direction[0], rays.origin[2] + t * rays.direction[2]
        roof = roof_height(x, geometry.shades(rays.frame)("misc")[0])
        wall = (t > 0) & (t < hits.t) & (z > 0) & (z < roof)
        hits.t, hits.thing = torch.where(wall, t, hits.t), torch.where(wall, WALL, hits.thing)
    for n in range(cast.num):
        near = cast.near(n, rays)
        if not len(near):
            continue
        t, primitive = cast.hit(n, rays[near])
        closer = where_true(t < hits.t.index_select(0, near))
        near = near.index_select(0, closer)
        hits.t.scatter_(0, near, t.index_select(0, closer))
        hits.primitive.scatter_(0, near, primitive.index_select(0, closer))
        hits.thing.scatter_(0, near, n + 1)


def _shade(geometry: Geometry, cast: Cast, rays: Rays, hits: _Hits) -> None:
    """Give every ray its colour, stage by stage."""
    far = where_true(hits.thing == SKY)
    shades = geometry.shades(rays.frame.index_select(0, far))
    put(hits.color, far, sky(geometry.backdrop, shades, take(rays.direction, far)))
    for stage, surface in ((GROUND, _on_ground), (WALL, _on_wall), (1, _on_cast)):
        chosen = where_true(hits.thing >= 1 if stage == 1 else hits.thing == stage)
        if not len(chosen):
            continue
        some, t = rays[chosen], hits.t.index_select(0, chosen)
        met = surface(geometry, cast, some, t, hits, chosen)
        color, lit = _light(geometry, cast, some, met)
        put(hits.color, chosen, _haze(geometry, some.frame, color, t, 0.4 if stage == 1 else 1.0))
        hits.key.scatter_add_(0, chosen, lit)
    hits.key += 8.0 * hits.thing + 512.0 * hits.part


def _on_ground(g: Geometry, cast: Cast, rays: Rays, t: Tensor, hits: _Hits, chosen: Tensor) -> _Surface:
    point = rays.at(t)
    footprint = (
        t
        * hits.pixel
        / (g.camera[:, 12].index_select(0, rays.frame) * rays.direction[2].abs().clamp_min(0.05))
    )
    color = ground(g.pattern, g.backdrop, g.shades(rays.frame), point[0], point[1], footprint)
    zero, one = t.new_zeros(()), t.new_ones(())
    return _Surface(point, (zero, zero, one), color, 0.0, None)


def _on_wall(g: Geometry, cast: Cast, rays: Rays, t: Tensor, hits: _Hits, chosen: Tensor) -> _Surface:
    point, zero = rays.at(t), t.new_zeros(())
    color, glow = shop_front(g.shades(rays.frame), point[0], point[2])
    return _Surface(point, (zero, -t.new_ones(()), zero), color, glow, None)


def _on_cast(g: Geometry, cast: Cast, rays: Rays, t: Tensor, hits: _Hits, chosen: Tensor) -> _Surface:
    point = rays.at(t)
    member, primitive = hits.thing.index_select(0, chosen) - 1, hits.primitive.index_select(0, chosen)
    rows = cast.of(member, primitive, rays.frame)
    normal, local = _normal(rows, point)
    stripe = _stripes(rows, local)
    albedo = choose(stripe, rows[STRIPE], rows[COLOR])  # type: ignore[arg-type]
    hits.part.scatter_(0, chosen, rows[PART])
    hits.key.scatter_add_(0, chosen, 2.0 * stripe)
    return _Surface(point, normal, albedo, rows[GLOW], rows[GLOSS])


def _stripes(rows: Sequence[Tensor], local: Vector) -> Tensor:
    """Where striped things wear their second colour: bands on boxes, six sectors on what is round.

    sin(3 a) has the sign of y (3 x^2 - y^2) at azimuth a, so that a turn and a roll can be seen.
    """
    x, y, z = local
    wave = torch.where(rows[IS_BOX] > 0, torch.sin(z * 9.0), y * (3.0 * x * x - y * y))
    return wave * rows[STRIPES] > 0


BRIGHTEST, TABLE = 4.0, 4096


@cache
def _display_table(device: torch.device) -> Tensor:
    """Display values of evenly spaced square roots of linear light: a soft shoulder, then gamma 2.2."""
    x = torch.linspace(0.0, BRIGHTEST**0.5, TABLE, device=device).square()
    return (x * (1.0 + 0.15 * x) / (1.0 + 0.35 * x)).clamp(0.0, 1.0).pow(1.0 / 2.2)


def _display(color: Vector) -> Tensor:
    """Linear light to display values [M, 3], within a tenth of an 8-bit level."""
    root = torch.stack(color, -1).clamp_(0.0, BRIGHTEST).sqrt_()
    index = root.mul_((TABLE - 1) / BRIGHTEST**0.5).add_(0.5).to(torch.int32)
    return _display_table(root.device).index_select(0, index.flatten()).view(index.shape)


def _trace(
    geometry: Geometry, cast: Cast, frame: Tensor, camera: Tensor, pixels: Tensor, height: int
) -> _Hits:
    """Trace rays of frames [M] with cameras [13, ...] through points [2, ...] of a picture, half height = 1.

    What stands for ... broadcasts to M rays.
    """
    x, y = pixels
    towards = tuple(camera[3 + i] * x + camera[6 + i] * y + camera[9 + i] * camera[12] for i in range(3))
    origin = tuple(camera[i].expand_as(towards[0]).flatten() for i in range(3))
    rays = Rays(frame, origin, unit(tuple(v.flatten() for v in towards)))  # type: ignore[arg-type]
    hits = _Hits(rays, 2.0 / height)
    _nearest(geometry, cast, rays, hits)
    _shade(geometry, cast, rays, hits)
    return hits


def pixel_grid(width: int, height: int) -> Tensor:
    """Centres of all pixels, row by row from the top left: x, y [2, height * width], half height = 1."""
    y = 1.0 - (torch.arange(height) + 0.5) * (2.0 / height)
    x = ((torch.arange(width) + 0.5) * 2.0 - width) / height
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)]).flatten(1)


def _edges(key: Tensor) -> Tensor:
    """Where a pixel's key [F, H, W] differs from a neighbour's: bool [F, H, W]."""
    edge = torch.zeros_like(key, dtype=torch.bool)
    across, down = key[:, :, 1:] != key[:, :, :-1], key[:, 1:] != key[:, :-1]
    edge[:, :, 1:] |= across
    edge[:, :, :-1] |= across
    edge[:, 1:] |= down
    edge[:, :-1] |= down
    return edge


def _antialias(geometry: Geometry, cast: Cast, color: Tensor, key: Tensor) -> None:
    """Replace the colour [F, H, W, 3] of edge pixels by the mean of 2 x 2 rays, in place."""
    _, height, width = key.shape
    frame, row, column = torch.nonzero(_edges(key), as_tuple=True)
    step = 0.5 / height
    offsets = torch.tensor([[-step, -step, step, step], [-step, step, -step, step]], device=color.device)
    grid = pixel_grid(width, height).to(color.device)
    pixels = (grid.index_select(1, row * width + column)[:, :, None] + offsets[:, None]).flatten(1)
    frames = frame.repeat_interleave(4)
    hits = _trace(geometry, cast, frames, geometry.camera.T.index_select(1, frames), pixels, height)
    color[frame, row, column] = _display(hits.color).unflatten(0, (-1, 4)).mean(1)


@dataclass(frozen=True)
class Rendered:
    """Frames with their ground truth.

    color float [F, H, W, 3] in [0, 1]; thing, part int64 / float [F, H, W] (GROUND, SKY, WALL, or 1 + index
    in the cast); depth [F, H, W], metres along the view axis (FAR for sky); primitive [F, H, W], -1 for none.
    """

    color: Tensor
    thing: Tensor
    part: Tensor
    depth: Tensor
    primitive: Tensor


@torch.no_grad()
def render(geometry: Geometry, width: int, height: int, *, antialias: bool = True) -> Rendered:
    """Render all frames of a geometry, on the device where it lies."""
    device, num_frames = geometry.camera.device, len(geometry.camera)
    grid = pixel_grid(width, height).to(device)
    frame = torch.arange(num_frames, device=device).repeat_interleave(grid.shape[1])
    cast = Cast(geometry.quadrics, geometry.boxes, geometry.spheres)
    hits = _trace(geometry, cast, frame, geometry.camera.T[:, :, None], grid[:, None], height)
    size = (num_frames, height, width)
    color = _display(hits.color).view(*size, 3)
    if antialias:
        _antialias(geometry, cast, color, hits.key.view(size))
    variant = geometry.setting[:, SETTING["misc"]][:, 0].repeat_interleave(
        num_frames // len(geometry.setting)
    )
    color = develop(color, geometry.style, variant)
    focal = geometry.camera[:, 12, None]
    cosine = (focal * torch.rsqrt((grid * grid).sum(0) + focal * focal)).flatten()
    depth = torch.where(hits.thing == SKY, FAR, hits.t * cosine)
    views = (v.view(size) for v in (hits.thing, hits.part, depth, hits.primitive))
    return Rendered(color, *views)
