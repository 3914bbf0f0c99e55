"""What a parser says of true renders, and of cheats: the ceiling and the floor of every check.

references = References.of(suite("heldout", 150), "heldout", 1, Perceiver.load())
references.ceiling("one thing", "gravity").mean, references.floor("one thing", "gravity")
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import numpy as np

from reelworld.core.progress import Kind
from reelworld.core.progress import progress as open_progress
from reelworld.core.storage import write_bytes
from reelworld.core.types import Frames
from reelworld.evaluate.checks import MOVING, Verdicts, judge
from reelworld.evaluate.gate import code_hash, read_json
from reelworld.evaluate.perceive import Perceiver
from reelworld.evaluate.score import Share
from reelworld.evaluate.suite import Case, enough, suite_config
from reelworld.evaluate.tracking import Observed
from reelworld.world.stream import film

CEILING = 0.97  # that the lower end of a ceiling's interval must reach for a score to count
CHEATS = ("another prompt's", "the next prompt's", "another of its group's", "still")
SEED = 5
REFERENCES = "references.json"  # in the folder of an evaluation
STILLS = 100  # prompts a check whose first frame is looked at: a floor needs no more


class Parser(Protocol):
    """What sees things in a video."""

    def look(self, frames: Frames) -> Observed:
        """Return what a video uint8 [T, H, W, 3] shows."""


@dataclass(frozen=True)
class References:
    """Verdicts on films of the cases: each prompt's own, and by cheat that of one who knows nothing of it.

    Cheats: prompts permuted over the set, shifted by one, permuted within their group; the first frame, of
    some prompts only (of the others None).
    """

    cases: Sequence[Case]
    true: Sequence[Verdicts]
    cheats: dict[str, Sequence[Verdicts | None]]

    @classmethod
    def of(
        cls, cases: Sequence[Case], split: str, level: int, parser: Parser, progress: Kind = "silent"
    ) -> References:
        """Film, parse and judge the cases; a film is parsed once, its first frame if motion counts."""
        config = suite_config(split, level)
        seen: list[Observed] = []
        stills: list[Verdicts | None] = [None] * len(cases)
        frozen = set(enough([replace(c, asks=tuple(set(c.asks) & set(MOVING))) for c in cases], STILLS))
        with open_progress(progress, total=len(cases), description="reading true renders") as bar:
            for n, case in enumerate(cases):
                frames = film([case.clip], config)[0].numpy()
                seen.append(parser.look(frames))
                if n in frozen:
                    still = np.repeat(frames[:1], len(frames), axis=0)
                    stills[n] = judge(case.clip.told, parser.look(still))
                bar.advance()
        cheats: dict[str, Sequence[Verdicts | None]] = {
            name: _judged(cases, [seen[n] for n in order]) for name, order in _permutations(cases).items()
        }
        return cls(cases, _judged(cases, seen), cheats | {"still": stills})

    @classmethod
    def kept(
        cls, path: Path, cases: Sequence[Case], split: str, level: int, parser: Perceiver, progress: Kind
    ) -> References:
        """Read what a file holds of these cases, this parser and this code; else compute and write it.

        Raises: ConfigError for a damaged file; StorageError.
        """
        about = {"parser": parser.weights_hash, "prompts": prompts_hash(cases), "code": code_hash()}
        stored = read_json(path) if path.is_file() else {}
        if stored.get("about") == about:
            return cls(cases, stored["true"], stored["cheats"])
        found = cls.of(cases, split, level, parser, progress)
        record = {"about": about, "true": found.true, "cheats": found.cheats}
        write_bytes(path, json.dumps(record).encode())
        return found

    def ceiling(self, group: str, check: str) -> Share:
        """Return the share of true renders that pass. Raises: ConfigError where no prompt asks for it."""
        passed = self.passed(self.true, group, check)
        return Share.of(passed, range(len(passed)))

    def floors(self, group: str, check: str) -> dict[str, float]:
        """Return the share that each cheat reaches.

        Within a group all prompts have one number of things, so a permutation there says nothing of `count`.
        """
        names = [
            n
            for n in CHEATS
            if (n != "still" or check in MOVING) and not (n == CHEATS[2] and check == "count")
        ]
        return {name: float(np.mean(self.passed(self.cheats[name], group, check))) for name in names}

    def floor(self, group: str, check: str) -> float:
        """Return the largest share that what knows nothing of the prompt reaches."""
        return max(self.floors(group, check).values())

    def passed(self, verdicts: Sequence[Verdicts | None], group: str, check: str) -> list[bool]:
        """Return the verdicts, as far as there are any, of the cases of a group that ask for a check."""
        asking = [
            v for case, v in zip(self.cases, verdicts, strict=True)
            if case.group == group and check in case.asks
        ]  # fmt: skip
        return [bool(v[check]) for v in asking if v is not None]


def prompts_hash(cases: Sequence[Case]) -> str:
    """Return a hash of the prompts of cases."""
    return sha256("\n".join(case.clip.caption for case in cases).encode()).hexdigest()[:12]


def _judged(cases: Sequence[Case], seen: Sequence[Observed]) -> list[Verdicts]:
    return [judge(case.clip.told, shown) for case, shown in zip(cases, seen, strict=True)]


def _permutations(cases: Sequence[Case]) -> dict[str, list[int]]:
    """Return for each cheat by permutation the number of the case whose film each case gets."""
    rng, count = np.random.default_rng(SEED), len(cases)
    by_group: dict[str, list[int]] = {}
    for n, case in enumerate(cases):
        by_group.setdefault(case.group, []).append(n)
    within = list(range(count))
    for members in by_group.values():
        for n, other in zip(members, rng.permutation(members), strict=True):
            within[n] = int(other)
    over = [int(n) for n in rng.permutation(count)]
    return {CHEATS[0]: over, CHEATS[1]: [(n + 1) % count for n in range(count)], CHEATS[2]: within}
