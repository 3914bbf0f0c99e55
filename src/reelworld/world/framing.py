"""Cameras and cuts: how a scene is filmed.

shot = Shot(start=0.0, duration=2.0, camera=camera(rng, level, 1.0, aspect), cast=(0, 1))
shots(rng, shot, cast)      # one to three shots, the whole cast first
close_up(scene, 0.5)        # the same, filmed from half as far
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from reelworld.world.scene import DIRECTIONS, Camera, Scene, Shot, Thing
from reelworld.world.simulate import speed_of
from reelworld.world.things import extent

MOVES_1 = ("still", "pan_left", "pan_right", "dolly_in", "dolly_out")
MOVES_2 = (*MOVES_1, "tilt_up", "tilt_down", "orbit_left", "orbit_right", "zoom_in", "zoom_out", "aerial")
DISTANCE = {1: (4.6, 5.4), 2: (5.8, 6.8), 3: (5.8, 6.8)}  # of the camera, metres
ABOVE = (0.6, 0.75)  # radians
NUM_SHOTS, SHOT_SHARES = (1, 2, 3), (0.5, 0.35, 0.15)
SHORTEST_SHOT = 0.5  # seconds
NEARER = (0.45, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9, 1.0, 1.2)  # of the distance at which a scene was drawn
CUTS = 0.125  # seconds: cuts fall between two frames of 8 a second


def pick(rng: np.random.Generator, options: Sequence[str]) -> Any:
    """Choose one of the options, all equally likely (Any: callers need one of the scene's literals)."""
    return options[int(rng.integers(len(options)))]


def camera(rng: np.random.Generator, level: int, target_height: float, aspect: float) -> Camera:
    """Draw a camera; level 1 is filmed from near, and a narrow picture from further away."""
    move = pick(rng, MOVES_1 if level == 1 else MOVES_2)
    amount = {
        "pan": rng.uniform(0.45, 0.65), "tilt": rng.uniform(0.3, 0.42), "orbit": rng.uniform(0.8, 1.2),
        "dolly": rng.uniform(0.45, 0.65), "zoom": rng.uniform(0.7, 1.1), "aerial": rng.uniform(2.0, 3.5),
    }.get(move.split("_")[0], 0.0)  # fmt: skip
    height, distance = float(rng.uniform(1.6, 2.6)), float(rng.uniform(*DISTANCE[level]))
    if move == "aerial":
        height, distance = float(rng.uniform(7.0, 8.5)), 5.5
    return Camera(
        move=move, position=(0.0, round(-distance / min(aspect, 1.0), 3), round(height, 3)),
        amount=round(float(amount), 4), target=(0.0, 0.0, target_height), focal=1.75,
    )  # fmt: skip


def from_above(rng: np.random.Generator, view: Camera) -> Camera:
    """Raise a camera until it looks down at two rows of things, so that the nearer hides nobody."""
    if view.move == "aerial":
        return view
    distance, angle = -view.position[1], float(rng.uniform(*ABOVE))
    y, z = -distance * np.cos(angle), view.target[2] + distance * np.sin(angle)
    return replace(view, position=(0.0, round(float(y), 3), round(float(z), 3)))


def shots(rng: np.random.Generator, whole: Shot, cast: Sequence[Thing]) -> tuple[Shot, ...]:
    """Cut a scene into one to three shots: the whole cast first, then near ones, or all from another side."""
    count = int(rng.choice(NUM_SHOTS, p=SHOT_SHARES))
    spare = whole.duration - count * SHORTEST_SHOT
    if count == 1 or spare < 0:
        return (whole,)
    cuts = np.sort(rng.uniform(0.0, spare, count - 1)) + SHORTEST_SHOT * np.arange(1, count)
    starts = [0.0, *(round(float(c) / CUTS) * CUTS for c in cuts), whole.duration]
    cut = [replace(whole, duration=starts[1])]
    for start, end in pairwise(starts[1:]):
        members = whole.cast if rng.random() < 0.4 else (int(rng.integers(len(cast))),)
        view = _framing(rng, whole.camera, [cast[n] for n in members], (start + end) / 2)
        cut.append(Shot(start=start, duration=end - start, camera=view, cast=members))
    return tuple(cut)


def held_still(scene: Scene) -> Scene | None:
    """Hold the camera of every shot still; None where one is in the air, from where all is tiny."""
    if any(shot.camera.move == "aerial" for shot in scene.shots):
        return None
    still = (replace(shot, camera=replace(shot.camera, move="still", amount=0.0)) for shot in scene.shots)
    return replace(scene, shots=tuple(still))


def close_up(scene: Scene, share: float) -> Scene:
    """Film every shot of a scene from a share of its distance: near things, cut off by the border or not."""
    return replace(scene, shots=tuple(replace(s, camera=_nearer(s.camera, share)) for s in scene.shots))


def _nearer(camera: Camera, share: float) -> Camera:
    eye, target = np.array(camera.position), np.array(camera.target)
    x, y, z = (round(float(v), 3) for v in target + share * (eye - target))
    return replace(camera, position=(x, y, z))


def _framing(rng: np.random.Generator, wide: Camera, cast: Sequence[Thing], time: float) -> Camera:
    """Frame some things around a moment: from near for one, and from a little aside."""
    x, y = np.mean([_expected(t, time) for t in cast], axis=0)
    height = max(extent(t)[1] for t in cast)
    target = (round(float(x), 3), round(float(y), 3), round(0.3 + 0.4 * height, 3))
    distance = float(np.hypot(*wide.position[:2]))
    if len(cast) == 1:
        distance = float(np.clip(rng.uniform(1.9, 2.6) * max(height, 2.0 * extent(cast[0])[0]), 2.6, 6.5))
    aside = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.25, 0.5))
    position = (target[0] + distance * np.sin(aside), target[1] - distance * np.cos(aside))
    move = pick(rng, ("still", "still", *MOVES_1[1:], "zoom_in", "zoom_out", "orbit_left", "orbit_right"))
    amount = {"pan": 0.3, "dolly": 0.4, "zoom": 0.6, "orbit": 0.6}.get(move.split("_")[0], 0.0)
    x, y, z = (round(float(v), 3) for v in (*position, rng.uniform(1.2, 2.2)))
    return Camera(move=move, position=(x, y, z), target=target, amount=amount, focal=wide.focal)


def _expected(thing: Thing, time: float) -> tuple[float, float]:
    """Where a thing is at a time, if nothing stops it."""
    x, y, _ = thing.position
    if thing.motion.direction is None:
        return x, y
    ux, uy, _ = DIRECTIONS[thing.motion.direction]
    moving = min(max(time - thing.motion.start, 0.0), thing.motion.duration or np.inf)
    return x + ux * speed_of(thing) * moving, y + uy * speed_of(thing) * moving
