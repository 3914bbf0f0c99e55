"""Who is who: which track is which member of the cast.

    one, other = cast_tracks(scene, seen)        # a track or None for each member

Colour decides first, then kind and size where a parser knows them, then for how long a track is seen. In a
style that hides colours, kind decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from reelworld.evaluate.tracking import PER_FRAME, Observed, Track
from reelworld.world.naming import COLORLESS
from reelworld.world.scene import Scene, Thing

Array = np.ndarray


def shows_color(scene: Scene) -> bool:
    """Tell whether the style of a scene shows the colours of things."""
    return scene.style not in COLORLESS


def still_camera(scene: Scene) -> bool:
    """Tell whether one camera films it all and stands still: another one moves and grows everything."""
    return len(scene.shots) == 1 and scene.shots[0].camera.move == "still"


def told_apart(scene: Scene) -> bool:
    """Tell whether each member looks unlike the others: who of two twins should do what, nobody sees."""
    looks = {(thing.color if shows_color(scene) else "", thing.kind, thing.size) for thing in scene.cast}
    return len(looks) == len(scene.cast)


def cast_tracks(
    scene: Scene, seen: Observed, members: Sequence[int] | None = None
) -> tuple[Track | None, ...]:
    """Give each member (default: the whole cast) the track that fits best; None where none has its colour."""
    members = range(len(scene.cast)) if members is None else members
    if not len(members):
        return ()
    nobody = [0.0] * len(members)
    scores = np.array(
        [[*(_fit(scene, scene.cast[n], track) for track in seen.tracks), *nobody] for n in members]
    )
    _, columns = linear_sum_assignment(scores, maximize=True)
    return tuple(seen.tracks[c] if c < len(seen.tracks) else None for c in columns)


def _fit(scene: Scene, thing: Thing, track: Track) -> float:
    """Score a track for a thing; below zero where it cannot be it."""
    same = track.color == thing.color if shows_color(scene) else track.kind == thing.kind
    if not same:
        return -1.0
    looks = 0.3 * (track.kind == thing.kind) + 0.1 * (track.size in ("", thing.size))
    return 1.0 + 0.5 * float(track.seen.mean()) + looks


def shot_frames(scene: Scene, num_frames: int) -> list[range]:
    """Return the frames of each shot."""
    starts = [round(shot.start / scene.duration * num_frames) for shot in scene.shots]
    return [range(a, b) for a, b in zip(starts, [*starts[1:], num_frames], strict=True)]


def within(seen: Observed, frames: range) -> Observed:
    """Return what is seen in some frames only; tracks that are not seen in them are left out."""
    cut = slice(frames.start, frames.stop)
    tracks = [
        replace(track, colors=track.colors[cut], **{name: getattr(track, name)[cut] for name in PER_FRAME})
        for track in seen.tracks
    ]
    inside = tuple(c - frames.start for c in seen.cuts if frames.start < c < frames.stop)
    camera = None if seen.camera is None else seen.camera[cut]
    return Observed(tuple(t for t in tracks if t.seen.any()), len(frames), inside, camera)
