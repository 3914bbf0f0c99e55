"""Rays and the two primitives they can meet.

    quadric  x^2 + y^2 + a z^2 + b z + c = 0,  |z| <= 1, capped    (a, b, c) = SPHERE, CYLINDER, CONE ...
    box      |x|, |y|, |z| <= 1

Each is seen in its own frame: an affine map takes world to frame, so scale and shear are free and the ray
parameter is the same in both. Vectors are tuples of three tensors, which keeps every loop flat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reelworld.world.textures import Vector

SPHERE, CYLINDER, CONE = (1.0, 0.0, -1.0), (0.0, 0.0, -1.0), (-0.25, 0.5, -0.25)
FAR = 1e4

# Columns of the primitive table: world to frame [3, 4], quadric, bite (a hole along z: x, y, r^2), colours,
# material, part.
FRAME, SHAPE, BITE = slice(0, 12), slice(12, 15), slice(15, 18)
COLOR, STRIPE, GLOSS, GLOW, STRIPES, PART, IS_BOX = slice(18, 21), slice(21, 24), 24, 25, 26, 27, 28
NUM_COLUMNS = 29


@dataclass(frozen=True)
class Rays:
    """A flat list of rays: the frame each belongs to [M], origin and unit direction."""

    frame: Tensor
    origin: Vector
    direction: Vector

    def __getitem__(self, index: Tensor) -> Rays:
        return Rays(self.frame.index_select(0, index), take(self.origin, index), take(self.direction, index))

    def at(self, t: Tensor) -> Vector:
        """Return the points at ray parameter t."""
        return ahead(self.origin, self.direction, t)


def dot(a: Vector, b: Vector) -> Tensor:
    return torch.addcmul(torch.addcmul(a[0] * b[0], a[1], b[1]), a[2], b[2])


def scale(a: Vector, s: Tensor | float) -> Vector:
    return a[0] * s, a[1] * s, a[2] * s


def add(a: Vector, b: Vector) -> Vector:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def sub(a: Vector, b: Vector) -> Vector:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def ahead(a: Vector, b: Vector, s: Tensor | float) -> Vector:
    """Return a + s b."""
    if isinstance(s, float):
        x, y, z = (torch.add(p, q, alpha=s) for p, q in zip(a, b, strict=True))
    else:
        x, y, z = (torch.addcmul(p, q, s) for p, q in zip(a, b, strict=True))
    return x, y, z


def unit(a: Vector) -> Vector:
    return scale(a, torch.rsqrt(dot(a, a) + 1e-20))


def spread(a: Vector, like: Vector) -> Vector:
    """Give a vector of scalars one value for each ray, without memory."""
    return a[0].expand_as(like[0]), a[1].expand_as(like[0]), a[2].expand_as(like[0])


def take(a: Vector, index: Tensor) -> Vector:
    return a[0].index_select(0, index), a[1].index_select(0, index), a[2].index_select(0, index)


def put(a: Vector, index: Tensor, values: Vector) -> None:
    for target, value in zip(a, values, strict=True):
        target.scatter_(0, index, value)


def where_true(mask: Tensor) -> Tensor:
    """Return the indices at which a flat mask is true; on a CPU NumPy finds them much faster than torch."""
    if mask.device.type == "cpu":
        return torch.from_numpy(np.flatnonzero(mask.numpy()))
    return torch.nonzero(mask).squeeze(1)


def affine(m: Sequence[Tensor], p: Vector, *, point: bool) -> Vector:
    """Apply maps m, 12 columns [..., M] (the rows of [3, 4]), to points or directions [M]."""

    def row(first: int) -> Tensor:
        start = torch.addcmul(m[first + 3], m[first], p[0]) if point else m[first] * p[0]
        return torch.addcmul(torch.addcmul(start, m[first + 1], p[1]), m[first + 2], p[2])

    return row(0), row(4), row(8)


def _quadric_hit(rows: Sequence[Tensor], origin: Vector, direction: Vector, *, bitten: bool) -> Tensor:
    """Nearest hit of each ray [M] with capped quadrics, 18 columns [P, M]: [P, M], FAR where none.

    On the ray p = o + t d the surface is A t^2 + 2 B t + C = 0. A ray is inside between its roots (A > 0),
    or, steeper than a cone (A < 0), beyond the root that lies downwards: what is left of that stretch
    between the caps z = -1 and z = 1 is inside the solid.
    """
    a, b, c = rows[SHAPE]
    o, d = affine(rows, origin, point=True), affine(rows, direction, point=False)
    slope = a * d[2]
    aa = dot(d, (d[0], d[1], slope)) + 1e-12  # along a cylinder's axis: roots far away
    bb = dot(o, (d[0], d[1], slope)) + 0.5 * b * d[2]
    cc = dot(o, (o[0], o[1], torch.addcmul(b, a, o[2]))) + c
    disc = torch.addcmul(bb * bb, aa, cc, value=-1)
    root, inverse = torch.sqrt(disc.clamp_min(0.0)), 1.0 / aa
    first, last = (-bb - root) * inverse, (root - bb) * inverse
    steep = aa < 0
    if bool(steep.any()):
        first = torch.where(steep & (d[2] > 0), -FAR, first)
        last = torch.where(steep & (d[2] < 0), FAR, last)
    inverse = 1.0 / (d[2] + 1e-12)
    low, high = (-1.0 - o[2]) * inverse, (1.0 - o[2]) * inverse
    near = torch.maximum(first, torch.minimum(low, high))
    far = torch.minimum(last, torch.maximum(low, high))
    met = (disc > 0) & (near < far) & (far > 1e-4)
    if bitten:  # through a bite the far side is seen
        near = torch.where(_whole(rows, o, d, near), near, far)
        met &= _whole(rows, o, d, near)
    return torch.where(met, torch.where(near > 1e-4, near, far), FAR)


def _whole(rows: Sequence[Tensor], o: Vector, d: Vector, t: Tensor) -> Tensor:
    """Where the point at t is not in the hole that a bite left."""
    x, y = (o[i] + t * d[i] - rows[BITE][i] for i in (0, 1))
    return x * x + y * y >= rows[BITE][2]


def _box_hit(rows: Sequence[Tensor], origin: Vector, direction: Vector) -> Tensor:
    """Nearest hit of each ray [M] with boxes, 12 columns [P, M]: [P, M]; the slab test (Kay, Kajiya 1986)."""
    o, d = affine(rows, origin, point=True), affine(rows, direction, point=False)
    near, far = torch.full_like(o[0], -FAR), torch.full_like(o[0], FAR)
    for i in range(3):
        inverse = 1.0 / (d[i] + 1e-12)
        t1, t2 = (-1.0 - o[i]) * inverse, (1.0 - o[i]) * inverse
        near, far = torch.maximum(near, torch.minimum(t1, t2)), torch.minimum(far, torch.maximum(t1, t2))
    return torch.where((near <= far) & (near > 1e-4), near, FAR)


@dataclass(frozen=True)
class _Member:
    """One member's primitives that are ever there: rows [columns, P, F], numbers, and if any is bitten."""

    quadrics: Tensor
    boxes: Tensor
    numbers: Tensor
    bitten: bool


MOST_TESTS = 1 << 17  # rays times primitives in one go: what a core's cache holds


class Cast:
    """The primitives of some frames, laid out for gathering by (frame, member of the cast)."""

    def __init__(self, quadrics: Tensor, boxes: Tensor, spheres: Tensor) -> None:
        """Take quadrics, boxes [F, N, P, NUM_COLUMNS] and bounding spheres [F, N, 4]."""
        self.num = spheres.shape[1]
        self.spheres = spheres.permute(1, 2, 0).contiguous()  # [N, 4, F]
        tables = torch.cat([quadrics, boxes], 2)  # [F, N, P, C]
        self.rows, self.counts = tables.flatten(0, 2).T.contiguous(), tables.shape[1:3]
        self.members = [_member(table, quadrics.shape[2]) for table in tables.permute(1, 2, 3, 0)]

    def of(self, member: Tensor, primitive: Tensor, frame: Tensor) -> tuple[Tensor, ...]:
        """Return the columns, each [M], of the primitives that rays of these frames met."""
        members, primitives = self.counts
        row = (frame * members + member) * primitives + primitive
        return self.rows.index_select(1, row).unbind()

    def near(self, n: int, rays: Rays) -> Tensor:
        """Indices of the rays that pass through member n's bounding sphere."""
        *center, radius = self.spheres[n].index_select(1, rays.frame).unbind()
        to = sub(tuple(center), rays.origin)  # type: ignore[arg-type]
        along = dot(to, rays.direction)
        inside = dot(to, to) - along * along < radius * radius
        return where_true(inside & (along > -radius))

    def hit(self, n: int, rays: Rays) -> tuple[Tensor, Tensor]:
        """Nearest hit of rays with member n: parameter (FAR where none) and primitive, each [M]."""
        member, most = self.members[n], max(1, MOST_TESTS // max(1, len(self.members[n].numbers)))
        if len(rays.frame) <= most:
            return _nearest(member, rays)
        parts = [
            _nearest(member, rays[part])
            for part in torch.arange(len(rays.frame), device=rays.frame.device).split(most)
        ]
        return torch.cat([t for t, _ in parts]), torch.cat([which for _, which in parts])


def _member(table: Tensor, num_quadrics: int) -> _Member:
    """Lay out one member of the cast, table [P, C, F]."""
    numbers = torch.nonzero(table[:, FRAME].abs().sum((1, 2)) > 0).squeeze(1)
    quadrics, boxes = numbers[numbers < num_quadrics], numbers[numbers >= num_quadrics]
    columns = table.transpose(0, 1)
    return _Member(
        columns[:18, quadrics].contiguous(), columns[FRAME, boxes].contiguous(), numbers,
        bool((table[quadrics, 17] > 0).any()),
    )  # fmt: skip


def _nearest(member: _Member, rays: Rays) -> tuple[Tensor, Tensor]:
    """Test all primitives of a member at once."""
    found = []
    if member.quadrics.shape[1]:
        rows = _rows(member.quadrics, rays.frame)
        found.append(_quadric_hit(rows, rays.origin, rays.direction, bitten=member.bitten))
    if member.boxes.shape[1]:
        found.append(_box_hit(_rows(member.boxes, rays.frame), rays.origin, rays.direction))
    if not found:
        return torch.full_like(rays.direction[0], FAR), torch.zeros_like(rays.frame)
    best, which = torch.cat(found).min(0)
    return best, member.numbers.index_select(0, which)


def _rows(table: Tensor, frame: Tensor) -> tuple[Tensor, ...]:
    """Gather [columns, P, F] for rays of these frames: columns, each [P, M]."""
    return table.flatten(0, 1).index_select(1, frame).view(*table.shape[:2], -1).unbind()
