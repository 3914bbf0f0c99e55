"""Is what measures sound? Gates that the checks must pass themselves, before a score of a model is believed.

    for gate in gates("train", each=150): print(gate.line())

ceiling     true renders pass: the lower end of the 95 % interval reaches 0.97
floor       what knows nothing of the prompt (another's film, a still frame) stays far below
grey        an empty grey video passes nothing
null        what changes nothing (brightness, re-encoding, a mirror with its caption) moves no share
breakage    what breaks one thing is noticed by its check, and by no other
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from reelworld.core.progress import Kind
from reelworld.core.types import Frames, Video
from reelworld.core.video import read, write
from reelworld.evaluate.checks import CHECKS, judge
from reelworld.evaluate.controls import BREAKAGES, Breakage
from reelworld.evaluate.references import CEILING, References, Verdicts
from reelworld.evaluate.suite import GROUPS, Case, suite, suite_config
from reelworld.evaluate.track import Parser
from reelworld.world.scene import Scene, Thing
from reelworld.world.stream import film

ROOM, SAME, NOTICED, APART = 0.3, 0.02, 0.95, 0.05  # the limits of the gates
BROKEN = 40  # clips of a breakage, all of which pass its check before
NULLED = 200  # clips that are changed without effect
OPPOSITE = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class Gate:
    """A figure and its limit, from below or from above."""

    name: str
    what: str
    value: float
    limit: float
    from_below: bool = True

    @property
    def passed(self) -> bool:
        """Tell whether the figure keeps its limit."""
        return self.value >= self.limit if self.from_below else self.value <= self.limit

    def facts(self) -> dict[str, object]:
        """Say it for programs."""
        return {**asdict(self), "passed": self.passed}

    def line(self) -> str:
        """Say it in one line for people."""
        sign = ">=" if self.from_below else "<="
        verdict = "pass" if self.passed else "FAIL"
        return f"{verdict}  {self.name:9s} {self.what:40s} {self.value:.3f} {sign} {self.limit:.2f}"


def gates(split: str, each: int, progress: Kind = "silent") -> Iterator[Gate]:
    """Yield every gate of the checks on a split, of as many prompts a check and group.

    Raises: ConfigError for an unknown split.
    """
    cases = suite(split, each)
    references = References.of(cases, split, progress)
    yield from _ends(references)
    parser, config = Parser.fit(), suite_config(split)
    grey = parser.tracks(np.full((config.num_frames, config.height, config.width, 3), 128, np.uint8))
    passed = [v for case in cases for v in judge(case.clip.told, grey).values()]
    yield Gate("grey", "verdicts that pass", float(np.mean([v is True for v in passed])), 0.0, False)
    some = slice(0, NULLED)
    yield from _nulls(parser, cases[some], references.true[some], split)
    for name, breakage in BREAKAGES.items():
        yield from _breakage(parser, cases, references.true, split, name, breakage)


def _ends(references: References) -> Iterator[Gate]:
    """Yield ceilings, and how far the floors are below them."""
    for group in GROUPS.values():
        for check in CHECKS:
            if any(case.group == group and check in case.asks for case in references.cases):
                ceiling, floor = references.ceiling(group, check), references.floor(group, check)
                what = f"{check}, {group} ({ceiling.mean:.2f} of {ceiling.prompts})"
                yield Gate("ceiling", what, ceiling.interval[0], CEILING)
                yield Gate("floor", f"{check}, {group} ({floor:.2f})", ceiling.mean - floor, ROOM)


def _nulls(parser: Parser, cases: Sequence[Case], true: Sequence[Verdicts], split: str) -> Iterator[Gate]:
    """Yield for each change without effect by how much the share of each check moves at most."""
    films = film([case.clip for case in cases], suite_config(split)).numpy()
    for name, change in NULL_CHANGES.items():
        now = [
            judge(mirrored(case.clip.told) if name == "mirror" else case.clip.told, parser.tracks(change(f)))
            for case, f in zip(cases, films, strict=True)
        ]
        for check in CHECKS:
            pairs = [(t[check], v[check]) for t, v in zip(true, now, strict=True) if t[check] is not None]
            moved = [bool(after) - bool(before) for before, after in pairs]
            if moved:
                yield Gate("null", f"{name}: {check}", abs(float(np.mean(moved))), SAME, False)


def _brighter(share: float) -> Callable[[Frames], Frames]:
    return lambda frames: np.clip(np.rint(frames * (1.0 + share)), 0, 255).astype(np.uint8)


def _encoded(frames: Frames) -> Frames:
    """Write as H.264 and read again."""
    with tempfile.TemporaryDirectory() as folder:
        return read(write(Video(frames, 8.0), Path(folder) / "clip.mp4")).frames


NULL_CHANGES: dict[str, Callable[[Frames], Frames]] = {
    "brighter": _brighter(0.1),
    "darker": _brighter(-0.1),
    "encoded": _encoded,
    "mirror": lambda frames: np.ascontiguousarray(frames[:, :, ::-1]),
}


def mirrored(scene: Scene) -> Scene:
    """Return the scene that a mirrored film shows, as far as checks ask: sides and ways are swapped."""
    return replace(scene, cast=tuple(_mirrored(thing) for thing in scene.cast))


def _mirrored(thing: Thing) -> Thing:
    x, y, z = thing.position
    way = thing.motion.direction
    motion = replace(thing.motion, direction=OPPOSITE.get(way, way) if way else way)  # type: ignore[arg-type]
    return replace(thing, position=(-x, y, z), heading=float(np.pi - thing.heading), motion=motion)


def _breakage(
    parser: Parser, cases: Sequence[Case], true: Sequence[Verdicts], split: str, name: str, breakage: Breakage
) -> Iterator[Gate]:
    """Yield how often a breakage at full severity is noticed, and the most that another check moves."""
    sound = [
        (case.clip, verdicts)
        for case, verdicts in zip(cases, true, strict=True)
        if breakage.applies(case.clip) and verdicts[breakage.check]
    ][:BROKEN]
    if not sound:
        return
    config = suite_config(split)
    pairs = [
        (was, judge(clip.told, parser.tracks(breakage.film(clip, config, severity=3)))) for clip, was in sound
    ]
    lost = {
        c: float(np.mean([before[c] is True and not after[c] for before, after in pairs])) for c in CHECKS
    }
    yield Gate("breakage", f"{name}: {breakage.check} of {len(sound)}", lost.pop(breakage.check), NOTICED)
    for other in sorted(set(lost) - set(breakage.also)):
        yield Gate("breakage", f"{name}: {other} moves", lost[other], APART, False)
