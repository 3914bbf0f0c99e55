"""A worker: takes jobs, makes their videos, stores them. As many as wanted, on as many machines.

    python -m reelworld.serve.worker --database sqlite:///jobs.db --storage out/serve --weights nano

Files are stored first, under the number of the attempt, and the job is completed after: so a completed job
has its video, and a worker that lost its job leaves files that nothing names and that it removes.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sqlalchemy.exc import SQLAlchemyError

from reelworld.core import runtime
from reelworld.core.encode import decode_frames, encode_png
from reelworld.core.errors import CheckpointError, ConfigError, ReelWorldError, StorageError
from reelworld.core.sheet import strip
from reelworld.core.types import Frames, Video
from reelworld.generate.packaged import PACKAGED
from reelworld.generate.request import to_frames
from reelworld.serve.jobs import CANCELLED, KEPT_SECONDS, LATE, OVER, Cancelled, Jobs, Lost, Turn
from reelworld.serve.making import Studio
from reelworld.serve.storage import Storage, inputs_of
from reelworld.serve.tables import open_database, upgrade

DATABASE_SECONDS = 2.0  # before a database that fails is asked again
IDLE_SECONDS = 0.25  # between looks at an empty queue
NEWS_SECONDS = 0.5  # between reports of progress
PREVIEW_SECONDS, PREVIEW_FRAMES, PREVIEW_HEIGHT = 1.0, 4, 96
DEADLINE_SECONDS = 1800.0  # of work on one job


class Late(ReelWorldError):
    """The job took longer than a job may."""


class Stopped(ReelWorldError):
    """The worker was told to stop."""


class Watch:
    """The progress and previews of one job; what it raises within a denoising step stops the work."""

    def __init__(
        self, jobs: Jobs, turn: Turn, storage: Storage, deadline: float, stop: threading.Event
    ) -> None:
        self.jobs, self.turn, self.storage, self.stop = jobs, turn, storage, stop
        self.done, self.total, self.previews = 0, 1, 0
        self.ends = time.monotonic() + deadline
        self.told = self.shown = 0.0
        self.heard = time.monotonic()

    def start(self, total: int | None, description: str) -> None:
        """Begin to count."""
        self.total = max(1, total or 1)

    def advance(self, num_steps: int = 1, **fields: Any) -> None:
        """Count steps; ask whether to go on. Raises: Lost, Cancelled, Late, Stopped."""
        self.done += num_steps
        if self.stop.is_set():
            raise Stopped("the worker was told to stop")
        if time.monotonic() > self.ends:
            raise Late("the video took too long to make")
        try:
            self._ask()
            self.heard = time.monotonic()
        except SQLAlchemyError:  # a database that comes back within the lease harms nobody
            if time.monotonic() - self.heard > self.jobs.lease_seconds:
                raise

    def _ask(self) -> None:
        """Ask whether to go on; now and then tell how far it is."""
        if time.monotonic() - self.told < NEWS_SECONDS:
            self.jobs.check(self.turn)
            return
        self.told = time.monotonic()
        self.jobs.heartbeat(self.turn, progress=min(99, int(100 * self.done / self.total)))

    def finish(self) -> None:
        """Nothing is left to tell."""

    def see(self, step: int, num_steps: int, clean: torch.Tensor, noisy: torch.Tensor) -> None:
        """Show now and then what the video will be."""
        if time.monotonic() - self.shown < PREVIEW_SECONDS and step + 1 < num_steps:
            return
        self.shown = time.monotonic()
        picture = strip(Video(to_frames(clean)), PREVIEW_FRAMES, height=PREVIEW_HEIGHT)
        try:
            self.storage.put(f"{self.turn.id}/preview.png", encode_png(Video(np.asarray(picture)[None])))
            self.jobs.heartbeat(self.turn, preview=self.previews + 1)
        except (StorageError, SQLAlchemyError) as error:  # the video is worth more than its preview
            print(f"{self.turn.id}: no preview: {error.__class__.__name__}", file=sys.stderr)
            return
        self.previews += 1


def serve_jobs(
    jobs: Jobs,
    storage: Storage,
    studio: Studio,
    stop: threading.Event,
    *,
    deadline: float = DEADLINE_SECONDS,
    idle: Callable[[], bool] = lambda: False,
) -> None:
    """Work until told to stop, or until the queue is empty and `idle` says so."""
    name = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}"
    while not stop.is_set():
        try:
            turn = jobs.lease(name, list(studio.weights))
        except SQLAlchemyError as error:
            print(f"the queue cannot be read: {error.__class__.__name__}; trying again", file=sys.stderr)
            stop.wait(DATABASE_SECONDS)
            continue
        if turn is None:
            if idle():
                return
            stop.wait(IDLE_SECONDS)
            continue
        work(jobs, storage, studio, turn, stop, deadline)


def work(
    jobs: Jobs, storage: Storage, studio: Studio, turn: Turn, stop: threading.Event, deadline: float
) -> None:
    """Do one job, to whatever end it comes; where the database is away, the lease gives it back."""
    watch = Watch(jobs, turn, storage, deadline, stop)
    with _Beating(jobs, turn, deadline + jobs.lease_seconds):
        try:
            _work(jobs, storage, studio, turn, watch)
        except SQLAlchemyError as error:
            print(f"{turn.id}: the database failed: {error.__class__.__name__}", file=sys.stderr)


def _work(jobs: Jobs, storage: Storage, studio: Studio, turn: Turn, watch: Watch) -> None:
    """Do one job; what it leaves is removed while it is still held. Raises: SQLAlchemyError."""
    try:
        _make(jobs, storage, studio, turn, watch)
    except Stopped:
        _clean(jobs, storage, turn)
        jobs.release(turn)
    except SQLAlchemyError:
        raise
    except Lost:
        _clean(jobs, storage, turn)
    except Exception as error:  # whatever it was: the job must end, and the worker go on
        _fail(jobs, turn, error)
        _clean(jobs, storage, turn)
    job = jobs.get(turn.id)
    if job is None or job.status in OVER:
        storage.let_go(inputs_of(turn.request))


def _clean(jobs: Jobs, storage: Storage, turn: Turn) -> None:
    """Remove what an attempt left, unless it completed the job; all of a job that was deleted."""
    folder, job = f"{turn.id}/{turn.attempt}", jobs.get(turn.id)
    if job is not None and (job.result or {}).get("folder") == folder:
        return
    try:
        storage.remove(turn.id if job is None else folder)
    except StorageError as error:
        print(f"{turn.id}: {error}", file=sys.stderr)


def _make(jobs: Jobs, storage: Storage, studio: Studio, turn: Turn, watch: Watch) -> None:
    """Make a job's video, store its files, and then complete it."""

    def load(name: str) -> Frames:
        return decode_frames(storage.get(name))

    made = studio.make(turn.operation, turn.request, load, watch, watch.see)
    jobs.check(turn)
    for name, data in made.files.items():
        _put(storage, f"{turn.id}/{turn.attempt}/{name}", data)
    jobs.complete(turn, {"folder": f"{turn.id}/{turn.attempt}", **made.about})
    storage.let_go(f"{turn.id}/{earlier}" for earlier in range(1, turn.attempt))  # or when it expires


def _put(storage: Storage, name: str, data: bytes) -> None:
    """Store a file; what fails once is tried again. Raises: StorageError."""
    for wait in (0.2, 1.0, None):
        try:
            storage.put(name, data)
            return
        except StorageError:
            if wait is None:
                raise
            time.sleep(wait)


def _fail(jobs: Jobs, turn: Turn, error: Exception) -> None:
    """End a job with what went wrong; of what nobody foresaw only the log tells more."""
    code, message = "internal_error", "the video could not be made; the server's log says why"
    if isinstance(error, Cancelled):
        code, message = CANCELLED, "cancelled while it was made"
    elif isinstance(error, Late):
        code, message = LATE, str(error)
    elif isinstance(error, StorageError):
        code, message = "storage_error", "the server could not store or read a file; its disk may be full"
        print(f"{turn.id}: {error}", file=sys.stderr)
    elif isinstance(error, CheckpointError):
        code, message = "model_error", "the server's weights cannot be used"
        print(f"{turn.id}: {error}", file=sys.stderr)
    elif isinstance(error, ReelWorldError):
        code, message = "invalid_request", str(error)
    else:
        traceback.print_exception(error)
    try:
        jobs.fail(turn, code, message)
    except Lost:
        print(f"{turn.id}: lost before its failure could be told: {error}", file=sys.stderr)


class _Beating:
    """Keeps a job while its worker computes, also where no step ends for long; but not for ever."""

    def __init__(self, jobs: Jobs, turn: Turn, most_seconds: float) -> None:
        self.jobs, self.turn, self.over = jobs, turn, threading.Event()
        self.ends = time.monotonic() + most_seconds
        self.thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> _Beating:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def _beat(self) -> None:
        while not self.over.wait(self.jobs.lease_seconds / 3) and time.monotonic() < self.ends:
            try:
                self.jobs.heartbeat(self.turn)
            except (Lost, Cancelled):
                return  # the work finds out within a step
            except SQLAlchemyError as error:
                print(f"{self.turn.id}: heartbeat failed: {error.__class__.__name__}", file=sys.stderr)


def main(arguments: list[str] | None = None) -> None:
    """Run a worker from the command line."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--database", required=True, help="a URL, or - to read it from the first line sent")
    options.add_argument("--storage", required=True)
    options.add_argument("--weights", action="append", default=[], help="NAME or NAME=FILE; often")
    options.add_argument(
        "--lease", type=float, default=30.0, help="seconds after which a silent worker counts as dead"
    )
    options.add_argument(
        "--deadline", type=float, default=DEADLINE_SECONDS, help="seconds of work on one job"
    )
    options.add_argument("--parent", type=int, help="process whose end is also this one's")
    options.add_argument("--kept", type=float, default=KEPT_SECONDS, help="seconds that videos stay")
    given = options.parse_args(arguments)
    stop = threading.Event()
    if given.parent is not None:
        threading.Thread(target=_follow, args=(given.parent, stop), daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    runtime.set_threads()
    engine = open_database(sys.stdin.readline().strip() if given.database == "-" else given.database)
    upgrade(engine)
    jobs = Jobs(engine, lease_seconds=given.lease, kept=given.kept)
    studio = Studio(parse_weights(given.weights))
    serve_jobs(jobs, Storage(given.storage), studio, stop, deadline=given.deadline)


def _follow(parent: int, stop: threading.Event) -> None:
    """Stop when the parent is gone."""
    while os.getppid() == parent:
        time.sleep(IDLE_SECONDS)
    stop.set()


def parse_weights(given: list[str]) -> dict[str, Path | None]:
    """Read names of packaged models, or NAME=FILE. Raises: ConfigError for another name without a file."""
    pairs = [text.partition("=") for text in given or PACKAGED]
    if lacking := [name for name, equals, file in pairs if not file and (equals or name not in PACKAGED)]:
        known = " and ".join(PACKAGED)
        raise ConfigError(f"--weights is {lacking[0]!r}; {known} are packaged: give one, or NAME=FILE")
    return {name: Path(file) if file else None for name, _, file in pairs}


if __name__ == "__main__":
    main()
