"""Which prompts a model is scored on: for every check as many as asked for, always the same.

    cases = suite("heldout", each=25, level=1)
    for case in cases: print(case.clip.caption, case.asks)

Prompts are in groups, scored apart. Clips are taken in the order of their number, and one is kept where a
check that it asks for still lacks prompts, so nothing is chosen by hand. White things in a studio are left
out: before its wall nobody sees where they end. What the world draws too rarely is
staged: the same scenes under a camera that stands still, from as near as shows all, two things one behind
the other, or a thing that crosses, comes, goes, walks or falls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from reelworld.core.errors import ConfigError
from reelworld.evaluate.casting import shows_color
from reelworld.evaluate.checks import asks
from reelworld.world.acceptance import acceptable, overlapping, screen_boxes, with_view_events
from reelworld.world.framing import close_up
from reelworld.world.grammar import HEADINGS
from reelworld.world.scene import COLORS, DIRECTIONS, Direction, Kind, Motion, Scene, Thing
from reelworld.world.simulate import Trajectory, simulate, speed_of
from reelworld.world.splits import in_split
from reelworld.world.stream import Clip, WorldConfig, plan, write_caption
from reelworld.world.things import extent

SUITE_SEED = 2024  # no seed of a training or of what a parser is fitted on
BLOCK = 128
MOST = {1: 40 * BLOCK, 2: 40 * BLOCK, 3: 48 * BLOCK}  # clips looked through; rarer checks stay short
STAGED = 100_000  # added to a prompt's number for each staging of it
ALOFT = 2.4  # metres from which things fall
NEARER = (0.45, 0.55, 0.65, 0.8, 1.0, 1.2)  # of the distance at which a scene was drawn
MARGIN = 0.09  # half pictures around what is filmed from near: three pixels
FALLS = 0.8  # seconds that a domino takes to lie
ASIDE, DEPTHS = 0.65, (-0.9, 1.2)  # metres from the middle of the stage, of two one behind the other

Key = tuple[str, str]  # group, check
Staging = Callable[[Scene], Sequence[Scene]]  # the same events filmed in ways of which the first fit is taken


def as_it_is(scene: Scene) -> Sequence[Scene]:
    """Take a scene as it was drawn."""
    return (scene,)


def held_still(scene: Scene) -> Sequence[Scene]:
    """Film a scene in one shot by its first camera, standing still; not from the air, where all is tiny."""
    first = scene.shots[0]
    if first.camera.move == "aerial":
        return ()
    camera = replace(first.camera, move="still", amount=0.0)
    return (replace(scene, shots=(replace(first, duration=scene.duration, camera=camera),)),)


def from_near(scene: Scene) -> Sequence[Scene]:
    """Film a scene by a camera that stands still, from as near as shows all: legs and bites are small."""
    return [close_up(held, share) for held in held_still(scene) for share in NEARER]


def in_order(scene: Scene) -> Sequence[Scene]:
    """Film two events from near, in colour: which of four small grey things did what, nobody sees."""
    if not any(event.after is not None for event in scene.events):
        return ()
    return from_near(scene if shows_color(scene) else replace(scene, style="natural"))


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
    return held_still(replace(scene, cast=tuple(cast)))


def crossing(scene: Scene) -> Sequence[Scene]:
    """Let the first thing, one that looks alike from all sides, slide across under a still camera."""
    thing = scene.cast[0]
    kind: Kind = "cylinder" if thing.kind == "cube" else thing.kind
    plain = replace(thing, kind=kind, material="matte" if thing.material == "striped" else thing.material)
    way: Direction = "left" if scene.seed % 2 else "right"
    return held_still(_first_moves(scene, plain, Motion(action="slide", direction=way)))


def coming(scene: Scene) -> Sequence[Scene]:
    """Let the first thing slide towards a still camera, or away from it."""
    way: Direction = "toward" if scene.seed % 2 else "away"
    return held_still(_first_moves(scene, scene.cast[0], Motion(action="slide", direction=way)))


def falling(scene: Scene) -> Sequence[Scene]:
    """Let the first thing fall under a still camera."""
    return held_still(_first_moves(scene, scene.cast[0], Motion(action="fall"), ALOFT))


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


@dataclass(frozen=True)
class Group:
    """Prompts of a level that are scored together, with the checks that they are asked for.

    `staging` changes drawn scenes to what the checks need, or refuses them: the first of its scenes that is
    worth filming is taken.
    """

    level: int
    checks: tuple[str, ...]
    num_things: int | None = None
    staging: Staging = as_it_is


_ONE = ("binding", "count", "kind", "size", "permanence", "lift", "camera")
GROUPS: dict[str, Group] = {
    "one thing": Group(1, _ONE, num_things=1),
    "two things": Group(1, (*_ONE[:4], "left_right", *_ONE[4:]), num_things=2),
    "something crosses": Group(1, ("growth", "direction"), staging=crossing),
    "something comes or goes": Group(1, ("perspective",), staging=coming),
    "something falls": Group(1, ("gravity",), staging=falling),
    "one behind the other": Group(1, ("front_behind",), num_things=2, staging=in_depth),
    "all things": Group(2, ("camera",)),
    "all things, still camera": Group(2, ("collision", "cause"), staging=from_near),
    "a person walks": Group(2, ("legs",), staging=walking),
    "films": Group(3, ("shots",)),
    "events in order": Group(3, ("order",), staging=in_order),
}
NEAR = (from_near, in_order)  # stagings of which all that happens must be seen


@dataclass(frozen=True)
class Case:
    """A prompt: the clip that it describes, its number in the stream, its group, and what it asks for."""

    index: int
    clip: Clip
    group: str
    asks: tuple[str, ...]


def suite_config(split: str, level: int) -> WorldConfig:
    """Return the world that the prompts of a split and level describe: descriptive captions."""
    return WorldConfig(level=level, split=split, seed=SUITE_SEED, caption_mix=(0.0, 0.0, 1.0))


def groups_of(level: int) -> dict[str, Group]:
    """Return the groups of a level. Raises: ConfigError where it has none."""
    found = {name: group for name, group in GROUPS.items() if group.level == level}
    if not found:
        raise ConfigError(f"no prompts of level {level}; levels are 1, 2 and 3")
    return found


@cache
def suite(split: str, each: int, level: int = 1) -> tuple[Case, ...]:
    """Return the prompts of a split that give each check `each` of a group, where the world has as many.

    Raises: ConfigError for an unknown split or level, or `each` below 1.
    """
    if each < 1:
        raise ConfigError(f"{each} prompts a check: give at least 1")
    groups = groups_of(level)
    lacking = Counter({(name, check): each for name, group in groups.items() for check in group.checks})
    kept: list[Case] = []

    def needed(staging: Staging) -> bool:
        return any(lacking[key] > 0 for key in lacking if groups[key[0]].staging is staging)

    for case in _cases(split, level, groups, needed):
        wanted = [key for check in case.asks if lacking[key := (case.group, check)] > 0]
        if wanted:
            kept.append(case)
            lacking.subtract((case.group, check) for check in case.asks)
        if all(count <= 0 for count in lacking.values()):
            break
    return tuple(kept)


def enough(cases: Sequence[Case], each: int) -> list[int]:
    """Return the places of cases that give each check of a group as many of its own."""
    given: Counter[Key] = Counter()
    kept = []
    for n, case in enumerate(cases):
        if any(given[case.group, check] < each for check in case.asks):
            kept.append(n)
            given.update((case.group, check) for check in case.asks)
    return kept


def _cases(
    split: str, level: int, groups: dict[str, Group], needed: Callable[[Staging], bool]
) -> Iterator[Case]:
    """Yield the prompts of a split in the order of their numbers; each staging gives a prompt of its own.

    What is no longer needed is not staged.
    """
    config = suite_config(split, level)
    for first in range(0, MOST[level], BLOCK):
        indices = range(first, first + BLOCK)
        drawn = plan(config, indices)
        for number, staging in enumerate(dict.fromkeys(group.staging for group in groups.values())):
            if not needed(staging):
                continue
            staged = drawn if staging is as_it_is else _staged(drawn, staging, config, indices)
            for index, clip in zip(indices, staged, strict=True):
                if clip is not None:
                    yield from _in_groups(clip, number * STAGED + index, groups, staging)


def _in_groups(clip: Clip, index: int, groups: dict[str, Group], staging: object) -> Iterator[Case]:
    if _white_on_white(clip.told):
        return
    for name, group in groups.items():
        if group.staging is staging and group.num_things in (None, len(clip.told.cast)):
            asked = tuple(c for c in asks(clip.told, len(clip.frames)) if c in group.checks)
            yield Case(index, clip, name, asked)


def _white_on_white(scene: Scene) -> bool:
    """Tell whether a white thing stands before a studio's wall, two grey levels away from it."""
    return scene.setting.place == "studio" and any(thing.color == "white" for thing in scene.cast)


def _fit(scene: Scene, path: Trajectory, staging: Staging, config: WorldConfig) -> bool:
    """Tell whether a scene is worth filming; from near, whether all that happens is seen."""
    seen = acceptable(scene, path, config.fps, config.aspect)
    return seen and (staging not in NEAR or _all_seen(scene, path, config))


def _all_seen(scene: Scene, path: Trajectory, config: WorldConfig) -> bool:
    """Tell whether everything is whole, nobody passes before what is acted on, and what falls has time to.

    Half a cookie shows no bite, nor one behind a passer-by.
    """
    x, y, half, _ = np.moveaxis(screen_boxes(scene, path, config.fps), -1, 0)  # [T, N] each
    high = half * np.array([height / (2 * radius) for radius, height in map(extent, scene.cast)])
    whole = (np.abs(x) + half <= config.aspect - MARGIN) & (np.abs(y) + high <= 1.0 - MARGIN)
    late = any(e.kind == "knock_over" and e.time > scene.duration - FALLS for e in path.log)
    if late or not whole.all():
        return False
    wide = half.copy()
    for event in scene.events:
        if event.kind == "knock_over" and event.patient is not None:
            wide[:, event.patient] += high[:, event.patient]  # it will lie
    for event, n in product(scene.events, range(len(scene.cast))):
        patient = event.patient
        if patient is not None and n not in (event.agent, patient):
            across = np.abs(x[:, n] - x[:, patient]) < wide[:, n] + wide[:, patient]
            along = np.abs(y[:, n] - y[:, patient]) < high[:, n] + high[:, patient]
            if (across & along).any():
                return False
    return True


def _staged(
    clips: Sequence[Clip],
    staging: Staging,
    config: WorldConfig,
    indices: Sequence[int],
) -> list[Clip | None]:
    """Change the scenes of clips, and simulate and tell them anew; None where none is worth filming."""
    staged = [(n, takes) for n, clip in enumerate(clips) if (takes := staging(clip.scene))]
    kept = [(n, t) for n, t in staged if in_split(t[0], config.split) and not overlapping(t[0])]
    paths = simulate([takes[0] for _, takes in kept], config.scene_frames, config.fps) if kept else []
    found: list[Clip | None] = [None] * len(clips)
    for (n, takes), path in zip(kept, paths, strict=True):
        scene = next((s for s in takes if _fit(s, path, staging, config)), None)
        if scene is not None:
            path = with_view_events(scene, path, config.fps, config.aspect)
            clip = Clip(scene, path, range(config.num_frames), scene, path.log)
            rng = np.random.default_rng([config.seed, indices[n], 3])
            found[n] = replace(clip, caption=write_caption(clip, rng, config))
    return found
