"""Scenes from Sora's announcement in miniature: fixed programs with fixed prompts.

    for name, (prompt, scene) in programs().items(): ...

They belong to no split and have no chance in them: the same prompt asks the same of every model.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from reelworld.world.scene import Camera, Color, Motion, Scene, Setting, Shot, Thing


class Program(NamedTuple):
    """A prompt, and the scene that it describes."""

    prompt: str
    scene: Scene


def programs() -> dict[str, Program]:
    """Return the gallery, by name."""
    return {
        "neon": _neon(),
        "coffee": _coffee(),
        "gold_rush": _gold_rush(),
        "snow_dogs": _snow_dogs(),
        "spaceman": _spaceman(),
        "chair": _chair(),
    }


def _scene(cast: tuple[Thing, ...], camera: Camera, setting: Setting, **options: Any) -> Scene:
    shot = Shot(start=0.0, duration=2.0, camera=camera, cast=tuple(range(len(cast))))
    return Scene(level=3, split="train", setting=setting, cast=cast, shots=(shot,), **options)


def _neon() -> Program:
    person = Thing(
        kind="person", color="black", second_color="red", position=(0.4, 0.8, 0.0), heading=-1.5708,
        motion=Motion(action="walk", direction="toward", speed="medium"),
    )  # fmt: skip
    camera = Camera(
        move="dolly_out", position=(0.0, -6.2, 1.9), target=(0.0, 0.0, 1.4), focal=1.75, amount=0.3
    )
    return Program(
        "A tall person in a black jacket and red trousers walks toward the camera. The camera moves back. "
        "The scene is a street at night.",
        _scene((person,), camera, Setting(place="street", time="night", variant=11)),
    )


def _coffee() -> Program:
    level = 2.66  # metres: the coffee in a cup of more than twice the usual size
    cup = Thing(kind="cup", color="white", heading=0.0, scale=2.2)
    drift = Motion(action="drift", direction="right", speed="slow")
    plans: tuple[tuple[Color, float, float, float, Motion], ...] = (
        ("red", -0.5, -0.45, 0.0, drift),
        ("blue", 0.5, 0.4, 3.14159, Motion(action="drift", direction="left", speed="slow")),
    )
    ships = [
        Thing(kind="ship", color=color, second_color="white", size="small", scale=0.6, floor=level,
              position=(x, y, level), heading=heading, motion=motion)
        for color, x, y, heading, motion in plans
    ]  # fmt: skip
    camera = Camera(
        move="dolly_in", position=(0.0, -5.6, 5.4), target=(0.0, 0.0, 2.3), focal=1.75, amount=0.35
    )
    setting = Setting(place="studio", time="day", pattern="planks", variant=5)
    return Program(
        "A small red ship with a white sail drifts right and a small blue ship with a white sail drifts left "
        "in a large white cup. The camera moves in. The scene is a studio with a wooden floor by day.",
        _scene((cup, *ships), camera, setting),
    )


def _gold_rush() -> Program:
    looks: tuple[tuple[Color, Color, float], ...] = (
        ("orange", "red", -4.2), ("yellow", "orange", 0.0), ("white", "yellow", 4.2),
    )  # fmt: skip
    houses = [
        Thing(kind="house", color=color, second_color=roof, position=(x, 3.6, 0.0), heading=-1.57)
        for color, roof, x in looks
    ]  # fmt: skip
    walker = Thing(
        kind="person", color="black", second_color="black", hat="black", position=(1.2, -0.6, 0.0),
        heading=3.14159, motion=Motion(action="walk", direction="left", speed="medium"),
    )  # fmt: skip
    camera = Camera(move="aerial", position=(0.0, -9.0, 6.6), target=(0.0, 1.6, 0.8), focal=1.6, amount=3.0)
    return Program(
        "Historical footage. A tall person walks to the left. There are three large houses. "
        "The camera flies overhead. The scene is a desert by day.",
        _scene((walker, *houses), camera, Setting(place="desert", time="day", variant=3), style="historical"),
    )


def _snow_dogs() -> Program:
    run = Motion(action="run", direction="right", speed="medium")
    dogs = (
        Thing(kind="dog", color="yellow", position=(-2.4, 0.6, 0.0), heading=0.0, motion=run),
        Thing(kind="dog", color="white", size="small", position=(-1.2, -1.2, 0.0), heading=0.0, motion=run),
    )
    camera = Camera(position=(0.0, -6.0, 1.5), target=(0.0, 0.0, 0.8), focal=1.75)
    return Program(
        "A large yellow dog and a small white dog run to the right. The camera stays still. "
        "The scene is a snowy landscape by day.",
        _scene(dogs, camera, Setting(place="snow", time="day", pattern="grass", variant=8)),
    )


def _spaceman() -> Program:
    person = Thing(
        kind="person", color="white", second_color="white", hat="red", position=(-0.9, 0.0, 0.0), heading=0.0,
        motion=Motion(action="walk", direction="right", speed="slow"),
    )  # fmt: skip
    camera = Camera(
        move="pan_right", position=(0.0, -5.2, 1.5), target=(0.0, 0.0, 1.3), focal=1.75, amount=0.3
    )
    return Program(
        "A tall person in a white suit and a red hat walks slowly to the right. The camera pans right. "
        "The scene is a desert at sunset.",
        _scene((person,), camera, Setting(place="desert", time="sunset", variant=21)),
    )


def _chair() -> Program:
    chair = Thing(kind="chair", color="white", position=(0.0, 0.0, 0.0), heading=-1.0)
    camera = Camera(
        move="orbit_left", position=(0.0, -5.0, 1.8), target=(0.0, 0.0, 1.0), focal=1.75, amount=0.9
    )
    return Program(
        "A large white chair stands. The camera orbits to the left. The scene is a desert by day.",
        _scene((chair,), camera, Setting(place="desert", time="day", variant=14)),
    )
