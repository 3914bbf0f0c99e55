"""The ray tracer against geometry worked out by hand, and ids, depth and flow against each other."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from reelworld.world import intersect as i
from reelworld.world import render as r
from reelworld.world.flow import optical_flow, project, world_points
from reelworld.world.grammar import sample
from reelworld.world.scene import Camera, Motion, Scene, Setting, Shot, Thing
from reelworld.world.simulate import simulate
from reelworld.world.stage import build, camera_path

EYE = (0.0, -6.0, 1.0)


def _row(
    shape: tuple[float, float, float], center: tuple[float, ...], radius: float, *, box: bool = False
) -> Tensor:
    row = torch.zeros(i.NUM_COLUMNS)
    frame = torch.zeros(3, 4)
    frame[:, :3] = torch.eye(3) / radius
    frame[:, 3] = -torch.tensor(center) / radius
    row[i.FRAME], row[i.SHAPE], row[i.COLOR], row[i.IS_BOX] = (
        frame.flatten(),
        torch.tensor(shape),
        0.5,
        float(box),
    )
    return row


def _geometry(quadrics: list[Tensor], boxes: list[Tensor], bounds: list[tuple[float, ...]]) -> r.Geometry:
    """One frame; every primitive is a member of the cast of its own."""
    num = len(quadrics) + len(boxes)
    quadric_table, box_table = torch.zeros(1, num, 1, i.NUM_COLUMNS), torch.zeros(1, num, 1, i.NUM_COLUMNS)
    for n, row in enumerate(quadrics):
        quadric_table[0, n, 0] = row
    for n, row in enumerate(boxes):
        box_table[0, len(quadrics) + n, 0] = row
    camera = torch.from_numpy(
        camera_path(Camera(position=EYE, target=(0.0, 0.0, 1.0), focal=1.5), np.zeros(1), 1.0)
    )
    setting = torch.full((1, 27), 0.3)
    setting[0, r.SETTING["sun"]] = torch.tensor([0.0, 0.0, 1.0])
    setting[0, r.SETTING["misc"]] = 0.0
    return r.Geometry(
        quadric_table,
        box_table,
        torch.tensor(bounds)[None],
        torch.zeros(1, 6),
        camera.float(),
        setting,
        "plain",
        "plain",
    )


@pytest.mark.parametrize(
    ("shape", "depth"),
    [
        (i.SPHERE, 5.0),  # the front of a unit sphere at the origin of x, y
        (i.CYLINDER, 5.0),
        (i.CONE, 5.5),  # half way up, a cone's radius is half
    ],
)
def test_depth_of_primitives(shape: tuple[float, float, float], depth: float) -> None:
    geometry = _geometry([_row(shape, (0.0, 0.0, 1.0), 1.0)], [], [(0.0, 0.0, 1.0, 1.5)])
    out = r.render(geometry, 65, 65)
    assert out.thing[0, 32, 32] == 1
    assert float(out.depth[0, 32, 32]) == pytest.approx(depth, abs=2e-3)


def test_depth_of_box_and_ground() -> None:
    geometry = _geometry([], [_row((0, 0, 0), (0.0, 0.0, 1.0), 0.5, box=True)], [(0.0, 0.0, 1.0, 0.9)])
    out = r.render(geometry, 65, 65)
    assert float(out.depth[0, 32, 32]) == pytest.approx(5.5, abs=1e-3)
    below = r.pixel_grid(65, 65).view(2, 65, 65)[1, 60, 32]
    assert out.thing[0, 60, 32] == r.GROUND
    assert float(out.depth[0, 60, 32]) == pytest.approx(1.5 / -float(below), rel=1e-4)  # height 1, focal 1.5
    assert out.thing[0, 2, 2] == r.SKY


def test_area_of_a_sphere() -> None:
    """A sphere of radius 1 at distance 6 has the apparent radius f r / sqrt(d^2 - r^2)."""
    geometry = _geometry([_row(i.SPHERE, (0.0, 0.0, 1.0), 1.0)], [], [(0.0, 0.0, 1.0, 1.01)])
    seen = float((r.render(geometry, 256, 256).thing == 1).sum())
    assert seen == pytest.approx(math.pi * (1.5 / math.sqrt(35.0) * 128) ** 2, rel=0.01)


def test_shadow_falls_below() -> None:
    """With the sun overhead, the ground under a ball is dark and the ground beside it is not."""
    lit = r.render(_geometry([_row(i.SPHERE, (0.0, 0.0, 2.5), 0.5)], [], [(0.0, 0.0, 2.5, 0.51)]), 128, 128)
    empty = r.render(_geometry([torch.zeros(i.NUM_COLUMNS)], [], [(0.0, 0.0, -1e3, 0.0)]), 128, 128)
    darker = (empty.color - lit.color).sum(-1)[0] > 0.05
    points = world_points(_geometry([], [torch.zeros(i.NUM_COLUMNS)], [(0.0, 0.0, -1e3, 0.0)]), empty)[0]
    under = (
        (points[..., :2].square().sum(-1) < 0.4**2)
        & (empty.thing[0] == r.GROUND)
        & (lit.thing[0] == r.GROUND)
    )
    beside = (points[..., 0] > 1.5) & (points[..., 0] < 2.5) & (empty.thing[0] == r.GROUND)
    assert bool(darker[under].all())
    assert int(under.sum()) > 20
    assert not bool(darker[beside].any())


@pytest.mark.parametrize("shape", [i.SPHERE, i.CYLINDER, i.CONE])
def test_first_hit_is_where_a_march_along_the_ray_enters_the_solid(shape: tuple[float, ...]) -> None:
    generator = torch.Generator().manual_seed(4)
    origin = torch.nn.functional.normalize(torch.randn(3, 400, generator=generator), dim=0) * 3
    toward = torch.randn(3, 400, generator=generator) * 0.7 - origin
    toward = torch.nn.functional.normalize(toward, dim=0)
    toward[:, 0], toward[:, 1] = (
        torch.tensor([0.0, 0.0, -1.0]),
        torch.tensor([0.0, 0.0, 1.0]),
    )  # along the axis
    origin[:, 0], origin[:, 1] = torch.tensor([0.1, 0.2, 3.0]), torch.tensor([0.1, 0.2, -3.0])
    rows = _row(shape, (0.0, 0.0, 0.0), 1.0)[:18, None, None].expand(-1, 1, 400)
    found = i._quadric_hit(rows, tuple(origin), tuple(toward), bitten=False)[0]  # type: ignore[arg-type]
    step = 2e-3
    t = torch.arange(0, 6, step)[:, None]
    x, y, z = (origin[axis] + t * toward[axis] for axis in range(3))
    a, b, c = shape
    inside = (x * x + y * y + a * z * z + b * z + c <= 0) & (z.abs() <= 1)
    entered = torch.where(inside.any(0), inside.int().argmax(0) * step, i.FAR)
    grazing = inside.sum(0) < 4  # the march may step over so short a way
    assert int((~grazing).sum()) > 150
    torch.testing.assert_close(found[~grazing], entered[~grazing], rtol=0, atol=2 * step)
    assert bool((found[inside.sum(0) == 0] == i.FAR).float().mean() > 0.98)


def test_a_bite_is_a_hole() -> None:
    row = _row(i.CYLINDER, (0.0, 0.0, 1.0), 1.0)
    row[i.FRAME] = torch.tensor(
        [[1.0, 0, 0, 0], [0, 0, 1, -1], [0, 5, 0, 0]]
    ).flatten()  # a disc that faces us
    whole = r.render(_geometry([row], [], [(0.0, 0.0, 1.0, 1.5)]), 65, 65)
    row[i.BITE] = torch.tensor([0.0, 0.0, 0.25])
    bitten = r.render(_geometry([row], [], [(0.0, 0.0, 1.0, 1.5)]), 65, 65)
    assert whole.thing[0, 32, 32] == 1
    assert bitten.thing[0, 32, 32] != 1
    assert bitten.thing[0, 32, 38] == 1


def _clip(level: int, index: int, size: int = 64) -> tuple[r.Geometry, r.Rendered]:
    ((scene, trajectory),) = sample(level, "train", 11, [index])
    geometry = build([scene], [trajectory], range(16), 8.0)
    return geometry, r.render(geometry, size, size, antialias=False)


@pytest.mark.parametrize(("level", "index"), [(1, 0), (1, 3), (2, 1), (2, 4), (2, 10)])
def test_flow_depth_and_ids_agree(level: int, index: int) -> None:
    """Follow each pixel's flow: where the same part is seen, its depth there is the one foretold."""
    geometry, out = _clip(level, index)
    flow = optical_flow(geometry, out)
    height, width = out.thing.shape[1:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    there = (flow + torch.stack([x, y], -1)).round().long()
    inside = ((there >= 0) & (there < torch.tensor([width, height]))).all(-1)
    frame = torch.arange(15)[:, None, None].expand_as(inside)
    tx, ty = there[..., 0].clamp(0, width - 1), there[..., 1].clamp(0, height - 1)
    same = (
        inside
        & (out.thing[frame + 1, ty, tx] == out.thing[:-1])
        & (out.part[frame + 1, ty, tx] == out.part[:-1])
    )
    things = out.thing[:-1] >= 1
    kept = (same & things).sum() / (inside & things).sum()
    assert kept > 0.8  # the rest is at outlines or turns away
    solid = same & things
    foretold, (nearest, farthest) = _depth_after(geometry, out)[solid], _depth_around(out)
    low, high = nearest[frame + 1, ty, tx][solid], farthest[frame + 1, ty, tx][solid]
    assert float(((foretold > low - 0.02) & (foretold < high + 0.02)).float().mean()) > 0.97


def _depth_around(out: r.Rendered) -> tuple[Tensor, Tensor]:
    """Least and greatest depth in the 3 x 3 pixels around each: a slope's depth changes within a pixel."""
    farthest = torch.nn.functional.max_pool2d(out.depth, 3, stride=1, padding=1)
    return -torch.nn.functional.max_pool2d(-out.depth, 3, stride=1, padding=1), farthest


def _depth_after(geometry: r.Geometry, out: r.Rendered) -> Tensor:
    from reelworld.world.flow import moved_points

    camera = geometry.camera[1:]
    to = moved_points(geometry, out) - camera[:, None, None, :3]
    return (to * camera[:, None, None, 9:12]).sum(-1)


def test_still_scene_has_no_flow() -> None:
    geometry, out = _clip(1, 0)
    moving = (geometry.quadrics, geometry.boxes, geometry.spheres, geometry.lamp, geometry.camera)
    still = r.Geometry(
        *(t[:1].expand(3, *t.shape[1:]).contiguous() for t in moving),
        geometry.setting, geometry.pattern, geometry.backdrop,
    )  # fmt: skip
    out = r.render(still, 64, 64)
    assert float(optical_flow(still, out).abs().max()) < 2e-3


def test_projection_undoes_world_points() -> None:
    geometry, out = _clip(1, 1)
    pixels = project(
        geometry.camera, world_points(geometry, out), at_infinity=out.thing == r.SKY, width=64, height=64
    )
    y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    assert float((pixels - torch.stack([x, y], -1)).abs().max()) < 5e-3


def test_clips_rendered_together_equal_clips_alone() -> None:
    scenes = [sample(1, "train", 11, [k])[0] for k in range(12)]
    looks = [(s.setting.pattern, s.setting.place) for s, _ in scenes]
    first = next(look for look in looks if looks.count(look) > 1)
    pair = [k for k, look in enumerate(looks) if look == first][:2]
    tables = [build([scenes[k][0]], [scenes[k][1]], range(16), 8.0) for k in pair]
    together = r.render(tables[0].join(tables[1:]), 64, 64).color
    alone = torch.cat([r.render(t, 64, 64).color for t in tables])
    assert float((together - alone).abs().max()) < 1e-3


def test_flow_of_what_is_bitten_off() -> None:
    """A chip that is gone in the next frame keeps its place instead of a flow to nowhere."""
    bites = [
        (scene, path)
        for scene, path in sample(2, "train", 11, range(48))
        if any(e.kind == "bite" for e in scene.events)
    ]
    assert bites
    for scene, trajectory in bites:
        geometry = build([scene], [trajectory], range(16), 8.0)
        flow = optical_flow(geometry, r.render(geometry, 64, 64, antialias=False))
        assert bool(flow.isfinite().all())


@pytest.mark.parametrize(
    "kind", ["person", "dog", "car", "cube", "cup", "ship", "lamp", "house", "tree", "chair"]
)
def test_bounds_cut_nothing_off(kind: str) -> None:
    """Pictures with the bounding spheres of the stage equal those with spheres three times as large."""
    thing = Thing(kind=kind, color="red", position=(0.3, 0.0, 0.0), heading=0.7, motion=Motion())  # type: ignore[arg-type]
    shot = Shot(start=0.0, duration=2.0, camera=Camera(focal=1.6), cast=(0,))
    scene = Scene(level=2, split="train", setting=Setting(), cast=(thing,), shots=(shot,))
    (trajectory,) = simulate([scene], 1, 8.0)
    geometry = build([scene], [trajectory], range(1), 8.0)
    wide = replace(geometry, spheres=geometry.spheres * torch.tensor([1.0, 1.0, 1.0, 3.0]))
    seen, whole = r.render(geometry, 96, 96, antialias=False), r.render(wide, 96, 96, antialias=False)
    assert torch.equal(seen.thing, whole.thing)
