"""Training the denoiser: predict the clean video from a noisy one, its caption and its known pixels.

objective = Denoising(model, tokenizer, recipes.get("nano"), torch.device("cpu"))
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reelworld.core import runtime
from reelworld.core.checkpoint import State
from reelworld.core.storage import file_hash
from reelworld.core.types import References, VideoShape
from reelworld.diffusion.masks import pin_known, sample_masks
from reelworld.diffusion.path import add_noise, sample_timesteps, velocity_loss
from reelworld.models.cost import Cost
from reelworld.models.denoiser import Denoiser, DenoiserConfig
from reelworld.models.released import check_same, checkpoint_to_denoiser, denoiser_to_checkpoint
from reelworld.models.text import Tokenizer, encode, null_ids
from reelworld.recipes import Bucket, Recipe
from reelworld.train.heldout import Heldout
from reelworld.train.makers import Annotate, DataSet
from reelworld.train.objectives import to_float
from reelworld.train.reading import UNKNOWN, Reading, batch_labels
from reelworld.train.token_labels import TokenLabels
from reelworld.world.stream import Batch

HEAD, READER = "label_head", "reading_head"  # trained, saved and averaged with the model, but not released


@dataclass(frozen=True)
class Annotator:
    """What a denoiser reads in captions: the ids of words and, where reading is taught, their labels."""

    tokenizer: Tokenizer
    taught: bool

    def __call__(self, captions: Sequence[str], length: int) -> dict[str, Tensor]:
        """Return int64 [B, length] by name."""
        said = batch_labels(captions, length) if self.taught else {}
        return {"token_ids": encode(self.tokenizer, captions, length), **said}


def _history(init: str | Path, card: Mapping[str, Any]) -> dict[str, Any]:
    """Say which weights a training goes on from, how they were trained, and what those went on from."""
    told = {name: card[name] for name in ("trained", "recipe", "continued") if name in card}
    return {"from": file_hash(init), **told}


def _first_seed(history: Mapping[str, Any], seed: int) -> int:
    """Return the seed of the first training that a history tells of, or `seed` where it tells of none."""
    seed = history.get("recipe", {}).get("seed", seed)
    return _first_seed(history["continued"], seed) if "continued" in history else seed


class Denoising:
    """Predict the clean video from a noisy one, its caption and its known pixels.

    Teachers are not released, and they hardly move while the model learns to please them: from weights that
    were trained, they start as they did in the first training that `begun` tells of, or they would lead the
    model astray (docs/design/0025).
    """

    def __init__(
        self, model: Denoiser, tokenizer: Tokenizer, recipe: Recipe, device: torch.device,
        begun: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.model, self.tokenizer, self.device = model, tokenizer, device
        self.config, self.teaching, seed = recipe.noise, recipe.loss, recipe.seed
        self.begun = dict(begun or {})  # what it goes on from, if not from nothing
        first = _first_seed(self.begun, seed)
        if recipe.loss.label_weight > 0.0:
            labels = TokenLabels(model.config.dim, runtime.generator(first + 31))
            self.model.add_module(HEAD, labels.to(device))
        if recipe.loss.reading_weight > 0.0:
            reader = Reading(model.config.text.dim, runtime.generator(first + 37)).to(device)
            self.model.add_module(READER, reader)
        self.annotate: Annotate = Annotator(tokenizer, recipe.loss.reading_weight > 0.0)
        self.read = torch.zeros(tokenizer.size, dtype=torch.bool, device=device)  # ids that came by
        names = ("timestep", "noise", "mask", "dropout")
        self.generators = {
            name: runtime.generator(seed + 7919 * (i + 1), device) for i, name in enumerate(names)
        }

    @classmethod
    def build(
        cls, recipe: Recipe, data: DataSet, init: str | Path | None, state: State | None, device: torch.device
    ) -> "Denoising":
        """Build as the state to resume says, from released weights, or fresh from the seed."""
        assert isinstance(recipe.model, DenoiserConfig)
        size, begun = recipe.model.text.vocabulary_size, {}
        if init is not None:
            model, old, card = checkpoint_to_denoiser(init)
            begun = {"continued": _history(init, card)}
            check_same(init, model.config, recipe.name, recipe.model)
            words = (*old.words, *data.words())  # old words keep their rows
            tokenizer = Tokenizer.from_words(words, size, data.own_words())
            tokenizer.learnt = old.learnt
        else:
            model = Denoiser(recipe.model, runtime.generator(recipe.seed))
            tokenizer = Tokenizer.from_words(data.words(), size, data.own_words())
        if state is not None:
            tokenizer = Tokenizer.from_json(state.card["tokenizer"])
            begun = {name: state.card[name] for name in ("continued",) if name in state.card}
        return cls(model.to(device).requires_grad_(True).train(), tokenizer, recipe, device, begun)

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words of the vocabulary."""
        return self.tokenizer.words

    def inputs(self, batch: Batch, text_length: int, fps: float) -> dict[str, Any]:
        """Draw timesteps, noise, masks and the captions to drop."""
        pixels, draw = batch.pixels.to(self.device), self.generators
        kept = (
            torch.rand(len(pixels), generator=draw["dropout"], device=self.device)
            >= self.config.caption_dropout
        )
        words = batch.words or self.annotate(batch.captions, text_length)
        words = {name: rows.to(self.device) for name, rows in words.items()}
        token_ids = words.pop("token_ids")
        self.read[token_ids] = True
        return {
            "pixels": pixels,
            "noise": torch.randn(pixels.shape, generator=draw["noise"], device=self.device),
            "timestep": sample_timesteps(
                len(pixels), draw["timestep"], mean=self.config.timestep_mean, std=self.config.timestep_std
            ),
            "mask": sample_masks(pixels.shape, draw["mask"], self.config.masks),
            "token_ids": torch.where(kept[:, None], token_ids, null_ids(token_ids)),
            "fps": fps,
            "references": self._referred(batch.references, kept),
            "labels": {name: label.to(self.device) for name, label in batch.labels.items()},
            "said": {name: torch.where(kept[:, None], rows, UNKNOWN) for name, rows in words.items()},
        }

    def _referred(self, references: References | None, kept: Tensor) -> References | None:
        """Show the characters of a caption; with a caption that is dropped, they are hidden."""
        if references is None:
            return None
        pixels, seen = (part.to(self.device) for part in references)
        return References(to_float(pixels), seen & kept[:, None])

    def loss(
        self, pixels: Tensor, noise: Tensor, timestep: Tensor, mask: Tensor, token_ids: Tensor, fps: float,
        references: References | None, labels: Mapping[str, Tensor], said: Mapping[str, Tensor],
    ) -> Tensor:  # fmt: skip
        """Return the mean squared velocity error over the pixels that are not given, and what labels teach.

        Known pixels are pinned as they are when sampling, so nothing is spent on repeating them.
        """
        clean = to_float(pixels)
        words, text = self.model.encode_words(token_ids)
        noisy = add_noise(clean, noise, timestep)
        predicted, features = self.model.forward_with_features(
            noisy, timestep, text, clean * mask, mask, fps, references, self.teaching.label_layer
        )
        pinned = pin_known(predicted.float(), clean, mask)
        loss = velocity_loss(pinned, clean, timestep, self.config.min_timestep).mean()
        if labels and self.teaching.label_weight > 0.0:
            head = self.model.get_submodule(HEAD)
            assert isinstance(head, TokenLabels)
            loss = loss + self.teaching.label_weight * head.loss(features, labels, self.model.config.patch)
        if said:
            reader = self.model.get_submodule(READER)
            assert isinstance(reader, Reading)
            loss = loss + self.teaching.reading_weight * reader.loss(words, said)
        return loss

    def flops(self, bucket: Bucket, text_length: int) -> int:
        """Return the operations of a training step for one clip, counted as models/cost.py does."""
        return _training_flops(self.model.config, bucket.shape, text_length, bucket.references)

    def _learn(self) -> None:
        """Tell the tokenizer which words came by; asked of a GPU seldom, because it has to wait for that."""
        self.tokenizer.learn(self.read.nonzero().cpu())

    def card(self) -> dict[str, Any]:
        """Return the words and which of them were learnt, and what was learnt before."""
        self._learn()
        return {"tokenizer": self.tokenizer.to_json(), **self.begun}

    def write(self, path: Path, ema: nn.Module, card: Mapping[str, Any]) -> Path:
        """Write the weights as `generate` reads them."""
        self._learn()
        released = copy.deepcopy(ema)
        assert isinstance(released, Denoiser)
        for name in (HEAD, READER):
            if hasattr(released, name):
                delattr(released, name)
        return denoiser_to_checkpoint(path, released, self.tokenizer, {**card, **self.begun})

    def exam(self, data: DataSet, recipe: Recipe) -> Heldout:
        """Draw held-out clips, noise and prompts."""
        return Heldout(data, recipe, self.tokenizer, self.device)


@lru_cache
def _training_flops(config: DenoiserConfig, shape: VideoShape, text_length: int, references: int) -> int:
    return Cost.of(config, shape, text_length, references=references).training_flops
