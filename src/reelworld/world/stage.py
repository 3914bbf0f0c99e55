"""Sets the stage: cast, light and camera of simulated scenes become the renderer's tables."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, sin

import numpy as np
import torch

from reelworld.world import intersect as i
from reelworld.world import render as r
from reelworld.world.scene import Camera, Scene, Setting, Thing
from reelworld.world.simulate import Trajectory, rolls
from reelworld.world.things import (
    BOX,
    PALETTE,
    Part,
    body,
    extent,
    pose,
    reach,
    role_color,
    rotation,
    scale_of,
)

Array = np.ndarray
Vec = tuple[float, float, float]

# place: ground's two colours, far ridge, backdrop (linear light)
PLACES: dict[str, tuple[Vec, Vec, Vec, str]] = {
    "studio": ((0.42, 0.42, 0.44), (0.20, 0.21, 0.24), (0.5, 0.5, 0.5), "plain"),
    "meadow": ((0.10, 0.27, 0.04), (0.24, 0.44, 0.08), (0.07, 0.20, 0.09), "hills"),
    "desert": ((0.66, 0.42, 0.20), (0.52, 0.31, 0.14), (0.55, 0.30, 0.14), "dunes"),
    "snow": ((0.78, 0.82, 0.88), (0.62, 0.69, 0.80), (0.45, 0.52, 0.66), "mountains"),
    "beach": ((0.68, 0.56, 0.36), (0.58, 0.46, 0.28), (0.3, 0.4, 0.5), "sea"),
    "street": ((0.14, 0.14, 0.15), (0.24, 0.23, 0.22), (0.2, 0.2, 0.2), "shops"),
}
# time: sun's height (radians), sun, ambient, zenith, horizon, night
TIMES: dict[str, tuple[float, Vec, Vec, Vec, Vec, float]] = {
    "day": (0.85, (1.05, 0.98, 0.88), (0.34, 0.40, 0.50), (0.12, 0.30, 0.72), (0.62, 0.74, 0.86), 0.0),
    "sunset": (0.30, (1.15, 0.52, 0.20), (0.26, 0.20, 0.26), (0.16, 0.12, 0.36), (0.95, 0.42, 0.16), 0.35),
    "night": (0.80, (0.26, 0.31, 0.46), (0.10, 0.12, 0.20), (0.006, 0.009, 0.03), (0.03, 0.045, 0.10), 1.0),
}
STUDIO_SKY: dict[str, tuple[Vec, Vec]] = {
    "day": ((0.50, 0.52, 0.56), (0.72, 0.73, 0.75)),
    "sunset": ((0.30, 0.20, 0.26), (0.80, 0.45, 0.28)),
    "night": ((0.01, 0.012, 0.02), (0.04, 0.045, 0.07)),
}
GREY = (0.16, 0.16, 0.17)  # stripes of what is black; white ones would make it a white thing's twin
GLOSS = {"matte": 0.0, "shiny": 0.9, "striped": 0.1}
LAMP_OFF = 0.5  # brightest channel of a lampshade that is off, at most: dark glass, so lighting shows
LAMP_LIT, LAMP_GLOW = 0.2, 4.0  # the same of one that is lit, and its glow: 0.8 together, so it keeps its hue
LUNGE, LEAN = 0.15, 0.3  # metres and radians
BITE_MIDDLE, BITE_RADIUS = (0.55, 1.45), 0.62  # towards the eater and up, on a cookie in its own frame


def camera_path(camera: Camera, times: Array, duration: float) -> Array:
    """Return the camera table [T, 13] along a smooth move: position, right, up, forward, focal.

    Progress eases as s = u^2 (3 - 2 u), half linear, from -1/2 to 1/2 for turns, so that the middle of the
    move looks at the target.
    """
    u = np.clip(times / duration, 0.0, 1.0)
    s = 0.5 * u + 0.5 * u * u * (3.0 - 2.0 * u)
    position = np.broadcast_to(np.array(camera.position), (len(times), 3)).copy()
    target = np.broadcast_to(np.array(camera.target), (len(times), 3)).copy()
    focal = np.full(len(times), camera.focal)
    toward, move = target - position, camera.move
    sign = 1.0 if move.endswith(("left", "up", "in")) else -1.0
    angle = sign * camera.amount * (s - 0.5)
    if move.startswith("pan"):
        target = position + np.einsum("tij,tj->ti", rotation(2, angle), toward)
    elif move.startswith("tilt"):
        across = np.hypot(toward[:, 0], toward[:, 1])
        pitch = np.arctan2(toward[:, 2], across) + angle
        target[:, 2] = position[:, 2] + across * np.tan(pitch)
    elif move.startswith("orbit"):
        position = target - np.einsum("tij,tj->ti", rotation(2, -angle), toward)
    elif move.startswith("dolly"):
        position = position + toward * (camera.amount * (s - 0.5) * sign)[:, None]
    elif move.startswith("zoom"):
        focal = focal * (1.0 + camera.amount) ** (sign * (s - 0.5))
    elif move == "aerial":
        position[:, 0] += camera.amount * (s - 0.5)
    return _look_at(position, target, focal)


def _look_at(position: Array, target: Array, focal: Array) -> Array:
    """Return the camera table [T, 13]: right = forward x z, up = right x forward, all of unit length."""
    x, y, z = (target - position).T
    across, length = np.sqrt(x * x + y * y), np.sqrt(x * x + y * y + z * z)
    x, y, z, right_x, right_y = x / length, y / length, z / length, y / across, -x / across
    rows = (right_x, right_y, np.zeros_like(x), right_y * z, -right_x * z, right_x * y - right_y * x, x, y, z)
    return np.concatenate([position, np.stack(rows, -1), focal[:, None]], -1)


def scene_camera(scene: Scene, times: Array) -> Array:
    """Return the camera table [T, 13] of a whole clip, shot by shot."""
    rows = np.zeros((len(times), 13))
    for shot in scene.shots:
        during = (times >= shot.start - 1e-9) & (
            (times < shot.start + shot.duration - 1e-9) | (shot is scene.shots[-1])
        )
        if during.any():
            rows[during] = camera_path(shot.camera, times[during] - shot.start, shot.duration)
    return _weave(rows, times, scene.setting.variant) if scene.style == "historical" else rows


def _weave(rows: Array, times: Array, variant: int) -> Array:
    """Turn the camera a little up, down and aside, as film does in a worn projector's gate."""
    across = 0.004 * np.sin(5.1 * times + variant) + 0.002 * np.sin(17.3 * times + 2.0 * variant)
    up = 0.006 * np.sin(7.7 * times + 3.0 * variant) + 0.003 * np.sin(23.9 * times + variant)
    forward = rows[:, 9:12] + across[:, None] * rows[:, 3:6] + up[:, None] * rows[:, 6:9]
    return _look_at(rows[:, :3], rows[:, :3] + forward, rows[:, 12])


def setting_row(setting: Setting, style: str = "natural") -> Array:
    """Return the setting table's row [27]; film noir has hard light and deep shadows."""
    ground_a, ground_b, ridge, backdrop = PLACES[setting.place]
    height, sun_color, ambient, zenith, horizon, night = TIMES[setting.time]
    if setting.place == "studio":
        zenith, horizon = STUDIO_SKY[setting.time]
    rng = np.random.default_rng(setting.variant)
    azimuth = setting.sun
    sun = (cos(height) * sin(azimuth), -cos(height) * cos(azimuth), sin(height))
    if setting.time == "sunset":  # the sun itself is in the picture
        sun = (cos(height) * sin(azimuth), cos(height) * cos(azimuth), sin(height))
        sun_color = tuple(0.9 * v for v in sun_color)  # type: ignore[assignment]
    dim = {"day": 1.0, "sunset": 0.55, "night": 0.16}[setting.time] if backdrop != "plain" else 1.0
    ridge = tuple(dim * (0.7 * a + 0.3 * h) for a, h in zip(ridge, horizon, strict=True))  # type: ignore[assignment]
    if style == "film_noir":
        sun_color = tuple(1.3 * v for v in sun_color)  # type: ignore[assignment]
        ambient = tuple(0.4 * v for v in ambient)  # type: ignore[assignment]
    hue = rng.uniform(0.92, 1.08, 3)
    values = {
        "sun": sun, "sun_color": sun_color, "ambient": ambient, "zenith": zenith, "horizon": horizon,
        "ground_a": np.array(ground_a) * hue, "ground_b": np.array(ground_b) * hue, "ridge": ridge,
        "misc": (float(rng.uniform(0, 6.28)), 0.0003 if backdrop != "plain" else 0.004, night),
    }  # fmt: skip
    return np.concatenate([np.asarray(values[name], dtype=np.float64) for name in r.SETTING])


# ---------------------------------------------------------------- the cast


def _lunge(scene: Scene, n: int, times: Array) -> Array:
    """How far [T] a member leans towards what it bites or switches on: 1 in that moment.

    A Gaussian in time, exp(-((t - t_0) / 0.25)^2).
    """
    acts = [e.time for e in scene.events if e.agent == n and e.kind in ("bite", "switch_on")]
    return sum((np.exp(-(((times - time) / 0.25) ** 2)) for time in acts), np.zeros(len(times)))


def _orientation(thing: Thing, trajectory: Trajectory, n: int, lunge: Array) -> tuple[Array, Array]:
    """Rotation [T, 3, 3] and origin [T, 3]: heading, then leaning, rolling or toppling about an edge."""
    radius, _ = extent(thing)
    position = trajectory.position[:, n].copy()
    turn = rotation(2, trajectory.yaw[:, n])
    if lunge.any():
        position += LUNGE * scale_of(thing) * lunge[:, None] * turn[:, :, 0]
        turn = turn @ rotation(1, (LEAN if thing.kind == "person" else 0.0) * lunge)
    course, tilt = trajectory.course[:, n], trajectory.tilt[:, n]
    away = np.stack([np.cos(course), np.sin(course), 0 * course], -1)
    if rolls(thing):
        spin = rotation(2, course) @ rotation(1, trajectory.travel[:, n] / radius) @ rotation(2, -course)
        middle = np.array([0.0, 0.0, radius])
        return spin @ turn, position + middle - spin @ middle
    if tilt.any():
        edge = away * (0.7 * radius if thing.kind != "domino" else 0.16 * scale_of(thing))
        topple = rotation(2, course) @ rotation(1, tilt) @ rotation(2, -course)
        return topple @ turn, position + edge - np.einsum("tij,tj->ti", topple, edge)
    if thing.motion.action == "drift":
        bob = trajectory.travel[:, n] * 2.0
        position[:, 2] += 0.05 * np.sin(2.0 * bob)
        return turn @ rotation(0, 0.08 * np.sin(bob * 1.7)), position
    return turn, position


def _phase(thing: Thing, trajectory: Trajectory, n: int) -> Array:
    return trajectory.travel[:, n] / (body(thing.kind).stride * scale_of(thing))


def _attributes(thing: Thing) -> Array:
    """Columns that do not change with time: [P, NUM_COLUMNS], hidden parts (no hat) all zeros."""
    parts = body(thing.kind).parts
    rows = np.zeros((len(parts), i.NUM_COLUMNS))
    stripe = {"white": PALETTE["black"], "black": GREY}.get(thing.color, PALETTE["white"])
    for p, part in enumerate(parts):
        rows[p, i.SHAPE], rows[p, i.IS_BOX] = part.shape, part.shape == BOX
        rows[p, i.COLOR], rows[p, i.STRIPE] = role_color(thing, part.role), stripe
        rows[p, i.GLOSS], rows[p, i.GLOW], rows[p, i.PART] = GLOSS[thing.material], part.glow, p
        rows[p, i.STRIPES] = thing.material == "striped" and part.role == "main"
    return rows


def _member(scene: Scene, trajectory: Trajectory, n: int, times: Array) -> tuple[Array, Array]:
    """Primitive rows [T, P, C] and bounding sphere [T, 4] of one member of the cast."""
    thing = scene.cast[n]
    scale = scale_of(thing)
    axes, centers = pose(thing.kind, _phase(thing, trajectory, n))
    turn, origin = _orientation(thing, trajectory, n, _lunge(scene, n, times))
    axes = scale * turn[:, None] @ axes
    centers = scale * np.einsum("tij,tpj->tpi", turn, centers) + origin[:, None]
    inverse = np.linalg.inv(axes)
    rows = np.repeat(_attributes(thing)[None], len(times), axis=0)
    shift = -np.einsum("tpij,tpj->tpi", inverse, centers)
    rows[..., i.FRAME] = np.concatenate([inverse, shift[..., None]], -1).reshape(*rows.shape[:2], 12)
    if thing.hat is None:
        rows[:, [p.role == "hat" for p in body(thing.kind).parts]] = 0.0
    _apply_events(scene, n, times, rows)
    middle = origin + scale * turn @ np.array([0.0, 0.0, body(thing.kind).height / 2])
    bounding = scale * reach(thing.kind)
    present = np.array([n in scene.shot_at(t).cast for t in times])
    rows[~present] = 0.0
    bound = np.concatenate([middle, np.where(present, bounding, 0.0)[:, None]], -1)
    return rows, bound


def _apply_events(scene: Scene, n: int, times: Array, rows: Array) -> None:
    """Bite marks, and lamps that are lit, from the moment of their event on."""
    parts = body(scene.cast[n].kind).parts
    for event in scene.events:
        after = times >= event.time
        if event.kind == "bite" and event.patient == n:
            side = np.sign(scene.cast[event.agent].position[0] - scene.cast[n].position[0])
            for p, part in enumerate(parts):
                rows[after, p] = _bitten(rows[after, p], part, side)
    if scene.cast[n].kind == "lamp":
        for p, part in enumerate(parts):
            if part.role in ("bulb", "main"):
                rows[:, p] = _shining(rows[:, p], _lit(scene, n, times))


def _shining(rows: Array, lit: Array) -> Array:
    """A lamp's glass, in time: off or lit [T].

    The display clips each channel on its own, so an orange that is too bright turns yellow: light is added
    to what hardly reflects any, and the sum stays within the display's range.
    """
    rows = rows.copy()
    for column in (i.COLOR, i.STRIPE):
        color = rows[0, column].copy()
        rows[~lit, column] = color * min(1.0, LAMP_OFF / color.max())
        rows[lit, column] = color * min(1.0, LAMP_LIT / color.max())
    rows[lit, i.GLOW] = LAMP_GLOW
    return rows


def _lit(scene: Scene, n: int, times: Array) -> Array:
    """When [T] lamp n shines: from its event on; without one, at night."""
    switched = [e.time for e in scene.events if e.kind == "switch_on" and e.patient == n]
    if switched:
        return np.asarray(times >= min(switched))
    return np.full(len(times), scene.setting.time == "night")


def _bitten(rows: Array, part: Part, side: float) -> Array:
    """Take the bite out of one part of a cookie: a hole through discs, and the chips in it are gone."""
    x, z = side * BITE_MIDDLE[0] - part.center[0], BITE_MIDDLE[1] - part.center[2]
    rows = rows.copy()
    if part.shape == i.CYLINDER:
        rows[:, i.BITE] = (x / part.half[0], z / part.half[1], (BITE_RADIUS / part.half[0]) ** 2)
    elif np.hypot(x, z) < BITE_RADIUS + 0.05:
        rows[:] = 0.0
    return rows


def _lamp(scene: Scene, trajectory: Trajectory, times: Array) -> Array:
    """Position and colour [T, 6] of the scene's first lamp that shines at all; dark while it is off."""
    out = np.zeros((len(times), 6))
    for n, thing in enumerate(scene.cast):
        lit = _lit(scene, n, times) if thing.kind == "lamp" else np.zeros(len(times), dtype=bool)
        if lit.any():
            out[:, :3] = trajectory.position[:, n] + np.array([0.3, -0.5, 1.5]) * scale_of(thing)
            out[:, 3:] = lit[:, None] * np.array([2.6, 2.0, 1.2])
            break
    return out


def build(
    scenes: Sequence[Scene], trajectories: Sequence[Trajectory], frames: Sequence[int], fps: float
) -> r.Geometry:
    """Make the renderer's tables for these frames of scenes that share a look (see `look`)."""
    num_frames, times = len(frames), np.asarray(frames) / fps
    most = max(len(s.cast) for s in scenes)
    trajectories = [_at(t, frames) for t in trajectories]
    members = [
        [_member(s, t, n, times) for n in range(len(s.cast))]
        for s, t in zip(scenes, trajectories, strict=True)
    ]
    quadrics = _table([[_of_type(rows, 0.0) for rows, _ in scene] for scene in members], most, num_frames)
    boxes = _table([[_of_type(rows, 1.0) for rows, _ in scene] for scene in members], most, num_frames)
    spheres = np.zeros((len(scenes), num_frames, most, 4))
    spheres[..., 2] = -1e3
    for b, scene in enumerate(members):
        for n, (_, bound) in enumerate(scene):
            spheres[b, :, n] = bound
    lamp = np.stack([_lamp(s, t, times) for s, t in zip(scenes, trajectories, strict=True)])
    camera = np.stack([scene_camera(s, times) for s in scenes])
    setting = np.stack([setting_row(s.setting, s.style) for s in scenes])
    tensor = lambda a: torch.from_numpy(np.ascontiguousarray(a, dtype=np.float32))  # noqa: E731
    pattern, backdrop, style = look(scenes[0])
    return r.Geometry(
        tensor(quadrics), tensor(boxes), tensor(spheres.reshape(-1, most, 4)), tensor(lamp.reshape(-1, 6)),
        tensor(camera.reshape(-1, 13)), tensor(setting), pattern, backdrop, style,
    )  # fmt: skip


def look(scene: Scene) -> tuple[str, str, str]:
    """Return what scenes must share to be rendered together: ground pattern, backdrop and style."""
    return scene.setting.pattern, PLACES[scene.setting.place][3], scene.style


def _at(t: Trajectory, frames: Sequence[int]) -> Trajectory:
    names = ("position", "velocity", "yaw", "travel", "tilt", "course")
    return Trajectory(**{name: getattr(t, name)[list(frames)] for name in names}, log=t.log)


def _of_type(rows: Array, is_box: float) -> Array:
    """Rows of one primitive type: a part's type does not change with time."""
    kinds = rows[:, :, i.IS_BOX].max(0)
    shaped = np.abs(rows).max((0, 2)) > 0
    return rows[:, shaped & (kinds == is_box)]


def _table(parts: list[list[Array]], most: int, num_frames: int) -> Array:
    """Pad to [B * T, N, P, C]."""
    width = max((p.shape[1] for scene in parts for p in scene), default=0)
    out = np.zeros((len(parts), num_frames, most, width, i.NUM_COLUMNS))
    for b, scene in enumerate(parts):
        for n, rows in enumerate(scene):
            out[b, :, n, : rows.shape[1]] = rows
    return out.reshape(len(parts) * num_frames, most, width, i.NUM_COLUMNS)
