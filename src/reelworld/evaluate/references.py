"""What a parser says of true renders, and of cheats: the ceiling and the floor of every check.

references = References.of(suite("heldout", 150), "heldout", 1, Perceiver.load())
references.ceiling("one thing", "gravity").mean, references.floor("one thing", "gravity")
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from reelworld.core.progress import Kind
from reelworld.core.progress import progress as open_progress
from reelworld.core.types import Frames
from reelworld.evaluate.checks import MOVING, Verdicts, judge
from reelworld.evaluate.score import Share
from reelworld.evaluate.suite import Case, suite_config
from reelworld.evaluate.tracking import Observed
from reelworld.world.stream import film

CEILING = 0.97  # that the lower end of a ceiling's interval must reach for a score to count
CHEATS = ("another prompt's", "the next prompt's", "another of its group's", "still")
SEED = 5


class Parser(Protocol):
    """What sees things in a video."""

    def look(self, frames: Frames) -> Observed:
        """Return what a video uint8 [T, H, W, 3] shows."""


@dataclass(frozen=True)
class References:
    """Verdicts on films of the cases: each prompt's own, and by cheat that of one who knows nothing of it.

    Cheats: prompts permuted over the set, shifted by one, permuted within their group; the first frame.
    """

    cases: Sequence[Case]
    true: Sequence[Verdicts]
    cheats: dict[str, Sequence[Verdicts]]

    @classmethod
    def of(
        cls, cases: Sequence[Case], split: str, level: int, parser: Parser, progress: Kind = "silent"
    ) -> References:
        """Film, parse and judge the cases; a film is parsed once, its first frame if motion counts."""
        config = suite_config(split, level)
        seen, frozen = [], []
        with open_progress(progress, total=len(cases), description="reading true renders") as bar:
            for case in cases:
                frames = film([case.clip], config)[0].numpy()
                seen.append(parser.look(frames))
                moves = not set(MOVING).isdisjoint(case.asks)
                still = np.repeat(frames[:1], len(frames), axis=0)
                frozen.append(parser.look(still) if moves else Observed(num_frames=len(frames)))
                bar.advance()
        orders = _permutations(cases)
        shown = {name: [seen[n] for n in order] for name, order in orders.items()} | {"still": frozen}
        return cls(
            cases, _judged(cases, seen), {name: _judged(cases, films) for name, films in shown.items()}
        )

    def to_json(self) -> bytes:
        """Write the verdicts."""
        return json.dumps({"true": self.true, "cheats": self.cheats}).encode()

    @classmethod
    def from_json(cls, cases: Sequence[Case], data: bytes) -> References:
        """Read the verdicts on these cases."""
        stored = json.loads(data)
        return cls(cases, stored["true"], stored["cheats"])

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

    def passed(self, verdicts: Sequence[Verdicts], group: str, check: str) -> list[bool]:
        """Return the verdicts of those cases of a group that ask for a check."""
        pairs = zip(self.cases, verdicts, strict=True)
        return [bool(v[check]) for case, v in pairs if case.group == group and check in case.asks]


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
