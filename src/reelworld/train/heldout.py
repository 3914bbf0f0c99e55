"""How good the average weights are on clips never trained on: loss per timestep, samples beside the truth.

Clips, noise and prompts are drawn once from the recipe's seed and stay the same for the whole run, so the
curve moves only because the model does. Where the recipe has characters, clips with theirs are among them, at
much noise, with their pictures and without: what the pictures tell is the difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from reelworld.core import runtime
from reelworld.core.types import References
from reelworld.diffusion.guidance import guided
from reelworld.diffusion.path import add_noise, velocity_loss
from reelworld.diffusion.samplers import Model, multistep, schedule
from reelworld.models.denoiser import Denoiser
from reelworld.models.text import TextFeatures, Tokenizer, encode, null_ids
from reelworld.recipes import Recipe
from reelworld.train.makers import DataSet
from reelworld.train.objectives import to_float
from reelworld.train.report import sheet

TIMESTEPS = (0.1, 0.3, 0.5, 0.7, 0.9)
CHUNK = 8


CHARACTERS_AT = 0.9  # timestep: much noise, where looks are decided


@dataclass(frozen=True)
class _Clips:
    """Frozen clips of one bucket: captions, uint8 [N, T, H, W, C], words, noise, pictures of characters."""

    captions: list[str]
    pixels: Tensor
    token_ids: Tensor
    noise: Tensor
    references: References | None
    fps: float

    @classmethod
    def drawn(
        cls,
        data: DataSet,
        recipe: Recipe,
        tokenizer: Tokenizer,
        device: torch.device,
        bucket: int,
        count: int,
    ) -> _Clips:
        """Draw held-out clips of a bucket of the last stage."""
        stage, seed = recipe.stages[-1].of(bucket), recipe.seed * 1000 + 999
        shape = stage.buckets[bucket].shape
        batch = next(data.stream(stage, shape, count, split="heldout", seed=seed, device=str(device)))
        noise = torch.randn(batch.pixels.shape, generator=runtime.generator(seed, device), device=device)
        ids = encode(tokenizer, batch.captions, stage.text_length).to(device)
        shown = batch.references
        if shown is not None:
            shown = References(to_float(shown.pixels.to(device)), shown.seen.to(device))
        return cls(batch.captions, batch.pixels.to(device), ids, noise, shown, shape.fps)

    def loss(self, model: Denoiser, t: float, count: int, least: float, *, pictures: bool = True) -> float:
        """Return the velocity loss of the first `count` clips at a timestep, without known pixels."""
        total = 0.0
        for first in range(0, count, CHUNK):
            part = slice(first, min(first + CHUNK, count))
            clean, noise = to_float(self.pixels[part]), self.noise[part]
            timestep = torch.full((len(clean),), t, device=clean.device)
            text, shown = model.encode_text(self.token_ids[part]), None
            if self.references is not None:
                pixels, seen = self.references
                shown = References(pixels[part], seen[part] & pictures)
            noisy = add_noise(clean, noise, timestep)
            predicted = model(noisy, timestep, text, fps=self.fps, references=shown)
            total += float(velocity_loss(predicted.float(), clean, timestep, least).sum())
        return total / count


class Heldout:
    """Frozen clips of the held-out split, as those of which the recipe's last stage has the most."""

    def __init__(self, data: DataSet, recipe: Recipe, tokenizer: Tokenizer, device: torch.device) -> None:
        buckets, main = recipe.stages[-1].buckets, recipe.stages[-1].main
        self.recipe, self.shape, count = recipe, buckets[main].shape, recipe.data.heldout_clips
        most = max(count, recipe.data.sample_prompts)
        self.clips = _Clips.drawn(data, recipe, tokenizer, device, main, most)
        referred = [n for n, bucket in enumerate(buckets) if bucket.references]
        self.cast = _Clips.drawn(data, recipe, tokenizer, device, referred[0], count) if referred else None

    @torch.inference_mode()
    def losses(self, model: Denoiser) -> dict[str, float]:
        """Return the velocity loss at each timestep and their mean; of clips with characters, two more."""
        count, least = self.recipe.data.heldout_clips, self.recipe.noise.min_timestep
        table = {f"t={t:g}": self.clips.loss(model, t, count, least) for t in TIMESTEPS}
        table["mean"] = sum(table.values()) / len(table)
        if self.cast is not None:
            for name, pictures in (("characters", True), ("characters hidden", False)):
                table[name] = self.cast.loss(model, CHARACTERS_AT, count, least, pictures=pictures)
        return table

    @torch.inference_mode()
    def samples(self, model: Denoiser) -> np.ndarray:
        """Return uint8 [prompts, T, H, W, 3]: what the model makes of the first held-out captions."""
        count, report = self.recipe.data.sample_prompts, self.recipe.report
        ids = self.clips.token_ids[:count]
        conditional = model.encode_text(ids)
        both = model.encode_text(torch.cat([ids, null_ids(ids)]))
        denoise = guided(self._calls(model, conditional), self._calls(model, both), report.guidance_scale)
        clean = multistep(denoise, self.clips.noise[:count], schedule(report.sample_steps))
        frames: np.ndarray = ((clean.clamp(-1, 1) + 1) * 127.5).round().byte().cpu().numpy()
        return frames

    def _calls(self, model: Denoiser, text: TextFeatures) -> Model:
        """Bind the text and the frame rate."""
        return lambda noisy, t: model(noisy, t.expand(len(noisy)), text, fps=self.clips.fps).float()

    def truth(self) -> np.ndarray:
        """Return uint8 [prompts, T, H, W, 3]: the clips that the captions were written for."""
        frames: np.ndarray = self.clips.pixels[: self.recipe.data.sample_prompts].cpu().numpy()
        return frames

    def picture(self, model: Denoiser, title: str) -> Image.Image:
        """Draw samples beside the clips that their captions were written for."""
        samples = self.samples(model)
        return sheet(self.clips.captions[: len(samples)], self.truth(), samples, title)
