"""The scene program: what is there, what it does, how it is filmed.

A scene is a tree of frozen dataclasses. It is all that pixels, captions and ground truth are made from, it
goes through JSON without loss, and a seed names it. Units: metres, seconds, radians. The world has x to the
right, y away from a camera that looks north, z up; the ground is z = 0.

Styles, ordered events and several shots (level 3) are `Scene.style`, `Event.after` and `Scene.shots`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Literal, get_args

from reelworld.core.config import from_json
from reelworld.core.errors import DataError

Vec = tuple[float, float, float]

Color = Literal["red", "orange", "yellow", "green", "blue", "purple", "white", "black"]
Size = Literal["small", "large"]
Material = Literal["matte", "shiny", "striped"]
Primitive = Literal["ball", "cube", "cylinder", "cone"]
Composite = Literal[
    "person", "dog", "car", "tree", "house", "ship", "chair", "lamp", "cup", "cookie", "domino"
]
Kind = Literal[
    "ball", "cube", "cylinder", "cone",
    "person", "dog", "car", "tree", "house", "ship", "chair", "lamp", "cup", "cookie", "domino",
]  # fmt: skip
Action = Literal[
    "stand", "slide", "drive", "walk", "run", "roll", "bounce", "jump", "spin", "fall", "drift", "stop"
]
Direction = Literal["left", "right", "toward", "away"]
Speed = Literal["slow", "medium", "fast"]
EventKind = Literal["collide", "push", "knock_over", "go_behind", "enter", "leave", "bite", "switch_on"]
CameraMove = Literal[
    "still", "pan_left", "pan_right", "dolly_in", "dolly_out",
    "tilt_up", "tilt_down", "orbit_left", "orbit_right", "zoom_in", "zoom_out", "aerial",
]  # fmt: skip
Place = Literal["studio", "meadow", "desert", "snow", "beach", "street"]
Time = Literal["day", "sunset", "night"]
Pattern = Literal["plain", "checker", "planks", "cobbles", "grass"]
Style = Literal["natural", "historical", "black_and_white", "papercraft", "film_noir"]

COLORS: tuple[str, ...] = get_args(Color)
PRIMITIVES: tuple[str, ...] = get_args(Primitive)
COMPOSITES: tuple[str, ...] = get_args(Composite)
DIRECTIONS: dict[str, Vec] = {
    "left": (-1.0, 0.0, 0.0),
    "right": (1.0, 0.0, 0.0),
    "toward": (0.0, -1.0, 0.0),
    "away": (0.0, 1.0, 0.0),
}


@dataclass(frozen=True, kw_only=True)
class Motion:
    """One thing's own motion, from `start` for `duration` seconds (None: until the end)."""

    action: Action = "stand"
    direction: Direction | None = None
    speed: Speed = "medium"
    start: float = 0.0
    duration: float | None = None
    rate: float = 1.0  # multiplies the speed; 1 in the training range, beyond it in `extrapolate`


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A member of the cast. `position` is the point below it on the ground, plus its starting height."""

    kind: Kind
    color: Color
    size: Size = "large"
    material: Material = "matte"
    second_color: Color | None = None  # a person's trousers, a house's roof, a ship's sail
    hat: Color | None = None
    skin: int = 0  # which of the skin or coat tones
    position: Vec = (0.0, 0.0, 0.0)
    heading: float = 0.0  # radians, 0 faces right, pi/2 faces away from the camera
    scale: float = 1.0  # beyond the two sizes, only in `extrapolate`
    floor: float = 0.0  # height of what it stands or floats on, if that is not the ground
    motion: Motion = field(default_factory=Motion)


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that must happen between members of the cast; the simulation's log says when it did."""

    kind: EventKind
    agent: int
    patient: int | None = None
    time: float = 0.0  # for `bite` and `switch_on`: when; the others follow from the motion
    after: int | None = None  # index of the event that comes first (level 3: "first A, then B")


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A smooth path: `amount` is radians for pan, tilt, orbit; a factor of distance or focal length else."""

    move: CameraMove = "still"
    position: Vec = (0.0, -8.0, 2.2)
    target: Vec = (0.0, 0.0, 0.8)
    focal: float = 1.15  # of the half height of the frame
    amount: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where and when; `variant` seeds what has no name: hills, hues, shop fronts."""

    place: Place = "studio"
    time: Time = "day"
    pattern: Pattern = "plain"
    variant: int = 0
    sun: float = 0.6  # azimuth of the light


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A stretch of the clip that one camera films, with the cast members that are in it."""

    start: float
    duration: float
    camera: Camera
    cast: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A whole scene program."""

    level: int
    split: Literal["train", "heldout", "extrapolate", "all"]
    setting: Setting
    cast: tuple[Thing, ...]
    shots: tuple[Shot, ...]
    events: tuple[Event, ...] = ()
    style: Style = "natural"
    duration: float = 2.0
    seed: int = 0

    def to_json(self) -> str:
        """Write the program as JSON text."""
        return json.dumps(asdict(self), indent=1)

    @staticmethod
    def from_json(text: str) -> Scene:
        """Read a program back; raises DataError if the text is not a scene."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise DataError(
                f"not a scene: {error}; expected the JSON that `reel world sample` writes"
            ) from error
        scene = from_json(Scene, values)
        fault = next(_faults(scene), None)
        if fault is not None:
            raise DataError(f"this scene cannot be filmed: {fault}")
        return scene

    def shot_at(self, time: float) -> Shot:
        """Return the shot that films `time` (seconds)."""
        return next((s for s in reversed(self.shots) if time >= s.start - 1e-9), self.shots[0])


MOST_THINGS, LONGEST = 12, 60.0  # members of a cast, seconds of a scene


def _faults(scene: Scene) -> Iterator[str]:
    """Yield what is wrong with a program that somebody wrote or edited, and how to mend it."""
    if not all(isfinite(value) for value in _numbers(asdict(scene))):
        yield "it holds a number that is not finite"
    if not 1 <= len(scene.cast) <= MOST_THINGS:
        yield f"it has {len(scene.cast)} things; give 1 to {MOST_THINGS}"
    if not 0.1 <= scene.duration <= LONGEST:
        yield f"it lasts {scene.duration:g} s; give 0.1 to {LONGEST:g} s"
    for n, thing in enumerate(scene.cast):
        if min(thing.scale, thing.motion.rate) <= 0 or thing.position[2] < thing.floor:
            yield f"thing {n} needs a scale and rate above 0, and may not lie below its floor"
    if not scene.shots or scene.shots[0].start != 0:
        yield "its first shot must start at 0 s"
    for n, shot in enumerate(scene.shots):
        if shot.duration <= 0 or not all(0 <= member < len(scene.cast) for member in shot.cast):
            yield f"shot {n} needs a duration above 0 and a cast of numbers below {len(scene.cast)}"
        if shot.camera.focal <= 0 or shot.camera.position[:2] == shot.camera.target[:2]:
            yield f"the camera of shot {n} needs a focal length above 0, and may not look straight down or up"
    for n, event in enumerate(scene.events):
        parties = [event.agent] if event.patient is None else [event.agent, event.patient]
        if not all(0 <= member < len(scene.cast) for member in parties) or len(set(parties)) < len(parties):
            yield f"event {n} needs different parties with numbers below {len(scene.cast)}"
        if event.patient is None and event.kind not in ("enter", "leave"):
            yield f"event {n}, {event.kind}, needs a patient"


def _numbers(value: object) -> Iterator[float]:
    """Yield every number in nested values."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _numbers(part)
    elif isinstance(value, (int, float)):
        yield float(value)
