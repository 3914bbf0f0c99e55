"""Is what measures sound? Gates that the checks must pass themselves, before a score of a model is believed.

    for gate in gates(Path("gates"), "train", each=300, level=1, parser=Perceiver.load()): print(gate.line())

ceiling     true renders pass: the lower end of the 95 % interval reaches 0.97
floor       what knows nothing of the prompt (other prompts' films, a still frame) stays far below
grey        an empty grey video passes nothing
null        what changes nothing (brightness, re-encoding, enlarging and back, a mirror) moves no share
breakage    what breaks one thing is noticed by its check, and by no other; weaker ones are told beside it
trivial     the film of the training caption that is nearest to the prompt does not reach the ceiling
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from reelworld.core.journal import Journal
from reelworld.core.progress import Kind
from reelworld.core.progress import progress as open_progress
from reelworld.core.storage import make_folder
from reelworld.core.types import Frames, Video
from reelworld.core.video import read, write
from reelworld.evaluate.checks import CHECKS, Verdicts, judge
from reelworld.evaluate.controls import BREAKAGES, SEVERITIES, Breakage
from reelworld.evaluate.gate import Gate, code_hash, packaged, write_gates
from reelworld.evaluate.perceive import Perceiver
from reelworld.evaluate.references import CEILING, REFERENCES, Parser, References, prompts_hash
from reelworld.evaluate.suite import Case, Group, enough, groups_of, suite, suite_config
from reelworld.models.released import packaged as packaged_weights
from reelworld.models.upsampler import Upsampler, UpsamplerConfig, shrink
from reelworld.world.scene import Scene, Thing
from reelworld.world.stream import film, plan

ROOM, SAME, NOTICED, APART = 0.3, 0.02, 0.95, 0.05  # the limits of the gates
TRIVIAL = 0.05  # that the nearest training clip must stay below the ceiling, averaged over a group's checks
BROKEN, WEAKER = 40, 12  # clips of a breakage that pass its check before; of its weaker severities
NULLED = 100  # clips of each check and group that are changed without effect; of 60 one is 1.7 points
FEW = 5  # clips that must ask a check before it is told how a breakage moves it
LEARNT, LEARNT_SEED = 2000, 0  # captions of a training among which the nearest is sought
OPPOSITE = {"left": "right", "right": "left"}
OPPOSITE_TURNS = {"pan_left": "pan_right", "orbit_left": "orbit_right"}
OPPOSITE_TURNS |= {right: left for left, right in OPPOSITE_TURNS.items()}


def gates(
    folder: Path, split: str, each: int, level: int, parser: Perceiver, progress: Kind = "silent"
) -> Iterator[Gate]:
    """Yield every gate of a parser on a split and level, of as many prompts a check and group.

    What it says of renders is kept in the folder, for a report there, and so are the gates: stopped, the same
    call goes on. Raises: ConfigError for an unknown split or level; StorageError.
    """
    cases = suite(split, each, level)
    references = References.kept(make_folder(folder) / REFERENCES, cases, split, level, parser, progress)
    tests = _tests(references, split, level, parser)
    about = {
        "parser": parser.weights_hash,
        "split": split,
        "prompts": prompts_hash(cases),
        "code": code_hash(),
    }
    journal = Journal(folder / f"gates-level{level}.jsonl", about)
    with open_progress(progress, sum(test.films for test in tests), "testing") as bar:
        for test in tests:
            if (test.name,) in journal.found:
                bar.advance(test.films)
            found = journal.once((test.name,), partial(_found, test, bar.advance))
            yield from (Gate(**facts) for facts in found)


class _Test(NamedTuple):
    """Some gates: how many films are looked at for them, and what finds them and tells of each film."""

    name: str
    films: int
    find: Callable[[Callable[[], None]], Iterable[Gate]]


def _found(test: _Test, told: Callable[[], None]) -> list[dict[str, Any]]:
    return [asdict(gate) for gate in test.find(told)]


def _tests(references: References, split: str, level: int, parser: Perceiver) -> list[_Test]:
    """Return all tests of a parser, in the order in which they are made."""
    cases, true, groups = references.cases, references.true, groups_of(level)
    some = enough(cases, NULLED)
    few, of_few = [cases[n] for n in some], [true[n] for n in some]
    films = cache(lambda: film([case.clip for case in few], suite_config(split, level)).numpy())
    found = [
        _Test("ends", 0, lambda told: _ends(references, groups)),
        _Test("grey", 0, lambda told: [_grey(parser, cases, split, level)]),
        *(_Test(f"null: {n}", len(few), partial(_null, parser, few, of_few, films, n)) for n in NULL_CHANGES),
        _Test("trivial", len(few), partial(_trivial, parser, references, some, groups, level)),
    ]
    for name, breakage in BREAKAGES.items():
        if sound := _sound(cases, true, breakage):
            broken = len(sound) + (len(SEVERITIES) - 1) * len(sound[:WEAKER])
            found.append(_Test(name, broken, partial(_breakage, parser, sound, split, level, name)))
    return found


def validate(
    folder: Path, split: str, each: int, level: int, told: Callable[[Gate], None], progress: Kind = "silent"
) -> tuple[Path, int]:
    """Test the packaged parser, tell each gate, and write the record; return its path and how many fail."""
    parser, found = Perceiver.load(), []
    for gate in gates(folder, split, each, level, parser, progress):
        told(gate)
        found.append(gate)
    path = folder / packaged(level).name
    return write_gates(path, parser.weights_hash, split, found), sum(not gate.passed for gate in found)


def _ends(references: References, groups: dict[str, Group]) -> Iterator[Gate]:
    """Yield ceilings, and how far the floors are below them."""
    for name, group in groups.items():
        for check in group.checks:
            if any(case.group == name and check in case.asks for case in references.cases):
                ceiling = references.ceiling(name, check)
                mean, count = ceiling.mean, ceiling.prompts
                what, low = f"({mean:.3f} of {count})", ceiling.interval[0]
                yield Gate("ceiling", check, what, low, CEILING, group=name, share=mean, prompts=count)
                for cheat, share in references.floors(name, check).items():
                    yield Gate("floor", check, f"{cheat} ({share:.2f})", mean - share, ROOM, group=name)


def _grey(parser: Parser, cases: Sequence[Case], split: str, level: int) -> Gate:
    config = suite_config(split, level)
    grey = parser.look(np.full((config.num_frames, config.height, config.width, 3), 128, np.uint8))
    passed = [judge(case.clip.told, grey)[check] is True for case in cases for check in case.asks]
    return Gate("grey", "all", "verdicts that pass", float(np.mean(passed)), 0.0, False)


def _null(
    parser: Parser,
    cases: Sequence[Case],
    true: Sequence[Verdicts],
    films: Callable[[], Frames],
    name: str,
    told: Callable[[], None],
) -> Iterator[Gate]:
    """Yield by how much a change without effect moves the share of each check; `films` of all cases."""
    now = []
    for case, frames in zip(cases, films(), strict=True):
        scene = mirrored(case.clip.told) if name == "mirror" else case.clip.told
        now.append(judge(scene, parser.look(NULL_CHANGES[name](frames))))
        told()
    for check in dict.fromkeys(check for case in cases for check in case.asks):
        rows = zip(cases, true, now, strict=True)
        moved = [bool(after[check]) - bool(before[check]) for c, before, after in rows if check in c.asks]
        yield Gate("null", check, f"{name}, of {len(moved)}", abs(float(np.mean(moved))), SAME, False)


def _trivial(
    parser: Parser,
    references: References,
    some: Sequence[int],
    groups: dict[str, Group],
    level: int,
    told: Callable[[], None],
) -> Iterator[Gate]:
    """Yield by how much the nearest training clips stay below the ceiling, averaged over a group's checks."""
    config, cases = suite_config("train", level), references.cases
    learnt = plan(replace(config, seed=LEARNT_SEED), range(LEARNT if level == 1 else LEARNT // 4))
    bags = [_words(clip.caption) for clip in learnt]
    verdicts: list[Verdicts | None] = [None] * len(cases)
    for n in some:
        wanted = _words(cases[n].clip.caption)
        nearest = max(range(len(bags)), key=lambda m: len(wanted & bags[m]) / len(wanted | bags[m]))
        frames = film([learnt[nearest]], config)[0].numpy()
        verdicts[n] = judge(cases[n].clip.told, parser.look(frames))
        told()
    for name, group in groups.items():
        rows = [(c, references.passed(verdicts, name, c)) for c in group.checks]
        apart = [references.ceiling(name, c).mean - float(np.mean(passed)) for c, passed in rows if passed]
        if apart:
            what = "nearest training clip, below the ceiling"
            yield Gate("trivial", "all", what, float(np.mean(apart)), TRIVIAL, group=name)


def _words(caption: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", caption.lower()))


def _brighter(share: float) -> Callable[[Frames], Frames]:
    return lambda frames: np.clip(np.rint(frames * (1.0 + share)), 0, 255).astype(np.uint8)


def _encoded(frames: Frames) -> Frames:
    """Write as H.264 and read again."""
    with tempfile.TemporaryDirectory() as folder:
        return read(write(Video(frames, 8.0), Path(folder) / "clip.mp4")).frames


@torch.inference_mode()
def _enlarged(frames: Frames) -> Frames:
    """Enlarge by the packaged upsampler, and make small again."""
    network, _ = packaged_weights(Upsampler, UpsamplerConfig, "upsampler", None)
    large = network(torch.from_numpy(np.ascontiguousarray(frames)).float()[None] / 127.5 - 1)[0]
    small = shrink(large.permute(0, 3, 1, 2), network.config.scale).permute(0, 2, 3, 1)
    made: Frames = ((small.clamp(-1, 1) + 1) * 127.5).round().byte().numpy()
    return made


NULL_CHANGES: dict[str, Callable[[Frames], Frames]] = {
    "brighter": _brighter(0.1),
    "darker": _brighter(-0.1),
    "encoded": _encoded,
    "enlarged": _enlarged,
    "mirror": lambda frames: np.ascontiguousarray(frames[:, :, ::-1]),
}


def mirrored(scene: Scene) -> Scene:
    """Return the scene that a mirrored film shows, as far as checks ask: sides and ways are swapped."""
    shots = []
    for shot in scene.shots:
        (x, y, z), (u, v, w) = shot.camera.position, shot.camera.target
        move = OPPOSITE_TURNS.get(shot.camera.move, shot.camera.move)
        camera = replace(shot.camera, position=(-x, y, z), target=(-u, v, w), move=move)  # type: ignore[arg-type]
        if move == "aerial":  # it flies to the other side
            camera = replace(camera, amount=-camera.amount)
        shots.append(replace(shot, camera=camera))
    return replace(scene, cast=tuple(_mirrored(thing) for thing in scene.cast), shots=tuple(shots))


def _mirrored(thing: Thing) -> Thing:
    x, y, z = thing.position
    way = thing.motion.direction
    motion = replace(thing.motion, direction=OPPOSITE.get(way, way) if way else way)  # type: ignore[arg-type]
    return replace(thing, position=(-x, y, z), heading=float(np.pi - thing.heading), motion=motion)


Sound = list[tuple[Case, Verdicts]]


def _sound(cases: Sequence[Case], true: Sequence[Verdicts], breakage: Breakage) -> Sound:
    """Return clips that can be broken and whose render passes the check that must notice."""
    pairs = zip(cases, true, strict=True)
    fit = [
        (case, was) for case, was in pairs
        if breakage.check in case.asks and was[breakage.check] is True and breakage.applies(case.clip)
    ]  # fmt: skip
    return fit[:BROKEN]


def _breakage(
    parser: Parser, sound: Sound, split: str, level: int, name: str, told: Callable[[], None]
) -> Iterator[Gate]:
    """Yield how often a breakage is noticed, by severity, and the most that another check moves."""
    config, breakage = suite_config(split, level), BREAKAGES[name]
    noticed: dict[int, float] = {}
    for severity in SEVERITIES:
        pairs = []
        for case, was in sound if severity == SEVERITIES[-1] else sound[:WEAKER]:
            now = judge(case.clip.told, parser.look(breakage.film(case.clip, config, severity)))
            pairs.append((was, now))
            told()
        broken = {check: [not now[check] for was, now in pairs if was[check]] for check in CHECKS}
        lost = {c: float(np.mean(b)) for c, b in broken.items() if len(b) >= FEW or c == breakage.check}
        noticed[severity] = lost.pop(breakage.check)
    weaker = ", ".join(f"{noticed[severity]:.2f}" for severity in SEVERITIES[:-1])
    what = f"{name}, of {len(sound)} (weaker: {weaker})"
    yield Gate("breakage", breakage.check, what, noticed[SEVERITIES[-1]], NOTICED)
    for other in sorted(set(lost) - set(breakage.also)):
        yield Gate("breakage", other, f"moves by {name}", lost[other], APART, False)
