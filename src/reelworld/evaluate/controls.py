"""Videos broken on purpose, each in one way and by three severities: what a check must fail.

    for name, breakage in BREAKAGES.items():
        if breakage.applies(clip): frames = breakage.film(clip, config, severity=3)

A breakage changes the scene program or the trajectory of one frame after the other and films it again, so the
fault has light, shadow and perspective. It is meant for clips of the first level.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reelworld.core.types import Frames
from reelworld.world.dataset import film_scene
from reelworld.world.scene import COLORS, Thing
from reelworld.world.simulate import GRAVITY
from reelworld.world.stream import Clip, WorldConfig

SEVERITIES = (1, 2, 3)
OUT_OF_SIGHT = 1e3  # metres
SHARES = {1: 0.25, 2: 0.5, 3: 1.0}  # of the clip's frames, at its end
FRAMES_GONE = {1: 3, 2: 5, 3: 8}
LEAPS = {1: 1.0, 2: 1.4, 3: 1.8}  # metres
RATES = {1: 0.01, 2: 0.015, 3: 0.025}  # growth a frame
MIRRORED = {1: 0.6, 2: 0.8, 3: 1.0}  # of the way to the mirror image
HEIGHTS = {1: 0.2, 2: 0.1, 3: 0.0}  # share that is left of a jump
STRAIGHT = {1: 0.6, 2: 0.8, 3: 1.0}  # how far a fall is bent towards constant speed
TOLD_KINDS = {"ball": "cone", "cube": "cone", "cylinder": "cone", "cone": "ball"}

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
        one = replace(config, num_frames=1)
        broken = [
            replace(self.frame(clip, t, severity), frames=range(frame, frame + 1))
            for t, frame in enumerate(clip.frames)
        ]
        return np.concatenate([film_scene(part, one)[2].frames for part in broken])


def _late(clip: Clip, t: int, severity: int) -> bool:
    """Tell whether a frame lies in the share at the end that a severity breaks."""
    return t >= (1.0 - SHARES[severity]) * len(clip.frames)


def _moved(clip: Clip, n: int, offset: tuple[float, float, float]) -> Clip:
    """Put member n somewhere else."""
    position = clip.trajectory.position.copy()
    position[:, n] += offset
    return replace(clip, trajectory=replace(clip.trajectory, position=position))


def _recast(clip: Clip, n: int, **changes: object) -> Clip:
    """Give member n other looks."""
    cast = list(clip.scene.cast)
    cast[n] = replace(cast[n], **changes)  # type: ignore[arg-type]
    return replace(clip, scene=replace(clip.scene, cast=tuple(cast)))


def _drop(clip: Clip, t: int, severity: int) -> Clip:
    return _moved(clip, 0, (OUT_OF_SIGHT, 0.0, 0.0)) if _late(clip, t, severity) else clip


def _add(clip: Clip, t: int, severity: int) -> Clip:
    """Let a copy of the last member, in a colour that nobody has, stand where nobody ever is."""
    if not _late(clip, t, severity):
        return clip
    free = [c for c in COLORS if c not in {thing.color for thing in clip.scene.cast} | {"white", "green"}]
    extra: Thing = replace(clip.scene.cast[-1], color=free[0], material="matte")  # type: ignore[arg-type]
    path = clip.trajectory
    doubled: dict[str, Any] = {
        name: np.concatenate([value, value[:, -1:]], axis=1)
        for name, value in vars(path).items()
        if isinstance(value, np.ndarray)
    }
    doubled["position"][:, -1] = (*_free_spot(clip), 0.0)
    seen = tuple(replace(s, cast=(*s.cast, len(clip.scene.cast))) for s in clip.scene.shots)
    scene = replace(clip.scene, cast=(*clip.scene.cast, extra), shots=seen)
    return replace(clip, scene=scene, trajectory=replace(path, **doubled))


def _free_spot(clip: Clip) -> tuple[float, float]:
    """Return the spot of a grid on the stage that stays furthest from everybody."""
    spots = np.stack(np.meshgrid(np.linspace(-1.4, 1.4, 8), np.linspace(0.0, 1.8, 4)), -1).reshape(-1, 2)
    places = clip.trajectory.position[:, :, None, :2]
    room = np.hypot(*np.moveaxis(places - spots, -1, 0)).min((0, 1))
    x, y = spots[int(room.argmax())]
    return float(x), float(y)


def _recolor(clip: Clip, t: int, severity: int) -> Clip:
    """Let the first member wear the colour opposite to its own, from the list of colours."""
    color = COLORS[(COLORS.index(clip.scene.cast[0].color) + 3) % 6]
    return _recast(clip, 0, color=color) if _late(clip, t, severity) else clip


def _reshape(clip: Clip, t: int, severity: int) -> Clip:
    kind = TOLD_KINDS[clip.scene.cast[0].kind]
    return _recast(clip, 0, kind=kind) if _late(clip, t, severity) else clip


def _mirror(clip: Clip, t: int, severity: int) -> Clip:
    """Mirror the stage, x for -x, with courses and turns; a share of severities 1 and 2 moves towards it."""
    path, share = clip.trajectory, MIRRORED[severity]
    position = path.position * np.array([1.0 - 2.0 * share, 1.0, 1.0])
    return replace(
        clip, trajectory=replace(path, position=position, course=np.pi - path.course, yaw=-path.yaw)
    )


def _vanish(clip: Clip, t: int, severity: int) -> Clip:
    gone = 4 <= t < 4 + FRAMES_GONE[severity]
    return _moved(clip, 0, (OUT_OF_SIGHT, 0.0, 0.0)) if gone else clip


def _teleport(clip: Clip, t: int, severity: int) -> Clip:
    """Let the first member leap to the other side in the middle of the clip."""
    way = -np.sign(clip.trajectory.position[len(clip.frames) // 2, 0, 0] or 1.0)
    return _moved(clip, 0, (way * LEAPS[severity], 0.0, 0.0)) if t >= len(clip.frames) // 2 else clip


def _grow(clip: Clip, t: int, severity: int) -> Clip:
    grown = [replace(thing, scale=thing.scale * (1.0 + RATES[severity]) ** t) for thing in clip.scene.cast]
    return replace(clip, scene=replace(clip.scene, cast=tuple(grown)))


def _steady_fall(clip: Clip, t: int, severity: int) -> Clip:
    """Bend every fall towards one of constant speed that takes as long: z = z0 (1 - t / T)."""
    position = clip.trajectory.position.copy()
    for n, thing in enumerate(clip.scene.cast):
        if thing.motion.action == "fall":
            start, seconds = position[0, n, 2], np.sqrt(2 * position[0, n, 2] / GRAVITY)
            times = np.arange(len(position)) / _fps(clip)
            steady = start * np.clip(1.0 - times / seconds, 0.0, 1.0)
            position[:, n, 2] += STRAIGHT[severity] * (steady - position[:, n, 2])
    return replace(clip, trajectory=replace(clip.trajectory, position=position))


def _grounded(clip: Clip, t: int, severity: int) -> Clip:
    """Keep what jumps or bounces near the ground."""
    position = clip.trajectory.position.copy()
    for n, thing in enumerate(clip.scene.cast):
        if thing.motion.action in ("jump", "bounce"):
            position[:, n, 2] *= HEIGHTS[severity]
    return replace(clip, trajectory=replace(clip.trajectory, position=position))


def _fps(clip: Clip) -> float:
    """Return the frames a second of a trajectory, which has one frame more than its scene."""
    return (len(clip.trajectory.position) - 1) / clip.scene.duration


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


OF_A_THING = ("binding", "kind", "left_right", "direction", "permanence", "growth", "gravity", "lift")

BREAKAGES: dict[str, Breakage] = {
    "drop": Breakage("count", _drop, _always, OF_A_THING),
    "add": Breakage("count", _add, _always, ("binding",)),
    "recolour": Breakage("binding", _recolor, _plain_color, OF_A_THING[1:]),
    "reshape": Breakage("kind", _reshape, _large),
    "mirror": Breakage("direction", _mirror, _goes_sideways, ("left_right",)),
    "swap sides": Breakage("left_right", _mirror, _pair, ("direction",)),
    "vanish": Breakage("permanence", _vanish, _always, ("binding", "count")),
    "teleport": Breakage("permanence", _teleport, _always, ("direction",)),
    "grow": Breakage("growth", _grow, _always),
    "steady fall": Breakage("gravity", _steady_fall, _told("fall")),
    "stay on the ground": Breakage("lift", _grounded, _told("jump", "bounce")),
}
