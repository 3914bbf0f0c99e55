"""What is minimised: one small class per model, handed to the one loop.

    objective = build(recipe, data, init=None, state=None, device=torch.device("cpu"))
    loss = objective.loss(**objective.inputs(batch, text_length=64, fps=8.0))

`inputs` draws everything random from the objective's own generators, so `loss` is a plain function of tensors
that compiles and that a resumed run repeats bit for bit. An `Exam` says how good the average weights are.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from reelworld.core import runtime
from reelworld.core.checkpoint import State
from reelworld.core.types import VideoShape
from reelworld.models.denoiser import DenoiserConfig
from reelworld.models.perception import PerceptionConfig
from reelworld.models.released import (
    Network,
    check_same,
    checkpoint_to_network,
    network_to_checkpoint,
)
from reelworld.recipes import Bucket, Recipe
from reelworld.train.makers import Annotate, DataSet, nothing
from reelworld.world.stream import Batch


class Exam(Protocol):
    """Frozen clips on which the average weights are measured again and again."""

    shape: VideoShape

    def losses(self, model: Any) -> dict[str, float]:
        """Return figures by name, smaller is better; names that begin with "t=" are drawn as curves."""

    def picture(self, model: Any, title: str) -> Image.Image:
        """Show what the model makes, beside the truth."""


class Objective(Protocol):
    """A model and how wrong it is about a batch."""

    generators: dict[str, torch.Generator]
    annotate: Annotate

    @property
    def model(self) -> nn.Module:
        """The network whose parameters are trained."""

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words that it reads in captions; none where it reads no captions."""

    def inputs(self, batch: Batch, text_length: int, fps: float) -> dict[str, Any]:
        """Draw all that `loss` needs, on the device of the model."""

    def loss(self, *args: Any, **inputs: Any) -> Tensor:
        """Return the mean loss of a batch; a pure function of the inputs and the weights."""

    def flops(self, bucket: Bucket, text_length: int) -> int:
        """Return the operations of a training step for one clip."""

    def card(self) -> dict[str, Any]:
        """Return what a state must hold beside tensors."""

    def write(self, path: Path, ema: nn.Module, card: Mapping[str, Any]) -> Path:
        """Write the average weights as others read them."""

    def exam(self, data: DataSet, recipe: Recipe) -> Exam:
        """Draw the clips to measure on."""


def build(
    recipe: Recipe, data: DataSet, init: str | Path | None, state: State | None, device: torch.device
) -> Objective:
    """Build the objective of a recipe's model: as a state to resume says, from weights, or from the seed.

    Raises: ConfigError where weights are of another model; CheckpointError where they cannot be read.
    """
    init = init if state is None else None
    if isinstance(recipe.model, DenoiserConfig):
        from reelworld.train.denoising import Denoising

        return Denoising.build(recipe, data, init, state, device)
    if isinstance(recipe.model, PerceptionConfig):
        from reelworld.train.perceiving import Perceiving

        return Perceiving.build(recipe, init, device)
    from reelworld.train.upsampling import Upsampling

    return Upsampling.build(recipe, init, device)


class PlainWeights:
    """What the objectives of networks have in common whose weights are all there is to keep."""

    annotate: Annotate = staticmethod(nothing)
    words: tuple[str, ...] = ()

    def card(self) -> dict[str, Any]:
        """Return nothing: the weights are all."""
        return {}

    def write(self, path: Path, ema: nn.Module, card: Mapping[str, Any]) -> Path:
        """Write the weights as `evaluate` and `generate` read them."""
        return network_to_checkpoint(path, ema, card)


def build_network(
    recipe: Recipe, network: type[Network], init: str | Path | None, device: torch.device
) -> Network:
    """Build a recipe's network from weights, or fresh from the seed; ready to be trained."""
    if init is None:
        model = network(recipe.model, runtime.generator(recipe.seed))
    else:
        model, _ = checkpoint_to_network(init, network, type(recipe.model))
        check_same(init, model.config, recipe.name, recipe.model)
    return model.to(device).requires_grad_(True).train()


@lru_cache
def look_flops(network: type[nn.Module], config: Any, shape: VideoShape) -> int:
    """Count the operations of a network that is handed one clip; none is computed."""
    model = network(config, torch.Generator()).to("meta")
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, shape.num_frames, shape.height, shape.width, 3, device="meta"))
    return int(counter.get_total_flops())


def to_float(pixels: Tensor) -> Tensor:
    """Map uint8 pixels to float32 in [-1, 1]."""
    return pixels.float() / 127.5 - 1
