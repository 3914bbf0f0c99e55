"""A stretch of a scene: which frames to take, and what can truly be said of them.

    frames = stretch(scene, trajectory, 4, fps, rng)
    told, log = excerpt(scene, trajectory, frames, fps)     # what captions are written from

A stretch never begins after things have met, so that nothing it shows has an untold cause, and holds a
frame in which everybody is seen. What parsers learn from needs no caption, and shows any moment.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reelworld.world.acceptance import good_frames
from reelworld.world.scene import Camera, Motion, Scene, Thing
from reelworld.world.simulate import LogEntry, Trajectory

AIRBORNE = ("fall", "bounce")  # motions that end on the ground
LIFTED = 0.02  # metres above the ground


def stretch(
    scene: Scene,
    trajectory: Trajectory,
    num_frames: int,
    fps: float,
    rng: np.random.Generator,
    aspect: float = 1.0,
) -> range:
    """Draw `num_frames` frames around one that shows its shot's cast before anything has met.

    A stretch that fits into a shot stays within it.
    """
    total = len(trajectory.position) - 1
    good = np.flatnonzero(good_frames(scene, trajectory, fps, aspect))
    center = int(good[rng.integers(len(good))])
    shot = scene.shot_at(center / fps)
    start, end = round(shot.start * fps), min(total, round((shot.start + shot.duration) * fps))
    if end - start < num_frames:
        start, end = 0, total
    first = int(rng.integers(max(start, center - num_frames + 1), min(center, end - num_frames) + 1))
    return range(first, first + num_frames)


def any_stretch(scene: Scene, num_frames: int, fps: float, rng: np.random.Generator) -> range:
    """Draw `num_frames` frames of any moment of a scene, within a shot where one is as long.

    What they show may have an untold cause: a bitten cookie, a lamp that is lit, a domino that lies.
    """
    ends = [(round(s.start * fps), round((s.start + s.duration) * fps)) for s in scene.shots]
    firsts = [first for start, end in ends for first in range(start, end - num_frames + 1)]
    first = int(rng.choice(firsts or range(ends[-1][1] - num_frames + 1)))
    return range(first, first + num_frames)


def excerpt(
    scene: Scene, trajectory: Trajectory, frames: range, fps: float
) -> tuple[Scene, tuple[LogEntry, ...]]:
    """Return the scene and the log as these frames show them: what a caption of the stretch may say.

    Places are those of the first frame, and times count from it; motions that are over are rest; events are
    those within. A single picture has no events, and no camera moves in it.
    """
    if len(frames) == len(trajectory.position) - 1:
        return scene, trajectory.log
    start, end = frames[0] / fps, frames[-1] / fps
    during = [e for e in trajectory.log if start - 1e-9 <= e.time <= end and len(frames) > 1]
    within = [e._replace(time=max(0.0, e.time - start)) for e in during]
    happened = {(e.kind, e.agent, e.patient) for e in within}
    cast = tuple(_as_seen(t, trajectory.position[list(frames), n]) for n, t in enumerate(scene.cast))
    events = tuple(e for e in scene.events if (e.kind, e.agent, e.patient) in happened)
    seen = [s for s in scene.shots if any(scene.shot_at(k / fps) is s for k in frames)]
    shots = tuple(replace(s, start=max(0.0, s.start - start)) for s in seen)
    if len(frames) == 1:
        shots = tuple(replace(s, camera=_held(s.camera)) for s in shots)
    return _present(replace(scene, cast=cast, events=events, shots=shots), within)


def _present(scene: Scene, log: list[LogEntry]) -> tuple[Scene, tuple[LogEntry, ...]]:
    """Leave out the members whom none of the shots films, and number the others anew."""
    kept = sorted({n for shot in scene.shots for n in shot.cast})
    if len(kept) == len(scene.cast):
        return scene, tuple(log)
    new: dict[int | None, int | None] = {None: None} | {old: k for k, old in enumerate(kept)}
    events = tuple(
        replace(e, agent=new[e.agent], patient=new[e.patient], after=None)  # type: ignore[arg-type]
        for e in scene.events
        if e.agent in new and e.patient in new
    )
    entries = tuple(
        e._replace(agent=new[e.agent], patient=new[e.patient])  # type: ignore[arg-type]
        for e in log
        if e.agent in new and e.patient in new
    )
    shots = tuple(replace(s, cast=tuple(kept.index(n) for n in s.cast)) for s in scene.shots)
    cast = tuple(scene.cast[n] for n in kept)
    return replace(scene, cast=cast, events=events, shots=shots), entries


def _as_seen(thing: Thing, path: np.ndarray) -> Thing:
    """Return a thing where it first is, at rest if its flight is over; path is [T, 3]."""
    x, y, z = (round(float(v), 4) for v in path[0])
    motion = thing.motion
    if motion.action in AIRBORNE and path[:, 2].max() < LIFTED and np.ptp(path[:, :2], axis=0).max() < LIFTED:
        motion = Motion()
    return replace(thing, position=(x, y, z), motion=motion)


def _held(camera: Camera) -> Camera:
    return replace(camera, move="still", amount=0.0)
