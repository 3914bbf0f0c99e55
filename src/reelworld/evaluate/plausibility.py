"""Does a model find true physics likelier than broken physics? No parser is needed.

    for row in plausibility(pipeline, split="heldout", each=25): print(row.breakage, row.share)

P(loss of a valid clip < loss of its broken twin) under the model: the same caption, the same noise, the loss
summed over ten timesteps. A pair of equal clips counts one half. Source of the idea: arXiv:2510.11512
("LikePhys: likelihood preference").
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from reelworld.core.progress import Kind
from reelworld.core.progress import progress as open_progress
from reelworld.core.storage import make_folder, write_bytes
from reelworld.core.types import Frames
from reelworld.evaluate.controls import BREAKAGES, SEVERITIES
from reelworld.evaluate.score import Share
from reelworld.evaluate.suite import Case, suite, suite_config
from reelworld.world.stream import film

TIMESTEPS = tuple(round(0.05 + 0.1 * n, 2) for n in range(10))
PHYSICS = (
    "vanish", "teleport", "grow", "steady fall", "stay on the ground", "keep apparent size", "swap legs",
    "no effect", "pass through", "too early",
)  # fmt: skip


class Model(Protocol):
    """What says how wrong it finds a video."""

    def loss(self, frames: Frames, prompt: str, timestep: float, *, seed: int) -> float:
        """Return the loss of a video under a prompt, at a timestep and with the noise of a seed."""


@dataclass(frozen=True)
class Row:
    """How often the valid clip of a pair has the smaller loss."""

    breakage: str
    share: Share

    def facts(self) -> dict[str, Any]:
        """Say it for programs."""
        share = self.share
        return {
            "breakage": self.breakage, "preferred": share.mean, "interval": list(share.interval),
            "pairs": share.clips,
        }  # fmt: skip

    def line(self) -> str:
        """Say it in one line for people."""
        low, high = self.share.interval
        return (
            f"{self.breakage:20s} {self.share.mean:.2f}  [{low:.2f}, {high:.2f}]  of {self.share.clips} pairs"
        )


def plausibility(
    model: Model, *, split: str, each: int, level: int = 1, progress: Kind = "silent"
) -> Iterator[Row]:
    """Yield a row for every breakage of physics that the prompts of a split and level allow."""
    cases, config = suite(split, each, level), suite_config(split, level)
    pairs = {name: _fit(cases, name)[:each] for name in PHYSICS}
    with open_progress(progress, sum(map(len, pairs.values())), "weighing pairs") as bar:
        for name, members in pairs.items():
            preferred = []
            for case in members:
                valid = film([case.clip], config)[0].numpy()
                broken = BREAKAGES[name].film(case.clip, config, SEVERITIES[-1])
                preferred.append(prefers(model, case, valid, broken))
                bar.advance()
            if preferred:
                yield Row(name, Share.of(preferred, range(len(preferred))))


def write_plausibility(folder: Path, weights: str, rows: Sequence[Row]) -> Path:
    """Write the rows of a model as JSON. Raises: StorageError."""
    record = {"weights": weights, "pairs": [row.facts() for row in rows]}
    return write_bytes(make_folder(folder) / "plausibility.json", json.dumps(record, indent=1).encode())


def _fit(cases: tuple[Case, ...], name: str) -> list[Case]:
    """Return the cases that a breakage can break."""
    breakage = BREAKAGES[name]
    return [case for case in cases if breakage.check in case.asks and breakage.applies(case.clip)]


def prefers(model: Model, case: Case, valid: Frames, broken: Frames) -> float:
    """Return 1 where the model finds the valid clip likelier, 0 where the broken one, 0.5 for a tie."""
    losses = [
        sum(model.loss(frames, case.clip.caption, t, seed=case.index) for t in TIMESTEPS)
        for frames in (valid, broken)
    ]
    return 0.5 + 0.5 * float(np.sign(losses[1] - losses[0]))
