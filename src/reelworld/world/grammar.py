"""Samples scene programs by level and split.

Levels: 1 = one or two primitives with one motion each, five camera moves, studio or meadow, day; 2 = all
things, settings, times and interactions; 3 = also styles, two events in their order, and one to three shots
with the same cast.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np

from reelworld.core.errors import ConfigError
from reelworld.world.acceptance import acceptable, overlapping, stable_outcomes, with_view_events
from reelworld.world.actors import ACTIONS, BACK, draw_motion, draw_thing, in_its_place, seen_turning
from reelworld.world.framing import camera, from_above, pick, shots
from reelworld.world.interactions import INTERACTIONS, ORDERED, draw_interaction, left_alone, ordered
from reelworld.world.scene import (
    PRIMITIVES,
    Event,
    Motion,
    Scene,
    Setting,
    Shot,
    Thing,
)
from reelworld.world.simulate import Trajectory, simulate, speed_of
from reelworld.world.splits import HELDOUT_ORDER, SPLITS, in_split
from reelworld.world.things import extent

LEVELS = (1, 2, 3)
PATTERNS = {
    "studio": ("plain", "checker", "planks"), "meadow": ("grass",), "desert": ("plain", "grass"),
    "snow": ("plain", "grass"), "beach": ("plain", "grass"), "street": ("cobbles", "plain"),
}  # fmt: skip
ALONE = {"one thing": 1, "two things": 2}  # who mind their own business
# What all scenes can be made to be about.
THEMES = (*INTERACTIONS, "walk", "in order", "left alone", *ALONE, "in depth")
ASIDE, DEPTHS = 0.45, (-1.0, 1.2)  # metres from the middle of the stage, of two one behind the other
STYLES = ("natural", "natural", "historical", "black_and_white", "papercraft", "film_noir")
SHARES = {1: (0.65, 0.35), 2: (0.4, 0.4, 0.2)}  # of one thing, two, three, by level
DURATION = 2.0  # seconds of a scene, where nobody asks for more
DRAWS = 400  # of a program, before a split is given up
ATTEMPTS = 400  # scenes tried for one index, before sampling gives up
AT_ONCE = 96  # programs simulated together: the steps of one cost nearly as much as those of many


def draw_setting(rng: np.random.Generator, level: int) -> Setting:
    """Draw a place, its time of day and its floor."""
    places = ("studio", "meadow") if level == 1 else tuple(PATTERNS)
    place = pick(rng, places)
    time: Any = "day" if level == 1 else pick(rng, ("day", "day", "sunset", "night"))
    return Setting(
        place=place, time=time, pattern=pick(rng, PATTERNS[place]), variant=int(rng.integers(1 << 16)),
        sun=round(float(rng.uniform(-0.9, 0.9)), 4),
    )  # fmt: skip


def spots_in_depth(rng: np.random.Generator) -> list[tuple[float, float]]:
    """Return the spots of two, in random order, of whom one stands behind the other."""
    side = float(rng.choice((-1.0, 1.0)))
    spots = [(side * ASIDE, DEPTHS[0]), (-side * ASIDE, DEPTHS[1])]
    return [spots[n] for n in rng.permutation(2)]


def draw_spots(rng: np.random.Generator, count: int) -> list[tuple[float, float]]:
    """Spots on the stage for the middles of the paths, spread from left to right in random order."""
    if count == 1:
        return [(float(rng.uniform(-0.8, 0.8)), float(rng.uniform(-0.6, 1.0)))]
    width = 1.5 if count == 2 else 2.3
    xs = np.linspace(-width, width, count) + rng.uniform(-0.35, 0.35, count)
    spots = [(float(x), float(rng.uniform(-1.0, 1.6))) for x in rng.permutation(xs)]
    return spots


def _theme(level: int, split: str, rng: np.random.Generator) -> str | int:
    """Decide what a scene is about; kept while the scene is drawn again, or what is easy would be frequent.

    An interaction, two of them in their order ("bite, switch_on"), or how many things mind their business.
    """
    if level >= 3 and rng.random() < 0.3 and split != "extrapolate":
        return _in_order(split, rng)
    if level >= 2 and rng.random() < 0.5 and split != "extrapolate":
        return pick(rng, INTERACTIONS)
    shares = SHARES[min(level, 2)]
    return 1 + int(rng.choice(len(shares), p=shares))


def _in_order(split: str, rng: np.random.Generator) -> str:
    """Draw two interactions and their order."""
    orders = [o for o in permutations(ORDERED, 2) if split in ("heldout", "all") or o not in HELDOUT_ORDER]
    return ", ".join(orders[int(rng.integers(len(orders)))])


def _chosen(themes: Sequence[str], split: str, rng: np.random.Generator) -> str:
    """Draw one of the themes."""
    theme = pick(rng, themes)
    return _in_order(split, rng) if theme == "in order" else ALONE.get(theme, theme)


def _program(
    rng: np.random.Generator,
    level: int,
    split: Any,
    seed: int,
    theme: str | int,
    aspect: float,
    duration: float,
) -> Scene:
    """Draw a scene program without regard to split or view."""
    events: tuple[Event, ...] = ()
    if theme == "walk":
        cast = [_walker(rng, duration)]
    elif isinstance(theme, int) or theme == "in depth":
        kinds = PRIMITIVES if level == 1 else tuple(ACTIONS)
        spots = draw_spots(rng, theme) if isinstance(theme, int) else spots_in_depth(rng)
        cast = _ensemble(rng, kinds, spots, split == "extrapolate", duration)
    elif theme == "left alone":
        cast = left_alone(rng, aspect)
    elif ", " in theme:
        cast, events = ordered(rng, theme.split(", "), aspect, duration)
    else:
        cast, events = draw_interaction(rng, theme, aspect)
    setting = draw_setting(rng, level)
    if any(t.kind == "ship" for t in cast):
        setting = replace(setting, place="beach", pattern=pick(rng, PATTERNS["beach"]))
    tallest = max(extent(t)[1] for t in cast)
    view = camera(rng, level, round(0.5 + 0.3 * tallest, 3), aspect)
    if len(cast) > 3:
        view = from_above(rng, view)
    takes: tuple[Shot, ...] = (Shot(start=0.0, duration=duration, camera=view, cast=tuple(range(len(cast)))),)
    if level >= 3 and theme not in ("enter", "leave", "go_behind"):
        takes = shots(rng, takes[0], cast)
    style: Any = pick(rng, STYLES) if level >= 3 else "natural"
    return Scene(
        level=level, split=split, setting=setting, cast=tuple(cast), shots=takes, events=events,
        style=style, duration=duration, seed=seed,
    )  # fmt: skip


def _ensemble(
    rng: np.random.Generator,
    kinds: Sequence[str],
    spots: Sequence[tuple[float, float]],
    beyond: bool,
    duration: float,
) -> list[Thing]:
    """Draw things that mind their own business; with `beyond`, one of them leaves the training range."""
    cast, strange = [], int(rng.integers(len(spots))) if beyond else None
    for n, (x, y) in enumerate(spots):
        kind = pick(rng, kinds)
        thing = seen_turning(replace(draw_thing(rng, kind), motion=draw_motion(rng, kind)))
        if n == strange:
            thing = _beyond(rng, thing)
        cast.append(in_its_place(rng, thing, x, y + BACK.get(kind, 0.0), duration))
    return cast


def _walker(rng: np.random.Generator, duration: float) -> Thing:
    """Draw a person who walks across."""
    motion = Motion(
        action="walk", direction=pick(rng, ("left", "right")), speed=pick(rng, ("slow", "medium", "fast"))
    )
    x, y = float(rng.uniform(-0.8, 0.8)), float(rng.uniform(-0.6, 1.0))
    return in_its_place(rng, replace(draw_thing(rng, "person"), motion=motion), x, y, duration)


def _beyond(rng: np.random.Generator, thing: Thing) -> Thing:
    """Take a thing out of the training range: faster than fast, slower than slow, larger or smaller."""
    more, paced = rng.random() < 0.5, speed_of(thing) > 0 or thing.motion.action in ("spin", "jump")
    if paced and rng.random() < 0.5:
        speed: Any = "fast" if more else "slow"
        return replace(thing, motion=replace(thing.motion, speed=speed, rate=1.6 if more else 0.45))
    return replace(thing, size="large" if more else "small", scale=1.4 if more else 0.7)


def _rng(seed: int, level: int, split: str, index: int, attempt: int) -> np.random.Generator:
    return np.random.default_rng([seed, level, SPLITS.index(split), index, attempt])


def draw(
    seed: int,
    level: int,
    split: str,
    index: int,
    attempt: int = 0,
    aspect: float = 1.0,
    duration: float = DURATION,
    themes: Sequence[str] = (),
) -> Scene:
    """Draw programs until one belongs to the split; whether it is worth filming, `sample` decides.

    They are about one of the `themes`, where some are given.
    """
    rng = _rng(seed, level, split, index, attempt)
    about = np.random.default_rng([seed, level, index])
    theme = _chosen(themes, split, about) if themes else _theme(level, split, about)
    for _ in range(DRAWS):
        scene = _program(rng, level, split, seed, theme, aspect, duration)
        if in_split(scene, split):
            return scene
    raise ConfigError(f"no program of level {level} is in split {split!r} after {DRAWS} draws")


def check(level: int, split: str, themes: Sequence[str] = ()) -> None:
    """Raise ConfigError for a level, split or themes that cannot be sampled."""
    if unknown := [theme for theme in themes if theme not in THEMES]:
        raise ConfigError(f"no scenes are about {', '.join(unknown)}; themes are {', '.join(THEMES)}")
    if themes and split == "extrapolate":
        raise ConfigError("themes are of the splits train, heldout and all")
    if level == 1 and (late := [theme for theme in themes if theme not in (*ALONE, "in depth")]):
        raise ConfigError(f"scenes about {', '.join(late)} are of levels 2 and 3")
    if level not in LEVELS or split not in SPLITS:
        raise ConfigError(
            f"no scenes of level {level}, split {split!r}; levels are 1, 2 and 3, splits {', '.join(SPLITS)}"
        )


def sample(
    level: int,
    split: str,
    seed: int,
    indices: Sequence[int],
    *,
    num_frames: int = 16,
    fps: float = 8.0,
    aspect: float = 1.0,
    themes: Sequence[str] = (),
) -> list[tuple[Scene, Trajectory]]:
    """Return the scenes of a split with these indices, simulated; each depends on (seed, index) alone.

    A scene lasts as long as its frames.

    Rejects what is badly seen, what does not go as told, and what ends otherwise when everything starts a
    pixel (0.12 m) aside, and draws again. Raises ConfigError for an unknown level or split, and for pictures
    (`aspect`, width over height) in which hardly any scene can be seen whole.
    """
    check(level, split)
    done: dict[int, tuple[Scene, Trajectory]] = {}
    attempt, open_ = 0, list(indices)
    while open_:
        if attempt >= ATTEMPTS:
            raise ConfigError(
                f"scene {open_[0]} of level {level} cannot be seen whole in pictures "
                f"{aspect:.2f} times as wide as high; choose a shape nearer to a square"
            )
        together = range(attempt, attempt + max(1, AT_ONCE // len(open_)))
        tried = [
            (i, draw(seed, level, split, i, a, aspect, num_frames / fps, themes))
            for i in open_
            for a in together
        ]
        for i, scene, trajectory in _worth_filming(tried, num_frames, fps, aspect):
            done.setdefault(i, (scene, with_view_events(scene, trajectory, fps, aspect)))
        open_ = [i for i in open_ if i not in done]
        attempt = together.stop
    return [done[i] for i in indices]


def _worth_filming(
    tried: Sequence[tuple[int, Scene]], num_frames: int, fps: float, aspect: float
) -> Iterator[tuple[int, Scene, Trajectory]]:
    """Simulate scenes together and yield those that are worth filming, in their order."""
    tried = [(i, scene) for i, scene in tried if not overlapping(scene)]
    if not tried:
        return
    trajectories = simulate([scene for _, scene in tried], num_frames, fps)
    simulated = [(i, scene, path) for (i, scene), path in zip(tried, trajectories, strict=True)]
    kept = [x for x in simulated if acceptable(x[1], x[2], fps, aspect)]
    stable = stable_outcomes([x[1] for x in kept], [x[2] for x in kept], num_frames, fps)
    yield from (x for x, good in zip(kept, stable, strict=True) if good)
