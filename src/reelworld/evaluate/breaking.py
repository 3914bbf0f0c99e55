"""What one frame of a clip becomes when the clip is broken, by severity: its scene or its trajectory changes.

broken = breaking.vanish(clip, t=5, severity=3)      # as frame 5 shows it; `controls` says what must notice
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from reelworld.world.scene import COLORS, Camera, Event, Thing
from reelworld.world.simulate import GRAVITY, Trajectory
from reelworld.world.stream import Clip
from reelworld.world.things import body, scale_of

OUT_OF_SIGHT = 1e3  # metres
SHARES = {1: 0.25, 2: 0.5, 3: 1.0}  # of the clip's frames, at its end
FRAMES_GONE = {1: 3, 2: 5, 3: 8}
LEAPS = {1: 1.0, 2: 1.4, 3: 1.8}  # metres
RATES = {1: 0.01, 2: 0.015, 3: 0.025}  # growth a frame
MIRRORED = {1: 0.6, 2: 0.8, 3: 1.0}  # of the way to the mirror image
HEIGHTS = {1: 0.2, 2: 0.1, 3: 0.0}  # share that is left of a jump
STRAIGHT = {1: 0.6, 2: 0.8, 3: 1.0}  # how far a fall is bent towards constant speed
LIVELY = {1: 1.1, 2: 1.2, 3: 1.3}  # restitution
SWAPS = {1: 0.7, 2: 0.85, 3: 1.0}  # of the time between two events by which each is moved
SLOW = {1: 0.7, 2: 0.5, 3: 0.35}  # of g
FLUNG = {1: 1.5, 2: 2.5, 3: 4.0}  # times as far as what is hit would go
SUDDEN = {1: 0.8, 2: 0.65, 3: 0.5}  # of the clip, after which something happens by itself
TOPPLES = 4  # frames in which a domino falls over by itself
EARLY = {1: 2, 2: 3, 3: 4}  # frames by which an effect comes before its cause
OPPOSITE_MOVES = {"left": "right", "right": "left", "in": "out", "out": "in", "up": "down", "down": "up"}
TOLD_KINDS = {"ball": "cone", "cube": "cone", "cylinder": "cone", "cone": "ball"}


def late(clip: Clip, t: int, severity: int) -> bool:
    """Tell whether a frame lies in the share at the end that a severity breaks."""
    return t >= (1.0 - SHARES[severity]) * len(clip.frames)


def _moved(clip: Clip, n: int, offset: tuple[float, float, float]) -> Clip:
    """Put member n somewhere else."""
    position = clip.trajectory.position.copy()
    position[:, n] += offset
    return replace(clip, trajectory=replace(clip.trajectory, position=position))


def _recast(clip: Clip, n: int, **changes: object) -> Clip:
    """Give member n other looks."""
    cast = list(clip.scene.cast)
    cast[n] = replace(cast[n], **changes)  # type: ignore[arg-type]
    return replace(clip, scene=replace(clip.scene, cast=tuple(cast)))


def drop(clip: Clip, t: int, severity: int) -> Clip:
    return _moved(clip, 0, (OUT_OF_SIGHT, 0.0, 0.0)) if late(clip, t, severity) else clip


def add(clip: Clip, t: int, severity: int) -> Clip:
    """Let a copy of the last member, in a colour that nobody has, stand where nobody ever is."""
    if not late(clip, t, severity):
        return clip
    free = [c for c in COLORS if c not in {thing.color for thing in clip.scene.cast} | {"white", "green"}]
    extra: Thing = replace(clip.scene.cast[-1], color=free[0], material="matte")  # type: ignore[arg-type]
    path = clip.trajectory
    doubled: dict[str, Any] = {
        name: np.concatenate([value, value[:, -1:]], axis=1)
        for name, value in vars(path).items()
        if isinstance(value, np.ndarray)
    }
    doubled["position"][:, -1] = (*_free_spot(clip), 0.0)
    seen = tuple(replace(s, cast=(*s.cast, len(clip.scene.cast))) for s in clip.scene.shots)
    scene = replace(clip.scene, cast=(*clip.scene.cast, extra), shots=seen)
    return replace(clip, scene=scene, trajectory=replace(path, **doubled))


def _free_spot(clip: Clip) -> tuple[float, float]:
    """Return the spot of a grid on the stage that stays furthest from everybody."""
    spots = np.stack(np.meshgrid(np.linspace(-1.4, 1.4, 8), np.linspace(0.0, 1.8, 4)), -1).reshape(-1, 2)
    places = clip.trajectory.position[:, :, None, :2]
    room = np.hypot(*np.moveaxis(places - spots, -1, 0)).min((0, 1))
    x, y = spots[int(room.argmax())]
    return float(x), float(y)


def recolor(clip: Clip, t: int, severity: int) -> Clip:
    """Let the first member wear the colour opposite to its own, from the list of colours."""
    color = COLORS[(COLORS.index(clip.scene.cast[0].color) + 3) % 6]
    return _recast(clip, 0, color=color) if late(clip, t, severity) else clip


def reshape(clip: Clip, t: int, severity: int) -> Clip:
    kind = TOLD_KINDS[clip.scene.cast[0].kind]
    return _recast(clip, 0, kind=kind) if late(clip, t, severity) else clip


def mirror(clip: Clip, t: int, severity: int) -> Clip:
    """Mirror the stage, x for -x, with courses and turns; a share of severities 1 and 2 moves towards it."""
    path, share = clip.trajectory, MIRRORED[severity]
    position = path.position * np.array([1.0 - 2.0 * share, 1.0, 1.0])
    return replace(
        clip, trajectory=replace(path, position=position, course=np.pi - path.course, yaw=np.pi - path.yaw)
    )


def vanish(clip: Clip, t: int, severity: int) -> Clip:
    gone = 4 <= t < 4 + FRAMES_GONE[severity]
    return _moved(clip, 0, (OUT_OF_SIGHT, 0.0, 0.0)) if gone else clip


def teleport(clip: Clip, t: int, severity: int) -> Clip:
    """Let the first member leap to the other side in the middle of the clip."""
    way = -np.sign(clip.trajectory.position[len(clip.frames) // 2, 0, 0] or 1.0)
    return _moved(clip, 0, (way * LEAPS[severity], 0.0, 0.0)) if t >= len(clip.frames) // 2 else clip


def grow(clip: Clip, t: int, severity: int) -> Clip:
    grown = [replace(thing, scale=thing.scale * (1.0 + RATES[severity]) ** t) for thing in clip.scene.cast]
    return replace(clip, scene=replace(clip.scene, cast=tuple(grown)))


def steady_fall(clip: Clip, t: int, severity: int) -> Clip:
    """Bend every fall towards one of constant speed that takes as long: z = z0 (1 - t / T)."""
    position = clip.trajectory.position.copy()
    for n, thing in enumerate(clip.scene.cast):
        if thing.motion.action == "fall":
            start, seconds = position[0, n, 2], np.sqrt(2 * position[0, n, 2] / GRAVITY)
            times = np.arange(len(position)) / _fps(clip)
            steady = start * np.clip(1.0 - times / seconds, 0.0, 1.0)
            position[:, n, 2] += STRAIGHT[severity] * (steady - position[:, n, 2])
    return replace(clip, trajectory=replace(clip.trajectory, position=position))


def slow_fall(clip: Clip, t: int, severity: int) -> Clip:
    """Let things fall as on a lighter world: z(t) = z(t sqrt(g' / g))."""
    position, slow = clip.trajectory.position.copy(), np.sqrt(SLOW[severity])
    frames = np.arange(len(position))
    for n, thing in enumerate(clip.scene.cast):
        if thing.motion.action == "fall":
            position[:, n, 2] = np.interp(frames * slow, frames, clip.trajectory.position[:, n, 2])
    return replace(clip, trajectory=replace(clip.trajectory, position=position))


def grounded(clip: Clip, t: int, severity: int) -> Clip:
    """Keep what jumps or bounces near the ground."""
    position = clip.trajectory.position.copy()
    for n, thing in enumerate(clip.scene.cast):
        if thing.motion.action in ("jump", "bounce"):
            position[:, n, 2] *= HEIGHTS[severity]
    return replace(clip, trajectory=replace(clip.trajectory, position=position))


def rise_higher(clip: Clip, t: int, severity: int) -> Clip:
    """Let what bounces come up faster than it came down."""
    position = clip.trajectory.position.copy()
    times = np.arange(len(position)) / _fps(clip)
    for n, thing in enumerate(clip.scene.cast):
        if thing.motion.action == "bounce":
            position[:, n, 2] = _bounced(position[0, n, 2], LIVELY[severity], times)
    return replace(clip, trajectory=replace(clip.trajectory, position=position))


def _bounced(height: float, restitution: float, times: np.ndarray) -> np.ndarray:
    """Return the heights of what is dropped: h - g t^2 / 2, then flights v t - g t^2 / 2 with v' = e v."""
    z = height - 0.5 * GRAVITY * times**2
    speed, start = np.sqrt(2 * GRAVITY * height), np.sqrt(2 * height / GRAVITY)
    while start <= times[-1]:
        speed *= restitution
        later = times - start
        z = np.where(later >= 0, speed * later - 0.5 * GRAVITY * later**2, z)
        start += max(2 * speed / GRAVITY, times[1])
    return np.maximum(z, 0.0)


def resize(clip: Clip, t: int, severity: int) -> Clip:
    """Let the first member have the other size."""
    other = "small" if clip.scene.cast[0].size == "large" else "large"
    return _recast(clip, 0, size=other) if late(clip, t, severity) else clip


def swap_depth(clip: Clip, t: int, severity: int) -> Clip:
    """Let two members change their distances from the camera, by a share of the way."""
    position = clip.trajectory.position.copy()
    share = MIRRORED[severity]
    position[:, :2, 1] += share * (position[:, 1::-1, 1] - position[:, :2, 1])
    return replace(clip, trajectory=replace(clip.trajectory, position=position))


def keep_apparent_size(clip: Clip, t: int, severity: int) -> Clip:
    """Scale everything with its distance from the camera, so that it looks equally large throughout."""
    eye = np.array(clip.scene.shots[0].camera.position)
    distance = np.linalg.norm(clip.trajectory.position[list(clip.frames)] - eye, axis=-1)
    grown = (distance[t] / distance[0]) ** SHARES[severity]
    cast = [replace(c, scale=c.scale * float(g)) for c, g in zip(clip.scene.cast, grown, strict=True)]
    return replace(clip, scene=replace(clip.scene, cast=tuple(cast)))


def swap_legs(clip: Clip, t: int, severity: int) -> Clip:
    """Let legs change places: half a turn of the gait at once, every few frames."""
    every = {1: 8, 2: 6, 3: 4}[severity]
    travel = clip.trajectory.travel.copy()
    if (t // every) % 2:
        for n, thing in enumerate(clip.scene.cast):
            travel[:, n] += 0.5 * body(thing.kind).stride * scale_of(thing)
    return replace(clip, trajectory=replace(clip.trajectory, travel=travel))


def _untouched(path: Trajectory, n: int) -> Trajectory:
    """Keep member n where and as it is at first."""
    names = ("position", "yaw", "travel", "tilt", "course")
    held = {name: getattr(path, name).copy() for name in names}
    for values in held.values():
        values[:, n] = values[0, n]
    return replace(path, **held)


def no_effect(clip: Clip, t: int, severity: int) -> Clip:
    """Film the twin without effects: no bite, no light, and what was knocked over stands.

    Lesser severities let the effect come and heal again.
    """
    if severity < 3 and not late(clip, t, severity):
        return clip
    path = clip.trajectory
    for event in clip.scene.events:
        if event.kind == "knock_over" and event.patient is not None:
            path = _untouched(path, event.patient)
    return replace(clip, scene=replace(clip.scene, events=()), trajectory=path)


def pass_through(clip: Clip, t: int, severity: int) -> Clip:
    """Let what meets something go on as it went, through what stays where it was.

    Lesser severities let it be touched, and undo it again.
    """
    if severity < 3 and not late(clip, t, severity):
        return clip
    path = clip.trajectory
    position = path.position.copy()
    for event in clip.scene.events:
        if event.kind in ("collide", "push") and event.patient is not None:
            velocity = path.velocity[1, event.agent] / _fps(clip)
            steps = np.arange(len(position))[:, None]
            position[:, event.agent] = path.position[0, event.agent] + steps * velocity
            position[:, event.patient] = path.position[0, event.patient]
    return replace(clip, trajectory=replace(path, position=position))


def flung(clip: Clip, t: int, severity: int) -> Clip:
    """Let what is hit go much further than what hit it could send it."""
    position = clip.trajectory.position.copy()
    for event in clip.scene.events:
        if event.kind in ("collide", "push") and event.patient is not None:
            way = position[:, event.patient] - position[0, event.patient]
            position[:, event.patient] += (FLUNG[severity] - 1.0) * way
    return replace(clip, trajectory=replace(clip.trajectory, position=position))


def by_itself(clip: Clip, t: int, severity: int) -> Clip:
    """Let a cookie be bitten, a lamp shine or a domino topple, though nobody is told to do so."""
    began = SUDDEN[severity] * clip.scene.duration
    tilt, acts, events = clip.trajectory.tilt.copy(), {"cookie": "bite", "lamp": "switch_on"}, []
    since = np.arange(len(tilt)) - began * _fps(clip)
    for n, thing in enumerate(clip.scene.cast):
        if thing.kind == "domino":
            tilt[:, n] = 0.5 * np.pi * np.clip(since / TOPPLES, 0.0, 1.0) ** 2
        elif thing.kind in acts:
            kind: Any = acts[thing.kind]
            events.append(Event(kind=kind, agent=0, patient=n, time=began))
    scene = replace(clip.scene, events=tuple(events))
    return replace(clip, scene=scene, trajectory=replace(clip.trajectory, tilt=tilt))


def too_early(clip: Clip, t: int, severity: int) -> Clip:
    """Let what is hit begin to move before it is touched."""
    path, later = clip.trajectory, EARLY[severity]
    for event in clip.scene.events:
        if event.kind in ("collide", "push") and event.patient is not None:
            path = _shifted(path, event.patient, later)
    return replace(clip, trajectory=path)


def _shifted(path: Trajectory, n: int, frames: int) -> Trajectory:
    """Let member n be where it would be some frames later (negative: earlier)."""
    count = len(path.position)
    when = np.clip(np.arange(count) + frames, 0, count - 1)
    names = ("position", "velocity", "yaw", "travel", "tilt", "course")
    moved = {name: getattr(path, name).copy() for name in names}
    for values in moved.values():
        values[:, n] = values[when, n]
    return replace(path, **moved)


def swap_order(clip: Clip, t: int, severity: int) -> Clip:
    """Let the second event happen when the first should, and the first when the second should."""
    pairs = [(clip.scene.events[e.after], e) for e in clip.scene.events if e.after is not None]
    times = {(e.kind, e.agent): e.time for e in clip.trajectory.log}
    path, moved = clip.trajectory, dict.fromkeys(clip.scene.events, 0.0)
    for first, second in pairs:
        apart = SWAPS[severity] * (times[second.kind, second.agent] - times[first.kind, first.agent])
        moved |= {first: apart, second: -apart}
    for event, delay in moved.items():
        for member in (event.agent, event.patient):
            path = _shifted(path, member, -round(delay * _fps(clip)))  # type: ignore[arg-type]
    events = tuple(_delayed(event, delay) for event, delay in moved.items())
    return replace(clip, scene=replace(clip.scene, events=events), trajectory=path)


def _delayed(event: Event, seconds: float) -> Event:
    return replace(event, time=max(0.0, event.time + seconds))


def other_camera(clip: Clip, t: int, severity: int) -> Clip:
    """Film with the opposite move, or by a turn where the camera should stand still."""
    shots = tuple(replace(s, camera=_opposite(s.camera, MIRRORED[severity])) for s in clip.scene.shots)
    return replace(clip, scene=replace(clip.scene, shots=shots))


def _opposite(camera: Camera, share: float) -> Camera:
    if camera.move in ("still", "aerial"):
        return replace(camera, move="pan_left", amount=0.6 * share)
    move, _, way = camera.move.partition("_")
    return replace(camera, move=f"{move}_{OPPOSITE_MOVES[way]}", amount=camera.amount * share)  # type: ignore[arg-type]


def other_actor(clip: Clip, t: int, severity: int) -> Clip:
    """Let the whole cast wear other colours from the first cut on."""
    second = clip.scene.shots[1]
    if clip.frames[t] / _fps(clip) < second.start - 1e-6:
        return clip
    steps = {1: 1, 2: 2, 3: 3}[severity]
    for n, thing in enumerate(clip.scene.cast):
        clip = _recast(clip, n, color=COLORS[(COLORS.index(thing.color) + steps) % len(COLORS)])
    return clip


def no_cut(clip: Clip, t: int, severity: int) -> Clip:
    """Film everything in one shot."""
    whole = replace(clip.scene.shots[0], duration=clip.scene.duration)
    return replace(clip, scene=replace(clip.scene, shots=(whole,)))


def _fps(clip: Clip) -> float:
    """Return the frames a second of a trajectory, which has one frame more than its scene."""
    return (len(clip.trajectory.position) - 1) / clip.scene.duration
