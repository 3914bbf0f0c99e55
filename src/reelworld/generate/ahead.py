"""Videos made in several processes, ahead of who asks for them in an order that is known.

    asked = [("a red ball rolls", 0), ("a red ball rolls", 1)]
    with made_ahead("small.safetensors", asked, workers=8) as make:
        for prompt, seed in asked:
            (video,) = make(prompt, seed=seed)

Each process computes with one thread, so that none waits for another: on two cores 1.1 times as many videos.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from reelworld.core import runtime
from reelworld.core.errors import ConfigError, DeviceError
from reelworld.core.types import Video
from reelworld.generate.pipeline import Pipeline

Asked = tuple[str, int]  # prompt, seed
MOST_AHEAD = 2  # videos a worker, made and in the making

_pipelines: list[Pipeline] = []  # in a worker: the one that it loaded


class Ahead:
    """Gives the videos that were asked for, in that order."""

    def __init__(self, pool: ProcessPoolExecutor, asked: Sequence[Asked], most: int) -> None:
        self.pool, self.most, self.next = pool, most, 0
        self.asked = tuple(asked)
        self._coming: deque[Future[Video]] = deque()

    def __call__(self, prompt: str, *, seed: int) -> list[Video]:
        """Return the next video. Raises: ConfigError out of order; DeviceError where a worker was killed."""
        if self.next >= len(self.asked) or self.asked[self.next] != (prompt, seed):
            raise ConfigError(f"seed {seed} of {prompt[:40]!r} is not what was to be asked for next")
        try:
            begun = self.next + len(self._coming)
            with runtime.starting_helpers():  # the pool starts a process when it is given work
                for ahead in self.asked[begun : self.next + self.most]:
                    self._coming.append(self.pool.submit(_make, *ahead))
            video = self._coming.popleft().result()
        except BrokenProcessPool as error:
            raise DeviceError(
                "a worker was killed, maybe for memory; begin again with fewer workers"
            ) from error
        self.next += 1
        return [video]


@contextmanager
def made_ahead(weights: str | Path | None, asked: Sequence[Asked], workers: int) -> Iterator[Ahead]:
    """Let `workers` processes, of one thread each, make videos of the weights on the CPU.

    Raises: ConfigError for less than one worker.
    """
    if workers < 1:
        raise ConfigError(f"{workers} workers: give at least 1")
    pool = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_load, initargs=(weights,)
    )
    try:
        yield Ahead(pool, asked, MOST_AHEAD * workers)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _load(weights: str | Path | None) -> None:
    """Load the weights; runs once in each worker."""
    runtime.be_helper()
    _pipelines[:] = [Pipeline.load(weights, device="cpu")]


def _make(prompt: str, seed: int) -> Video:
    """Make a video; runs in a worker."""
    (video,) = _pipelines[0](prompt, seed=seed)
    return video
