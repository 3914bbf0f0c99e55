"""An evaluation for people: one HTML file that holds all it shows, and the same figures as JSON.

write_report(evaluation)     # FOLDER/report.html, FOLDER/report.json
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from reelworld.core.storage import write_bytes
from reelworld.evaluate.checks import CHECKS
from reelworld.evaluate.references import CEILING
from reelworld.evaluate.run import Evaluation, Row
from reelworld.evaluate.suite import Case

WORST, RANDOM = 6, 6  # clips shown of each check


def write_report(evaluation: Evaluation) -> tuple[Path, Path]:
    """Write both files; return their paths. Raises: StorageError."""
    rows = evaluation.table()
    figures = {"settings": evaluation.claim, "checks": [_facts(row) for row in rows]}
    data = json.dumps(figures, indent=1, allow_nan=False).encode()
    page = "\n".join(_page(evaluation, rows)).encode()
    return (
        write_bytes(evaluation.folder / "report.html", page),
        write_bytes(evaluation.folder / "report.json", data),
    )


def _facts(row: Row) -> dict[str, Any]:
    """Return a row for programs; what is not a number is null."""
    score = row.score
    return {
        "group": row.group,
        "check": row.check,
        "M": round(score.share.mean, 4),
        "F": round(score.floor, 4),
        "C": round(score.ceiling, 4),
        "S": round(score.value, 4) if score.measured else None,
        "interval": [round(end, 4) for end in score.interval] if score.measured else None,
        "clips": score.share.clips,
        "prompts": score.share.prompts,
        "asked": row.asked,
        "coverage": round(row.asked / row.prompts, 4),
        "valid": row.valid,
    }


def _page(evaluation: Evaluation, rows: Sequence[Row]) -> Iterator[str]:
    claim = evaluation.claim
    done, wanted = len(evaluation.verdicts), len(evaluation.cases) * evaluation.settings.seeds
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>ReelWorld evaluation</title>{STYLE}"
    yield f"<h1>World checks: {escape(str(claim['weights']))}</h1>"
    yield (
        f"<p>{escape(claim['split'])} prompts, {claim['each']} a check and group, {claim['seeds']} seeds; "
        f"{done} of {wanted} videos judged. {LEGEND}</p>"
    )
    yield "<table><tr>" + "".join(f"<th>{name}" for name in HEADINGS)
    for row in rows:
        yield _table_row(row)
    yield "</table>"
    for check in CHECKS:
        yield from _clips(evaluation, check)


LEGEND = (
    "M: share of the videos that pass; F: what knows nothing of the prompt; C: true renders; "
    "S = (M &minus; F) / (C &minus; F) with its 95&#8239;% interval, clustered by prompt. "
    f"A score counts where the lower end of C's interval reaches {CEILING}; the others are grey."
)
HEADINGS = ("prompts of", "check", "M", "F", "C", "S", "95 %", "prompts", "asked by")


def _table_row(row: Row) -> str:
    score, (low, high) = row.score, row.score.interval
    s, interval = (
        (f"{score.value:.2f}", f"{low:.2f} to {high:.2f}") if score.measured else ("&ndash;", "&ndash;")
    )
    cells = (
        row.group, row.check.replace("_", " "), f"{score.share.mean:.2f}", f"{score.floor:.2f}",
        f"{score.ceiling:.2f}", s, interval, str(score.share.prompts), f"{row.asked / row.prompts:.0%}",
    )  # fmt: skip
    return f"<tr{'' if row.valid else ' class=weak'}>" + "".join(f"<td>{cell}" for cell in cells)


def _clips(evaluation: Evaluation, check: str) -> Iterator[str]:
    """Yield the worst clips of a check, those whose prompt fails most often, and some drawn at random."""
    judged = [
        (case, n, bool(evaluation.verdicts[case.index, n][check]))
        for case in evaluation.cases
        if check in case.asks
        for n in range(evaluation.settings.seeds)
        if (case.index, n) in evaluation.verdicts
    ]
    if not judged:
        return
    passed: dict[int, list[bool]] = {}
    for case, _, good in judged:
        passed.setdefault(case.index, []).append(good)
    failed = sorted((j for j in judged if not j[2]), key=lambda j: (float(np.mean(passed[j[0].index])), j[1]))
    chance = np.random.default_rng(0).permutation(len(judged))[:RANDOM]
    yield f"<h2>{check.replace('_', ' ')}</h2><h3>Worst</h3><div class=clips>"
    yield from (_clip(evaluation, *j) for j in failed[:WORST])
    yield "</div><h3>At random</h3><div class=clips>"
    yield from (_clip(evaluation, *judged[i]) for i in chance)
    yield "</div>"


def _clip(evaluation: Evaluation, case: Case, seed: int, good: bool) -> str:
    data = b64encode(evaluation.picture(case, seed).read_bytes()).decode()
    verdict, text = "passes" if good else "fails", escape(case.clip.caption)
    return (
        f'<figure class={verdict}><img alt="{text}" src="data:image/gif;base64,{data}">'
        f"<figcaption><b>{verdict}</b>, {case.group}, seed {seed}: {text}</figcaption></figure>"
    )


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
