"""Scoring videos that somebody else made: a folder of them, and what each was asked to show.

    score_folder("videos", "prompts.json", "report")     # report/report.html, report/report.json

prompts.json holds {"name.mp4": "prompt", ...}. There are no renders of these prompts, so the floor is what
videos of other prompts reach, and the ceiling that of the gates on record. Videos are looked at with eight
frames a second, as the parser learned. Stopped, the same call goes on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from reelworld.core.errors import ConfigError, PromptError
from reelworld.core.journal import Journal
from reelworld.core.progress import Kind
from reelworld.core.progress import progress as open_progress
from reelworld.core.storage import file_hash, make_folder
from reelworld.core.video import read, write
from reelworld.evaluate.checks import CHECKS, Verdicts, judge
from reelworld.evaluate.gate import code_hash, failed, recorded
from reelworld.evaluate.perceive import Perceiver
from reelworld.evaluate.report import Shown, write_page
from reelworld.evaluate.run import Row
from reelworld.evaluate.score import Score, Share, agreement
from reelworld.evaluate.suite import GROUPS
from reelworld.evaluate.told import told
from reelworld.evaluate.track import Parser
from reelworld.evaluate.tracking import FPS
from reelworld.world.scene import Scene

OTHERS = "more things"


@dataclass(frozen=True)
class _Film:
    """A video: what its prompt tells and asks for, both parsers' verdicts, and those by another prompt."""

    name: str
    prompt: str
    scene: Scene
    asks: tuple[str, ...]
    verdicts: Verdicts
    second: Verdicts
    swapped: Verdicts
    picture: Path

    @property
    def group(self) -> str:
        return next((g for g, about in GROUPS.items() if about.num_things == len(self.scene.cast)), OTHERS)


def score_folder(
    videos: str | Path, prompts: str | Path, output: str | Path, progress: Kind = "silent"
) -> tuple[Path, Path]:
    """Judge every video that has a prompt; return the report and its figures.

    Raises: ConfigError where videos or prompts are missing; PromptError for a prompt in which nothing is
    read; VideoError for a file that is no video; StorageError.
    """
    asked = _read_prompts(Path(prompts))
    files = {name: Path(videos) / name for name in asked}
    if missing := [str(path) for path in files.values() if not path.is_file()]:
        raise ConfigError(f"{len(missing)} of {len(files)} videos are missing, first {missing[0]}")
    folder = make_folder(output)
    make_folder(folder / "clips")
    weights = Perceiver.load().weights_hash
    about = {"prompts": file_hash(prompts), "parser": weights, "code": code_hash()}
    films = _judge(files, asked, folder, Journal(folder / "videos.jsonl", about), progress)
    rows = [row for group in (*GROUPS, OTHERS) for check in CHECKS for row in _rows(films, group, check)]
    clips = {
        check: [
            Shown(f.picture, f.prompt, n, f.name, bool(f.verdicts[check]))
            for n, f in enumerate(films)
            if check in f.asks
        ]
        for check in dict.fromkeys(row.check for row in rows)
    }
    intro = f"{len(films)} videos of {videos}, judged by what their prompts say."
    return write_page(folder, "World checks of a folder", intro, {"videos": len(films), **about}, rows, clips)


def _read_prompts(path: Path) -> dict[str, str]:
    """Read {"name.mp4": "prompt"}. Raises: ConfigError."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f'cannot read {path} ({error}); give JSON: {{"name.mp4": "prompt", ...}}'
        ) from error
    if not isinstance(found, dict) or not found or not all(isinstance(v, str) for v in found.values()):
        raise ConfigError(
            f'{path} must hold an object of prompts by file name: {{"name.mp4": "prompt", ...}}'
        )
    return found


def _told(prompts: dict[str, str]) -> dict[str, tuple[Scene, tuple[str, ...]]]:
    """Read every prompt. Raises: PromptError, with the names of those in which nothing is read."""
    found, unread = {}, []
    for name, prompt in prompts.items():
        try:
            found[prompt] = told(prompt)
        except PromptError:
            unread.append(name)
    if unread:
        names = ", ".join(unread[:5]) + (f" and {len(unread) - 5} more" if len(unread) > 5 else "")
        raise PromptError(f"nothing that the world knows is read in the prompts of {names}; leave them out")
    return found


def _judge(
    files: dict[str, Path], prompts: dict[str, str], folder: Path, journal: Journal, progress: Kind
) -> list[_Film]:
    """Parse each video twice and judge it by its own prompt, and by the next different one."""
    parser, classical, told_by = Perceiver.load(), Parser.fit(), _told(prompts)
    texts = list(told_by)
    after = dict(zip(texts, [*texts[1:], *texts[:1]], strict=True))
    found = []

    def verdicts(path: Path, prompt: str, picture: Path) -> dict[str, Verdicts]:
        video = read(path, fps=FPS)
        write(video, picture)
        seen, (scene, _), (other, asked) = parser.look(video.frames), told_by[prompt], told_by[after[prompt]]
        swapped = {check: v for check, v in judge(other, seen).items() if check in asked}
        second = judge(scene, classical.look(video.frames))
        return {"verdicts": judge(scene, seen), "second": second, "swapped": swapped}

    with open_progress(progress, len(files), "judging") as bar:
        for n, (name, path) in enumerate(files.items()):
            picture, prompt = folder / "clips" / f"{n:05d}.gif", prompts[name]
            said = journal.once((name, file_hash(path)), partial(verdicts, path, prompt, picture))
            found.append(_Film(name, prompt, *told_by[prompt], **said, picture=picture))
            bar.advance()
    return found


def _rows(films: Sequence[_Film], group: str, check: str) -> list[Row]:
    """Return the row of a check and group; none where no prompt asks for it."""
    members = [film for film in films if film.group == group]
    asking = [film for film in members if check in film.asks]
    if not asking:
        return []
    texts = [film.prompt for film in asking]
    share = Share.of([bool(film.verdicts[check]) for film in asking], [texts.index(text) for text in texts])
    swapped = [bool(film.swapped[check]) for film in members if check in film.swapped]
    agree = agreement((bool(f.verdicts[check]), f.second[check]) for f in asking)
    ceiling, gates = _on_record(group, check)
    score = Score(share, ceiling.mean, float(np.mean(swapped)) if swapped else 0.0)
    return [Row(group, check, score, ceiling, len(asking), len(members), agree, gates)]


def _on_record(group: str, check: str) -> tuple[Share, tuple[str, ...]]:
    """Return the ceiling of a check and which gates it fails, of this group or of one that asks for it."""
    asking = [name for name, about in GROUPS.items() if check in about.checks]
    home = group if group in asking else asking[0]
    gates = recorded(GROUPS[home].level, Perceiver.load().weights_hash)
    for gate in gates or []:
        if (gate.name, gate.check, gate.group) == ("ceiling", check, home) and gate.prompts and gate.share:
            error = float(np.sqrt(gate.share * (1.0 - gate.share) / gate.prompts))
            return Share(gate.share, error, gate.prompts, gate.prompts), failed(gates, home, check)
    return Share(1.0, 0.0, 1, 1), failed(gates, home, check)
