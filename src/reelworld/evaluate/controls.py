"""Videos broken on purpose, each in one way and by three severities: what a check must fail.

    for name, breakage in BREAKAGES.items():
        if breakage.applies(clip): frames = breakage.film(clip, config, severity=3)

A breakage changes the scene program or the trajectory of one frame after the other and films it again, so the
fault has light, shadow and perspective.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from reelworld.core.types import Frames
from reelworld.evaluate import breaking
from reelworld.world.dataset import film_scene
from reelworld.world.naming import COLORLESS
from reelworld.world.scene import COLORS
from reelworld.world.stream import Clip, WorldConfig

SEVERITIES = (1, 2, 3)

Frame = Callable[[Clip, int, int], Clip]


@dataclass(frozen=True)
class Breakage:
    """A way to break a clip: the check that must notice, when it applies, and what one frame becomes.

    `also` are the checks that it breaks rightly: a thing that is gone does not fall either.
    """

    check: str
    frame: Frame
    applies: Callable[[Clip], bool]
    also: tuple[str, ...] = ()

    def film(self, clip: Clip, config: WorldConfig, severity: int) -> Frames:
        """Return the broken clip: uint8 [T, H, W, 3]."""
        frames = [self.frame(clip, t, severity) for t in range(len(clip.frames))]
        parts = []
        for same, group in groupby(zip(clip.frames, frames, strict=True), key=lambda pair: id(pair[1])):
            numbers = [number for number, _ in group]
            shown = next(f for f in frames if id(f) == same)
            stretch = replace(shown, frames=range(numbers[0], numbers[-1] + 1))
            parts.append(film_scene(stretch, replace(config, num_frames=len(numbers)))[2].frames)
        return np.concatenate(parts)


def _told(*actions: str) -> Callable[[Clip], bool]:
    return lambda clip: any(thing.motion.action in actions for thing in clip.scene.cast)


def _always(clip: Clip) -> bool:
    return True


def _plain_color(clip: Clip) -> bool:
    """Recolouring is defined on the six hues; white and black have no opposite."""
    return clip.scene.cast[0].color in COLORS[:6]


def _large(clip: Clip) -> bool:
    return clip.scene.cast[0].size == "large"


def _goes_sideways(clip: Clip) -> bool:
    return any(thing.motion.direction in ("left", "right") for thing in clip.scene.cast)


def _pair(clip: Clip) -> bool:
    return len(clip.scene.cast) == 2


def _happens(*kinds: str) -> Callable[[Clip], bool]:
    return lambda clip: any(event.kind in kinds for event in clip.scene.events)


def _has(*kinds: str) -> Callable[[Clip], bool]:
    return lambda clip: any(thing.kind in kinds for thing in clip.scene.cast)


def _ordered(clip: Clip) -> bool:
    return any(event.after is not None for event in clip.scene.events)


def _colorful_cuts(clip: Clip) -> bool:
    return len(clip.scene.shots) > 1 and clip.scene.style not in COLORLESS


def _cuts(clip: Clip) -> bool:
    return len(clip.scene.shots) > 1


OF_A_THING = (
    "binding", "kind", "size", "left_right", "front_behind", "direction", "permanence", "growth",
    "perspective", "gravity", "lift", "bounce", "camera",
)  # fmt: skip

BREAKAGES: dict[str, Breakage] = {
    "drop": Breakage("count", breaking.drop, _always, OF_A_THING),
    "add": Breakage("count", breaking.add, _always, ("binding",)),
    "recolour": Breakage("binding", breaking.recolor, _plain_color, OF_A_THING[1:-1]),
    "reshape": Breakage("kind", breaking.reshape, _large, ("size", "growth", "perspective")),
    "resize": Breakage(
        "size", breaking.resize, _always, ("kind", "growth", "perspective", "lift", "gravity")
    ),
    "mirror": Breakage("direction", breaking.mirror, _goes_sideways, ("left_right", "growth")),
    "swap sides": Breakage("left_right", breaking.mirror, _pair, ("direction", "growth")),
    "swap depths": Breakage(  # whoever comes to stand in front hides a part of the other
        "front_behind",
        breaking.swap_depth,
        _pair,
        (*OF_A_THING, "count", "lift", "permanence", "perspective", "left_right"),
    ),
    "vanish": Breakage("permanence", breaking.vanish, _always, (*OF_A_THING, "count")),
    "teleport": Breakage("permanence", breaking.teleport, _always, (*OF_A_THING, "count")),
    "grow": Breakage("growth", breaking.grow, _always, ("perspective", "size")),
    "keep apparent size": Breakage("perspective", breaking.keep_apparent_size, _always, ("size", "growth")),
    "steady fall": Breakage("gravity", breaking.steady_fall, _told("fall")),
    "slow fall": Breakage("gravity", breaking.slow_fall, _told("fall")),
    "stay on the ground": Breakage(
        "lift", breaking.grounded, _told("jump", "bounce"), ("permanence", "bounce")
    ),
    "rise higher": Breakage("bounce", breaking.rise_higher, _told("bounce"), (*OF_A_THING, "count")),
    "another path": Breakage("camera", breaking.other_camera, _always, (*OF_A_THING, "count")),
    "swap legs": Breakage("legs", breaking.swap_legs, _told("walk", "run")),
    "no effect": Breakage("cause", breaking.no_effect, _happens("bite", "switch_on", "knock_over")),
    "by itself": Breakage(
        "untouched", breaking.by_itself, _has("cookie", "lamp", "domino"), ("binding", "count")
    ),
    "flung": Breakage("collision", breaking.flung, _happens("collide", "push"), (*OF_A_THING, "count")),
    "pass through": Breakage(  # of two in one place one is seen
        "collision", breaking.pass_through, _happens("collide", "push"), (*OF_A_THING, "count")
    ),
    "too early": Breakage("collision", breaking.too_early, _happens("collide", "push")),
    "swap order": Breakage(  # who acts at another time is hidden at another time
        "order", breaking.swap_order, _ordered, (*OF_A_THING, "count", "cause")
    ),
    "another actor": Breakage("shots", breaking.other_actor, _colorful_cuts, ("binding", "kind")),
    "no cut": Breakage("shots", breaking.no_cut, _cuts),
}
