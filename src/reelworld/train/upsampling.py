"""Training the upsampler: a render, made small and degraded -> the render.

python -m reelworld.train upsampler --out runs/upsampler
"""

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from reelworld.core import runtime
from reelworld.core.types import VideoShape
from reelworld.models.upsampler import Upsampler, shrink
from reelworld.recipes import Bucket, Recipe
from reelworld.train.degrade import Degrader
from reelworld.train.makers import DataSet
from reelworld.train.objectives import PlainWeights, build_network, look_flops, to_float
from reelworld.train.report import sheet
from reelworld.world.stream import Batch

CROP = 32  # pixels of the small picture that a step sees of each clip
SCALES = (1, 2, 4)  # at which gradients are compared
GRADIENT_WEIGHT = 1.0


class Upsampling(PlainWeights):
    """Predict the large picture; absolute differences of pixels and of gradients at several scales."""

    def __init__(self, model: Upsampler, recipe: Recipe, device: torch.device) -> None:
        self.model, self.device = model, device
        self.degrade = Degrader(recipe.degrade, recipe.seed + 7919, device)
        self.crops = runtime.generator(recipe.seed + 2 * 7919)
        self.generators = {"degrade": self.degrade.generator, "crops": self.crops}

    @classmethod
    def build(cls, recipe: Recipe, init: str | Path | None, device: torch.device) -> "Upsampling":
        """Build from weights or fresh from the seed."""
        return cls(build_network(recipe, Upsampler, init, device), recipe, device)

    def inputs(self, batch: Batch, text_length: int, fps: float) -> dict[str, Any]:
        """Crop each clip somewhere, make it small and degrade it."""
        large = self._crop(batch.pixels)
        large = to_float(large.to(self.device))
        return {"video": self.degrade(smaller(large, self.model.config.scale)), "large": large}

    def _crop(self, pixels: Tensor) -> Tensor:
        """Cut the same window from all frames of a clip, another one for each clip."""
        size = CROP * self.model.config.scale
        height, width = pixels.shape[2:4]
        if min(height, width) <= size:
            return pixels
        draw = [torch.randint(n - size + 1, (len(pixels),), generator=self.crops) for n in (height, width)]
        return torch.stack(
            [
                p[:, y : y + size, x : x + size]
                for p, y, x in zip(pixels, *(d.tolist() for d in draw), strict=True)
            ]
        )

    def loss(self, video: Tensor, large: Tensor) -> Tensor:
        """Return the mean absolute error, with that of the gradients."""
        return distance(self.model(video), large)

    def flops(self, bucket: Bucket, text_length: int) -> int:
        """Return the operations of a training step for one clip: three times those of enlarging a crop."""
        shape = bucket.shape
        size = min(CROP, shape.height // self.model.config.scale)
        small = VideoShape(width=size, height=size, num_frames=shape.num_frames, fps=shape.fps)
        return 3 * look_flops(Upsampler, self.model.config, small)

    def exam(self, data: DataSet, recipe: Recipe) -> "UpsamplerExam":
        """Draw held-out clips."""
        return UpsamplerExam(self, data, recipe)


def smaller(video: Tensor, scale: int) -> Tensor:
    """Make a video [B, T, H, W, 3] smaller by a factor."""
    x = shrink(video.flatten(0, 1).permute(0, 3, 1, 2), scale)
    return x.permute(0, 2, 3, 1).unflatten(0, video.shape[:2])


def distance(made: Tensor, true: Tensor) -> Tensor:
    """Return |a - b| plus |grad a - grad b| at several scales, averaged over videos [B, T, H, W, 3].

    The gradient of a picture is what the eye follows; blurred edges cost much in it and little in |a - b|.
    """
    off = (made - true).flatten(0, 1).permute(0, 3, 1, 2)
    total = off.abs().mean()
    for scale in SCALES:
        small = shrink(off, scale) if scale > 1 else off
        total = total + GRADIENT_WEIGHT * (
            (small[..., 1:, :] - small[..., :-1, :]).abs().mean()
            + (small[..., 1:] - small[..., :-1]).abs().mean()
        )
    return total


class UpsamplerExam:
    """Held-out clips, degraded once: the distance by which we train, and small beside large."""

    def __init__(self, objective: Upsampling, data: DataSet, recipe: Recipe) -> None:
        stage = recipe.stages[-1]
        self.shape: VideoShape = stage.buckets[0].shape
        count, device = recipe.data.heldout_clips, objective.device
        stream = data.stream(
            stage.of(0), self.shape, count, split="heldout", seed=recipe.seed * 1000 + 999, device=str(device)
        )
        large = to_float(next(stream).pixels.to(device))
        degrade = Degrader(recipe.degrade, recipe.seed * 1000 + 999, device)
        self.scale, self.large = objective.model.config.scale, large
        self.clean = smaller(large, self.scale)
        self.degraded = degrade(self.clean)
        self.shown = min(recipe.data.sample_prompts, count)

    @torch.inference_mode()
    def losses(self, model: Upsampler) -> dict[str, float]:
        """Return the distance from clean and from degraded small clips."""
        table = {
            f"t={name}": float(
                torch.stack(
                    [distance(model(v[None]), t[None]) for v, t in zip(video, self.large, strict=True)]
                ).mean()
            )
            for name, video in (("clean", self.clean), ("degraded", self.degraded))
        }
        return table | {"mean": sum(table.values()) / len(table)}

    @torch.inference_mode()
    def picture(self, model: Upsampler, title: str) -> Image.Image:
        """Draw the true clips beside the enlarged ones."""
        made = torch.cat([model(v[None]) for v in self.degraded[: self.shown]])
        clips = [((x.clamp(-1, 1) + 1) * 127.5).round().byte().cpu().numpy() for x in (self.large, made)]
        return sheet([""] * self.shown, clips[0][: self.shown], clips[1], title)
