"""Does a model find true physics likelier than broken physics? No parser is needed.

    for row in plausibility(pipeline, split="heldout", each=25): print(row.breakage, row.share)

P(loss of possible clips < loss of impossible ones) under the model: the same caption, the same noise, the
loss summed over ten timesteps. Equal clips count one half. Source of the idea: arXiv:2510.11512 ("LikePhys:
likelihood preference").

Less to see is a smaller loss, so what changes in time comes in fours, of which the possible and the
impossible clips show the same: a thing that is there, one that is not, one that vanishes and one that
appears. Source: arXiv:1803.07616 ("IntPhys", matched sets). What only moves otherwise comes in pairs.

With a journal, a set that was weighed before is not weighed again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from reelworld.core.journal import Journal
from reelworld.core.progress import Kind
from reelworld.core.progress import progress as open_progress
from reelworld.core.storage import make_folder, write_bytes
from reelworld.core.types import Frames
from reelworld.evaluate.controls import BREAKAGES
from reelworld.evaluate.gate import code_hash
from reelworld.evaluate.score import Share
from reelworld.evaluate.suite import Case, suite, suite_config
from reelworld.world.stream import Clip, WorldConfig, film

TIMESTEPS = tuple(round(0.05 + 0.1 * n, 2) for n in range(10))
FOURS = {
    "drop": 2, "teleport": 3, "recolour": 2, "resize": 2, "grow": 3, "keep apparent size": 3, "swap legs": 3,
}  # fmt: skip
PAIRS = {"steady fall": 3, "pass through": 3, "too early": 3}  # how severely each is broken


class Model(Protocol):
    """What says how wrong it finds a video."""

    def loss(self, frames: Frames, prompt: str, timestep: float, *, seed: int) -> float:
        """Return the loss of a video under a prompt, at a timestep and with the noise of a seed."""


@dataclass(frozen=True)
class Row:
    """How often the possible clips of a pair, or of a four, have the smaller loss."""

    breakage: str
    share: Share

    def facts(self) -> dict[str, Any]:
        """Say it for programs."""
        share = self.share
        return {
            "breakage": self.breakage, "preferred": share.mean, "interval": list(share.interval),
            "sets": share.clips,
        }  # fmt: skip

    def line(self) -> str:
        """Say it in one line for people."""
        low, high = self.share.interval
        sets = "fours" if self.breakage in FOURS else "pairs"
        share = f"{self.share.mean:.2f}  [{low:.2f}, {high:.2f}]  of {self.share.clips} {sets}"
        return f"{self.breakage:20s} {share}"


def journal_of(folder: str | Path, weights: str, *, split: str, each: int, level: int) -> Journal:
    """Open or begin, in a folder, what is found of a model. Raises: ConfigError, StorageError."""
    about = {"weights": weights, "split": split, "each": each, "level": level, "code": code_hash()}
    return Journal(make_folder(folder) / "plausibility.jsonl", about)


def plausibility(
    model: Model,
    *,
    split: str,
    each: int,
    level: int = 1,
    journal: Journal | None = None,
    progress: Kind = "silent",
) -> Iterator[Row]:
    """Yield a row for every breakage of physics that the prompts of a split and level allow.

    Raises: ConfigError for an unknown split or level; StorageError.
    """
    kept = Journal(None, {}) if journal is None else journal
    cases, config = suite(split, each, level), suite_config(split, level)
    sets = {name: _fit(cases, name)[:each] for name in (*FOURS, *PAIRS)}
    with open_progress(progress, sum(map(len, sets.values())), "weighing clips") as bar:
        for name, members in sets.items():
            preferred = []
            for case in members:
                weigh = partial(_weigh, model, case, name, config)
                preferred.append(kept.once((name, case.index), weigh))
                bar.advance()
            if preferred:
                yield Row(name, Share.of(preferred, range(len(preferred))))


def matched(name: str, clip: Clip, config: WorldConfig) -> tuple[list[Frames], list[Frames]]:
    """Return as many possible clips as impossible ones, uint8 [T, H, W, 3] each.

    With c(k) the clip as the breakage has made it by frame k, a four is c(0) and c(T - 1) against c(t) at
    frame t and c(T - 1 - t) at frame t; a pair is the clip against the broken one.
    """
    breakage = BREAKAGES[name]
    if name in PAIRS:
        return [film([clip], config)[0].numpy()], [breakage.film(clip, config, PAIRS[name])]
    last = len(clip.frames) - 1

    def made_by(when: Callable[[int], int]) -> Frames:
        severity = FOURS[name]
        at = replace(breakage, frame=lambda clip, t, severity: breakage.frame(clip, when(t), severity))
        return at.film(clip, config, severity)

    possible = [made_by(lambda t: 0), made_by(lambda t: last)]
    return possible, [made_by(lambda t: t), made_by(lambda t: last - t)]


def write_plausibility(folder: Path, weights: str, rows: Sequence[Row]) -> Path:
    """Write the rows of a model as JSON. Raises: StorageError."""
    record = {"weights": weights, "sets": [row.facts() for row in rows]}
    return write_bytes(make_folder(folder) / "plausibility.json", json.dumps(record, indent=1).encode())


def _fit(cases: tuple[Case, ...], name: str) -> list[Case]:
    """Return the cases that a breakage can break."""
    breakage = BREAKAGES[name]
    return [case for case in cases if breakage.check in case.asks and breakage.applies(case.clip)]


def _weigh(model: Model, case: Case, name: str, config: WorldConfig) -> float:
    return prefers(model, case, *matched(name, case.clip, config))


def prefers(model: Model, case: Case, possible: Sequence[Frames], impossible: Sequence[Frames]) -> float:
    """Return 1 where the model finds the possible clips likelier, 0 where the impossible, 0.5 for a tie."""
    losses = [
        sum(model.loss(f, case.clip.caption, t, seed=case.index) for f in clips for t in TIMESTEPS)
        for clips in (possible, impossible)
    ]
    return 0.5 + 0.5 * float(np.sign(losses[1] - losses[0]))
