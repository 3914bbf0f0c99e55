"""What a video must show if it shows its scene: one function a check, from tracks to a verdict.

    verdicts = judge(scene, parser.tracks(video.frames))         # {"binding": True, "gravity": None, ...}

Each check is handed the scene program that wrote the prompt and the tracks that a parser saw. It answers
True, False, or None where the scene does not ask for what it checks; what it asks for and nobody can see is
False. Clips are of the first level and last two seconds. Lengths in picture heights, x right, y up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from reelworld.evaluate.track import Track
from reelworld.world.facts import relation
from reelworld.world.scene import Scene, Thing

Array = np.ndarray
MOST_FRAMES = 0.9  # share of the frames in which something must be so
DEAD_BAND = 0.1  # of two widths together: nearer is neither left nor right
TRAVEL = 0.12  # picture heights that a thing must cross to have moved
STILL = 0.06  # and may drift when it is told to rest
GROWTH = 0.1  # of its size, from first to last, that a thing may gain or lose
LIFT = 0.05  # how high a jump or bounce must go
SPEEDING = 0.4  # least share of a fall that its acceleration makes; from rest it makes all of it
PARABOLA = 0.12  # root mean square distance from a parabola, as a share of the height fallen

Check = Callable[[Scene, Sequence[Track]], bool | None]


def judge(scene: Scene, tracks: Sequence[Track]) -> dict[str, bool | None]:
    """Return the verdict of every check."""
    return {name: check(scene, tracks) for name, check in CHECKS.items()}


def binding(scene: Scene, tracks: Sequence[Track]) -> bool:
    """Tell whether the colours seen are those of the cast, in at least 90 % of the frames."""
    wanted = Counter(shown_color(thing) for thing in scene.cast)
    right = [seen == wanted for seen in _colors(tracks)] if tracks else [False]
    return float(np.mean(right)) >= MOST_FRAMES


def count(scene: Scene, tracks: Sequence[Track]) -> bool:
    """Tell whether there are as many things as told, in at least 90 % of the frames."""
    if not tracks:
        return False
    numbers = np.sum([track.seen for track in tracks], axis=0)
    return bool((numbers == len(scene.cast)).mean() >= MOST_FRAMES)


def kind(scene: Scene, tracks: Sequence[Track]) -> bool | None:
    """Tell whether large things have their kind; small ones are too small for a silhouette."""
    large = [n for n, thing in enumerate(scene.cast) if thing.size == "large"]
    found = _assign(scene, tracks)
    return all((t := found[n]) is not None and t.kind == scene.cast[n].kind for n in large) if large else None


def left_right(scene: Scene, tracks: Sequence[Track]) -> bool | None:
    """Tell whether two things begin on their sides: sign(x_a - x_b) beyond a dead band of their widths."""
    if len(scene.cast) != 2 or len({shown_color(t) for t in scene.cast}) < 2:
        return None
    told = relation(scene.cast[0], scene.cast[1])
    if told not in ("left_of", "right_of"):
        return None
    one, other = _assign(scene, tracks)
    if one is None or other is None or not (both := one.seen & other.seen).any():
        return False
    first = int(both.argmax())
    apart = one.x[first] - other.x[first]
    clear = abs(apart) > DEAD_BAND * (one.width[first] + other.width[first])
    return bool(clear and (apart < 0) == (told == "left_of"))


def direction(scene: Scene, tracks: Sequence[Track]) -> bool | None:
    """Tell whether what is told to travel left or right does so, and what is told to rest rests.

    Only under a camera that stands still: another one moves everything.
    """
    if not _still(scene):
        return None
    ways = [(n, way) for n, thing in enumerate(scene.cast) if (way := _sideways(thing)) is not None]
    found = _assign(scene, tracks)
    return all(_travels(found[n], way) for n, way in ways) if ways else None


def permanence(scene: Scene, tracks: Sequence[Track]) -> bool:
    """Tell whether the cast and all else that is seen is there from first to last, but for the border."""
    return None not in _assign(scene, tracks) and all(_stays(track) for track in tracks)


def growth(scene: Scene, tracks: Sequence[Track]) -> bool | None:
    """Tell whether what neither turns nor comes nor goes keeps its size under a still camera."""
    if not _still(scene):
        return None
    asked = [n for n, t in enumerate(scene.cast) if _keeps_size(t)]
    found = _assign(scene, tracks)
    return all(_constant(found[n]) for n in asked) if asked else None


def gravity(scene: Scene, tracks: Sequence[Track]) -> bool | None:
    """Tell whether what falls falls: its height is a parabola that bends down until it lands."""
    if not _still(scene):
        return None
    asked = [n for n, thing in enumerate(scene.cast) if thing.motion.action == "fall"]
    found = _assign(scene, tracks)
    return all(_falls(found[n]) for n in asked) if asked else None


def lift(scene: Scene, tracks: Sequence[Track]) -> bool | None:
    """Tell whether what jumps or bounces leaves the ground and comes back."""
    if not _still(scene):
        return None
    asked = [n for n, thing in enumerate(scene.cast) if thing.motion.action in ("jump", "bounce")]
    found = _assign(scene, tracks)
    return all(_rises_and_falls(found[n]) for n in asked) if asked else None


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (binding, count, kind, left_right, direction, permanence, growth, gravity, lift)
}


def asks(scene: Scene) -> tuple[str, ...]:
    """Name the checks that a scene asks for: those that give a verdict even on an empty picture."""
    return tuple(name for name, verdict in judge(scene, ()).items() if verdict is not None)


def shown_color(thing: Thing) -> str:
    """Return the colour that a thing shows: white with black stripes looks as black with white ones."""
    return "black" if thing.material == "striped" and thing.color == "white" else thing.color


def _still(scene: Scene) -> bool:
    return len(scene.shots) == 1 and scene.shots[0].camera.move == "still"


def _colors(tracks: Sequence[Track]) -> list[Counter[str]]:
    """Return the multiset of colours seen in each frame."""
    return [
        Counter(color for color in frame if color) for frame in zip(*(t.colors for t in tracks), strict=True)
    ]


def _assign(scene: Scene, tracks: Sequence[Track]) -> tuple[Track | None, ...]:
    """Give each member of the cast the track of its colour that fits best; None where none has it."""
    scores = np.array(
        [[*(_fit(thing, track) for track in tracks), *[0.0] * len(scene.cast)] for thing in scene.cast]
    )
    _, columns = linear_sum_assignment(scores, maximize=True)
    return tuple(tracks[column] if column < len(tracks) else None for column in columns)


def _fit(thing: Thing, track: Track) -> float:
    """Score a track for a thing: its colour first, then for how long it is seen, then its kind."""
    if track.color != shown_color(thing):
        return -1.0
    return 1.0 + 0.5 * float(track.seen.mean()) + 0.1 * (track.kind == thing.kind)


def _sideways(thing: Thing) -> int | None:
    """Return which way a thing goes across the picture: -1, 0, 1, or None where that is not told."""
    motion = thing.motion
    if motion.direction in ("left", "right"):
        return -1 if motion.direction == "left" else 1
    return 0 if motion.direction is None and motion.action in ("stand", "spin", "jump", "fall") else None


def _travels(track: Track | None, way: int) -> bool:
    if track is None or track.seen.sum() < 2:
        return False
    x = track.x[track.seen]
    return bool(abs(x[-1] - x[0]) <= STILL) if way == 0 else bool((x[-1] - x[0]) * way >= TRAVEL)


def _stays(track: Track) -> bool:
    """Tell whether a track has no gap, and begins and ends at a border or with the clip."""
    seen = np.flatnonzero(track.seen)
    first, last = int(seen[0]), int(seen[-1])
    born = first == 0 or not track.whole[first]
    gone = last == len(track.x) - 1 or not track.whole[last]
    return bool(born and gone and len(seen) == last - first + 1)


def _keeps_size(thing: Thing) -> bool:
    """Tell whether a thing's silhouette keeps its size under a camera that does not come nearer."""
    turns = thing.kind in ("cube", "cylinder") and thing.motion.action == "spin"
    rises = thing.motion.action in ("fall", "bounce", "jump")  # towards the camera's height, so nearer
    return not turns and not rises and thing.motion.direction not in ("toward", "away")


def _constant(track: Track | None) -> bool:
    """Tell whether size has no trend: the line through log(area) / 2 changes by less than 10 % in all."""
    if track is None or (use := track.seen & (track.whole == 1)).sum() < 4:
        return False
    t, size = np.flatnonzero(use), 0.5 * np.log(track.area[use])
    slope = np.polyfit(t, size, 1)[0]
    return bool(abs(slope) * (len(track.x) - 1) < GROWTH)


def _falls(track: Track | None) -> bool:
    """Tell whether the way down is a parabola, y0 + v t - g t^2 / 2 with g > 0, until the lowest point."""
    if track is None or track.seen.sum() < 4:
        return False
    t, y = np.flatnonzero(track.seen), track.foot[track.seen]
    drop = y[0] - y.min()
    landed = int((y <= y.min() + 0.1 * drop).argmax())
    if drop < TRAVEL or landed < 2:
        return False
    t, y = t[: landed + 1], y[: landed + 1]
    if landed < 4:  # too few for a parabola: it must only go faster and faster
        return bool((np.diff(y[:landed], 2) < 0).all() and y[0] - y[1] < y[1] - y[2])
    bend, *rest = np.polyfit(t[:-1], y[:-1], 2)
    off = np.polyval([bend, *rest], t[:-1]) - y[:-1]
    return bool(-bend * (t[-1] - t[0]) ** 2 > SPEEDING * drop and np.sqrt((off**2).mean()) < PARABOLA * drop)


def _rises_and_falls(track: Track | None) -> bool:
    """Tell whether a track rises from a low place and comes down again by a clear amount."""
    if track is None or track.seen.sum() < 4:
        return False
    y = track.y[track.seen]
    rise = y - np.minimum.accumulate(y)
    fall = y - np.minimum.accumulate(y[::-1])[::-1]
    return bool(np.minimum(rise, fall).max() >= LIFT)
