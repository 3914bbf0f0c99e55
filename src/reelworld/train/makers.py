"""Who makes the clips: whoever asks for them, or processes that make them before they are asked for.

    with makers(14, "cuda") as opened:
        stream = opened(Source(data=WorldData(), stage=stage, shape=shape, batch=12, ...))
        batch = next(stream)

A batch is a function of its source and its number, whoever makes it.
"""

import pickle
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from multiprocessing import active_children, get_context
from typing import Any, Protocol

import torch
from torch import Tensor

from reelworld.core import runtime
from reelworld.core.errors import DataError
from reelworld.core.types import References, VideoShape
from reelworld.recipes import Recipe, Stage
from reelworld.world.stream import Batch

SPARE_CORES = 2  # for the training itself, where other cores make clips for a GPU

Annotate = Callable[[Sequence[str], int], dict[str, Tensor]]  # captions, text length -> a row for each


def nothing(captions: Sequence[str], length: int) -> dict[str, Tensor]:
    """Make nothing of captions, as the trainings of parsers and upsamplers do."""
    return {}


class Stream(Protocol):
    """Endless batches that restart exactly: `seek(n)` continues as if n clips had been taken."""

    position: int

    def seek(self, count: int) -> None:
        """Continue after `count` clips."""

    def __next__(self) -> Batch:
        """Return the next batch."""


class DataSet(Protocol):
    """Where clips come from: the world, or a folder of footage."""

    def words(self) -> tuple[str, ...]:
        """Return every word that the vocabulary must hold."""

    def own_words(self) -> tuple[str, ...]:
        """Return words that it may hold beside them where there is room, the most frequent first."""

    def notes(self, recipe: Recipe, words: Collection[str]) -> list[str]:
        """Say, in one line each, what the user should know of it, for a model that knows these words."""

    def describe(self) -> dict[str, object]:
        """Say in the card of the weights what was learned from."""

    def stream(
        self, stage: Stage, shape: VideoShape, batch: int, *, split: str, seed: int, device: str
    ) -> Stream:
        """Open a stream of batches [batch, T, H, W, 3] uint8 of that shape."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the batches of a bucket come from; it travels to the process that makes them."""

    data: DataSet
    stage: Stage
    shape: VideoShape
    batch: int
    split: str
    seed: int
    annotate: Annotate

    def open(self) -> Stream:
        """Open the stream, on the CPU."""
        return self.data.stream(
            self.stage, self.shape, self.batch, split=self.split, seed=self.seed, device="cpu"
        )


class Here:
    """The batches of a source, made when they are asked for, with what the training makes of captions."""

    def __init__(self, source: Source) -> None:
        self.source, self.stream, self.position = source, source.open(), 0

    def seek(self, count: int) -> None:
        """Continue after `count` clips."""
        self.position = count
        self.stream.seek(count)

    def __next__(self) -> Batch:
        batch = next(self.stream)
        self.position += len(batch.captions)
        return replace(batch, words=self.source.annotate(batch.captions, self.source.stage.text_length))


class Ahead:
    """The same batches, made by other processes before they are asked for, then moved to a device."""

    _numbers = count()

    def __init__(self, source: Source, makers: ProcessPoolExecutor, most: int, device: str) -> None:
        self.source, self.makers, self.most, self.device = source, makers, most, device
        self.sent = pickle.dumps(source)  # once: a folder of footage may know thousands of clips
        self.number, self.position = next(Ahead._numbers), 0
        self._coming: deque[Future[Packed]] = deque()

    def seek(self, count: int) -> None:
        """Continue after `count` clips; what is on its way is not waited for."""
        for future in self._coming:
            future.cancel()
        self.position, self._coming = count, deque()

    def __next__(self) -> Batch:
        try:
            while len(self._coming) < self.most:
                first = self.position + len(self._coming) * self.source.batch
                with runtime.starting_helpers():  # the pool starts a process when it is given work
                    self._coming.append(self.makers.submit(_make, self.number, self.sent, first))
            done = self._coming[0].result()
        except BrokenProcessPool as error:
            raise DataError("a process that makes clips was killed; go on with --resume") from error
        self._coming.popleft()
        self.position += self.source.batch
        return unpacked(done, self.device)


Packed = tuple[Any, ...]  # a batch as NumPy arrays, which any process can be sent


def packed(batch: Batch) -> Packed:
    """Return a batch of the CPU as NumPy arrays: torch's own way would hold a file open for each tensor."""
    labels, words = ({k: v.numpy() for k, v in of.items()} for of in (batch.labels, batch.words))
    referred = None if batch.references is None else [part.numpy() for part in batch.references]
    return batch.pixels.numpy(), batch.captions, batch.indices, labels, referred, words


def unpacked(sent: Packed, device: str = "cpu") -> Batch:
    """Return the batch again, its pixels on a device; the rows of words are small and stay on the CPU."""
    pixels, captions, indices, labels, referred, words = sent
    tensors = {name: torch.from_numpy(label).to(device) for name, label in labels.items()}
    rows = {name: torch.from_numpy(row) for name, row in words.items()}
    references = None if referred is None else References(*(torch.from_numpy(r).to(device) for r in referred))
    return Batch(torch.from_numpy(pixels).to(device), captions, indices, tensors, references, rows)


_opened: dict[int, Here] = {}  # in a process that makes batches, by the number of their stream


def _make(number: int, sent: bytes, first: int) -> Packed:
    """Make the batch that begins with clip `first`; runs in another process, which opens a source once."""
    if number not in _opened:
        _opened[number] = Here(pickle.loads(sent))
    _opened[number].seek(first)
    return packed(next(_opened[number]))


Open = Callable[[Source], Stream]


@contextmanager
def makers(count: int, device: str) -> Iterator[Open]:
    """Let processes make batches; a GPU that trains has no time to render (docs/design/0016)."""
    threads = torch.get_num_threads()
    torch.set_num_threads(SPARE_CORES)  # with more, the trainer fights its makers for every core
    pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=runtime.be_helper)
    others = active_children()
    try:
        yield lambda source: Ahead(source, pool, 2 * count, device)
    except DataError:
        for process in active_children():
            if process not in others:
                process.kill()  # if one was killed, Python waits for the others, which ignore its SIGTERM
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        torch.set_num_threads(threads)
