"""Scenes as checks need them: the same cast and events, filmed so that what is asked can be seen.

    for scene in FROM_NEAR.takes(drawn): ...       # ways to film it, of which the first that fits is taken
    FROM_NEAR.fits(scene, trajectory, fps, aspect)

What the world draws too rarely is staged: a thing that crosses, comes, goes, falls or walks; and what would
be too small is filmed from as near as shows all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations
from typing import Any

import numpy as np

from reelworld.evaluate.casting import shows_color
from reelworld.evaluate.events import EFFECTS_ON, MEETINGS
from reelworld.world import framing
from reelworld.world.acceptance import filmed, screen_boxes
from reelworld.world.actors import HEADINGS
from reelworld.world.framing import NEARER, close_up
from reelworld.world.interactions import ACTS, standing
from reelworld.world.scene import COLORS, DIRECTIONS, Direction, Kind, Motion, Scene, Thing
from reelworld.world.simulate import Trajectory, speed_of
from reelworld.world.things import extent

ALOFT = 2.4  # metres from which things fall
MARGIN = 0.13  # half pictures around what is filmed from near: four pixels
TALL = 0.36  # share of the picture's height that a walker has, whose legs are to be told apart
MOVED = 0.15  # half pictures, of half of what is set in motion: nine or ten pixels across, or as large in all
COVERED = 0.87  # of half their widths together: who pushes something and is as near covers it by its front
CHANGED, CHANGED_IN_ORDER = 0.22, 0.175  # of what is bitten, lit or toppled; of four things in one picture
SHOWN, FILLS = 0.18, 0.55  # of whom a shot shows, at least and at most
TWO_TONED = ("ship", "house")  # whose sail or roof may be most of what is seen
FREE = 0.65  # share of whom a shot shows that neither the border nor somebody nearer hides
ALIKE = 0.35  # mean overlap of the boxes of a cast that two shots frame in the same way
FALLS = 0.8  # seconds that a domino takes to lie
WHILE = 3  # frames before and after an act
ASIDE, DEPTHS = 0.65, (-0.9, 1.2)  # metres from the middle of the stage, of two one behind the other


def anyhow(scene: Scene, path: Trajectory, fps: float, aspect: float) -> bool:
    """Ask no more of a film than that it is worth filming."""
    return True


@dataclass(frozen=True)
class Staging:
    """How drawn scenes are changed, and what a film of one must show besides being worth filming.

    They are about `themes` (see `grammar.THEMES`), where the world draws those too rarely.
    """

    takes: Callable[[Scene], Sequence[Scene]]
    fits: Callable[[Scene, Trajectory, float, float], bool] = anyhow
    themes: tuple[str, ...] = ()


def as_it_is(scene: Scene) -> Sequence[Scene]:
    """Take a scene as it was drawn."""
    return (scene,)


def in_one_shot(scene: Scene) -> Sequence[Scene]:
    """Film a scene in one shot by its first camera, standing still; not from the air, where all is tiny."""
    whole = replace(scene.shots[0], duration=scene.duration)
    still = framing.held_still(replace(scene, shots=(whole,)))
    return () if still is None else (still,)


def from_near(scene: Scene) -> Sequence[Scene]:
    """Film a scene by a camera that stands still, from as near as shows all: legs and bites are small."""
    return [close_up(held, share) for held in in_one_shot(scene) for share in NEARER]


def in_shots(scene: Scene) -> Sequence[Scene]:
    """Film each of several shots from near, standing still: a fast turn of the camera looks like a cut.

    So does a domino that falls towards it. Ships and houses have one colour: of some the sail is the most.
    """
    falls = any(event.kind == "knock_over" for event in scene.events)
    still = framing.held_still(scene)
    if falls or len(scene.shots) < 2 or still is None:
        return ()
    cast = tuple(replace(t, second_color=t.color) if t.kind in TWO_TONED else t for t in scene.cast)
    return [close_up(replace(still, cast=cast), share) for share in NEARER]


def left_alone(scene: Scene) -> Sequence[Scene]:
    """Film the twin of a scene from near: who would bite, light or topple something stands, and never does.

    At night lamps are lit from the first, so it is day.
    """
    if not any(event.kind in ACTS for event in scene.events):
        return ()
    day = replace(scene.setting, time="day") if scene.setting.time == "night" else scene.setting
    return from_near(replace(scene, cast=tuple(standing(scene.cast)), events=(), setting=day))


def in_order(scene: Scene) -> Sequence[Scene]:
    """Film two events from near, in colour: each of four small things is known by a plain one of its own.

    Of a striped cube one may see a white side alone.
    """
    if not any(event.after is not None for event in scene.events):
        return ()
    plain = [replace(t, material="matte") if t.material == "striped" else t for t in scene.cast]
    style = scene.style if shows_color(scene) else "natural"
    return from_near(replace(scene, cast=_in_own_colors(plain), style=style))


def _in_own_colors(cast: Sequence[Thing]) -> tuple[Thing, ...]:
    """Give who wears the colour of somebody before it the next one that nobody wears."""
    worn: list[Any] = []
    for n, thing in enumerate(cast):
        others = {*worn, *(other.color for other in cast[n + 1 :])}
        start = COLORS.index(thing.color)
        free = (c for c in COLORS[start:] + COLORS[:start] if c not in others)
        worn.append(next(free) if thing.color in worn else thing.color)
    return tuple(replace(thing, color=color) for thing, color in zip(cast, worn, strict=True))


def in_depth(scene: Scene) -> Sequence[Scene]:
    """Put the two things of a scene one behind the other instead of side by side, under a still camera.

    What falls or bounces stands on the ground: of what hangs in the air nobody is asked (`looks`). Of a large
    and a small one the large one is further: behind it the small one would be a few pixels.
    """
    if len(scene.cast) != 2:
        return ()
    one, other = scene.cast
    nearer = one.position[0] < other.position[0] if one.size == other.size else one.size == "small"
    near, far = DEPTHS if nearer else DEPTHS[::-1]
    cast = []
    for thing, x, y in ((one, -ASIDE, near), (other, ASIDE, far)):
        motion = Motion(action="stand") if thing.position[2] > 0 else thing.motion
        cast.append(replace(thing, motion=motion, position=(x, y, 0.0)))
    return in_one_shot(replace(scene, cast=tuple(cast)))


def crossing(scene: Scene) -> Sequence[Scene]:
    """Let the first thing, one that looks alike from all sides, slide across under a still camera."""
    thing = scene.cast[0]
    kind: Kind = "cylinder" if thing.kind == "cube" else thing.kind
    plain = replace(thing, kind=kind, material="matte" if thing.material == "striped" else thing.material)
    way: Direction = "left" if scene.seed % 2 else "right"
    return in_one_shot(_first_moves(scene, plain, Motion(action="slide", direction=way)))


def coming(scene: Scene) -> Sequence[Scene]:
    """Let the first thing slide towards a still camera, or away from it."""
    way: Direction = "toward" if scene.seed % 2 else "away"
    return in_one_shot(_first_moves(scene, scene.cast[0], Motion(action="slide", direction=way)))


def falling(scene: Scene) -> Sequence[Scene]:
    """Let the first thing fall under a still camera."""
    return in_one_shot(_first_moves(scene, scene.cast[0], Motion(action="fall"), ALOFT))


def bouncing(scene: Scene) -> Sequence[Scene]:
    """Let the first thing be dropped and bounce in place under a still camera."""
    return in_one_shot(_first_moves(scene, scene.cast[0], Motion(action="bounce"), ALOFT))


def walking(scene: Scene) -> Sequence[Scene]:
    """Let a large person in the first thing's place walk across before a camera that stands still."""
    if scene.events:
        return ()
    thing = scene.cast[0]
    way: Direction = "left" if scene.seed % 2 else "right"
    trousers: Any = thing.second_color or COLORS[scene.seed % len(COLORS)]
    person = Thing(kind="person", color=thing.color, second_color=trousers, heading=HEADINGS[way],
                   skin=thing.skin, position=thing.position, motion=thing.motion)  # fmt: skip
    return from_near(_first_moves(scene, person, Motion(action="walk", direction=way)))


def _first_moves(scene: Scene, thing: Thing, motion: Motion, height: float = 0.0) -> Scene:
    """Give the first thing a motion, the middle of whose path lies where that of its own was."""
    old, new = _half_way(thing, scene.duration), _half_way(replace(thing, motion=motion), scene.duration)
    x, y = (round(thing.position[n] + old[n] - new[n], 4) for n in (0, 1))
    moved = replace(thing, motion=motion, position=(x, y, height))
    return replace(scene, cast=(moved, *scene.cast[1:]))


def _half_way(thing: Thing, duration: float) -> tuple[float, float]:
    """Return how far it is, in metres right and away, to the middle of a thing's path."""
    motion = thing.motion
    half = 0.5 * speed_of(thing) * (motion.duration or duration - motion.start)
    right, away, _ = DIRECTIONS[motion.direction] if motion.direction else (0.0, 0.0, 0.0)
    return half * right, half * away


def _screen(scene: Scene, path: Trajectory, fps: float) -> tuple[np.ndarray, ...]:
    """Return where the cast is: middles x, y and half sizes across and up, and metres away, [T, N] each."""
    x, y, half, far = np.moveaxis(screen_boxes(scene, path, fps), -1, 0)
    slim = np.array([height / (2 * radius) for radius, height in map(extent, scene.cast)])
    return x, y, half, half * slim, far


def all_seen(scene: Scene, path: Trajectory, fps: float, aspect: float, changed: float = CHANGED) -> bool:
    """Tell whether what is acted on is whole and large, who acts is whole meanwhile, and nobody passes.

    Half a cookie shows no bite, nor one behind a passer-by; where both are red, nobody sees who is who. What
    falls has time to lie, and room.
    """
    x, y, half, high, far = _screen(scene, path, fps)
    whole = _whole(x, y, half, high, aspect)
    acts = [(event, event.patient) for event in scene.events if event.patient is not None]
    patients = [patient for _, patient in acts]
    alike = any(scene.cast[event.agent].color == scene.cast[patient].color for event, patient in acts)
    late = any(e.kind == "knock_over" and e.time > scene.duration - FALLS for e in path.log)
    least = {patient: MOVED if event.kind in MEETINGS else changed for event, patient in acts}
    tiny = any(np.sqrt(half * high)[:, patient].min() < least[patient] for patient in patients)
    if alike or late or tiny or not whole[:, patients].all() or not _whole_meanwhile(whole, path, fps):
        return False
    pairs = [(event.agent, patient) for event, patient in acts if event.kind in MEETINGS]
    if any((np.abs(x[:, a] - x[:, p]) < COVERED * (half[:, a] + half[:, p])).any() for a, p in pairs):
        return False
    wide = half.copy()
    for event, patient in acts:
        if event.kind == "knock_over":
            wide[:, patient] += high[:, patient]  # it will lie
            side = np.sign(x[0, patient] - x[0, event.agent])
            if (side * x[:, patient] + 2.0 * high[:, patient]).max() > aspect - MARGIN:
                return False
    others = [
        (patient, n) for e, patient in acts for n in range(len(scene.cast)) if n not in (e.agent, patient)
    ]
    return not any(_hides(n, patient, x, y, wide, high, far) for patient, n in others)


def all_left_alone(scene: Scene, path: Trajectory, fps: float, aspect: float) -> bool:
    """Tell whether what could be bitten, lit or toppled is whole, large, and behind nobody."""
    x, y, half, high, far = _screen(scene, path, fps)
    mine = [n for n, thing in enumerate(scene.cast) if thing.kind in EFFECTS_ON]
    if not _whole(x, y, half, high, aspect)[:, mine].all():
        return False
    others = [(patient, n) for patient in mine for n in range(len(scene.cast)) if n != patient]
    hidden = any(_hides(n, patient, x, y, half, high, far) for patient, n in others)
    return not hidden and bool(np.sqrt(half * high)[:, mine].min() >= CHANGED)


def _whole(x: np.ndarray, y: np.ndarray, half: np.ndarray, high: np.ndarray, aspect: float) -> np.ndarray:
    """Tell where things are well inside the picture: bool [T, N]."""
    inside: np.ndarray = (np.abs(x) + half <= aspect - MARGIN) & (np.abs(y) + high <= 1.0 - MARGIN)
    return inside


def _hides(
    n: int, other: int, x: np.ndarray, y: np.ndarray, half: np.ndarray, high: np.ndarray, far: np.ndarray
) -> bool:
    """Tell whether the box of a thing is ever over that of another one, and nearer."""
    across = np.abs(x[:, n] - x[:, other]) < half[:, n] + half[:, other]
    along = np.abs(y[:, n] - y[:, other]) < high[:, n] + high[:, other]
    return bool((across & along & (far[:, n] < far[:, other])).any())


def _whole_meanwhile(whole: np.ndarray, path: Trajectory, fps: float) -> bool:
    """Tell whether who acts on something is whole [T, N] from a while before until a while after."""
    acts = [(round(e.time * fps), e.agent) for e in path.log if e.patient is not None]
    return all(whole[max(t - WHILE, 0) : t + WHILE + 1, n].all() for t, n in acts)


def all_shown(scene: Scene, path: Trajectory, fps: float, aspect: float) -> bool:
    """Tell whether each shot shows its cast so large that it can be known again, and unlike the shot before.

    A cut between two framings that are nearly the same is seen by nobody.
    """
    x, y, half, high, far = _screen(scene, path, fps)
    shown = filmed(scene, len(half), fps)
    large = np.sqrt(half * high)[shown]
    if large.min() < SHOWN or large.max() > FILLS:
        return False
    boxes = np.stack([x - half, y - high, x + half, y + high], -1)
    if _free(boxes, far, shown, aspect)[shown].min() < FREE:
        return False
    cuts = [round(shot.start * fps) for shot in scene.shots[1:]]
    return not any(
        (shown[t] == shown[t - 1]).all() and _overlap(boxes[t], boxes[t - 1])[shown[t]].mean() > ALIKE
        for t in cuts
    )


def _free(boxes: np.ndarray, far: np.ndarray, shown: np.ndarray, aspect: float) -> np.ndarray:
    """Return which share of boxes [T, N, 4] is in the picture and behind no one box that is shown: [T, N]."""
    free: np.ndarray = _area(_common(boxes, np.array([-aspect, -1.0, aspect, 1.0]))) / _area(boxes)
    covered = np.zeros_like(free)
    for n, other in permutations(range(boxes.shape[1]), 2):
        share = _area(_common(boxes[:, n], boxes[:, other])) / _area(boxes[:, n])
        hides = shown[:, other] & (far[:, other] < far[:, n])
        covered[:, n] = np.maximum(covered[:, n], np.where(hides, share, 0.0))
    return free - covered


def _common(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the boxes [..., 4] that two have in common: left, bottom, right, top."""
    return np.concatenate(
        [np.maximum(one[..., :2], other[..., :2]), np.minimum(one[..., 2:], other[..., 2:])], -1
    )


def _area(box: np.ndarray) -> np.ndarray:
    area: np.ndarray = np.maximum(box[..., 2:] - box[..., :2], 0.0).prod(-1)
    return area


def _overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the intersection over the union of boxes [N, 4]."""
    both = _area(_common(one, other))
    return both / (_area(one) + _area(other) - both)


def walker_is_large(scene: Scene, path: Trajectory, fps: float, aspect: float) -> bool:
    """Tell whether the first member is so large throughout that its legs can be told apart."""
    return bool(_screen(scene, path, fps)[3][:, 0].min() > TALL)


AS_IT_IS = Staging(as_it_is)
FROM_NEAR = Staging(from_near, all_seen)
IN_ORDER = Staging(in_order, partial(all_seen, changed=CHANGED_IN_ORDER), themes=("in order",))
IN_DEPTH, IN_SHOTS = Staging(in_depth), Staging(in_shots, all_shown)
CROSSING, COMING, FALLING = Staging(crossing), Staging(coming), Staging(falling)
BOUNCING = Staging(bouncing)
WALKING = Staging(walking, walker_is_large)
LEFT_ALONE = Staging(left_alone, all_left_alone)
