"""What a thing is made of: primitives in its own frame, and how its parts move.

A thing's own frame has x forward, y to its left, z up and the origin on the ground below its middle; sizes
are those of a large thing, in metres of this miniature world. Joints form chains (a knee hangs on a hip),
swing about the left-right axis, and their angle is a function of the distance walked, so feet do not slide
much and the left leg is never the right one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import cos, hypot, pi, sin

import numpy as np

from reelworld.world.intersect import CONE, CYLINDER, SPHERE
from reelworld.world.scene import Thing

Array = np.ndarray
Vec = tuple[float, float, float]
BOX = (0.0, 0.0, 0.0)
FRUSTUM_UP = (-0.0625, 0.375, -0.5625)  # radius 1 at the bottom, 0.5 at the top: x^2 + y^2 = (0.75 - z / 4)^2
FRUSTUM_DOWN = (-0.0225, -0.255, -0.7225)  # radius 0.7 at the bottom, 1 at the top

PALETTE: dict[str, Vec] = {  # linear light
    "red": (0.72, 0.03, 0.03),
    "orange": (0.90, 0.26, 0.02),
    "yellow": (0.90, 0.66, 0.04),
    "green": (0.03, 0.36, 0.06),
    "blue": (0.03, 0.12, 0.68),
    "purple": (0.30, 0.04, 0.48),
    "white": (0.86, 0.86, 0.86),
    "black": (0.018, 0.018, 0.022),
    "wood": (0.22, 0.10, 0.04),
    "metal": (0.35, 0.36, 0.38),
    "rubber": (0.03, 0.03, 0.03),
    "glass": (0.10, 0.16, 0.22),
    "bulb": (1.0, 0.85, 0.55),
    "coffee": (0.09, 0.035, 0.012),
    "dough": (0.55, 0.30, 0.10),
}
SKINS: tuple[Vec, ...] = ((0.72, 0.46, 0.33), (0.42, 0.22, 0.12), (0.16, 0.07, 0.04))
SIZES = {"large": 1.0, "small": 0.55}


@dataclass(frozen=True)
class Joint:
    """A hinge at `pivot` that hangs on `parent`; its angle follows the phase (turns of the gait)."""

    pivot: Vec
    angle: Callable[[Array], Array]
    parent: int | None = None


@dataclass(frozen=True)
class Part:
    """One primitive: its kind, middle, half sizes, whose colour it wears, and the joint it hangs on."""

    shape: Vec
    center: Vec
    half: Vec
    role: str = "main"
    joint: int | None = None
    pitch: float = 0.0  # static rotation about the left-right axis
    roll: float = 0.0  # static rotation about the forward axis
    glow: float = 0.0


@dataclass(frozen=True)
class Body:
    """A kind of thing: parts, joints, footprint radius and height (metres, large), density, gait length.

    `front` and `side` are its half lengths forward and sideways where it touches others (None: the radius).
    """

    parts: tuple[Part, ...]
    radius: float
    height: float
    front: float | None = None
    side: float | None = None
    joints: tuple[Joint, ...] = ()
    density: float = 1.0
    stride: float = 1.0  # metres for one turn of the gait or wheel
    round: bool = False  # collides as a sphere


def _swing(amplitude: float, offset: float) -> Callable[[Array], Array]:
    return lambda phase: amplitude * np.sin(2 * pi * (phase + offset))


def _knee(offset: float) -> Callable[[Array], Array]:
    """A knee bends while its leg swings forward."""
    return lambda phase: 0.7 * np.maximum(0.0, np.cos(2 * pi * (phase + offset)))


def _wheel(phase: Array) -> Array:
    return 2 * pi * phase


def _person() -> Body:
    joints: list[Joint] = []
    parts: list[Part] = []
    for side, offset, trouser in ((0.13, 0.0, "second, left"), (-0.13, 0.5, "second")):  # left, right
        hip, knee = len(joints), len(joints) + 1
        joints += [Joint((0, side, 1.05), _swing(-0.6, offset)), Joint((0, side, 0.56), _knee(offset), hip)]
        parts += [
            Part(CYLINDER, (0, side, 0.80), (0.125, 0.125, 0.27), trouser, hip),
            Part(CYLINDER, (0, side, 0.32), (0.11, 0.11, 0.26), trouser, knee),
            Part(BOX, (0.07, side, 0.06), (0.19, 0.10, 0.06), "rubber", knee),
        ]
    for side, offset in ((0.37, 0.5), (-0.37, 0.0)):
        shoulder = len(joints)
        joints.append(Joint((0, side, 1.62), _swing(-0.55, offset)))
        parts += [
            Part(CYLINDER, (0, side, 1.36), (0.10, 0.10, 0.30), "main", shoulder),
            Part(SPHERE, (0, side, 1.03), (0.10, 0.10, 0.10), "skin", shoulder),
        ]
    parts += [
        Part(CYLINDER, (0, 0, 1.38), (0.20, 0.30, 0.36), "main"),
        Part(SPHERE, (0, 0, 2.02), (0.23, 0.22, 0.26), "skin"),
        Part(CYLINDER, (0, 0, 2.14), (0.36, 0.36, 0.03), "hat"),
        Part(CYLINDER, (0, 0, 2.27), (0.22, 0.22, 0.13), "hat"),
    ]
    return Body(tuple(parts), 0.42, 2.3, 0.5, 0.42, tuple(joints), density=0.9, stride=1.5)


def _dog() -> Body:
    joints: list[Joint] = []
    parts: list[Part] = []
    for x, side, offset in ((0.5, 0.17, 0.0), (0.5, -0.17, 0.5), (-0.5, 0.17, 0.5), (-0.5, -0.17, 0.0)):
        joints.append(Joint((x, side, 0.6), _swing(-0.6, offset)))
        parts.append(Part(CYLINDER, (x, side, 0.3), (0.10, 0.10, 0.3), "main", len(joints) - 1))
    parts += [
        Part(SPHERE, (0, 0, 0.75), (0.78, 0.30, 0.30)),
        Part(SPHERE, (0.82, 0, 1.1), (0.28, 0.25, 0.26)),
        Part(SPHERE, (1.10, 0, 1.02), (0.20, 0.13, 0.12)),
        Part(SPHERE, (1.28, 0, 1.05), (0.06, 0.06, 0.06), "rubber"),
        Part(CONE, (0.76, 0.17, 1.38), (0.09, 0.07, 0.15), "main"),
        Part(CONE, (0.76, -0.17, 1.38), (0.09, 0.07, 0.15), "main"),
        Part(CYLINDER, (-0.88, 0, 1.0), (0.06, 0.06, 0.26), "main", pitch=-0.7),
    ]
    return Body(tuple(parts), 0.85, 1.5, 1.34, 0.3, tuple(joints), density=0.7, stride=1.2)


def _car() -> Body:
    joints: list[Joint] = []
    parts: list[Part] = []
    for x in (0.85, -0.85):
        for side in (0.55, -0.55):
            joints.append(Joint((x, side, 0.32), _wheel))
            wheel = len(joints) - 1
            parts += [
                Part(CYLINDER, (x, side, 0.32), (0.32, 0.32, 0.12), "rubber", wheel, roll=pi / 2),
                Part(BOX, (x, side * 1.06, 0.32), (0.22, 0.10, 0.05), "metal", wheel),
            ]
    parts += [
        Part(BOX, (0, 0, 0.60), (1.45, 0.62, 0.28)),
        Part(BOX, (-0.15, 0, 1.08), (0.75, 0.55, 0.24), "glass"),
        Part(BOX, (-0.15, 0, 1.34), (0.72, 0.55, 0.05)),
        Part(BOX, (1.42, 0, 0.62), (0.06, 0.48, 0.09), "white", glow=0.4),
    ]
    return Body(tuple(parts), 1.2, 1.4, 1.48, 0.67, tuple(joints), density=2.0, stride=2 * pi * 0.32)


def _house() -> Body:
    roof = (-0.25, 0.5, -0.25)
    return Body(
        (
            Part(BOX, (0, 0, 1.1), (1.3, 1.3, 1.1)),
            Part(roof, (0, 0, 2.85), (2.0, 2.0, 0.75), "second"),
            Part(BOX, (0.75, 0.5, 3.0), (0.2, 0.2, 0.6), "wood"),
            Part(BOX, (1.31, 0, 0.65), (0.03, 0.33, 0.65), "wood"),
            Part(BOX, (1.31, 0.82, 1.3), (0.03, 0.27, 0.3), "glass", glow=0.3),
            Part(BOX, (1.31, -0.82, 1.3), (0.03, 0.27, 0.3), "glass", glow=0.3),
            Part(BOX, (0, -1.31, 1.3), (0.5, 0.03, 0.3), "glass", glow=0.3),
        ),
        1.75,
        3.6,
        density=3.0,
    )


def _tree() -> Body:
    crown = ((0, 0, 2.35, 1.0), (0.5, 0.3, 1.9, 0.65), (-0.5, -0.25, 1.95, 0.7), (0.0, -0.1, 3.05, 0.6))
    leaves = tuple(Part(SPHERE, (x, y, z), (r, r, 0.85 * r)) for x, y, z, r in crown)
    return Body((Part(CYLINDER, (0, 0, 0.8), (0.2, 0.2, 0.85), "wood"), *leaves), 0.5, 3.6, density=2.0)


def _ship() -> Body:
    hull = (0.0, -0.6, -0.7)  # a paraboloid, wider at the top
    return Body(
        (
            Part(hull, (0, 0, 0.35), (1.25, 0.45, 0.45)),
            Part(BOX, (-0.7, 0, 0.95), (0.4, 0.34, 0.2), "wood"),
            Part(CYLINDER, (0.1, 0, 1.7), (0.06, 0.06, 1.1), "wood"),
            Part(FRUSTUM_UP, (0.12, 0, 1.75), (0.85, 0.10, 0.75), "second"),
            Part(BOX, (0.3, 0, 2.85), (0.28, 0.03, 0.12), "main"),
        ),
        1.2,
        2.9,
        density=1.0,
    )


def _chair() -> Body:
    legs = tuple(Part(BOX, (x, y, 0.4), (0.06, 0.06, 0.4)) for x in (0.4, -0.4) for y in (0.4, -0.4))
    seat = (Part(BOX, (0, 0, 0.85), (0.5, 0.5, 0.08)), Part(BOX, (-0.44, 0, 1.45), (0.07, 0.5, 0.55)))
    return Body((*legs, *seat), 0.6, 2.0, 0.5, 0.5)


def _lamp() -> Body:
    return Body(
        (
            Part(CYLINDER, (0, 0, 0.06), (0.45, 0.45, 0.06), "metal"),
            Part(CYLINDER, (0, 0, 0.9), (0.06, 0.06, 0.85), "metal"),
            Part(SPHERE, (0, 0, 1.68), (0.2, 0.2, 0.2), "bulb"),
            Part(FRUSTUM_UP, (0, 0, 1.95), (0.68, 0.68, 0.36), "main", glow=0.0),
        ),
        0.5,
        2.3,
    )


def _cup() -> Body:
    return Body(
        (
            Part(FRUSTUM_DOWN, (0, 0, 0.6), (0.68, 0.68, 0.6)),
            Part(CYLINDER, (0, 0, 1.19), (0.6, 0.6, 0.02), "coffee"),
            Part(BOX, (0.75, 0, 0.88), (0.22, 0.09, 0.07)),
            Part(BOX, (0.75, 0, 0.42), (0.20, 0.09, 0.07)),
            Part(BOX, (0.92, 0, 0.65), (0.07, 0.09, 0.28)),
        ),
        0.7,
        1.2,
        front=0.99,
        side=0.7,
    )


def _cookie() -> Body:
    chips = ((0.35, 0.25), (-0.3, 0.4), (0.05, -0.1), (-0.4, -0.25), (0.3, -0.45), (0.0, 0.6))
    disc = Part(CYLINDER, (0, 0, 0.85), (0.85, 0.85, 0.14), "dough", roll=pi / 2)
    rim = Part(CYLINDER, (0, 0, 0.85), (0.62, 0.62, 0.165), "main", roll=pi / 2)
    dots = tuple(Part(SPHERE, (x, -0.16, 0.85 + z), (0.1, 0.06, 0.1), "coffee") for x, z in chips)
    return Body((disc, rim, *dots), 0.85, 1.7, density=0.4)


@cache
def body(kind: str) -> Body:
    """Return the body of a kind of thing."""
    simple = {
        "ball": Body((Part(SPHERE, (0, 0, 0.9), (0.9, 0.9, 0.9)),), 0.9, 1.8, round=True),
        "cube": Body((Part(BOX, (0, 0, 0.75), (0.75, 0.75, 0.75)),), 0.85, 1.5, 0.75, 0.75),
        "cylinder": Body((Part(CYLINDER, (0, 0, 0.9), (0.7, 0.7, 0.9)),), 0.7, 1.8),
        "cone": Body((Part(CONE, (0, 0, 0.95), (0.9, 0.9, 0.95)),), 0.9, 1.9, density=0.5),
        "domino": Body(
            (
                Part(BOX, (0, 0, 0.95), (0.16, 0.5, 0.95)),
                Part(BOX, (0, 0, 0.95), (0.17, 0.42, 0.03), "white"),
                Part(SPHERE, (0, 0, 1.4), (0.19, 0.12, 0.12), "white"),
                Part(SPHERE, (0, 0, 0.5), (0.19, 0.12, 0.12), "white"),
            ),
            0.35,
            1.9,
            front=0.17,
            side=0.5,
            density=0.6,
        ),
    }
    if kind in simple:
        return simple[kind]
    composites = {
        "person": _person, "dog": _dog, "car": _car, "tree": _tree, "house": _house, "ship": _ship,
        "chair": _chair, "lamp": _lamp, "cup": _cup, "cookie": _cookie,
    }  # fmt: skip
    return composites[kind]()


def scale_of(thing: Thing) -> float:
    """Return how much larger than its kind's table a thing is."""
    return SIZES[thing.size] * thing.scale


def extent(thing: Thing) -> tuple[float, float]:
    """Return footprint radius and height in metres."""
    shape, scale = body(thing.kind), scale_of(thing)
    return shape.radius * scale, shape.height * scale


def halves(thing: Thing) -> tuple[float, float]:
    """Return the half lengths forward and sideways, in metres, where a thing touches others."""
    shape, scale = body(thing.kind), scale_of(thing)
    front, side = shape.front, shape.side
    return scale * (shape.radius if front is None else front), scale * (
        shape.radius if side is None else side
    )


def half_along(thing: Thing, direction: float) -> float:
    """Return how far a thing at its starting heading reaches along a direction (radians): an ellipse's
    support function, h = sqrt((a cos)^2 + (b sin)^2)."""
    (front, side), angle = halves(thing), direction - thing.heading
    return hypot(front * cos(angle), side * sin(angle))


def mass(thing: Thing) -> float:
    """Return a mass: density times the volume of the bounding cylinder."""
    radius, height = extent(thing)
    return body(thing.kind).density * pi * radius**2 * height


@cache
def reach(kind: str) -> float:
    """Return the radius of a sphere around the middle that holds every part through a turn of the gait."""
    shape = body(kind)
    if shape.round:
        return 1.01 * shape.radius
    axes, centers = pose(kind, np.linspace(0.0, 1.0, 24))
    corners = np.array(list(product((-1.0, 1.0), repeat=3)))
    points = np.einsum("tpij,kj->tpki", axes, corners) + centers[:, :, None]
    middle = np.array([0.0, 0.0, shape.height / 2])
    return float(np.linalg.norm(points - middle, axis=-1).max())


def role_color(thing: Thing, role: str) -> Vec:
    """Return the linear colour of a part's role on this thing."""
    if role == "main":
        return PALETTE[thing.color]
    if role == "second":
        return PALETTE[thing.second_color or "white"]
    if role == "second, left":
        return _other_tone(PALETTE[thing.second_color or "white"])
    if role == "hat":
        return PALETTE[thing.hat or "black"]
    return SKINS[thing.skin % len(SKINS)] if role == "skin" else PALETTE[role]


def _other_tone(color: Vec) -> Vec:
    """Return a darker tone of a colour, or a lighter one of black: of two legs of one tone a picture does not
    tell which is the left one, and nobody could see them swap."""
    red, green, blue = color
    if max(color) < 0.1:
        return red + 0.15, green + 0.15, blue + 0.15
    return 0.15 * red, 0.15 * green, 0.15 * blue


def rotation(axis: int, angle: Array) -> Array:
    """Return rotation matrices [..., 3, 3] about a coordinate axis."""
    c, s = np.cos(angle), np.sin(angle)
    i, j = ((1, 2), (2, 0), (0, 1))[axis]
    matrix = np.zeros((*np.shape(angle), 3, 3))
    matrix[..., axis, axis] = 1.0
    matrix[..., i, i], matrix[..., j, j], matrix[..., i, j], matrix[..., j, i] = c, c, -s, s
    return matrix


def joint_transforms(joints: tuple[Joint, ...], phase: Array) -> list[tuple[Array, Array]]:
    """Return each joint's rotation [T, 3, 3] and translation [T, 3] in the thing's frame."""
    done: list[tuple[Array, Array]] = []
    for joint in joints:
        pivot, turn = np.asarray(joint.pivot), rotation(1, joint.angle(phase))
        shift = pivot - turn @ pivot
        if joint.parent is not None:
            parent_turn, parent_shift = done[joint.parent]
            turn, shift = parent_turn @ turn, np.einsum("tij,tj->ti", parent_turn, shift) + parent_shift
        done.append((turn, shift))
    return done


@cache
def _rest(kind: str) -> tuple[Array, Array]:
    """Rest pose of all parts: axes scaled by half sizes [P, 3, 3] and centres [P, 3]."""
    parts = body(kind).parts
    turn = rotation(1, np.array([p.pitch for p in parts])) @ rotation(0, np.array([p.roll for p in parts]))
    half = np.array([p.half for p in parts])
    return turn * half[:, None, :], np.array([p.center for p in parts])


def pose(kind: str, phase: Array) -> tuple[Array, Array]:
    """Pose all parts in the thing's frame: axes [T, P, 3, 3] and centres [T, P, 3], for phases [T]."""
    shape = body(kind)
    axes, centers = _rest(kind)
    axes = np.broadcast_to(axes, (len(phase), *axes.shape)).copy()
    centers = np.broadcast_to(centers, (len(phase), *centers.shape)).copy()
    if shape.joints:
        moved = joint_transforms(shape.joints, phase)
        for i, part in enumerate(shape.parts):
            if part.joint is not None:
                turn, shift = moved[part.joint]
                axes[:, i] = turn @ axes[:, i]
                centers[:, i] = np.einsum("tij,tj->ti", turn, centers[:, i]) + shift
    return axes, centers
