"""A small generated data set and a tiny recipe: squares of two colours that slide left or right."""

import itertools
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import pytest
import torch

from reelworld.core.types import VideoShape
from reelworld.models.denoiser import DenoiserConfig
from reelworld.models.text import TextConfig
from reelworld.recipes import Bucket, DataConfig, OptimConfig, Recipe, ReportConfig, Stage
from reelworld.world.stream import Batch

COLOURS = {"red": (220, 40, 40), "blue": (40, 60, 220)}
WAYS = ("left", "right")
KINDS = list(itertools.product(COLOURS, WAYS))


def clip(colour: str, way: str, shape: VideoShape) -> torch.Tensor:
    """Draw a square of that colour sliding that way, uint8 [T, H, W, 3]."""
    pixels = torch.full((*shape.size, 3), 128, dtype=torch.uint8)
    side, travel = shape.height // 2, shape.width // 2
    for t in range(shape.num_frames):
        share = t / max(1, shape.num_frames - 1)
        x = round(travel * (share if way == "right" else 1 - share))
        pixels[t, side // 2 : side // 2 + side, x : x + side] = torch.tensor(
            COLOURS[colour], dtype=torch.uint8
        )
    return pixels


@dataclass
class SquareStream:
    """Batches of squares; clip n is a function of n."""

    shape: VideoShape
    batch: int
    offset: int
    labelled: bool = False
    position: int = 0

    def seek(self, count: int) -> None:
        self.position = count

    def __next__(self) -> Batch:
        indices = list(range(self.position, self.position + self.batch))
        self.position += self.batch
        kinds = [KINDS[(index + self.offset) % len(KINDS)] for index in indices]
        pixels = torch.stack([clip(*kind, self.shape) for kind in kinds])
        return Batch(
            pixels=pixels,
            captions=[f"a {colour} square slides {way}" for colour, way in kinds],
            indices=indices,
            labels=labels_of(pixels, [colour for colour, _ in kinds]) if self.labelled else {},
        )


def labels_of(pixels: torch.Tensor, colours: list[str]) -> dict[str, torch.Tensor]:
    """Return what each pixel shows: a square is a thing of kind 1, three metres away."""
    things = (pixels != 128).any(-1).to(torch.uint8)
    numbers = torch.tensor([1 + list(COLOURS).index(c) for c in colours], dtype=torch.uint8)
    return {
        "thing": things, "kind": things, "color": things * numbers[:, None, None, None],
        "depth": torch.where(things > 0, 3.0, 0.0).half(),
    }  # fmt: skip


@dataclass(frozen=True)
class Squares:
    """The data set of sliding squares."""

    labelled: bool = False

    def words(self) -> tuple[str, ...]:
        return ("a", "square", "slides", *COLOURS, *WAYS)

    def own_words(self) -> tuple[str, ...]:
        return ()

    def notes(self, recipe: Recipe, words: Collection[str]) -> list[str]:
        return []

    def describe(self) -> dict[str, object]:
        return {"kind": "squares"}

    def stream(
        self, stage: Stage, shape: VideoShape, batch: int, *, split: str, seed: int, device: str
    ) -> SquareStream:
        return SquareStream(shape, batch, seed, self.labelled)


def tiny(steps: int = 6, **changes: object) -> Recipe:
    """Return a recipe of two short stages for 16x16 clips."""
    image = Bucket(shape=VideoShape(width=16, height=16, num_frames=1), weight=0.3)
    glance = Bucket(shape=VideoShape(width=16, height=16, num_frames=4), weight=0.7)
    long = Bucket(shape=VideoShape(width=16, height=16, num_frames=8))
    settings = {
        "name": "tiny",
        "model": DenoiserConfig(
            dim=32, depth=2, num_heads=2, text=TextConfig(vocabulary_size=64, dim=32, depth=1, num_heads=2)
        ),
        "stages": (
            Stage(name="short", steps=steps - steps // 2, batch=4, buckets=(glance, image), text_length=32),
            Stage(name="long", steps=steps // 2, batch=2, buckets=(long,), text_length=32),
        ),
        "optim": OptimConfig(warmup_steps=2),
        "data": DataConfig(workers=0, reuse=2, reuse_memory=2, heldout_clips=2, sample_prompts=2),
        "report": ReportConfig(sample_steps=2),
    }
    return Recipe(**(settings | changes))


@pytest.fixture(name="tiny")
def tiny_fixture() -> Callable[..., Recipe]:
    return tiny


@pytest.fixture
def squares() -> Squares:
    return Squares()


@pytest.fixture
def labelled_squares() -> Squares:
    return Squares(labelled=True)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Compute with one thread: faster at these sizes, and the same as in the subprocesses."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
