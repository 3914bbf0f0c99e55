"""Scoring a model: prompts -> videos -> tracks -> verdicts, in a folder that can be gone on with.

    evaluation = Evaluation("report", Settings(split="heldout", each=25, seeds=4), pipeline.weights_hash)
    evaluation.run(pipeline)                         # killed or stopped: the same call goes on
    for row in evaluation.table(): print(row.group, row.check, row.score.value)

The folder holds what is evaluated and a line a video in `verdicts.jsonl`, and the videos as looping pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np

from reelworld.core.errors import ConfigError
from reelworld.core.journal import Journal
from reelworld.core.progress import Kind
from reelworld.core.progress import progress as open_progress
from reelworld.core.storage import make_folder
from reelworld.core.types import Video
from reelworld.core.version import __version__
from reelworld.core.video import write
from reelworld.evaluate.checks import Verdicts, judge
from reelworld.evaluate.gate import code_hash, failed, recorded
from reelworld.evaluate.perceive import Perceiver
from reelworld.evaluate.references import CEILING, REFERENCES, References, prompts_hash
from reelworld.evaluate.score import Score, Share, agreement
from reelworld.evaluate.suite import Case, Key, groups_of, suite
from reelworld.evaluate.track import Parser

VERDICTS = "verdicts.jsonl"  # in the folder of an evaluation
Judged = dict[tuple[int, int], Verdicts]  # prompt, seed


class Generator(Protocol):
    """What is scored: a prompt and a seed -> a video."""

    def __call__(self, prompt: str, *, seed: int) -> list[Video]:
        """Return one video."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Which prompts: split, level of the world, prompts a check and group, seeds a prompt.

    `truth` is the number of prompts a check whose renders give ceiling and floor: 300 of which three fail are
    just enough to know that 97 % pass.
    """

    split: str = "heldout"
    level: int = 1
    each: int = 25
    seeds: int = 4
    truth: int = 300

    def __post_init__(self) -> None:
        if min(self.each, self.seeds, self.truth) < 1:
            raise ConfigError(f"{self.each} prompts and {self.seeds} seeds: give at least 1 of each")


@dataclass(frozen=True)
class Row:
    """A check on a group of prompts: its score, and how many of the group's prompts ask for it."""

    group: str
    check: str
    score: Score
    ceiling: Share
    asked: int
    prompts: int
    agreement: tuple[float, float]  # of the two parsers: share and kappa; NaN where the second cannot judge
    gates: tuple[str, ...] = ()  # of this check that the parser fails

    @property
    def refused(self) -> tuple[str, ...]:
        """Return why the score does not count: gates that the check or its parser fails."""
        low = self.ceiling.interval[0]
        ceiling = (f"ceiling of these prompts: {low:.3f} < {CEILING}",) if low < CEILING else ()
        apart = () if self.score.measured else ("floor and ceiling are too near",)
        return (*ceiling, *apart, *self.gates)


class Evaluation:
    """A model's videos of the suite, judged; what was done before in the folder is kept."""

    def __init__(
        self, folder: str | Path, settings: Settings, weights: str, progress: Kind = "silent"
    ) -> None:
        """Open or begin the folder; `weights` tells the model from others.

        Raises: ConfigError where it holds an evaluation of something else; StorageError.
        """
        self.settings, self.folder, self.progress = settings, make_folder(folder), progress
        make_folder(self.folder / "clips")
        self.cases = suite(settings.split, settings.each, settings.level)
        self.parser = Perceiver.load()
        about = {"weights": weights, "prompts": prompts_hash(self.cases), "reelworld": __version__}
        about |= {"parser": self.parser.weights_hash, "code": code_hash()}
        self.claim = {**asdict(settings), **about}
        self.journal = Journal(self.folder / VERDICTS, self.claim)

    @classmethod
    def read(cls, folder: str | Path) -> Evaluation:
        """Open the folder of an evaluation that was begun. Raises: ConfigError where it is none."""
        begun = _begun(Path(folder))
        settings = Settings(**{field.name: begun[field.name] for field in fields(Settings)})
        return cls(folder, settings, begun["weights"])

    def run(self, generator: Generator, only: Key | None = None) -> None:
        """Make and judge what is missing; `only` the prompts of a group that ask for a check.

        Raises: StorageError, and what the generator raises.
        """
        cases = self.cases if only is None else self.asking(*only)
        todo, total = self.missing(cases), len(cases) * self.settings.seeds
        classical = Parser.fit()
        with open_progress(self.progress, total=total, description="evaluating") as bar:
            bar.advance(total - len(todo))
            for case, n in todo:
                (video,) = generator(case.clip.caption, seed=self.seed(case, n))
                verdicts, second = (
                    judge(case.clip.told, p.look(video.frames)) for p in (self.parser, classical)
                )
                write(video, self.picture(case, n))
                self.journal.keep((case.index, n), {"verdicts": verdicts, "second": second})
                bar.advance(passed=float(np.mean([bool(verdicts[check]) for check in case.asks])))

    def missing(self, cases: Sequence[Case] | None = None) -> list[tuple[Case, int]]:
        """Return the videos that are not judged, of all prompts or some, in the order of `run`."""
        wanted = self.cases if cases is None else cases
        every = [(case, n) for case in wanted for n in range(self.settings.seeds)]
        return [(case, n) for case, n in every if (case.index, n) not in self.journal.found]

    def seed(self, case: Case, n: int) -> int:
        """Return the seed of the n-th video of a prompt."""
        return case.index * self.settings.seeds + n

    @property
    def verdicts(self) -> Judged:
        """Return what the parser says of each video that is judged."""
        return self._judged("verdicts")

    @property
    def second(self) -> Judged:
        """Return what the second parser says."""
        return self._judged("second")

    def _judged(self, who: str) -> Judged:
        return {(int(n), int(seed)): both[who] for (n, seed), both in self.journal.found.items()}

    def picture(self, case: Case, seed: int) -> Path:
        """Return where the looping picture of a video lies."""
        return self.folder / "clips" / f"{case.index}_{seed}.gif"

    def table(self) -> list[Row]:
        """Return the figures of every check that something asks for, as far as videos are judged."""
        rows, record = [], recorded(self.settings.level, self.parser.weights_hash, self.folder)
        for group, about in groups_of(self.settings.level).items():
            prompts = sum(case.group == group for case in self.cases)
            for check in about.checks:
                asking = self.asking(group, check)
                if (share := self._share(asking, check)) is not None:
                    ceiling = self.references.ceiling(group, check)
                    score = Score(share, ceiling.mean, self.references.floor(group, check))
                    agree = self._agreement(asking, check)
                    gates = failed(record, group, check)
                    rows.append(Row(group, check, score, ceiling, len(asking), prompts, agree, gates))
        return rows

    def shares(self) -> dict[str, float]:
        """Return the share of videos that pass, by group and check, without ceilings and floors."""
        found = {
            f"{group}: {check}": self._share(self.asking(group, check), check)
            for group, about in groups_of(self.settings.level).items()
            for check in about.checks
        }
        return {name: share.mean for name, share in found.items() if share is not None}

    def asking(self, group: str, check: str) -> list[Case]:
        """Return the prompts of a group that ask for a check."""
        return [case for case in self.cases if case.group == group and check in case.asks]

    @cached_property
    def references(self) -> References:
        """Return what the parser says of renders, computed once and kept in the folder."""
        settings = self.settings
        cases = suite(settings.split, max(settings.each, settings.truth), settings.level)
        path = self.folder / REFERENCES
        return References.kept(path, cases, settings.split, settings.level, self.parser, self.progress)

    def _share(self, asking: Sequence[Case], check: str) -> Share | None:
        verdicts = self.verdicts
        found = [
            (bool(verdicts[case.index, n][check]), case.index)
            for case in asking
            for n in range(self.settings.seeds)
            if (case.index, n) in verdicts
        ]
        return Share.of(*map(list, zip(*found, strict=True))) if found else None

    def _agreement(self, asking: Sequence[Case], check: str) -> tuple[float, float]:
        keys = [(case.index, n) for case in asking for n in range(self.settings.seeds)]
        verdicts, second = self.verdicts, self.second
        return agreement((bool(verdicts[k][check]), second[k][check]) for k in keys if k in verdicts)


def quick_shares(generator: Generator, weights: str, prompts: int) -> dict[str, float]:
    """Return the share that passes each check, from one video of each of a few prompts; nothing is kept."""
    with TemporaryDirectory() as folder:
        evaluation = Evaluation(folder, Settings(split="train", each=prompts, seeds=1), weights)
        evaluation.run(generator)
        return evaluation.shares()


def _begun(folder: Path) -> dict[str, Any]:
    """Read what a folder evaluates. Raises: ConfigError where it holds no evaluation."""
    path = folder / VERDICTS
    if not path.is_file():
        raise ConfigError(f"{folder} holds no evaluation; make one with `reel evaluate -o {folder}`")
    begun = Journal.about(path)
    if {*(field.name for field in fields(Settings)), "weights"} - begun.keys():
        raise ConfigError(f"{path} is no record of an evaluation; choose another folder")
    return begun
