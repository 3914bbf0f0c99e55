"""What is minimised: one small class per model, handed to the one loop.

    objective = Denoising(model, tokenizer, NoiseConfig(), seed=0, device=torch.device("cpu"))
    loss = objective.loss(**objective.inputs(batch, text_length=64, fps=8.0))

`inputs` draws everything random from the objective's own generators, so `loss` is a plain function of tensors
that compiles and that a resumed run repeats bit for bit.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from reelworld.core import runtime
from reelworld.diffusion.masks import pin_known, sample_masks
from reelworld.diffusion.path import add_noise, sample_timesteps, velocity_loss
from reelworld.models.denoiser import Denoiser
from reelworld.models.text import NULL, PAD, Tokenizer
from reelworld.recipes import NoiseConfig
from reelworld.world.stream import Batch


class Objective(Protocol):
    """A model and how wrong it is about a batch."""

    generators: dict[str, torch.Generator]
    tokenizer: Tokenizer

    @property
    def model(self) -> nn.Module:
        """The network whose parameters are trained."""

    def inputs(self, batch: Batch, text_length: int, fps: float) -> dict[str, Any]:
        """Draw all that `loss` needs, on the device of the model."""

    def loss(self, *args: Any, **inputs: Any) -> Tensor:
        """Return the mean loss of a batch; a pure function of the inputs and the weights."""


class Denoising:
    """Predict the clean video from a noisy one, its caption and its known pixels."""

    def __init__(
        self, model: Denoiser, tokenizer: Tokenizer, config: NoiseConfig, *, seed: int, device: torch.device
    ) -> None:
        self.model, self.tokenizer, self.config, self.device = model, tokenizer, config, device
        names = ("timestep", "noise", "mask", "dropout")
        self.generators = {
            name: runtime.generator(seed + 7919 * (i + 1), device) for i, name in enumerate(names)
        }

    def inputs(self, batch: Batch, text_length: int, fps: float) -> dict[str, Any]:
        """Draw timesteps, noise, masks and the captions to drop."""
        pixels, draw = batch.pixels.to(self.device), self.generators
        kept = (
            torch.rand(len(pixels), generator=draw["dropout"], device=self.device)
            >= self.config.caption_dropout
        )
        token_ids = encode(self.tokenizer, batch.captions, text_length)
        self.tokenizer.learn(token_ids)
        token_ids = token_ids.to(self.device)
        return {
            "pixels": pixels,
            "noise": torch.randn(pixels.shape, generator=draw["noise"], device=self.device),
            "timestep": sample_timesteps(
                len(pixels), draw["timestep"], mean=self.config.timestep_mean, std=self.config.timestep_std
            ),
            "mask": sample_masks(pixels.shape, draw["mask"], self.config.masks),
            "token_ids": torch.where(kept[:, None], token_ids, null_ids(token_ids)),
            "fps": fps,
        }

    def loss(
        self, pixels: Tensor, noise: Tensor, timestep: Tensor, mask: Tensor, token_ids: Tensor, fps: float
    ) -> Tensor:
        """Return the mean squared velocity error over the pixels that are not given.

        Known pixels are pinned as they are when sampling, so nothing is spent on repeating them.
        """
        clean = to_float(pixels)
        text = self.model.encode_text(token_ids)
        noisy = add_noise(clean, noise, timestep)
        predicted = self.model(noisy, timestep, text, known=clean * mask, mask=mask, fps=fps)
        pinned = pin_known(predicted.float(), clean, mask)
        return velocity_loss(pinned, clean, timestep, self.config.min_timestep).mean()


def to_float(pixels: Tensor) -> Tensor:
    """Map uint8 pixels to float32 in [-1, 1]."""
    return pixels.float() / 127.5 - 1


def encode(tokenizer: Tokenizer, captions: Sequence[str], length: int) -> Tensor:
    """Return token ids [B, length], padded or cut: one length, so that shapes stay the same."""
    token_ids = tokenizer.encode(list(captions), max_length=length)
    return nn.functional.pad(token_ids, (0, length - token_ids.size(1)), value=PAD)


def null_ids(token_ids: Tensor) -> Tensor:
    """Return the ids that stand for no caption, in the shape of `token_ids`."""
    empty = torch.full_like(token_ids, PAD)
    empty[:, 0] = NULL
    return empty
