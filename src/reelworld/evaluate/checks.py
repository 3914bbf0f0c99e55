"""What a video must show if it shows its scene: one function a check, from what a parser saw to a verdict.

    verdicts = judge(scene, parser.look(video.frames))           # {"binding": True, "gravity": None, ...}

A check answers True, False, or None where the scene does not ask for what it checks or the parser cannot
tell; what a scene asks for and nobody can see is False, so an empty picture passes nothing, and a still one
nothing that is told to move. What each
one asks for is told where it is written: `looks`, `motions`, `events`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from reelworld.evaluate import events, looks, motions
from reelworld.evaluate.tracking import Observed, nobody
from reelworld.world.scene import Scene

Check = Callable[[Scene, Observed], bool | None]
Verdicts = dict[str, bool | None]

CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        looks.binding, looks.count, looks.kind, looks.size, looks.left_right, looks.front_behind,
        looks.permanence, motions.growth, motions.perspective, motions.direction, motions.gravity,
        motions.lift, motions.bounce, motions.legs, motions.camera, events.collision, events.cause,
        events.untouched, events.order, looks.shots,
    )
}  # fmt: skip
# What a picture that stands still must not pass.
MOVING = (
    "permanence", "growth", "perspective", "direction", "gravity", "lift", "bounce", "legs", "camera",
    "collision", "cause", "order", "shots",
)  # fmt: skip


def judge(scene: Scene, seen: Observed) -> Verdicts:
    """Return the verdict of every check."""
    return {name: check(scene, seen) for name, check in CHECKS.items()}


@cache
def _empty(num_frames: int) -> Observed:
    return nobody(num_frames)


def asks(scene: Scene, num_frames: int = 16) -> tuple[str, ...]:
    """Name the checks that a scene asks for: those that give a verdict even on an empty picture."""
    return tuple(name for name, verdict in judge(scene, _empty(num_frames)).items() if verdict is not None)
