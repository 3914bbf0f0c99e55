"""Checks of cause and effect: what meets, pushes, bites, lights up or topples, and what comes first.

An effect is seen in the patient's track: a part of a bitten cookie looks other than before, a lit lamp has
more light, a toppled domino is less slim and then lower, what was hit moves. Answers are as in `looks`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reelworld.evaluate.casting import cast_tracks, shows_color, still_camera
from reelworld.evaluate.tracking import Observed, Track
from reelworld.world.interactions import ACTS
from reelworld.world.scene import Event, Scene
from reelworld.world.things import mass

Array = np.ndarray
BITTEN = 0.18  # share of a cookie's pixels that look other after a bite, all at once
ALL_BUT = 0.8  # of that share: as much is seen a frame earlier and later too
LIT = 0.04  # of full light that a lamp gains
TOPPLED, TOPPLING = 0.2, 0.35  # share of a domino's height that is gone at last; of how slim it is, at first
STARTED = 0.03  # picture heights that a thing has gone when it has been set in motion
RESTS = 0.3  # of its longest way between two frames: what goes less far rests
TOUCH, TOUCH_SHARE = 0.06, 0.4  # picture heights between two things that meet, at most; or widths of the one
MET = 0.05  # picture heights between two things of which the one sets the other in motion, at most
THROUGH = 0.8  # of half their whole widths together: middles nearer than this are inside each other
GONE = 0.6  # of a film: who is never seen after it was gone through
EARLY = 1  # frames by which an effect may seem to come before its cause
ABOUT = 3  # frames before and after two meet, in which they have their speeds
KEPT = (0.33, 1.7)  # share of the momentum that is there afterwards; in the picture, so it is not exact
LIVELIEST = 1.2  # how fast two part, as a share of how fast they met: more than all of it adds energy
TOGETHER = (-0.8, 0.7)  # the same of who pushes and what is pushed: they go on together
LEAST_SEEN = 6  # frames in which something must be seen, if its change is to be
MEETINGS = ("collide", "push")


def cause(scene: Scene, seen: Observed) -> bool | None:
    """Tell whether each bite, lit lamp and toppled domino shows: once, after its cause, and for good."""
    asked = [event for event in scene.events if event.kind in ACTS]
    if not asked or not still_camera(scene) or (_needs_light(asked) and not _knows_light(seen)):
        return None
    return all(effect_frame(event, scene, seen) is not None for event in asked)


def untouched(scene: Scene, seen: Observed) -> bool | None:
    """Tell whether, where nothing happens, no cookie is bitten, no lamp is lit and no domino topples.

    This is asked of the twin of a scene without the cause, see `staging`: an effect that comes anyway was not
    the effect of the cause.
    """
    asked = [n for n, thing in enumerate(scene.cast) if thing.kind in EFFECTS_ON]
    lamps = any(scene.cast[n].kind == "lamp" for n in asked)
    if scene.events or not asked or not still_camera(scene) or (lamps and not _knows_light(seen)):
        return None
    found = cast_tracks(scene, seen)
    tracks = [(track, EFFECTS_ON[scene.cast[n].kind]) for n in asked if (track := found[n]) is not None]
    return len(tracks) == len(asked) and all(
        track.seen.sum() >= LEAST_SEEN and effect(track) is None for track, effect in tracks
    )


def collision(scene: Scene, seen: Observed) -> bool | None:
    """Tell whether what is hit begins to move when it is touched and not before, and nothing goes through.

    Momentum is kept and energy does not rise.
    """
    asked = [event for event in scene.events if event.kind in MEETINGS]
    if not asked or not still_camera(scene) or any(_too_heavy(event, scene) for event in asked):
        return None
    return all(_meets(event, scene, seen) for event in asked)


def order(scene: Scene, seen: Observed) -> bool | None:
    """Tell whether the effect of "first A" is seen before that of "then B".

    Not asked where four things are all grey, nor of what hardly moves when it is hit.
    """
    asked = [(scene.events[e.after], e) for e in scene.events if e.after is not None]
    told = [event for pair in asked for event in pair]
    if not asked or not still_camera(scene) or (_needs_light(told) and not _knows_light(seen)):
        return None
    if not shows_color(scene) or any(e.kind in MEETINGS and _too_heavy(e, scene) for e in told):
        return None
    times = [tuple(effect_frame(event, scene, seen) for event in pair) for pair in asked]
    return all(a is not None and b is not None and a < b for a, b in times)


def effect_frame(event: Event, scene: Scene, seen: Observed) -> int | None:
    """Return the frame from which an event's effect on its patient is seen; None where it is not.

    An effect lasts: what heals or comes back was none.
    """
    if event.patient is None:
        return None
    found = cast_tracks(scene, seen)
    agent, patient = found[event.agent], found[event.patient]
    if patient is None or agent is None or patient.seen.sum() < LEAST_SEEN:
        return None
    frame = EFFECTS[event.kind](patient)
    if frame is None or event.kind == "switch_on":
        return frame
    return frame if _near(agent, patient, frame, np.fmax(TOUCH, TOUCH_SHARE * patient.width)) else None


def _bitten(track: Track) -> int | None:
    """Return the frame in the middle of those that part what a thing looked like from what it looks like."""
    marked = np.nan_to_num(track.marked)
    if marked.max() < BITTEN:
        return None
    return int(np.median(np.flatnonzero(marked > ALL_BUT * marked.max())))


def _lit(track: Track) -> int | None:
    """Return the frame that best splits a thing's light in two levels, if the second is brighter and lasts.

    The split of least squares; the levels are medians, of the second part also that of its last frames.
    """
    known = np.flatnonzero(~np.isnan(track.light))
    light = track.light[known]
    splits = range(2, len(light) - 1)
    if not splits:
        return None
    cost = [light[:k].var() * k + light[k:].var() * (len(light) - k) for k in splits]
    k = splits[int(np.argmin(cost))]
    least = np.median(light[:k]) + LIT
    lasts = min(np.median(light[k:]), np.median(light[-2:])) >= least
    return int(known[k]) if lasts else None


def _toppled(track: Track) -> int | None:
    """Return the frame from which a thing is less slim than it stood, if it lies at last.

    What begins to tilt in the picture grows wide before it is lower.
    """
    seen = np.flatnonzero(track.seen)
    height, slim = track.height[seen], (track.height / track.width)[seen]
    standing = np.flatnonzero(1.0 - slim / np.median(slim[:3]) < TOPPLING)
    lies = 1.0 - height[-1] / np.median(height[:3]) >= TOPPLED
    if not lies or not len(standing) or standing[-1] + 1 == len(seen):
        return None
    return int(seen[standing[-1] + 1])


def _set_in_motion(track: Track) -> int | None:
    """Return the last frame in which a thing rests before it goes the first half of its way.

    A lamp that is lit or a domino that falls before it moves its middle too, once.
    """
    seen = np.flatnonzero(track.seen)
    x, y = track.x[seen], track.y[seen]
    gone = np.hypot(x - np.median(x[:2]), y - np.median(y[:2]))
    if gone[-1] < STARTED:
        return None
    steps = np.hypot(np.diff(x), np.diff(y))
    half_way = int((gone >= gone.max() / 2).argmax())
    rests = np.flatnonzero(steps[:half_way] < RESTS * steps.max())
    return int(seen[rests[-1] + 1]) if len(rests) else int(seen[0])


EFFECTS: dict[str, Callable[[Track], int | None]] = {
    "bite": _bitten,
    "switch_on": _lit,
    "knock_over": _toppled,
    "collide": _set_in_motion,
    "push": _set_in_motion,
}
EFFECTS_ON = {"cookie": _bitten, "lamp": _lit, "domino": _toppled}  # by what they happen to


def _meets(event: Event, scene: Scene, seen: Observed) -> bool:
    """Tell whether an agent sets a resting patient in motion where they touch, and stays on its side."""
    assert event.patient is not None
    found = cast_tracks(scene, seen)
    agent, patient = found[event.agent], found[event.patient]
    if agent is None or patient is None:
        return False
    moved = _set_in_motion(patient)
    gone = not patient.seen[round(GONE * len(patient.seen)) :].any()
    if moved is None or gone or not _near(agent, patient, moved, MET):
        return False
    apart = (patient.x - agent.x)[agent.seen & patient.seen]
    inside = np.abs(apart) < THROUGH * (_whole_width(agent) + _whole_width(patient)) / 2
    same_side = (np.sign(apart) == np.sign(apart[0])) | (np.abs(apart) < STARTED)
    kept = _conserves(event, scene, agent, patient, moved)
    return bool(same_side.all() and inside.sum() <= 1 and kept)


def _conserves(event: Event, scene: Scene, agent: Track, patient: Track, met: int) -> bool:
    """Tell whether two that meet at a frame, of which one rests, keep momentum and gain no energy.

    m1 v1 = m1 v1' + m2 v2' and 0 <= v2' - v1' <= v1 along the picture. Who pushes has a will, which adds
    momentum: then both go on together. Masses are known of what is seen as it is told.
    """
    assert event.patient is not None
    came = _speed(agent, range(met - ABOUT, met + 1)) or float("nan")  # who came did move
    goes, hit = (_speed(track, range(met + 1, met + 1 + ABOUT)) for track in (agent, patient))
    apart = (hit - goes) / came
    if event.kind == "push":
        return TOGETHER[0] <= apart <= TOGETHER[1]
    one, other = scene.cast[event.agent], scene.cast[event.patient]
    known = all((t.kind, t.size) == (told.kind, told.size) for t, told in ((agent, one), (patient, other)))
    share = (goes + mass(other) / mass(one) * hit) / came
    return apart <= LIVELIEST and (not known or KEPT[0] <= share <= KEPT[1])


def _speed(track: Track, frames: range) -> float:
    """Return how fast a track goes across the picture in some frames, by least squares; NaN if not seen."""
    t = np.array([n for n in frames if 0 <= n < len(track.x) and track.seen[n]])
    if len(t) < 2:
        return float("nan")
    off = t - t.mean()
    return float((off * track.x[t]).sum() / (off**2).sum())


def _whole_width(track: Track) -> float:
    """Return the width of a thing before anything covers it."""
    return float(np.median(track.width[track.seen][:4]))


def _near(agent: Track, patient: Track, frame: int, least: Array | float) -> bool:
    """Tell whether two things are as near as `least` [T] to each other in the picture about a frame."""
    reach = np.broadcast_to(least, agent.x.shape)
    for t in range(max(0, frame - EARLY), min(len(agent.x), frame + EARLY + 1)):
        if agent.seen[t] and patient.seen[t]:
            gap = abs(agent.x[t] - patient.x[t]) - (agent.width[t] + patient.width[t]) / 2
            if gap < reach[t]:
                return True
    return False


def _too_heavy(event: Event, scene: Scene) -> bool:
    """Tell whether what is hit hardly moves: something large by something small."""
    assert event.patient is not None
    return (scene.cast[event.agent].size, scene.cast[event.patient].size) == ("small", "large")


def _needs_light(events: list[Event]) -> bool:
    return any(event.kind == "switch_on" for event in events)


def _knows_light(seen: Observed) -> bool:
    return not any(np.isnan(track.light).all() for track in seen.tracks)
