"""Two evaluations of the same prompts and seeds: on which checks the models differ.

for change in compare(Evaluation.read("a"), Evaluation.read("b")): print(change.line())
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reelworld.core.errors import ConfigError
from reelworld.evaluate.run import Evaluation
from reelworld.evaluate.score import Difference, difference, holm
from reelworld.evaluate.suite import groups_of


@dataclass(frozen=True)
class Change:
    """How much more often the second model passes a check, and p corrected for the number of checks."""

    group: str
    check: str
    difference: Difference
    p: float

    def line(self) -> str:
        """Say it in one line for people."""
        low, high = self.difference.interval
        return (
            f"{self.group:10s}  {self.check:12s}  {self.difference.mean:+.3f}  [{low:+.3f}, {high:+.3f}]  "
            f"p {self.p:.4f}  ({self.difference.prompts} prompts)"
        )

    def facts(self) -> dict[str, Any]:
        """Say it for programs."""
        return {
            "group": self.group, "check": self.check, "difference": self.difference.mean,
            "interval": list(self.difference.interval), "p": self.p, "prompts": self.difference.prompts,
        }  # fmt: skip


def compare(a: Evaluation, b: Evaluation) -> list[Change]:
    """Compare by check and group, over the videos that both have; p by Holm over all of these.

    Raises: ConfigError where the evaluations are of other prompts or seeds.
    """
    for name in ("split", "level", "each", "seeds", "prompts", "parser", "code", "reelworld"):
        if a.claim[name] != b.claim[name]:
            raise ConfigError(
                f"one evaluation has {name} {a.claim[name]}, the other {b.claim[name]}; compare equals"
            )
    found = list(_differences(a, b))
    corrected = holm([change.p for _, _, change in found])
    return [Change(g, check, d, p) for (g, check, d), p in zip(found, corrected, strict=True)]


def _differences(a: Evaluation, b: Evaluation) -> Iterator[tuple[str, str, Difference]]:
    """Yield the difference of every check and group that both have videos of."""
    for group, about in groups_of(a.settings.level).items():
        for check in about.checks:
            keys = [
                key
                for case in a.asking(group, check)
                for n in range(a.settings.seeds)
                if (key := (case.index, n)) in a.verdicts and key in b.verdicts
            ]
            if keys:
                before, after = ([bool(e.verdicts[key][check]) for key in keys] for e in (a, b))
                yield group, check, difference(before, after, [index for index, _ in keys])
