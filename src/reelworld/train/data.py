"""Clips in the order of the steps: streams, data echoing, and rendering ahead in a second process.

    with open_feed(WorldData(), recipe, start=step, device="cpu") as feed:
        for serving in feed: ...

What a step sees is a function of the recipe and the step alone: a resumed run saves no position, it seeks.
"""

import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Protocol

import numpy as np
import torch

from reelworld.core import runtime
from reelworld.core.errors import DataError, ReelWorldError
from reelworld.core.types import References, VideoShape
from reelworld.recipes import Recipe, Stage
from reelworld.world.stream import Batch

MOST_PLANNERS = 8  # processes that write scenes for a GPU


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

    def describe(self) -> dict[str, object]:
        """Say in the card of the weights what was learned from."""

    def stream(
        self, stage: Stage, shape: VideoShape, batch: int, *, split: str, seed: int, device: str
    ) -> Stream:
        """Open a stream of batches [batch, T, H, W, 3] uint8 of that shape."""


class Echo:
    """Show each clip in `reuse` batches, `spacing` batches apart, each time among other clips.

    Batch k holds the groups k, k + spacing, k + 2 spacing, ... of batch / reuse clips, so a batch costs the
    rendering of one new group. Source: arXiv:1907.05550 (data echoing).
    """

    def __init__(self, stream: Stream, group: int, reuse: int, spacing: int, start: int = 0) -> None:
        self.stream, self.group = stream, group
        self.lags = [index * spacing for index in range(reuse)]
        self.position = start
        self.groups: deque[Batch] = deque(maxlen=self.lags[-1] + 1)
        self.started = False

    def __next__(self) -> Batch:
        if not self.started:
            self._fill()
        self.groups.append(next(self.stream))
        self.position += 1
        return _join([self.groups[lag] for lag in self.lags])

    def _fill(self) -> None:
        """Render the groups that earlier batches would have left."""
        self.stream.seek(self.position * self.group)
        self.groups.extend(next(self.stream) for _ in range(self.lags[-1]))
        self.started = True


def _join(batches: list[Batch]) -> Batch:
    """Return one batch of all clips."""
    referred = [batch.references for batch in batches if batch.references is not None]
    return Batch(
        pixels=torch.cat([batch.pixels for batch in batches]),
        captions=[caption for batch in batches for caption in batch.captions],
        indices=[index for batch in batches for index in batch.indices],
        labels={name: torch.cat([batch.labels[name] for batch in batches]) for name in batches[0].labels},
        references=References(*map(torch.cat, zip(*referred, strict=True))) if referred else None,
    )


def bucket_at(stage: Stage, seed: int, step: int) -> int:
    """Draw the bucket of a step; a function of the seed and the step."""
    weights = np.array([bucket.weight for bucket in stage.buckets])
    return int(np.random.default_rng([seed, step]).choice(len(weights), p=weights / weights.sum()))


@dataclass(frozen=True, kw_only=True)
class Serving:
    """The clips of one step, and the seconds it took to make them."""

    step: int
    bucket: int
    batch: Batch
    seconds: float


def servings(data: DataSet, recipe: Recipe, start: int, device: str = "cpu") -> Iterator[Serving]:
    """Yield what each step from `start` on sees."""
    echoes: dict[tuple[int, int], Echo] = {}
    for step in range(start, recipe.total_steps):
        began = time.perf_counter()
        stage, first = recipe.stage_at(step)
        bucket = bucket_at(recipe.stages[stage], recipe.seed, step)
        if (stage, bucket) not in echoes:
            echoes = {key: echo for key, echo in echoes.items() if key[0] == stage}
            echoes[stage, bucket] = _open_echo(data, recipe, stage, bucket, first, step, device)
        batch = next(echoes[stage, bucket])
        yield Serving(step=step, bucket=bucket, batch=batch, seconds=time.perf_counter() - began)


def _open_echo(
    data: DataSet, recipe: Recipe, stage_index: int, bucket: int, first: int, step: int, device: str
) -> Echo:
    """Open a bucket's stream where the stage's earlier steps left it."""
    stage = recipe.stages[stage_index].of(bucket)
    earlier = sum(bucket_at(stage, recipe.seed, before) == bucket for before in range(first, step))
    group = stage.clips(bucket) // recipe.data.reuse
    seed = recipe.seed * 1000 + stage_index * 100 + bucket
    shape, split = stage.buckets[bucket].shape, recipe.data.split
    stream = data.stream(stage, shape, group, split=split, seed=seed, device=device)
    return Echo(stream, group, recipe.data.reuse, recipe.data.reuse_spacing, earlier)


@contextmanager
def open_feed(data: DataSet, recipe: Recipe, start: int, device: str) -> Iterator[Iterator[Serving]]:
    """Yield the servings from a step on; on a CPU the recipe's worker, a second process, renders ahead."""
    if device != "cpu" or recipe.data.workers == 0:
        yield servings(data, recipe, start, device)
        return
    with _worker(data, recipe, start) as feed:
        yield feed


@contextmanager
def _worker(data: DataSet, recipe: Recipe, start: int) -> Iterator[Iterator[Serving]]:
    """Render in another process; a thread would hold Python's lock and stall the training."""
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(sender, data, recipe, start), daemon=True)
    process.start()
    sender.close()
    ready: queue.Queue[Serving | Exception] = queue.Queue(maxsize=recipe.data.prefetch)
    thread = threading.Thread(target=_receive, args=(receiver, ready), daemon=True)
    thread.start()
    try:
        yield _served(ready, recipe.total_steps - start)
    finally:
        process.kill()
        process.join()
        while thread.is_alive():  # it may be waiting for room in the queue
            with _ignore_empty():
                ready.get(timeout=0.05)
        receiver.close()


@contextmanager
def _ignore_empty() -> Iterator[None]:
    try:
        yield
    except queue.Empty:
        return


def _serve(sender: Connection, data: DataSet, recipe: Recipe, start: int) -> None:
    """Send servings until the trainer hangs up; runs in the second process."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the trainer decides when to stop
        signal.signal(number, signal.SIG_IGN)
    runtime.set_threads(recipe.data.worker_threads)
    try:
        for item in servings(data, recipe, start):
            batch = item.batch
            labels = {name: label.numpy() for name, label in batch.labels.items()}
            referred = None if batch.references is None else [part.numpy() for part in batch.references]
            content = (batch.pixels.numpy(), batch.captions, batch.indices, labels, referred)
            sender.send((item.step, item.bucket, item.seconds, *content))
    except BrokenPipeError:
        return
    except ReelWorldError as error:
        sender.send(error)


def _receive(receiver: Connection, ready: "queue.Queue[Serving | Exception]") -> None:
    """Move servings from the pipe into the queue; runs in a thread of the trainer."""
    while True:
        try:
            message = receiver.recv()
        except (EOFError, OSError):
            ready.put(
                DataError(
                    "the process that renders clips ended early; see its message above, or set data.workers=0"
                )
            )
            return
        if isinstance(message, Exception):
            ready.put(message)
            return
        step, bucket, seconds, pixels, captions, indices, labels, referred = message
        tensors = {name: torch.from_numpy(label) for name, label in labels.items()}
        references = None if referred is None else References(*map(torch.from_numpy, referred))
        batch = Batch(torch.from_numpy(pixels), captions, indices, tensors, references)
        ready.put(Serving(step=step, bucket=bucket, batch=batch, seconds=seconds))


def _served(ready: "queue.Queue[Serving | Exception]", count: int) -> Iterator[Serving]:
    for _ in range(count):
        item = ready.get()
        if isinstance(item, Exception):
            raise item
        yield item


@dataclass(frozen=True, kw_only=True)
class WorldData:
    """The simulated world as a data set; with `labelled`, batches say what their pixels show.

    A share of the clips are `close_ups`.
    """

    labelled: bool = False
    close_ups: float = 0.0

    def words(self) -> tuple[str, ...]:
        """Return every word a caption of the world can hold."""
        from reelworld.world.caption import vocabulary

        return vocabulary()

    def describe(self) -> dict[str, object]:
        """Say what was learned from."""
        return {"kind": "world"}

    def stream(
        self, stage: Stage, shape: VideoShape, batch: int, *, split: str, seed: int, device: str
    ) -> Stream:
        """Open a stream of the world at the stage's level."""
        from reelworld.world.stream import WorldConfig, WorldStream

        config = WorldConfig(
            level=stage.level,
            split=split,
            width=shape.width,
            height=shape.height,
            num_frames=shape.num_frames,
            fps=shape.fps,
            seed=seed,
            caption_mix=(stage.captions.raw, stage.captions.short, stage.captions.descriptive),
            references=stage.references,
            close_ups=self.close_ups,
            themes=stage.themes,
        )
        ahead = device != "cpu" and split != "heldout"  # a CPU's worker plans itself, held-out clips are few
        planners = min(MOST_PLANNERS, max(1, runtime.num_cores() - 2)) if ahead else 0
        return WorldStream(config, batch, device, planners, self.labelled)


def world_data(recipe: Recipe) -> WorldData:
    """Return the world as the recipe needs it, with labels or without."""
    return WorldData(labelled=recipe.needs_labels, close_ups=recipe.data.close_ups)
