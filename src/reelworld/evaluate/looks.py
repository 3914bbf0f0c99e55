"""Checks of what is there: colours, numbers, kinds, sizes, places, and that nothing comes or goes.

Each check is handed the scene program that wrote the prompt and what a parser saw. It answers True, False, or
None where the scene does not ask for what it checks; what it asks for and nobody can see is False.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from reelworld.evaluate.casting import cast_tracks, shot_frames, shows_color, within
from reelworld.evaluate.tracking import Observed, Track
from reelworld.world.acceptance import VIEW_EVENTS
from reelworld.world.facts import relation
from reelworld.world.scene import Scene

Array = np.ndarray
MOST_FRAMES = 0.8  # share of the frames in which something must be so; all are in the picture in 0.85
DEAD_BAND = 0.1  # of two widths together: nearer is neither left nor right
BEGINNING = 3  # frames over which feet are compared
LOWER = 0.02  # picture heights by which the foot of the nearer thing must be lower
BESIDE = 0.06  # picture heights between a thing and what may hide it
MOVED = 0.025  # picture heights that something must go, where something is told to
TRAVELLING = ("slide", "roll", "drive", "walk", "run", "drift", "bounce", "jump", "fall", "stop")


def always_visible(scene: Scene) -> bool:
    """Tell whether the whole cast is in the picture throughout: one shot, and nobody comes or goes."""
    return len(scene.shots) == 1 and not any(event.kind in VIEW_EVENTS for event in scene.events)


def binding(scene: Scene, seen: Observed) -> bool | None:
    """Tell whether the colours seen are those of the cast, in at least 80 % of the frames."""
    if not (always_visible(scene) and shows_color(scene)):
        return None
    wanted = Counter(thing.color for thing in scene.cast)
    right = [colors == wanted for colors in _colors(seen.tracks)] if seen.tracks else [False]
    return float(np.mean(right)) >= MOST_FRAMES


def count(scene: Scene, seen: Observed) -> bool | None:
    """Tell whether there are as many things as told, in at least 80 % of the frames."""
    if not always_visible(scene):
        return None
    if not seen.tracks:
        return False
    numbers = np.sum([track.seen for track in seen.tracks], axis=0)
    return bool((numbers == len(scene.cast)).mean() >= MOST_FRAMES)


def kind(scene: Scene, seen: Observed) -> bool | None:
    """Tell whether large things have their kind; small ones show too few pixels of it."""
    large = [n for n, thing in enumerate(scene.cast) if thing.size == "large"]
    found = cast_tracks(scene, seen)
    return all((t := found[n]) is not None and t.kind == scene.cast[n].kind for n in large) if large else None


def size(scene: Scene, seen: Observed) -> bool | None:
    """Tell whether everything has its size, where the parser knows sizes."""
    if any(track.size == "" for track in seen.tracks) or any(thing.scale != 1.0 for thing in scene.cast):
        return None
    found = cast_tracks(scene, seen)
    return all(t is not None and t.size == thing.size for t, thing in zip(found, scene.cast, strict=True))


def left_right(scene: Scene, seen: Observed) -> bool | None:
    """Tell whether two things begin on their sides: sign(x_a - x_b) beyond a dead band of their widths."""
    if (told := _told_relation(scene)) not in ("left_of", "right_of"):
        return None
    one, other = cast_tracks(scene, seen)
    if (first := _first_together(one, other)) is None or one is None or other is None:
        return False
    apart = one.x[first] - other.x[first]
    clear = abs(apart) > DEAD_BAND * (one.width[first] + other.width[first])
    return bool(clear and (apart < 0) == (told == "left_of"))


def front_behind(scene: Scene, seen: Observed) -> bool | None:
    """Tell whether the nearer of two things on the ground is nearer: under a level camera its foot is lower.

    Of what hangs in the air a picture does not tell how far it is.
    """
    told = _told_relation(scene)
    if told not in ("in_front_of", "behind") or any(thing.position[2] > 0 for thing in scene.cast):
        return None
    one, other = cast_tracks(scene, seen)
    if (first := _first_together(one, other)) is None or one is None or other is None:
        return False
    begin = slice(first, first + BEGINNING)
    lower = float(np.nanmedian(other.foot[begin] - one.foot[begin]))
    return abs(lower) > LOWER and (lower > 0) == (told == "in_front_of")


def permanence(scene: Scene, seen: Observed) -> bool | None:
    """Tell whether the cast is there and moves, and all stays but for the border and what hides it.

    Asked only where something is told to change its place: a still picture keeps everything.
    """
    if len(scene.shots) > 1 or not any(thing.motion.action in TRAVELLING for thing in scene.cast):
        return None
    moves = any(_extent(track) >= MOVED for track in seen.tracks)
    whole = None not in cast_tracks(scene, seen) and all(_stays(track, seen.tracks) for track in seen.tracks)
    return whole and moves


def shots(scene: Scene, seen: Observed) -> bool | None:
    """Tell whether the cuts come where they are told, and each shot shows its cast as the others do.

    Where a style hides colours, of cuts alone: who is who, grey things of this size do not tell.
    """
    if len(scene.shots) < 2:
        return None
    parts = shot_frames(scene, seen.num_frames)
    told = [part.start for part in parts[1:]]
    if len(seen.cuts) != len(told) or any(abs(a - b) > 1 for a, b in zip(seen.cuts, told, strict=True)):
        return False
    return not shows_color(scene) or all(
        None not in cast_tracks(scene, within(seen, part), shot.cast)
        for part, shot in zip(parts, scene.shots, strict=True)
    )


def _told_relation(scene: Scene) -> str | None:
    """Return how the first of two things that can be told apart stands to the second."""
    one_shot = len(scene.cast) == 2 and always_visible(scene)
    if not one_shot or len({t.color for t in scene.cast}) < 2 or not shows_color(scene):
        return None
    return relation(scene.cast[0], scene.cast[1])


def _first_together(one: Track | None, other: Track | None) -> int | None:
    """Return the first frame in which two things are seen."""
    if one is None or other is None or not (both := one.seen & other.seen).any():
        return None
    return int(both.argmax())


def _colors(tracks: Sequence[Track]) -> list[Counter[str]]:
    """Return the multiset of colours seen in each frame."""
    return [
        Counter(color for color in frame if color) for frame in zip(*(t.colors for t in tracks), strict=True)
    ]


def _stays(track: Track, tracks: Sequence[Track]) -> bool:
    """Tell whether a track is there from first to last, but where the border or another thing hides it."""
    seen = np.flatnonzero(track.seen)
    edges = [(int(seen[0]), -1)] if seen[0] > 0 else []
    edges += [(int(seen[-1]), 1)] if seen[-1] < len(track.x) - 1 else []
    edges += [(int(a), 1) for a, b in pairwise(seen) if b > a + 1]
    return all(not track.whole[t] or _hidden(track, t, t + step, tracks) for t, step in edges)


def _extent(track: Track) -> float:
    """Return how far a track goes across or up, in picture heights."""
    return float(max(np.nanmax(v) - np.nanmin(v) for v in (track.x, track.y)))


def _hidden(track: Track, last: int, gone: int, tracks: Sequence[Track]) -> bool:
    """Tell whether another thing, seen in the frame before and in that without it, stands where it is lost.

    What appears elsewhere as the track ends hides nothing: it may be the thing itself, after a leap.
    """
    for other in tracks:
        if other is track or not (other.seen[last] and other.seen[gone]):
            continue
        for t in (last, gone):
            across = abs(other.x[t] - track.x[last]) - (other.width[t] + track.width[last]) / 2
            along = abs(other.y[t] - track.y[last]) - (other.height[t] + track.height[last]) / 2
            if max(across, along) < BESIDE:
                return True
    return False
