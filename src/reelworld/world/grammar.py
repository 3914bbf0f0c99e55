"""Samples scene programs by level and split.

Levels: 1 = one or two primitives with one motion each, five camera moves, studio or meadow, day; 2 = all
things, settings, times and interactions; 3 = also styles, two events in their order, and one to three shots
with the same cast.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations
from math import pi
from typing import Any

import numpy as np

from reelworld.core.errors import ConfigError
from reelworld.world.acceptance import acceptable, overlapping, stable_outcomes, with_view_events
from reelworld.world.framing import camera, from_above, pick, shots
from reelworld.world.scene import (
    COLORS,
    DIRECTIONS,
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
from reelworld.world.things import extent, half_along

LEVELS = (1, 2, 3)
ACTIONS: dict[str, tuple[str, ...]] = {
    "ball": ("stand", "slide", "roll", "bounce", "jump", "fall", "spin"),
    "cube": ("stand", "slide", "bounce", "jump", "fall", "spin"),
    "cylinder": ("stand", "slide", "bounce", "jump", "fall", "spin"),
    "cone": ("stand", "slide", "bounce", "jump", "fall", "spin"),
    "person": ("stand", "walk", "walk", "run", "jump", "spin", "stop"),
    "dog": ("stand", "walk", "run", "run", "jump", "stop"),
    "car": ("stand", "drive", "drive", "drive", "stop"),
    "tree": ("stand",),
    "house": ("stand",),
    "ship": ("drift",),
    "chair": ("stand", "slide", "fall", "spin"),
    "lamp": ("stand",),
    "cup": ("stand", "slide", "spin"),
    "cookie": ("stand", "fall", "spin"),
    "domino": ("stand", "fall"),
}
INTERACTIONS = ("collide", "push", "knock_over", "go_behind", "enter", "leave", "bite", "switch_on")
PATTERNS = {
    "studio": ("plain", "checker", "planks"), "meadow": ("grass",), "desert": ("plain", "grass"),
    "snow": ("plain", "grass"), "beach": ("plain", "grass"), "street": ("cobbles", "plain"),
}  # fmt: skip
FACING = {"cookie": 0.0}  # what a thing at rest shows the camera; others look at it
BACK = {"house": 2.0, "tree": 2.0, "ship": 5.8}  # how far behind the stage's middle these stand; ships float
NEEDS_DIRECTION = ("slide", "roll", "drive", "walk", "run", "drift", "stop")
STYLES = ("natural", "natural", "historical", "black_and_white", "papercraft", "film_noir")
ORDERED = ("collide", "push", "knock_over", "bite", "switch_on")  # what can happen first, and what then
SHARES = {1: (0.65, 0.35), 2: (0.4, 0.4, 0.2)}  # of one thing, two, three, by level
ROWS = (-1.2, 1.8)  # metres away from the middle: where two interactions happen
DURATION = 2.0  # seconds of a scene, where nobody asks for more
DRAWS = 400  # of a program, before a split is given up
ATTEMPTS = 400  # scenes tried for one index, before sampling gives up
AT_ONCE = 96  # programs simulated together: the steps of one cost nearly as much as those of many
HEADINGS = {"left": pi, "right": 0.0, "toward": -pi / 2, "away": pi / 2}


def draw_thing(rng: np.random.Generator, kind: Any) -> Thing:
    dressed = kind in ("person", "house", "ship")
    plain = kind not in PRIMITIVES
    material: Any = "matte" if plain else pick(rng, ("matte", "matte", "shiny", "striped"))
    hat = pick(rng, COLORS) if kind == "person" and rng.random() < 0.4 else None
    return Thing(
        kind=kind, color=pick(rng, COLORS), size=pick(rng, ("small", "large")), material=material,
        second_color=pick(rng, COLORS) if dressed else None, hat=hat, skin=int(rng.integers(3)),
        heading=float(rng.uniform(-pi, pi)) if kind in ("cube", "tree") else FACING.get(kind, -pi / 2),
    )  # fmt: skip


def draw_motion(rng: np.random.Generator, kind: str) -> Motion:
    action: Any = pick(rng, ACTIONS[kind])
    direction = None
    if action in NEEDS_DIRECTION:
        options = ("left", "right") if action == "drift" else tuple(DIRECTIONS)
        direction = pick(rng, options)
    elif action == "bounce" and rng.random() < 0.4:
        direction = pick(rng, ("left", "right"))
    motion = Motion(action=action, direction=direction, speed=pick(rng, ("slow", "medium", "fast")))
    if action == "stop":
        return replace(motion, duration=round(float(rng.uniform(0.7, 1.1)), 3))
    if kind not in PRIMITIVES and action in ("walk", "run", "drive", "jump") and rng.random() < 0.3:
        return replace(motion, start=round(float(rng.uniform(0.2, 0.6)), 3))
    return motion


def seen_turning(thing: Thing) -> Thing:
    """Stripe what is round and turns or rolls: without a mark, nobody could see it."""
    hidden = thing.motion.action == "roll" or (thing.motion.action == "spin" and thing.kind != "cube")
    return replace(thing, material="striped") if hidden and thing.kind in PRIMITIVES else thing


def in_its_place(rng: np.random.Generator, thing: Thing, x: float, y: float, duration: float) -> Thing:
    """Put a thing so that the middle of its path is near x, y, facing where it goes."""
    motion = thing.motion
    z = {"fall": rng.uniform(2.0, 2.8), "bounce": rng.uniform(1.4, 2.4)}.get(motion.action, 0.0)
    dx, dy = 0.0, 0.0
    if motion.direction is not None:
        ux, uy, _ = DIRECTIONS[motion.direction]
        half = 0.5 * speed_of(thing) * (motion.duration or duration - motion.start)
        dx, dy = -ux * half, -uy * half
    heading = thing.heading
    if motion.action in NEEDS_DIRECTION and thing.kind not in PRIMITIVES and motion.direction:
        heading = HEADINGS[motion.direction]
    elif thing.kind == "car":
        heading = HEADINGS[pick(rng, ("left", "right"))]
    return replace(thing, position=(round(x + dx, 4), round(y + dy, 4), round(float(z), 4)), heading=heading)


def draw_setting(rng: np.random.Generator, level: int) -> Setting:
    """Draw a place, its time of day and its floor."""
    places = ("studio", "meadow") if level == 1 else tuple(PATTERNS)
    place = pick(rng, places)
    time: Any = "day" if level == 1 else pick(rng, ("day", "day", "sunset", "night"))
    return Setting(
        place=place, time=time, pattern=pick(rng, PATTERNS[place]), variant=int(rng.integers(1 << 16)),
        sun=round(float(rng.uniform(-0.9, 0.9)), 4),
    )  # fmt: skip


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
        orders = [o for o in permutations(ORDERED, 2) if split == "heldout" or o not in HELDOUT_ORDER]
        return ", ".join(orders[int(rng.integers(len(orders)))])
    if level >= 2 and rng.random() < 0.5 and split != "extrapolate":
        return pick(rng, INTERACTIONS)
    shares = SHARES[min(level, 2)]
    return 1 + int(rng.choice(len(shares), p=shares))


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
    if isinstance(theme, int):
        kinds = PRIMITIVES if level == 1 else tuple(ACTIONS)
        cast = _ensemble(rng, kinds, theme, split == "extrapolate", duration)
    elif ", " in theme:
        cast, events = _ordered(rng, theme.split(", "), aspect, duration)
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
    rng: np.random.Generator, kinds: Sequence[str], count: int, beyond: bool, duration: float
) -> list[Thing]:
    """Draw things that mind their own business; with `beyond`, one of them leaves the training range."""
    cast, strange = [], int(rng.integers(count)) if beyond else None
    for n, (x, y) in enumerate(draw_spots(rng, count)):
        kind = pick(rng, kinds)
        thing = seen_turning(replace(draw_thing(rng, kind), motion=draw_motion(rng, kind)))
        if n == strange:
            thing = _beyond(rng, thing)
        cast.append(in_its_place(rng, thing, x, y + BACK.get(kind, 0.0), duration))
    return cast


def _ordered(
    rng: np.random.Generator, kinds: Sequence[str], aspect: float, duration: float
) -> tuple[list[Thing], tuple[Event, ...]]:
    """Draw two interactions, one behind the other, the second of which begins when the first is over."""
    cast: list[Thing] = []
    events: list[Event] = []
    windows = ((0.12, 0.3), (0.55, 0.72))  # shares of the scene in which each happens
    side, row = float(rng.choice([-1.0, 1.0])), rng.permutation(2)
    for n, (kind, window) in enumerate(zip(kinds, windows, strict=True)):
        (agent, patient), (event,) = draw_interaction(rng, kind, aspect)
        time = duration * float(rng.uniform(*window))
        agent, patient, event = _at_time(rng, agent, patient, event, time)
        x, y = (1.0 - 2.0 * n) * side * 0.4, ROWS[row[n]]
        base = len(cast)
        cast += [_moved(agent, x, y), _moved(patient, x, y)]
        events.append(replace(event, agent=base, patient=base + 1, after=0 if n else None))
    return cast, tuple(events)


def _moved(thing: Thing, x: float, y: float) -> Thing:
    px, py, pz = thing.position
    return replace(thing, position=(round(px + x, 4), round(py + y, 4), pz))


def _at_time(
    rng: np.random.Generator, agent: Thing, patient: Thing, event: Event, time: float
) -> tuple[Thing, Thing, Event]:
    """Let an interaction happen at a time: acts are told when, movers start when and where they must."""
    time = round(time, 3)
    if event.kind in ("bite", "switch_on"):
        return agent, patient, replace(event, time=time)
    run_up = min(time, float(rng.uniform(0.3, 0.6)))
    sign = 1.0 if agent.motion.direction == "right" else -1.0
    gap = half_along(agent, 0.0) + half_along(patient, 0.0) + speed_of(agent) * run_up
    x, y, z = patient.position
    agent = replace(
        agent, position=(round(x - sign * gap, 4), y, z),
        motion=replace(agent.motion, start=round(time - run_up, 3)),
    )  # fmt: skip
    return agent, patient, event


def draw_interaction(
    rng: np.random.Generator, kind: str, aspect: float
) -> tuple[list[Thing], tuple[Event, ...]]:
    """Draw two things between which something is going to happen."""
    side = pick(rng, ("left", "right"))
    sign = 1.0 if side == "right" else -1.0  # the agent moves this way
    if kind in ("enter", "leave"):
        return _cross(rng, kind, side, sign, aspect)
    make = {
        "collide": _collide, "push": _collide, "knock_over": _collide, "go_behind": _go_behind,
        "bite": _bite, "switch_on": _switch_on,
    }[kind]  # fmt: skip
    return make(rng, kind, side, sign)


def _mover(rng: np.random.Generator, side: Any, kinds: Sequence[str], size: Any = None) -> Thing:
    """Draw a thing that travels to one side."""
    kind = pick(rng, kinds)
    travel = [a for a in ACTIONS[kind] if a in NEEDS_DIRECTION and a != "stop"]
    motion = Motion(action=pick(rng, travel), direction=side, speed=pick(rng, ("medium", "fast")))
    thing = seen_turning(replace(draw_thing(rng, kind), motion=motion, heading=HEADINGS[side]))
    return replace(thing, size=size) if size else thing


def _collide(
    rng: np.random.Generator, kind: Any, side: Any, sign: float
) -> tuple[list[Thing], tuple[Event, ...]]:
    agents = (
        ("ball", "cube", "cylinder", "car")
        if kind != "push"
        else ("cube", "person", "car", "dog", "cylinder")
    )
    agent = _mover(rng, side, agents, "large" if kind == "push" else None)
    patients = {
        "collide": ("ball", "cube", "cylinder"),
        "push": ("cube", "ball", "cup", "chair"),
        "knock_over": ("domino",),
    }
    patient = draw_thing(rng, pick(rng, patients[kind]))
    y = float(rng.uniform(-0.5, 0.6))
    px = sign * float(rng.uniform(0.2, 1.0))
    facing = 0.0 if patient.kind in ("cube", "domino") else patient.heading
    patient = replace(patient, position=(round(px, 4), round(y, 4), 0.0), heading=facing)
    if patient.kind == "ball":  # it will roll
        patient = replace(patient, material="striped")
    gap = half_along(agent, 0.0) + half_along(patient, 0.0)
    ax = px - sign * (gap + speed_of(agent) * float(rng.uniform(0.35, 0.8)))
    agent = replace(agent, position=(round(ax, 4), round(y, 4), 0.0))
    return [agent, patient], (Event(kind=kind, agent=0, patient=1),)


def _go_behind(
    rng: np.random.Generator, kind: Any, side: Any, sign: float
) -> tuple[list[Thing], tuple[Event, ...]]:
    agent = _mover(rng, side, ("ball", "cube", "dog", "person", "cylinder"), "small")
    patient = replace(draw_thing(rng, pick(rng, ("cube", "cylinder", "house", "tree", "cone"))), size="large")
    patient = replace(patient, position=(round(float(rng.uniform(-0.4, 0.4)), 4), -0.2, 0.0))
    half = speed_of(agent)
    depth = half_along(patient, pi / 2) + half_along(agent, pi / 2) + float(rng.uniform(0.2, 0.6))
    agent = replace(agent, position=(round(patient.position[0] - sign * half, 4), round(depth, 4), 0.0))
    return [agent, patient], (Event(kind="go_behind", agent=0, patient=1),)


def _cross(
    rng: np.random.Generator, kind: Any, side: Any, sign: float, aspect: float
) -> tuple[list[Thing], tuple[Event, ...]]:
    agent = _mover(rng, side, ("ball", "cube", "person", "dog", "car"))
    agent = replace(agent, motion=replace(agent.motion, speed="fast"))
    edge = float(rng.uniform(4.6, 5.2)) * max(aspect, 1.0) + extent(agent)[0] * 0.6
    y = float(rng.uniform(-0.5, 0.8))
    reach = 2.0 * speed_of(agent)
    start = -sign * edge if kind == "enter" else sign * (edge - reach)
    agent = replace(agent, position=(round(start, 4), round(y, 4), 0.0))
    cast = [agent]
    if rng.random() < 0.5:
        other = draw_thing(rng, pick(rng, ("tree", "house", "chair", "cube", "cone")))
        cast.append(replace(other, position=(round(float(rng.uniform(-1, 1)), 4), round(y + 2.6, 4), 0.0)))
    return cast, (Event(kind=kind, agent=0),)


def _bite(
    rng: np.random.Generator, kind: Any, side: Any, sign: float
) -> tuple[list[Thing], tuple[Event, ...]]:
    eater = replace(draw_thing(rng, pick(rng, ("person", "dog"))), size="large", heading=HEADINGS[side])
    cookie = replace(draw_thing(rng, "cookie"), size=pick(rng, ("small", "large")), heading=-0.0)
    y = float(rng.uniform(-0.4, 0.4))
    reach = half_along(eater, 0.0) + half_along(cookie, 0.0) + 0.1
    eater = replace(eater, position=(round(-sign * reach / 2, 4), round(y, 4), 0.0))
    cookie = replace(cookie, position=(round(sign * reach / 2, 4), round(y - 0.2, 4), 0.0))
    return [eater, cookie], (
        Event(kind="bite", agent=0, patient=1, time=round(float(rng.uniform(0.5, 1.4)), 3)),
    )


def _switch_on(
    rng: np.random.Generator, kind: Any, side: Any, sign: float
) -> tuple[list[Thing], tuple[Event, ...]]:
    person = replace(draw_thing(rng, "person"), heading=HEADINGS[side], size="large")
    lamp = replace(draw_thing(rng, "lamp"), size="large", position=(sign * 0.9, 0.2, 0.0))
    person = replace(person, position=(-sign * 0.5, 0.0, 0.0))
    return [person, lamp], (
        Event(kind="switch_on", agent=0, patient=1, time=round(float(rng.uniform(0.5, 1.4)), 3)),
    )


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
) -> Scene:
    """Draw programs until one belongs to the split; whether it is worth filming, `sample` decides."""
    rng = _rng(seed, level, split, index, attempt)
    about = np.random.default_rng([seed, level, index])
    theme = _theme(level, split, about)
    for _ in range(DRAWS):
        scene = _program(rng, level, split, seed, theme, aspect, duration)
        if in_split(scene, split):
            return scene
    raise ConfigError(f"no program of level {level} is in split {split!r} after {DRAWS} draws")


def check(level: int, split: str) -> None:
    """Raise ConfigError for a level or split that cannot be sampled."""
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
            (i, draw(seed, level, split, i, a, aspect, num_frames / fps)) for i in open_ for a in together
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
