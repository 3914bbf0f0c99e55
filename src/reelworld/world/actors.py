"""Draws who is there: one thing, what it does, and where it stands.

thing = replace(draw_thing(rng, "dog"), motion=draw_motion(rng, "dog"))
in_its_place(rng, thing, x=0.5, y=0.0, duration=2.0)
"""

from __future__ import annotations

from dataclasses import replace
from math import pi
from typing import Any

import numpy as np

from reelworld.world.framing import pick
from reelworld.world.scene import COLORS, DIRECTIONS, PRIMITIVES, Motion, Thing
from reelworld.world.simulate import speed_of

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
FACING = {"cookie": 0.0}  # what a thing at rest shows the camera; others look at it
BACK = {"house": 2.0, "tree": 2.0, "ship": 5.8}  # how far behind the stage's middle these stand; ships float
NEEDS_DIRECTION = ("slide", "roll", "drive", "walk", "run", "drift", "stop")
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
