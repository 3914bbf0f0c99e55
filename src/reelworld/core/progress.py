"""One progress interface with three faces: a rich bar for people, JSON lines for programs, silence for tests.

with progress("rich", total=1000, description="training") as bar:
    bar.advance(loss=0.031)
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal, Protocol, TextIO


class Progress(Protocol):
    """What long work reports to: start, advance with the figures of the moment (such as loss), finish."""

    def start(self, total: int | None, description: str) -> None:
        """Begin work of `total` steps (None: unknown)."""

    def advance(self, num_steps: int = 1, **fields: Any) -> None:
        """Report `num_steps` more steps done, with named figures."""

    def finish(self) -> None:
        """End the report; called also after an error."""


Kind = Literal["auto", "rich", "json", "silent"] | Progress


class Silent:
    """Says nothing."""

    def start(self, total: int | None, description: str) -> None: ...

    def advance(self, num_steps: int = 1, **fields: Any) -> None: ...

    def finish(self) -> None: ...


class JsonProgress:
    """One JSON object per line: description, done, total, seconds, the named figures (NaN is null).

    Where nobody reads any more (a closed pipe), it falls silent: the work itself goes on.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.total: int | None = None
        self.description = ""
        self.done = 0
        self.began = 0.0

    def start(self, total: int | None, description: str) -> None:
        self.total, self.description, self.done = total, description, 0
        self.began = time.monotonic()
        self._say("start")

    def advance(self, num_steps: int = 1, **fields: Any) -> None:
        self.done += num_steps
        self._say("advance", **{name: _finite(value) for name, value in fields.items()})

    def finish(self) -> None:
        self._say("finish")

    def _say(self, event: str, **fields: Any) -> None:
        seconds = round(time.monotonic() - self.began, 3)
        line = {"event": event, "description": self.description, "done": self.done, "total": self.total}
        text = json.dumps({**line, "seconds": seconds, **fields}, default=str)
        try:
            print(text, file=self.stream, flush=True)
        except BrokenPipeError:
            _send_nowhere(self.stream)


def _send_nowhere(stream: TextIO) -> None:
    """Drop what a stream whose pipe is closed still holds, and all that follows, to Python's last flush."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class RichProgress:
    """A bar on the terminal: description, share done, the named figures, time left."""

    def __init__(self, stream: TextIO | None = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (
            TextColumn("{task.description}", style="bold"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}", style="cyan"),
            TimeRemainingColumn(),
        )
        self.bar = Bar(*columns, console=Console(file=stream or sys.stderr))
        self.task: Any = None

    def start(self, total: int | None, description: str) -> None:
        self.task = self.bar.add_task(description, total=total, figures="")
        self.bar.start()

    def advance(self, num_steps: int = 1, **fields: Any) -> None:
        if fields:
            self.bar.update(self.task, figures=_figures(fields))
        self.bar.advance(self.task, num_steps)

    def finish(self) -> None:
        with suppress(OSError):  # the terminal was closed
            self.bar.stop()


@contextmanager
def progress(kind: Kind = "auto", total: int | None = None, description: str = "") -> Iterator[Progress]:
    """Yield a started progress of the `kind` asked for, or the one that is given, and finish it at the end.

    "auto" is the rich bar where standard error is a terminal, and silence elsewhere.
    """
    faces: dict[str, type[Progress]] = {"rich": RichProgress, "json": JsonProgress, "silent": Silent}
    if kind == "auto":
        kind = "rich" if sys.stderr.isatty() else "silent"
    face = faces[kind]() if isinstance(kind, str) else kind
    face.start(total, description)
    try:
        yield face
    finally:
        face.finish()


def _figures(fields: dict[str, Any]) -> str:
    shown = (
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in fields.items()
    )
    return "  ".join(shown)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
