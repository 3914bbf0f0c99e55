"""Portraits: a thing of the cast alone, at rest, somewhere else; what it looks like, and nothing more.

    rng = np.random.default_rng(0)
    names = characters(scene, 2, rng)                    # {1: "Alpha", 0: "Beta"}
    portrait(scene, 0, rng, aspect=1.0)

A model that is given portraits beside a caption with names learns to take the looks from the picture: so a
character stays the same from shot to shot, and one that no words describe can be filmed.
"""

from __future__ import annotations

from dataclasses import replace
from math import pi

import numpy as np

from reelworld.world.actors import BACK, FACING
from reelworld.world.dice import Dice
from reelworld.world.framing import camera, pick
from reelworld.world.grammar import DURATION, PATTERNS, draw_setting
from reelworld.world.naming import Teller
from reelworld.world.scene import PRIMITIVES, Motion, Scene, Shot
from reelworld.world.things import extent
from reelworld.world.words import CHARACTERS


def characters(scene: Scene, most: int, rng: np.random.Generator) -> dict[int, str]:
    """Draw who of the cast has a name, at most so many, and at least one if anybody has no double in it."""
    if most == 0:
        return {}
    teller = Teller(scene, Dice(rng))
    unique = [n for n in range(len(scene.cast)) if teller.unique(n)]
    count = int(rng.integers(1, most + 1))
    return dict(zip((int(n) for n in rng.permutation(unique)[:count]), CHARACTERS, strict=False))


def portrait(scene: Scene, member: int, rng: np.random.Generator, aspect: float) -> Scene:
    """Draw a scene of the same level that shows one of the cast alone, at rest; the camera stands still."""
    thing, level = scene.cast[member], scene.level
    setting = draw_setting(rng, level)
    if thing.kind == "ship":
        setting = replace(setting, place="beach", pattern=pick(rng, PATTERNS["beach"]))
    any_way = thing.kind in (*PRIMITIVES, "tree")
    turned = float(rng.uniform(-pi, pi)) if any_way else FACING.get(thing.kind, -pi / 2)
    x, y = float(rng.uniform(-0.6, 0.6)), float(rng.uniform(-0.6, 0.8)) + BACK.get(thing.kind, 0.0)
    alone = replace(thing, motion=Motion(), position=(round(x, 4), round(y, 4), 0.0), heading=turned)
    view = camera(rng, level, round(0.5 + 0.3 * extent(thing)[1], 3), aspect)
    if view.move == "aerial":
        view = replace(view, position=(0.0, -6.3, 2.2))
    view = replace(view, move="still", amount=0.0)
    shot = Shot(start=0.0, duration=DURATION, camera=view, cast=(0,))
    return Scene(
        level=level, split=scene.split, setting=setting, cast=(alone,), shots=(shot,), duration=DURATION
    )
