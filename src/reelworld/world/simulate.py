"""Fixed-step motion and contacts of many scenes at once, with a log of every event.

240 steps a second, semi-implicit Euler (v' = v + a dt, x' = x + v' dt); free flight loses g^2 dt^2 / 2 of
energy a step and never gains any. Bodies collide as upright cylinders, balls among themselves as spheres;
the impulse along the contact normal is j = -(1 + e) v_n / (1 / m_a + 1 / m_b). Driven things (walking,
driving, sliding with a will) keep their speed until something stands in their way.
Arrays: B scenes, N cast (padded with absent bodies of zero radius), T frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import atan2, cos, hypot, pi, sin
from typing import NamedTuple

import numpy as np

from reelworld.world.scene import DIRECTIONS, Scene, Thing
from reelworld.world.things import body, extent, halves, mass

Array = np.ndarray

RATE = 240
GRAVITY = 5.0  # a miniature world: slow enough that 8 frames a second show a bounce
FRICTION = 0.25
SPEEDS = {"slow": 0.7, "medium": 1.3, "fast": 2.2}  # metres a second
PACE = {"walk": 0.8, "run": 1.6, "drift": 0.5}
TURN = {"slow": pi / 2, "medium": pi, "fast": 1.8 * pi}  # radians a second
JUMP = {"slow": 1.8, "medium": 2.3, "fast": 2.9}
BOUNCE = {"matte": 0.78, "shiny": 0.86, "striped": 0.8}  # restitution of what bounces
THUD, KNOCK = 0.1, 0.75  # restitution: landing, between bodies
BRAKE = 8.0  # m/s^2 of what stops by its own will
CONTACTS = ("collide", "push", "knock_over")
TRAVEL = ("slide", "drive", "walk", "run", "roll", "drift", "stop")


class LogEntry(NamedTuple):
    """Something that happened: `patient` None is the ground or nobody; impulse in kg m/s."""

    kind: str
    time: float
    agent: int
    patient: int | None = None
    impulse: float = 0.0


@dataclass(frozen=True)
class Trajectory:
    """Where one scene's cast is in each frame (one frame more than is shown, for flow).

    position [T, N, 3], the point below the middle; yaw, travel (metres along the course, negative
    backwards) and tilt [T, N]; course [T, N], the direction of travel and of tilting; velocity [T, N, 3].
    """

    position: Array
    velocity: Array
    yaw: Array
    travel: Array
    tilt: Array
    course: Array
    log: tuple[LogEntry, ...] = ()


@dataclass
class _State:
    """Everything that changes, as [B, N] arrays (vectors [B, N, 3])."""

    position: Array
    velocity: Array
    yaw: Array
    travel: Array
    tilt: Array
    tilt_rate: Array
    course: Array
    driven: Array
    log: list[list[LogEntry]]


@dataclass
class _Constants:
    radius: Array  # of a circle around the footprint; very negative where nobody is
    front: Array
    side: Array
    height: Array
    floor: Array
    mass: Array
    round: Array
    bounce: Array
    target: Array
    start: Array
    end: Array
    spin: Array
    jump: Array
    rolls: Array
    brakes: Array
    pushes: set[tuple[int, int, int]] = field(default_factory=set)
    knocks: set[tuple[int, int, int]] = field(default_factory=set)


def speed_of(thing: Thing) -> float:
    """Return the speed in metres a second at which a thing's motion carries it along the ground."""
    motion = thing.motion
    if motion.action not in TRAVEL and motion.action not in ("bounce", "jump"):
        return 0.0
    if motion.direction is None:
        return 0.0
    factor = 0.6 if motion.action in ("bounce", "jump") else PACE.get(motion.action, 1.0)
    return SPEEDS[motion.speed] * factor * motion.rate


def rolls(thing: Thing) -> bool:
    """Tell whether a thing rolls when it travels: a rolling ball, and a resting one that is hit."""
    return thing.kind == "ball" and thing.motion.action in ("roll", "stand")


def _target(thing: Thing) -> tuple[float, float, float]:
    speed = speed_of(thing)
    x, y, _ = DIRECTIONS[thing.motion.direction] if thing.motion.direction else (0.0, 0.0, 0.0)
    return x * speed, y * speed, 0.0


def _pad(scenes: Sequence[Scene], value: object, fill: float, shape: tuple[int, ...] = ()) -> Array:
    """Array [B, N, *shape] of value(thing), `fill` where a scene has fewer things."""
    most = max(len(s.cast) for s in scenes)
    out = np.full((len(scenes), most, *shape), fill, dtype=np.float64)
    for b, scene in enumerate(scenes):
        for n, thing in enumerate(scene.cast):
            out[b, n] = value(thing)  # type: ignore[operator]
    return out


def _motion_end(thing: Thing) -> float:
    motion = thing.motion
    return np.inf if motion.duration is None else motion.start + motion.duration


def _set_up(scenes: Sequence[Scene]) -> tuple[_Constants, _State]:
    pad = lambda value, fill=0.0, *shape: _pad(scenes, value, fill, shape)  # noqa: E731
    constants = _Constants(
        radius=pad(lambda t: max(halves(t)), -1e6),
        front=pad(lambda t: halves(t)[0]),
        side=pad(lambda t: halves(t)[1]),
        height=pad(lambda t: extent(t)[1]),
        floor=pad(lambda t: t.floor),
        mass=pad(mass, 1.0),
        round=pad(lambda t: body(t.kind).round) > 0,
        bounce=pad(lambda t: BOUNCE[t.material] if t.motion.action == "bounce" else THUD),
        target=pad(_target, 0.0, 3),
        start=pad(lambda t: t.motion.start),
        end=pad(_motion_end),
        spin=pad(lambda t: TURN[t.motion.speed] * t.motion.rate if t.motion.action == "spin" else 0.0),
        jump=pad(lambda t: JUMP[t.motion.speed] * t.motion.rate if t.motion.action == "jump" else 0.0),
        rolls=pad(rolls) > 0,
        brakes=pad(lambda t: t.motion.action == "stop") > 0,
    )
    for b, scene in enumerate(scenes):
        for event in scene.events:
            group = {"push": constants.pushes, "knock_over": constants.knocks}.get(event.kind)
            if group is not None and event.patient is not None:
                group.add((b, event.agent, event.patient))
    shape = constants.radius.shape
    zeros = lambda: np.zeros(shape)  # noqa: E731
    course = pad(lambda t: atan2(_target(t)[1], _target(t)[0]))
    state = _State(
        position=pad(lambda t: t.position, 0.0, 3), velocity=np.zeros((*shape, 3)),
        yaw=pad(lambda t: t.heading),
        travel=zeros(), tilt=zeros(), tilt_rate=zeros(), course=course,
        driven=np.ones(shape, dtype=bool), log=[[] for _ in scenes],
    )  # fmt: skip
    return constants, state


# ---------------------------------------------------------------- one step


def _drive(c: _Constants, s: _State, time: float) -> None:
    """Set the speed of what moves by its own will; slow down what no longer does."""
    active = (time >= c.start) & (time < c.end) & (c.radius > 0)
    grounded = (s.position[..., 2] <= c.floor + 1e-9) & (s.velocity[..., 2] <= 1e-9)
    moving = (c.target != 0).any(-1)
    will = active & s.driven & moving
    s.velocity[..., :2] = np.where(will[..., None], c.target[..., :2], s.velocity[..., :2])
    leap = active & grounded & (c.jump > 0)
    s.velocity[..., 2] = np.where(leap, c.jump, s.velocity[..., 2])
    s.yaw += np.where(active, c.spin, 0.0) / RATE
    sliding = grounded & ~will & ~c.rolls
    speed = np.sqrt((s.velocity[..., :2] ** 2).sum(-1))
    slowing = np.where(c.brakes & s.driven, BRAKE, FRICTION * GRAVITY)
    keep = np.clip(1.0 - slowing / RATE / np.maximum(speed, 1e-9), 0.0, 1.0)
    s.velocity[..., :2] *= np.where(sliding, keep, 1.0)[..., None]


def _advance(c: _Constants, s: _State, time: float) -> None:
    """Semi-implicit Euler under gravity; what reaches the ground turns round, with the speed it had there."""
    aloft = (s.position[..., 2] > c.floor) | (s.velocity[..., 2] > 0)
    s.velocity[..., 2] -= np.where(aloft, GRAVITY / RATE, 0.0)
    s.position += s.velocity / RATE
    s.travel += (s.velocity[..., 0] * np.cos(s.course) + s.velocity[..., 1] * np.sin(s.course)) / RATE
    under = s.position[..., 2] < c.floor
    if under.any():
        _land(c, s, time, under)
    falling = s.tilt_rate > 0
    if falling.any():
        s.tilt_rate += np.where(falling, (2.0 + 6.0 * np.sin(s.tilt)) / RATE, 0.0)
        s.tilt = np.minimum(s.tilt + s.tilt_rate / RATE, pi / 2)


def _land(c: _Constants, s: _State, time: float, under: Array) -> None:
    """Bounce: v' = e sqrt(v^2 - 2 g depth), the speed at which the ground was crossed, times restitution."""
    down = s.velocity[..., 2]
    crossing = np.sqrt(np.maximum(down**2 - 2 * GRAVITY * np.maximum(c.floor - s.position[..., 2], 0.0), 0.0))
    up = c.bounce * crossing
    up = np.where(up < 0.25, 0.0, up)
    for b, n in zip(*np.nonzero(under & (crossing > 0.4)), strict=True):
        impulse = c.mass[b, n] * (crossing[b, n] + up[b, n])
        s.log[b].append(LogEntry("land", time, int(n), None, float(impulse)))
    s.velocity[..., 2] = np.where(under, up, down)
    s.position[..., 2] = np.where(under, c.floor, s.position[..., 2])


def _contacts(c: _Constants, s: _State, time: float) -> None:
    """Find overlapping pairs and resolve them one after the other."""
    num = c.radius.shape[1]
    for i in range(num):
        for j in range(i + 1, num):
            gap = s.position[:, j] - s.position[:, i]
            reach = c.radius[:, i] + c.radius[:, j]
            flat = gap[:, 0] ** 2 + gap[:, 1] ** 2 < np.where(reach > 0, reach, 0.0) ** 2
            level = (gap[:, 2] < c.height[:, i]) & (-gap[:, 2] < c.height[:, j])
            for b in np.nonzero(flat & level)[0]:
                _resolve(c, s, time, int(b), i, j)


def _normal(c: _Constants, s: _State, b: int, i: int, j: int) -> tuple[Array, float]:
    """Contact normal from i to j and penetration (negative: apart)."""
    gap = s.position[b, j] - s.position[b, i]
    if c.round[b, i] and c.round[b, j]:
        gap = gap + np.array([0.0, 0.0, c.radius[b, j] - c.radius[b, i]])
        distance = float(np.sqrt(gap @ gap)) + 1e-12
        return gap / distance, c.radius[b, i] + c.radius[b, j] - distance
    flat = np.array([gap[0], gap[1], 0.0])
    distance = float(np.sqrt(flat @ flat)) + 1e-12
    sideways = _half(c, s, b, i, flat) + _half(c, s, b, j, flat) - distance
    above = c.height[b, i] - gap[2] if gap[2] > 0 else c.height[b, j] + gap[2]
    if above < sideways and abs(gap[2]) > 1e-6:
        return np.array([0.0, 0.0, 1.0 if gap[2] > 0 else -1.0]), above
    return flat / distance, sideways


def _half(c: _Constants, s: _State, b: int, n: int, along: Array) -> float:
    """How far body n reaches along a direction: the support of its ellipse, sqrt((a cos)^2 + (b sin)^2)."""
    angle = atan2(along[1], along[0]) - s.yaw[b, n]
    return hypot(c.front[b, n] * cos(angle), c.side[b, n] * sin(angle))


def _head(c: _Constants, s: _State, b: int, n: int) -> None:
    """A resting ball that is hit begins to roll the way it goes."""
    if c.rolls[b, n] and s.travel[b, n] == 0.0:
        s.course[b, n] = atan2(s.velocity[b, n, 1], s.velocity[b, n, 0])


def _resolve(c: _Constants, s: _State, time: float, b: int, i: int, j: int) -> None:
    """Exchange momentum between i and j of scene b, if they touch and approach."""
    normal, depth = _normal(c, s, b, i, j)
    approach = float((s.velocity[b, i] - s.velocity[b, j]) @ normal)
    if depth <= 0 or approach <= 1e-6:
        return
    if s.tilt_rate[b, i] or s.tilt_rate[b, j]:
        return  # what has been knocked over no longer stands in the way
    agent, patient = (i, j) if s.velocity[b, i] @ normal >= -(s.velocity[b, j] @ normal) else (j, i)
    if (b, agent, patient) in c.pushes:
        _push(c, s, time, b, agent, patient, normal if agent == i else -normal)
        return
    impulse = (1.0 + KNOCK) * approach / (1.0 / c.mass[b, i] + 1.0 / c.mass[b, j])
    s.velocity[b, i] -= impulse / c.mass[b, i] * normal
    s.velocity[b, j] += impulse / c.mass[b, j] * normal
    s.driven[b, i] = s.driven[b, j] = False
    _head(c, s, b, i)
    _head(c, s, b, j)
    kind = "collide"
    if (b, agent, patient) in c.knocks:
        kind = "knock_over"
        s.velocity[b, patient, :2] *= 0.2
        s.velocity[b, agent, :2] = 0.0  # it stops before what falls, and does not pass through it
        s.tilt_rate[b, patient] = 1.0
        away = normal if agent == i else -normal
        s.course[b, patient] = atan2(away[1], away[0])
    s.log[b].append(LogEntry(kind, time, agent, patient, impulse))


def _push(c: _Constants, s: _State, time: float, b: int, agent: int, patient: int, normal: Array) -> None:
    """The patient takes the agent's speed along the contact: e = 0; the agent's will supplies the rest."""
    slip = float((s.velocity[b, agent] - s.velocity[b, patient]) @ normal)
    s.velocity[b, patient] += slip * normal
    s.driven[b, patient] = False
    _head(c, s, b, patient)
    if not any(e.kind == "push" and (e.agent, e.patient) == (agent, patient) for e in s.log[b]):
        s.log[b].append(LogEntry("push", time, agent, patient, c.mass[b, patient] * slip))


# ---------------------------------------------------------------- whole scenes


def simulate(scenes: Sequence[Scene], num_frames: int, fps: float) -> list[Trajectory]:
    """Run scenes for num_frames + 1 frames and return a trajectory with its event log for each."""
    c, s = _set_up(scenes)
    frames: list[dict[str, Array]] = []
    steps = [round(k * RATE / fps) for k in range(num_frames + 1)]
    for step in range(steps[-1] + 1):
        time = step / RATE
        if step == steps[len(frames)]:
            names = ("position", "velocity", "yaw", "travel", "tilt", "course")
            frames.append({name: getattr(s, name).copy() for name in names})
        _drive(c, s, time)
        _advance(c, s, time)
        _contacts(c, s, time)
    stacked = {name: np.stack([f[name] for f in frames], 1) for name in frames[0]}
    return [_trajectory(scene, b, stacked, s.log[b]) for b, scene in enumerate(scenes)]


def _trajectory(scene: Scene, b: int, stacked: dict[str, Array], log: list[LogEntry]) -> Trajectory:
    scripted = [
        LogEntry(e.kind, e.time, e.agent, e.patient) for e in scene.events if e.kind in ("bite", "switch_on")
    ]
    num = len(scene.cast)
    ordered = sorted([*log, *scripted], key=lambda entry: entry.time)
    return Trajectory(**{k: v[b, :, :num] for k, v in stacked.items()}, log=tuple(ordered))


def outcome(trajectory: Trajectory) -> tuple[tuple[str, int, int | None], ...]:
    """Return who met whom, in order: what must not depend on a pixel."""
    return tuple((e.kind, e.agent, e.patient) for e in trajectory.log if e.kind in CONTACTS)


def nudged(scene: Scene, distance: float) -> Scene:
    """Return the scene with each thing moved by `distance` metres, all in different directions."""
    cast = []
    for n, thing in enumerate(scene.cast):
        x, y, z = thing.position
        angle = 2.4 * n
        cast.append(replace(thing, position=(x + distance * cos(angle), y + distance * sin(angle), z)))
    return replace(scene, cast=tuple(cast))
