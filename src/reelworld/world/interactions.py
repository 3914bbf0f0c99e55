"""Draws what happens between two things, and two such events in their order.

cast, events = draw_interaction(rng, "bite", aspect=1.0)
cast, events = ordered(rng, ("bite", "push"), aspect=1.0, duration=2.0)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import pi
from typing import Any

import numpy as np

from reelworld.world.actors import ACTIONS, HEADINGS, NEEDS_DIRECTION, draw_thing, seen_turning
from reelworld.world.framing import pick
from reelworld.world.scene import Event, Motion, Thing
from reelworld.world.simulate import speed_of
from reelworld.world.things import extent, half_along

INTERACTIONS = ("collide", "push", "knock_over", "go_behind", "enter", "leave", "bite", "switch_on")
ACTS = ("bite", "switch_on", "knock_over")  # what leaves a mark on somebody who does not go anywhere
ORDERED = ("collide", "push", "knock_over", "bite", "switch_on")  # what can happen first, and what then
ROWS = (-1.2, 1.8)  # metres away from the middle: where two interactions happen


def ordered(
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


def left_alone(rng: np.random.Generator, aspect: float) -> list[Thing]:
    """Draw two things of whom one could bite, light or topple the other, and does not."""
    return standing(draw_interaction(rng, pick(rng, ACTS), aspect)[0])


def standing(cast: Sequence[Thing]) -> list[Thing]:
    """Let everybody stand where they are."""
    return [replace(thing, motion=Motion(action="stand")) for thing in cast]


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
