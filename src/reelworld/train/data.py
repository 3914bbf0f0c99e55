"""Clips in the order of the steps: data echoing, and the world as a data set.

    with open_feed(WorldData(), recipe, start=step, device="cpu") as feed:
        for serving in feed: ...

What a step sees is a function of the recipe and the step alone: a resumed run saves no position, it seeks.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection

import numpy as np
import torch

from reelworld.core import runtime
from reelworld.core.errors import DataError, ReelWorldError
from reelworld.core.types import References, VideoShape
from reelworld.recipes import Recipe, Stage
from reelworld.train.makers import (
    SPARE_CORES,
    Annotate,
    DataSet,
    Here,
    Open,
    Source,
    Stream,
    makers,
    nothing,
    packed,
    unpacked,
)
from reelworld.world.stream import Batch


class Echo:
    """Show each clip in about `reuse` batches, each time among others: rendering costs more than training.

    Batch k holds group k, which is new, and `reuse` - 1 groups drawn from the `memory` before it; a group has
    batch / reuse clips. What is drawn is a function of k. Source: arXiv:1907.05550 (data echoing).
    """

    def __init__(
        self, stream: Stream, group: int, reuse: int, memory: int, start: int = 0, seed: int = 0
    ) -> None:
        self.stream, self.group, self.reuse, self.seed = stream, group, reuse, seed
        self.position, self.started = start, False
        self.groups: deque[Batch] = deque(maxlen=memory + 1)

    def __next__(self) -> Batch:
        if not self.started:
            self._fill()
        self.groups.append(next(self.stream))
        drawn = self._drawn(np.random.default_rng([self.seed, self.position]))
        self.position += 1
        return _join([self.groups[-1], *(self.groups[place] for place in drawn)])

    def _drawn(self, rng: np.random.Generator) -> list[int]:
        """Draw places of earlier groups; of a new run's first groups some come twice."""
        earlier, wanted = len(self.groups) - 1, self.reuse - 1
        few = earlier < wanted
        return rng.choice(earlier + few, wanted, replace=few).tolist() if wanted else []

    def _fill(self) -> None:
        """Render the groups that earlier batches would have left."""
        memory = (self.groups.maxlen or 1) - 1 if self.reuse > 1 else 0
        first = max(0, self.position - memory)
        self.stream.seek(first * self.group)
        self.groups.extend(next(self.stream) for _ in range(first, self.position))
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
        words={name: torch.cat([batch.words[name] for batch in batches]) for name in batches[0].words},
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


def servings(
    data: DataSet, recipe: Recipe, start: int, annotate: Annotate = nothing, opened: Open = Here
) -> Iterator[Serving]:
    """Yield what each step from `start` on sees."""
    echoes: dict[tuple[int, int], Echo] = {}
    for step in range(start, recipe.total_steps):
        began = time.perf_counter()
        stage, _ = recipe.stage_at(step)
        bucket = bucket_at(recipe.stages[stage], recipe.seed, step)
        if (stage, bucket) not in echoes:
            for key in [key for key in echoes if key[0] != stage]:
                echoes.pop(key).stream.seek(0)  # what is on its way is not waited for
            echoes[stage, bucket] = _open_echo(data, recipe, step, bucket, annotate, opened)
        batch = next(echoes[stage, bucket])
        yield Serving(step=step, bucket=bucket, batch=batch, seconds=time.perf_counter() - began)


def _open_echo(
    data: DataSet, recipe: Recipe, step: int, bucket: int, annotate: Annotate, opened: Open
) -> Echo:
    """Open a bucket's stream where the stage's earlier steps left it."""
    index, first = recipe.stage_at(step)
    stage = recipe.stages[index].of(bucket)
    earlier = sum(bucket_at(stage, recipe.seed, before) == bucket for before in range(first, step))
    source = Source(
        data=data,
        stage=stage,
        shape=stage.buckets[bucket].shape,
        batch=stage.clips(bucket) // recipe.data.reuse,
        split=recipe.data.split,
        seed=recipe.seed * 1000 + index * 100 + bucket,
        annotate=annotate,
    )
    config = recipe.data
    return Echo(opened(source), source.batch, config.reuse, config.reuse_memory, earlier, source.seed)


@contextmanager
def open_feed(
    data: DataSet, recipe: Recipe, start: int, device: str, annotate: Annotate = nothing
) -> Iterator[Iterator[Serving]]:
    """Yield the servings from a step on; made ahead by a second process, for a GPU by one on each core."""
    if device != "cpu":
        with makers(max(1, runtime.num_cores() - SPARE_CORES), device) as opened:
            yield servings(data, recipe, start, annotate, opened)
    elif recipe.data.workers == 0:
        yield servings(data, recipe, start, annotate)
    else:
        with _worker(data, recipe, start, annotate) as feed:
            yield feed


@contextmanager
def _worker(data: DataSet, recipe: Recipe, start: int, annotate: Annotate) -> Iterator[Iterator[Serving]]:
    """Render in another process; a thread would hold Python's lock and stall the training."""
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(sender, data, recipe, start, annotate), daemon=True)
    with runtime.starting_helpers():
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


def _serve(sender: Connection, data: DataSet, recipe: Recipe, start: int, annotate: Annotate) -> None:
    """Send servings until the trainer hangs up; runs in the second process."""
    runtime.be_helper(recipe.data.worker_threads)
    try:
        for item in servings(data, recipe, start, annotate):
            sender.send((item.step, item.bucket, item.seconds, packed(item.batch)))
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
        step, bucket, seconds, sent = message
        ready.put(Serving(step=step, bucket=bucket, batch=unpacked(sent), seconds=seconds))


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

    def own_words(self) -> tuple[str, ...]:
        """Return none: the vocabulary holds them all."""
        return ()

    def notes(self, recipe: Recipe, words: Collection[str]) -> list[str]:
        """Say nothing."""
        return []

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
            near=stage.near,
            close_ups=self.close_ups,
            themes=stage.themes,
        )
        return WorldStream(config, batch, device, self.labelled)


def world_data(recipe: Recipe) -> WorldData:
    """Return the world as the recipe needs it, with labels or without."""
    return WorldData(labelled=recipe.needs_labels, close_ups=recipe.data.close_ups)
