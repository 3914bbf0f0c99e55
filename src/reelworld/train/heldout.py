"""How good the average weights are on clips never trained on: loss per timestep, samples beside the truth.

Clips, noise and prompts are drawn once from the recipe's seed and stay the same for the whole run, so the
curve moves only because the model does.
"""

import numpy as np
import torch
from PIL import Image

from reelworld.core import runtime
from reelworld.core.types import VideoShape
from reelworld.diffusion.guidance import guided
from reelworld.diffusion.path import add_noise, velocity_loss
from reelworld.diffusion.samplers import Model, multistep, schedule
from reelworld.models.denoiser import Denoiser
from reelworld.models.text import TextFeatures, Tokenizer, encode, null_ids
from reelworld.recipes import Recipe
from reelworld.train.data import DataSet
from reelworld.train.objectives import to_float
from reelworld.train.report import sheet

TIMESTEPS = (0.1, 0.3, 0.5, 0.7, 0.9)
CHUNK = 8


class Heldout:
    """Frozen clips of the held-out split in the shape of the recipe's last stage."""

    def __init__(self, data: DataSet, recipe: Recipe, tokenizer: Tokenizer, device: torch.device) -> None:
        self.recipe, self.device = recipe, device
        stage = recipe.stages[-1]
        self.shape: VideoShape = stage.buckets[0].shape
        count = max(recipe.data.heldout_clips, recipe.data.sample_prompts)
        seed = recipe.seed * 1000 + 999
        batch = next(data.stream(stage, self.shape, count, split="heldout", seed=seed, device=str(device)))
        self.captions, self.pixels = batch.captions, batch.pixels.to(device)
        self.token_ids = encode(tokenizer, self.captions, stage.text_length).to(device)
        generator = runtime.generator(seed, device)
        self.noise = torch.randn(self.pixels.shape, generator=generator, device=device)

    @torch.inference_mode()
    def losses(self, model: Denoiser) -> dict[str, float]:
        """Return the velocity loss at each timestep, without known pixels, and their mean."""
        table = {f"t={t:g}": self._loss_at(model, t) for t in TIMESTEPS}
        return table | {"mean": sum(table.values()) / len(table)}

    def _loss_at(self, model: Denoiser, t: float) -> float:
        count, total = self.recipe.data.heldout_clips, 0.0
        for first in range(0, count, CHUNK):
            part = slice(first, min(first + CHUNK, count))
            clean, noise = to_float(self.pixels[part]), self.noise[part]
            timestep = torch.full((len(clean),), t, device=self.device)
            text = model.encode_text(self.token_ids[part])
            predicted = model(add_noise(clean, noise, timestep), timestep, text, fps=self.shape.fps)
            total += float(
                velocity_loss(predicted.float(), clean, timestep, self.recipe.noise.min_timestep).sum()
            )
        return total / count

    @torch.inference_mode()
    def samples(self, model: Denoiser) -> np.ndarray:
        """Return uint8 [prompts, T, H, W, 3]: what the model makes of the first held-out captions."""
        count, report = self.recipe.data.sample_prompts, self.recipe.report
        ids = self.token_ids[:count]
        conditional = model.encode_text(ids)
        both = model.encode_text(torch.cat([ids, null_ids(ids)]))
        denoise = guided(self._calls(model, conditional), self._calls(model, both), report.guidance_scale)
        clean = multistep(denoise, self.noise[:count], schedule(report.sample_steps))
        frames: np.ndarray = ((clean.clamp(-1, 1) + 1) * 127.5).round().byte().cpu().numpy()
        return frames

    def _calls(self, model: Denoiser, text: TextFeatures) -> Model:
        """Bind the text and the frame rate."""
        return lambda noisy, t: model(noisy, t.expand(len(noisy)), text, fps=self.shape.fps).float()

    def truth(self) -> np.ndarray:
        """Return uint8 [prompts, T, H, W, 3]: the clips that the captions were written for."""
        frames: np.ndarray = self.pixels[: self.recipe.data.sample_prompts].cpu().numpy()
        return frames

    def picture(self, model: Denoiser, title: str) -> Image.Image:
        """Draw samples beside the clips that their captions were written for."""
        samples = self.samples(model)
        return sheet(self.captions[: len(samples)], self.truth(), samples, title)
