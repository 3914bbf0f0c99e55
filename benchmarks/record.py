"""Writes one dated text file per run of a benchmark: command, versions, hardware, figures.

with record("world") as say:
    say("level 1", f"{rate:.1f} clips/s")
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import torch

from reelworld import __version__
from reelworld.core.runtime import hardware

RESULTS = Path(__file__).parent / "results"


@contextmanager
def record(name: str) -> Iterator[Callable[[str, str], None]]:
    """Yield a function that prints a figure and keeps it; write them at the end, also when cut short."""
    words = [Path(a).name if i == 0 or Path(a).is_absolute() else a for i, a in enumerate(sys.argv)]
    lines = [f"command: python {' '.join(words)}"]
    lines += [f"reelworld: {__version__}", *(f"{key}: {value}" for key, value in hardware().items())]

    def say(what: str, figure: str) -> None:
        lines.append(f"{what}: {figure}")
        print(lines[-1], flush=True)

    finished = False
    try:
        yield say
        finished = True
    finally:
        if not finished:
            say("cut short", "what is not above was not measured")
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}-{datetime.now():%Y-%m-%d-%H%M}.txt").write_text("\n".join(lines) + "\n")


def best(work: Callable[[], object], repeat: int = 5) -> float:
    """Return the least seconds of several runs, after one that is not counted."""
    return bests([work], repeat)[0]


def bests(works: Sequence[Callable[[], object]], repeat: int) -> list[float]:
    """Return the least seconds of each; they take turns, so that all meet the machine's good and bad moments.

    Each is run once before, which is not counted.
    """
    times = [[_seconds(work) for work in works] for _ in range(repeat + 1)][1:]
    return [min(column) for column in zip(*times, strict=True)]


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def gemm_flops(size: int = 2048) -> float:
    """Return the float32 operations per second of a matrix product, the probe beside other figures."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    return 2 * size**3 / best(lambda: a @ b)
