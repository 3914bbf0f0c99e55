"""Checks of how things move: directions, sizes through time, falls, gaits, and the camera's own path.

Answers are as in `looks`. Lengths in picture heights, x right, y up.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from scipy.stats import theilslopes

from reelworld.evaluate.casting import cast_tracks, shot_frames, still_camera, told_apart
from reelworld.evaluate.looks import always_visible
from reelworld.evaluate.tracking import FPS, Observed, Track
from reelworld.world.labels import MOTION, camera_motion
from reelworld.world.scene import Camera, Scene, Thing
from reelworld.world.simulate import GRAVITY, speed_of
from reelworld.world.stage import camera_path, scene_camera
from reelworld.world.things import body

Array = np.ndarray
TRAVEL = 0.12  # picture heights that a thing must cross to have moved
STILL = 0.06  # and may drift when it is told to rest
GROWTH = 0.1  # of its size, from first to last, that a thing may gain or lose
LEAST_SEEN = 0.35  # of the frames, in which it must be seen whole and alone for that
PERSPECTIVE = (0.5, 1.7)  # growth of height by growth of the distance to the horizon, in logarithms: 1
APPROACH = 0.2  # share of its distance that a thing must be told to come or go
COMING = 0.05  # in logarithms, least change of the distance to the horizon
LIFT = 0.022  # how high a jump or bounce must go: a pixel and a half of 64
BACK = (0.3, 1.05)  # share of the way down that what bounces comes up again: it cannot gain energy
SPEEDING = 0.58  # least share of a fall that its acceleration makes; from rest it makes all of it
FALLS = (0.55, 1.8)  # of the world's g, as measured by how far away a thing is seen
PARABOLA = 0.12  # root mean square distance from a parabola, as a share of the height fallen
SWING = 0.015  # picture heights that a left leg must come before and behind a right one
PACES = (0.9, 0.95, 1.0, 1.05, 1.1)  # of the pace that the way asks for, within which legs may turn
UNEXPLAINED = 0.54  # of the variance of a gait, at most: legs that change places leave more
AMOUNTS = np.array([0.25, 0.2, 1.0, 1.0, 1.0, 0.3])  # of each motion of the camera, what makes it a move
# The usual amount of each kind of move, as the world draws it: radians, shares of a distance, metres.
USUAL = {"pan": 0.55, "tilt": 0.36, "orbit": 1.0, "dolly": 0.55, "zoom": 0.9, "aerial": 2.75}
FROM_ABOVE = 0.55  # picture heights that the horizon lies above the middle for a camera in the air
LEAST_MOVE, CLOSEST = 0.8, (0.4, 2.2)  # in these units, half of the least told; shares told that count


def direction(scene: Scene, seen: Observed) -> bool | None:
    """Tell whether what is told to travel left or right does so, and what is told to rest beside it rests.

    Only under a camera that stands still: another one moves everything.
    """
    ways = {n: way for n, thing in enumerate(scene.cast) if (way := _sideways(thing)) is not None}
    if not _followed(scene) or not always_visible(scene) or not any(ways.values()):
        return None
    found = cast_tracks(scene, seen)
    return all(_travels(scene, scene.cast[n], found[n]) for n in ways)


def growth(scene: Scene, seen: Observed) -> bool | None:
    """Tell whether what goes across the picture keeps its size meanwhile, under a still camera."""
    asked = [n for n, thing in enumerate(scene.cast) if _keeps_size(thing)]
    if not _followed(scene) or not always_visible(scene) or not asked:
        return None
    found = cast_tracks(scene, seen)
    return all(_constant(found[n], seen.tracks) and _travels(scene, scene.cast[n], found[n]) for n in asked)


def perspective(scene: Scene, seen: Observed) -> bool | None:
    """Tell whether what comes or goes on the ground grows or shrinks as its distance to the horizon does.

    Under a level camera a height h on the ground is h = k (y_horizon - y_foot) for a constant k of the thing,
    so both logarithms change by the same amount.
    """
    asked = [n for n, thing in enumerate(scene.cast) if _comes(scene, thing)]
    if not _followed(scene) or not always_visible(scene) or not asked:
        return None
    found, horizon = cast_tracks(scene, seen), _horizon(scene, seen)
    return all(_in_perspective(found[n], horizon) for n in asked)


def gravity(scene: Scene, seen: Observed) -> bool | None:
    """Tell whether what falls falls: its height is a parabola that bends down until it lands, as all do.

    Where the depth of things is seen, the parabola has about the same g for all of them.
    """
    asked = [n for n, thing in enumerate(scene.cast) if thing.motion.action == "fall"]
    asked = [n for n in asked if scene.cast[n].position[2] > 0]  # a domino falls over
    if not _followed(scene) or not asked:
        return None
    found = cast_tracks(scene, seen)
    return all(_falls(found[n], scene.shots[0].camera.focal) for n in asked)


def lift(scene: Scene, seen: Observed) -> bool | None:
    """Tell whether what jumps rises and comes down, and what bounces comes down and rises."""
    asked = {n: thing.motion.action for n, thing in enumerate(scene.cast) if _lifts(thing)}
    if not _followed(scene) or not asked:
        return None
    found = cast_tracks(scene, seen)
    return all(_turns(found[n], 1.0 if action == "jump" else -1.0) for n, action in asked.items())


def bounce(scene: Scene, seen: Observed) -> bool | None:
    """Tell whether what is dropped and bounces in place comes up again, and no higher than it fell from.

    Restitution e leaves e^2 of the height; the world's things have 0.6 to 0.74 of it.
    """
    asked = [n for n, thing in enumerate(scene.cast) if thing.motion.action == "bounce" and _dropped(thing)]
    if not _followed(scene) or not asked:
        return None
    found = cast_tracks(scene, seen)
    return all(_comes_back(found[n]) for n in asked)


def legs(scene: Scene, seen: Observed) -> bool | None:
    """Tell whether a large walker's legs pass each other in turn, and never change places at once."""
    asked = [n for n, thing in enumerate(scene.cast) if _walks(thing)]
    if not _followed(scene) or not asked or seen.camera is None:
        return None  # the parser without a camera sees no legs either
    found = cast_tracks(scene, seen)
    return all(_strides(found[n]) for n in asked)


def camera(scene: Scene, seen: Observed) -> bool | None:
    """Tell whether each shot's camera makes the move told, by about as much.

    Asked only where one moves (of a camera that stands still a still picture shows as much as any), over
    ground that has a pattern: over a plain one, turns and steps look alike.
    """
    moves = any(shot.camera.move != "still" for shot in scene.shots)
    if seen.camera is None or not moves or scene.setting.pattern == "plain":
        return None
    if not seen.tracks:
        return False
    times = np.arange(seen.num_frames) / seen.num_frames * scene.duration
    told = _motions(scene_camera(scene, times))
    return all(
        _same_move(told[part][1:].sum(0), seen.camera[part][1:], shot.camera.move)
        for part, shot in zip(map(_slice, shot_frames(scene, seen.num_frames)), scene.shots, strict=True)
    )


def _followed(scene: Scene) -> bool:
    """Tell whether everybody's own motion can be followed: a still camera, no twins, and nothing meets."""
    return still_camera(scene) and told_apart(scene) and not scene.events


def _slice(frames: range) -> slice:
    return slice(frames.start, frames.stop)


def _motions(rows: Array) -> Array:
    """Return the camera's motion [T, 6] from frame to frame, from its table [T, 13]."""
    moved: Array = camera_motion(torch.from_numpy(rows)[None])[0].numpy()
    return moved[:, :6]


def _same_move(told: Array, seen: Array, move: str) -> bool:
    """Tell whether a camera's motion [6] is of the class told, and of about its amount; seen [T, 7]."""
    told, total = told / AMOUNTS, seen[:, :6].sum(0) / AMOUNTS
    if move_of(total, float(seen[:, 6].mean())) != move:
        return False
    share = float(total @ told / max(told @ told, 1e-9))
    return move == "still" or CLOSEST[0] <= share <= CLOSEST[1]


def move_of(motion: Array, horizon: float) -> str:
    """Name the move whose motion points the same way as `motion` [6], in AMOUNTS; "still" if it is small.

    Who flies goes nearly the way of an orbit, but looks down: the height of the horizon tells them apart.
    """
    if float(np.linalg.norm(motion)) < LEAST_MOVE:
        return "still"
    other = "orbit" if horizon > FROM_ABOVE else "aerial"
    moves = {move: way for move, way in _signatures().items() if not move.startswith(other)}
    best = max(moves, key=lambda move: float(motion @ moves[move]))
    return best.removesuffix(" back")


@cache
def _signatures() -> dict[str, Array]:
    """Return the direction of each move's motion, of unit length."""
    moves = ("pan_left", "pan_right", "tilt_up", "tilt_down", "orbit_left", "orbit_right", "dolly_in",
             "dolly_out", "zoom_in", "zoom_out", "aerial")  # fmt: skip
    found = {}
    for move in moves:
        height = 7.75 if move == "aerial" else 2.1
        amount = USUAL[move.split("_")[0]]
        path = Camera(move=move, amount=amount, position=(0.0, -5.5, height), focal=1.75)  # type: ignore[arg-type]
        total = _motions(camera_path(path, np.arange(16) / 8.0, 2.0))[1:].sum(0) / AMOUNTS
        found[move] = total / np.linalg.norm(total)
    return found | {"aerial back": -found["aerial"]}  # it flies to either side


def _sideways(thing: Thing) -> int | None:
    """Return which way a thing goes across the picture: -1, 0, 1, or None where that is not told."""
    motion = thing.motion
    if motion.direction in ("left", "right"):
        return -1 if motion.direction == "left" else 1
    return 0 if motion.direction is None and motion.action in ("stand", "spin", "jump", "fall") else None


def _travels(scene: Scene, thing: Thing, track: Track | None) -> bool:
    """Tell whether a track goes the way that its thing is told to go, or stays where that is told."""
    way = _sideways(thing)
    if track is None or way is None or track.seen.sum() < 2:
        return False
    x = track.x[track.seen]
    if way == 0:
        return bool(abs(x[-1] - x[0]) <= STILL)
    return bool((x[-1] - x[0]) * way >= min(TRAVEL, 0.5 * _told_travel(scene, thing)))


def _told_travel(scene: Scene, thing: Thing) -> float:
    """Return about how far a thing is told to go, in picture heights: focal / 2 of way over distance."""
    seconds = min(thing.motion.duration or scene.duration, scene.duration - thing.motion.start)
    view = scene.shots[0].camera
    return 0.5 * view.focal * speed_of(thing) * seconds / _distance(scene, thing)


def _distance(scene: Scene, thing: Thing) -> float:
    view = scene.shots[0].camera
    return float(np.linalg.norm(np.subtract(thing.position, view.position)))


def _keeps_size(thing: Thing) -> bool:
    """Tell whether a thing goes across the picture and looks the same from all sides that it is seen from.

    Stripes that turn make it hard to see where a thing ends.
    """
    rolls, slides = thing.kind == "ball", thing.kind in ("cylinder", "cone")
    steady = thing.motion.action in ("slide", "stop") or (rolls and thing.motion.action == "roll")
    alike = (rolls or slides) and thing.material != "striped"
    return alike and steady and thing.motion.direction in ("left", "right")


def _constant(track: Track | None, tracks: Sequence[Track]) -> bool:
    """Tell whether size has no trend: the line through log(area) / 2 changes by less than 10 % while seen.

    The line is the median of the slopes of all pairs of frames in which nothing hides the thing (Theil 1950,
    Sen 1968), so that a frame that was read badly does not bend it.
    """
    if track is None:
        return False
    use = track.seen & (track.whole == 1)
    for other in tracks:
        use &= (other is track) | ~_overlapping(track, other)
    if use.sum() < LEAST_SEEN * len(use):
        return False
    times = np.flatnonzero(use)
    slope = theilslopes(0.5 * np.log(track.area[use]), times)[0]
    return bool(abs(slope) * (times[-1] - times[0]) < GROWTH)


def _overlapping(one: Track, other: Track) -> Array:
    """Tell in which frames the boxes of two tracks overlap: bool [T]."""
    across = np.abs(one.x - other.x) < (one.width + other.width) / 2
    along = np.abs(one.y - other.y) < (one.height + other.height) / 2
    overlapping: Array = across & along
    return overlapping


def _comes(scene: Scene, thing: Thing) -> bool:
    """Tell whether a thing moves along the ground towards the camera or away, upright and by enough."""
    upright = thing.motion.action in ("slide", "roll", "drive", "walk", "run")
    if not upright or thing.motion.direction not in ("toward", "away"):
        return False
    return speed_of(thing) * (scene.duration - thing.motion.start) > APPROACH * _distance(scene, thing)


def _horizon(scene: Scene, seen: Observed) -> Array:
    """Return the height of the horizon in each frame: as seen, or as the scene's camera has it."""
    if seen.camera is not None:
        return seen.camera[:, MOTION.index("horizon")]
    rows = torch.from_numpy(scene_camera(scene, np.zeros(seen.num_frames)))[None]
    told: Array = camera_motion(rows)[0, :, MOTION.index("horizon")].numpy()
    return told


def _in_perspective(track: Track | None, horizon: Array) -> bool:
    if track is None or (use := track.seen & (track.tall == 1)).sum() < 4:
        return False
    below = np.log(np.maximum(horizon[use] - track.foot[use], 1e-2))
    if np.ptp(below) < COMING:
        return False
    share = float(np.polyfit(below, np.log(track.height[use]), 1)[0])
    return PERSPECTIVE[0] <= share <= PERSPECTIVE[1]


def _falls(track: Track | None, focal: float) -> bool:
    """Tell whether the way down is a parabola, y0 + v t - g t^2 / 2 with g > 0, until the lowest point.

    A length in picture heights is focal / (2 depth) of what it is in metres.
    """
    if track is None or track.seen.sum() < 4:
        return False
    t, y = np.flatnonzero(track.seen), track.y[track.seen]
    drop = y[0] - y.min()
    landed = int((y <= y.min() + 0.1 * drop).argmax())
    if drop < TRAVEL or landed < 2:
        return False
    t, y = t[: landed + 1], y[: landed + 1]
    if landed < 4:  # too few for a parabola: it must only go faster and faster
        return bool((np.diff(y[:landed], 2) < 0).all() and y[0] - y[1] < y[1] - y[2])
    bend, *rest = np.polyfit(t[:-1], y[:-1], 2)
    off = np.polyval([bend, *rest], t[:-1]) - y[:-1]
    depth = track.depth[track.seen][: landed + 1]
    g = GRAVITY if np.isnan(depth).all() else -2.0 * bend * FPS**2 * 2.0 * np.nanmedian(depth) / focal
    if not FALLS[0] <= g / GRAVITY <= FALLS[1]:
        return False
    return bool(-bend * (t[-1] - t[0]) ** 2 > SPEEDING * drop and np.sqrt((off**2).mean()) < PARABOLA * drop)


def _lifts(thing: Thing) -> bool:
    """Tell whether a thing jumps or bounces high enough to be seen."""
    return thing.motion.action in ("jump", "bounce") and thing.motion.rate >= 1.0


def _turns(track: Track | None, up: float) -> bool:
    """Tell whether a track rises and then falls by a clear amount (up = 1), or falls and then rises (-1)."""
    if track is None or track.seen.sum() < 4:
        return False
    y = up * track.y[track.seen]
    rise = y - np.minimum.accumulate(y)
    fall = y - np.minimum.accumulate(y[::-1])[::-1]
    return bool(np.minimum(rise, fall).max() >= LIFT)


def _dropped(thing: Thing) -> bool:
    return thing.motion.direction is None and thing.position[2] > 0


def _comes_back(track: Track | None) -> bool:
    """Tell whether a track goes down and then a share of BACK of that way up again."""
    if track is None or track.seen.sum() < 6:
        return False
    y = track.y[track.seen]
    low = int(y.argmin())
    drop, rise = y[0] - y[low], y[low:].max() - y[low]
    return bool(drop >= TRAVEL and BACK[0] * drop <= rise <= BACK[1] * drop)


def _walks(thing: Thing) -> bool:
    """Tell whether the legs of a thing can be followed: a large person that walks across the picture.

    A dog's legs swing crosswise, so left and right ones are together; who runs fast takes two steps in three
    frames.
    """
    motion = thing.motion
    slow = motion.action == "walk" or (motion.action == "run" and motion.speed != "fast")
    return thing.kind == "person" and thing.size == "large" and slow and motion.direction in ("left", "right")


def _strides(track: Track | None) -> bool:
    """Tell whether a person's left leg swings to both sides of the right one, as often as the way asks for.

    Legs turn once for each stride that the body goes, so the gait is A sin(w t + p) + c with a known w; of
    what changes places at once, no such curve explains as much.
    """
    if track is None or (use := ~np.isnan(track.gait)).sum() < 6:
        return False
    t, gait = np.flatnonzero(use), track.gait[use]
    if gait.max() < SWING or gait.min() > -SWING:
        return False
    seen, person = np.flatnonzero(track.seen), body("person")
    step = abs(float(theilslopes(track.x[seen], seen)[0])) / float(np.median(track.height[seen]))
    turn = 2.0 * np.pi * step * person.height / person.stride  # radians a frame
    return min(_unexplained(t, gait, turn * share) for share in PACES) < UNEXPLAINED


def _unexplained(t: Array, values: Array, w: float) -> float:
    """Return the share of the variance of values that no A sin(w t + p) + c explains, by least squares."""
    basis = np.stack([np.sin(w * t), np.cos(w * t), np.ones(len(t))], 1)
    rest = values - basis @ np.linalg.lstsq(basis, values, rcond=None)[0]
    return float(rest.var() / values.var())
