"""What a parser says of true renders, and of cheats: the ceiling and the floor of every check.

references = References.of(suite("heldout", 150), "heldout")
references.ceiling("one thing", "gravity").mean, references.floor("one thing", "gravity")
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reelworld.core.progress import Kind
from reelworld.core.progress import progress as open_progress
from reelworld.evaluate.checks import judge
from reelworld.evaluate.score import Share
from reelworld.evaluate.suite import GROUPS, Case, suite_config
from reelworld.evaluate.track import Parser
from reelworld.world.stream import film

Verdicts = dict[str, bool | None]
CEILING = 0.97  # that the lower end of a ceiling's interval must reach for a score to count
MOTION = ("direction", "gravity", "lift")  # what a picture that stands still must not pass


@dataclass(frozen=True)
class References:
    """Verdicts on films of the cases: each prompt's own, the next one's, its first frame standing still."""

    cases: Sequence[Case]
    true: Sequence[Verdicts]
    shifted: Sequence[Verdicts]
    still: Sequence[Verdicts]

    @classmethod
    def of(cls, cases: Sequence[Case], split: str, progress: Kind = "silent") -> References:
        """Film, parse and judge the cases; a film is parsed once, its first frame if motion counts."""
        parser, config = Parser.fit(), suite_config(split)
        seen, frozen = [], []
        with open_progress(progress, total=len(cases), description="reading true renders") as bar:
            for case in cases:
                frames = film([case.clip], config)[0].numpy()
                seen.append(parser.tracks(frames))
                moves = not set(MOTION).isdisjoint(case.asks)
                frozen.append(parser.tracks(np.repeat(frames[:1], len(frames), axis=0)) if moves else ())
                bar.advance()
        shifted = [seen[n] for n in _next_in_group(cases)]
        verdicts = (
            [judge(case.clip.told, tracks) for case, tracks in zip(cases, shown, strict=True)]
            for shown in (seen, shifted, frozen)
        )
        return cls(cases, *verdicts)

    def to_json(self) -> bytes:
        """Write the verdicts."""
        return json.dumps([self.true, self.shifted, self.still]).encode()

    @classmethod
    def from_json(cls, cases: Sequence[Case], data: bytes) -> References:
        """Read the verdicts on these cases."""
        return cls(cases, *json.loads(data))

    def ceiling(self, group: str, check: str) -> Share:
        """Return the share of true renders that pass. Raises: ConfigError where no prompt asks for it."""
        passed = self._passed(self.true, group, check)
        return Share.of(passed, range(len(passed)))

    def floor(self, group: str, check: str) -> float:
        """Return the larger share that what knows nothing of the prompt reaches."""
        cheats = (self.shifted, self.still) if check in MOTION else (self.shifted,)
        return max(float(np.mean(self._passed(verdicts, group, check))) for verdicts in cheats)

    def _passed(self, verdicts: Sequence[Verdicts], group: str, check: str) -> list[bool]:
        """Return the verdicts of those cases of a group that ask for a check."""
        pairs = zip(self.cases, verdicts, strict=True)
        return [bool(v[check]) for case, v in pairs if case.group == group and check in case.asks]


def _next_in_group(cases: Sequence[Case]) -> list[int]:
    """Return for each case the next one of its group, for the last the first."""
    members = {g: [n for n, case in enumerate(cases) if case.group == g] for g in GROUPS.values()}
    after = {n: m[(k + 1) % len(m)] for m in members.values() for k, n in enumerate(m)}
    return [after[n] for n in range(len(cases))]
