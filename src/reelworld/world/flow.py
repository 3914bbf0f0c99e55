"""Optical flow from the geometry: where the surface seen in a pixel is one frame later.

    flow = optical_flow(geometry, rendered)                    # [F - 1, H, W, 2], pixels, x right and y down

A point of a thing keeps its place in its primitive's frame, P' = A' (A^-1 P); ground and walls stay; the sky
is infinitely far, so only the camera's turning moves it. Exact up to float32.
"""

from __future__ import annotations

import torch
from torch import Tensor

from reelworld.world.intersect import FRAME
from reelworld.world.render import SKY, Geometry, Rendered, pixel_grid


def world_points(geometry: Geometry, rendered: Rendered) -> Tensor:
    """Return the world position [F, H, W, 3] seen in each pixel; for the sky a direction of unit depth."""
    num_frames, height, width = rendered.depth.shape
    camera = geometry.camera
    grid = pixel_grid(width, height).to(camera.device)
    focal = camera[:, 12, None]
    plane = torch.stack([g.expand(num_frames, -1) / focal for g in grid], -1)  # [F, R, 2], depth 1
    right, up, forward = (camera[:, None, i : i + 3] for i in (3, 6, 9))
    direction = plane[..., :1] * right + plane[..., 1:] * up + forward
    sky = (rendered.thing == SKY).flatten(1)[..., None]
    depth = rendered.depth.flatten(1)[..., None]
    points = torch.where(sky, direction, camera[:, None, :3] + direction * depth)
    return points.view(num_frames, height, width, 3)


def project(camera: Tensor, points: Tensor, *, at_infinity: Tensor, width: int, height: int) -> Tensor:
    """Project points [F, H, W, 3] through cameras [F, 13] to pixels [F, H, W, 2] (x right, y down)."""
    right, up, forward = (camera[:, None, None, i : i + 3] for i in (3, 6, 9))
    position = torch.where(at_infinity[..., None], 0.0, camera[:, None, None, :3])
    to = points - position
    scale = camera[:, None, None, 12] / (to * forward).sum(-1)
    x, y = (to * right).sum(-1) * scale, (to * up).sum(-1) * scale
    return torch.stack([(x * height + width) / 2 - 0.5, (1 - y) * height / 2 - 0.5], -1)


def moved_points(geometry: Geometry, rendered: Rendered) -> Tensor:
    """Return where the points seen in frames 0 ... F - 2 are one frame later: [F - 1, H, W, 3]."""
    points = world_points(geometry, rendered)[:-1]
    tables = torch.cat([geometry.quadrics, geometry.boxes], 2)[..., FRAME].unflatten(-1, (3, 4))
    frame, row, column = torch.nonzero(rendered.primitive[:-1] >= 0, as_tuple=True)
    member = rendered.thing[frame, row, column] - 1
    primitive = rendered.primitive[frame, row, column]
    now, after = (tables[f, member, primitive].double() for f in (frame, frame + 1))
    gone = after[..., :3].abs().sum((-1, -2)) == 0  # bitten off or cut away: it keeps its place
    after = torch.where(gone[:, None, None], now, after)
    local = (now[..., :3] @ points[frame, row, column].double()[..., None]).squeeze(-1) + now[..., 3]
    there = torch.linalg.solve(after[..., :3], (local - after[..., 3])[..., None]).squeeze(-1)
    moved = points.clone()
    moved[frame, row, column] = there.to(points.dtype)
    return moved


@torch.no_grad()
def optical_flow(geometry: Geometry, rendered: Rendered) -> Tensor:
    """Return the flow of one clip [F - 1, H, W, 2] in pixels from each frame to the next."""
    _, height, width = rendered.depth.shape
    sky = rendered.thing[:-1] == SKY
    moved = moved_points(geometry, rendered)
    ends = project(geometry.camera[1:], moved, at_infinity=sky, width=width, height=height)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return ends - torch.stack([x, y], -1).to(ends)
