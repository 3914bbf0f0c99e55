"""An evaluation for people: one HTML file that holds all it shows, and the same figures as JSON.

write_report(evaluation)     # FOLDER/report.html, FOLDER/report.json
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageSequence

from reelworld.core.storage import write_bytes
from reelworld.evaluate.references import CEILING
from reelworld.evaluate.run import Evaluation, Row

WORST, RANDOM = 6, 6  # clips shown of each check
QUALITY = 85  # of looping pictures, WebP


@dataclass(frozen=True)
class Shown:
    """A judged video: its looping picture, its prompt, and what it is told by."""

    picture: Path
    prompt: str
    number: int  # of the prompt
    about: str
    passed: bool


def write_report(evaluation: Evaluation) -> tuple[Path, Path]:
    """Write both files; return their paths. Raises: StorageError."""
    claim = evaluation.claim
    done, wanted = len(evaluation.verdicts), len(evaluation.cases) * evaluation.settings.seeds
    intro = (
        f"{claim['split']} prompts of level {claim['level']}, {claim['each']} a check and group, "
        f"{claim['seeds']} seeds; {done} of {wanted} videos judged by the parser {claim['parser']}."
    )
    rows = evaluation.table()
    clips = {check: _judged(evaluation, check) for check in dict.fromkeys(row.check for row in rows)}
    return write_page(evaluation.folder, f"World checks: {claim['weights']}", intro, claim, rows, clips)


def write_page(
    folder: Path,
    title: str,
    intro: str,
    settings: dict[str, Any],
    rows: Sequence[Row],
    clips: dict[str, list[Shown]],
) -> tuple[Path, Path]:
    """Write a table and the clips of each check as HTML and JSON. Raises: StorageError."""
    figures = {"settings": settings, "checks": [_facts(row) for row in rows]}
    data = json.dumps(figures, indent=1, allow_nan=False).encode()
    page = "\n".join(_page(title, intro, rows, clips)).encode()
    return write_bytes(folder / "report.html", page), write_bytes(folder / "report.json", data)


def _facts(row: Row) -> dict[str, Any]:
    """Return a row for programs; what is not a number is null."""
    score = row.score
    return {
        "group": row.group,
        "check": row.check,
        "M": round(score.share.mean, 4),
        "F": round(score.floor, 4),
        "C": round(score.ceiling, 4),
        "S": None if row.refused else round(score.value, 4),
        "interval": None if row.refused else [round(end, 4) for end in score.interval],
        "clips": score.share.clips,
        "prompts": score.share.prompts,
        "asked": row.asked,
        "agree": _rounded(row.agreement[0]),
        "kappa": _rounded(row.agreement[1]),
        "coverage": round(row.asked / row.prompts, 4),
        "refused": list(row.refused),
    }


def _rounded(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None


def _page(title: str, intro: str, rows: Sequence[Row], clips: dict[str, list[Shown]]) -> Iterator[str]:
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>{STYLE}"
    yield f"<h1>{escape(title)}</h1><p>{escape(intro)} {LEGEND}</p>"
    yield "<table><tr>" + "".join(f"<th>{name}" for name in HEADINGS)
    for row in rows:
        yield _table_row(row)
    yield "</table>"
    for check, shown in clips.items():
        yield from _clips(check, shown)


LEGEND = (
    "M: share of the videos that pass; F: what knows nothing of the prompt; C: true renders; "
    "S = (M &minus; F) / (C &minus; F) with its 95&#8239;% interval, clustered by prompt; agree: share of "
    "verdicts that the second parser shares; kappa: that beyond chance. "
    f"A score is refused where the lower end of C's interval does not reach {CEILING}, or the parser "
    "fails a gate of the check (point at the word: which)."
)
HEADINGS = ("prompts of", "check", "M", "F", "C", "S", "95 %", "agree", "kappa", "prompts", "asked by")


def _table_row(row: Row) -> str:
    score, (low, high) = row.score, row.score.interval
    s, interval = f"{score.value:.2f}", f"{low:.2f} to {high:.2f}"
    if row.refused:
        s, interval = f"<abbr title='{escape('; '.join(row.refused))}'>refused</abbr>", "&ndash;"
    agree, kappa = (f"{value:.2f}" if np.isfinite(value) else "&ndash;" for value in row.agreement)
    cells = (
        row.group, row.check.replace("_", " "), f"{score.share.mean:.2f}", f"{score.floor:.2f}",
        f"{score.ceiling:.2f}", s, interval, agree, kappa, str(score.share.prompts),
        f"{row.asked / row.prompts:.0%}",
    )  # fmt: skip
    return f"<tr{'' if not row.refused else ' class=weak'}>" + "".join(f"<td>{cell}" for cell in cells)


def _judged(evaluation: Evaluation, check: str) -> list[Shown]:
    """Return every judged video of the prompts that ask for a check."""
    verdicts = evaluation.verdicts
    return [
        Shown(
            evaluation.picture(case, n), case.clip.caption, case.index, f"{case.group}, seed {n}",
            bool(verdicts[case.index, n][check]),
        )
        for case in evaluation.cases
        if check in case.asks
        for n in range(evaluation.settings.seeds)
        if (case.index, n) in verdicts
    ]  # fmt: skip


def _clips(check: str, judged: Sequence[Shown]) -> Iterator[str]:
    """Yield the worst clips of a check, those whose prompt fails most often, and some drawn at random."""
    if not judged:
        return
    passed: dict[int, list[bool]] = {}
    for clip in judged:
        passed.setdefault(clip.number, []).append(clip.passed)
    failed = sorted((c for c in judged if not c.passed), key=lambda c: float(np.mean(passed[c.number])))
    chance = np.random.default_rng(0).permutation(len(judged))[:RANDOM]
    yield f"<h2>{check.replace('_', ' ')}</h2>"
    if failed:
        yield "<h3>Worst</h3><div class=clips>"
        yield from map(_clip, failed[:WORST])
        yield "</div>"
    yield "<h3>At random</h3><div class=clips>"
    yield from (_clip(judged[i]) for i in chance)
    yield "</div>"


def _clip(clip: Shown) -> str:
    data = b64encode(_small(clip.picture)).decode()
    verdict, text = "passes" if clip.passed else "fails", escape(clip.prompt)
    return (
        f'<figure class={verdict}><img alt="{text}" src="data:image/webp;base64,{data}">'
        f"<figcaption><b>{verdict}</b>, {escape(clip.about)}: {text}</figcaption></figure>"
    )


def _small(picture: Path) -> bytes:
    """Return a looping picture as WebP, a fifth of its size: a page holds hundreds of them."""
    with Image.open(picture) as looping:
        frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(looping)]
        data, duration = BytesIO(), looping.info.get("duration", 125)
    frames[0].save(
        data, "WEBP", save_all=True, append_images=frames[1:], duration=duration, loop=0, quality=QUALITY
    )
    return data.getvalue()


STYLE = """<style>
:root { color-scheme: light dark; --line: #8884; --good: #2a8a4a; --bad: #c03a2b }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line) }
.weak { opacity: .5 }
.clips { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 1rem }
figure { margin: 0 } figcaption { font-size: .8rem }
img { width: 100%; image-rendering: pixelated; border-bottom: 4px solid var(--bad) }
.passes img { border-color: var(--good) }
</style>"""
