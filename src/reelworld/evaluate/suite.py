"""Which prompts a model is scored on: for every check as many as asked for, always the same.

    cases = suite("heldout", each=25, level=1)
    for case in cases: print(case.clip.caption, case.asks)

Prompts are in groups, scored apart. Clips are taken in the order of their number, and one is kept where a
check that it asks for still lacks prompts, so nothing is chosen by hand. White things in a studio or on
snow are left out, because nobody sees where they end, and lamps that look other when they are lit. What is
rare or small is staged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from reelworld.core.errors import ConfigError
from reelworld.evaluate.checks import asks
from reelworld.evaluate.staging import (
    AS_IT_IS,
    BOUNCING,
    COMING,
    CROSSING,
    FALLING,
    FROM_NEAR,
    IN_DEPTH,
    IN_ORDER,
    IN_SHOTS,
    LEFT_ALONE,
    WALKING,
    Staging,
)
from reelworld.world.acceptance import acceptable, overlapping, with_view_events
from reelworld.world.parse import parse
from reelworld.world.scene import Scene
from reelworld.world.simulate import Trajectory, simulate
from reelworld.world.splits import in_split
from reelworld.world.stream import Clip, WorldConfig, plan, write_caption

SUITE_SEED = 2024  # no seed of a training or of what a parser is fitted on
BLOCK = 128
MOST = {1: 40 * BLOCK, 2: 80 * BLOCK, 3: 72 * BLOCK}  # clips looked through; rarer checks stay short
THEMED = ("train", "heldout")  # splits whose scenes can be made to be about a theme
STAGED = 100_000  # added to a prompt's number for each staging of it

Key = tuple[str, str]  # group, check


@dataclass(frozen=True)
class Group:
    """Prompts of a level that are scored together, with the checks that they are asked for.

    `staging` changes drawn scenes to what the checks need, or refuses them: the first of its takes that fits
    is taken.
    """

    level: int
    checks: tuple[str, ...]
    num_things: int | None = None
    staging: Staging = AS_IT_IS


_ONE = ("binding", "count", "kind", "size", "permanence", "lift", "camera")
GROUPS: dict[str, Group] = {
    "one thing": Group(1, _ONE, num_things=1),
    "two things": Group(1, (*_ONE[:4], "left_right", *_ONE[4:]), num_things=2),
    "something crosses": Group(1, ("growth", "direction"), staging=CROSSING),
    "something comes or goes": Group(1, ("perspective",), staging=COMING),
    "something falls": Group(1, ("gravity",), staging=FALLING),
    "one behind the other": Group(1, ("front_behind",), num_things=2, staging=IN_DEPTH),
    "something bounces": Group(1, ("bounce",), staging=BOUNCING),
    "all things": Group(2, ("camera",)),
    "all things, still camera": Group(2, ("collision", "cause"), staging=FROM_NEAR),
    "a person walks": Group(2, ("legs",), staging=WALKING),
    "nothing happens": Group(2, ("untouched",), staging=LEFT_ALONE),
    "films": Group(3, ("shots",), staging=IN_SHOTS),
    "events in order": Group(3, ("order",), staging=IN_ORDER),
}


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
        drawn: dict[tuple[str, ...], list[Clip]] = {}
        for number, staging in enumerate(dict.fromkeys(group.staging for group in groups.values())):
            if not needed(staging):
                continue
            themes = staging.themes if split in THEMED else ()
            if themes not in drawn:
                drawn[themes] = plan(replace(config, themes=themes), indices)
            clips = drawn[themes]
            staged = clips if staging is AS_IT_IS else _staged(clips, staging, config, indices)
            for index, clip in zip(indices, staged, strict=True):
                if clip is not None:
                    yield from _in_groups(clip, number * STAGED + index, groups, staging)


def _in_groups(clip: Clip, index: int, groups: dict[str, Group], staging: object) -> Iterator[Case]:
    if _white_on_white(clip.told) or _lit_black(clip.told) or not _tells_cuts(clip):
        return
    for name, group in groups.items():
        if group.staging is staging and group.num_things in (None, len(clip.told.cast)):
            asked = tuple(c for c in asks(clip.told, len(clip.frames)) if c in group.checks)
            yield Case(index, clip, name, asked)


def _tells_cuts(clip: Clip) -> bool:
    """Tell whether a caption says of each cut when it comes."""
    if len(clip.told.shots) == 1:
        return True
    timed = {fact.args[0] for fact in parse(clip.caption).facts if fact.name == "cut"}
    return len(timed) == len(clip.told.shots) - 1


def _white_on_white(scene: Scene) -> bool:
    """Tell whether a white thing stands before a studio's wall or on snow, a few grey levels away from it.

    On snow the white stripes of a thing are holes in it.
    """
    place, cast = scene.setting.place, scene.cast
    striped = place == "snow" and any(thing.material == "striped" for thing in cast)
    return striped or (place in ("studio", "snow") and any(thing.color == "white" for thing in cast))


def _lit_black(scene: Scene) -> bool:
    """Tell whether a black lamp is lit at some time: it looks grey."""
    lit = {event.patient for event in scene.events if event.kind == "switch_on"}
    night = scene.setting.time == "night"
    lamps = [n for n, thing in enumerate(scene.cast) if thing.kind == "lamp" and thing.color == "black"]
    return any(night or n in lit for n in lamps)


def _fit(scene: Scene, path: Trajectory, staging: Staging, config: WorldConfig) -> bool:
    """Tell whether a scene is worth filming and shows what is asked."""
    shape = (config.fps, config.aspect)
    return acceptable(scene, path, *shape) and staging.fits(scene, path, *shape)


def _staged(
    clips: Sequence[Clip],
    staging: Staging,
    config: WorldConfig,
    indices: Sequence[int],
) -> list[Clip | None]:
    """Change the scenes of clips, and simulate and tell them anew; None where none is worth filming."""
    staged = [(n, takes) for n, clip in enumerate(clips) if (takes := staging.takes(clip.scene))]
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
