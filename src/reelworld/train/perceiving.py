"""Training the parser: what each pixel of a degraded render shows, and how the camera moved.

python -m reelworld.train perception --out runs/perception
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from reelworld.core.errors import DataError
from reelworld.core.types import VideoShape
from reelworld.models.perception import Perception, Seen
from reelworld.recipes import Bucket, Recipe
from reelworld.train.degrade import Degrader
from reelworld.train.makers import DataSet
from reelworld.train.objectives import PlainWeights, build_network, look_flops, to_float
from reelworld.train.report import sheet
from reelworld.world.labels import LEFT, NO_LEG, RIGHT, camera_motion, cuts, offsets
from reelworld.world.scene import COLORS
from reelworld.world.stream import Batch
from reelworld.world.things import PALETTE

THING_WEIGHT = 4.0  # of a pixel of a thing, or near one, beside one of nothing
NEAR = 7  # pixels of a square with some of a thing in it: a bite's hole counts as much as what is left
LEG_WEIGHT = 8.0  # of a pixel of a leg beside others of people and dogs
# What counts as one unit of error: offsets in picture heights, log depth, the camera's motion in a frame.
OFFSET_UNIT, DEPTH_UNIT = 0.05, 0.1
CAMERA_UNITS = (0.02, 0.02, 0.05, 0.05, 0.05, 0.03, 0.05)
MOVES, STILL_WEIGHT = 0.05, 0.2  # in these units, what is a motion; what a camera counts that has none
PERSON, DOG = 5, 6  # among kinds counted from 1
WALKERS = (PERSON, DOG)
MIRRORED = 0.5  # share of clips that are turned about: the world is not quite alike on both sides
MIRRORED_MOTION = (-1.0, 1.0, -1.0, 1.0, 1.0, 1.0, 1.0)  # of the camera's yaw, pitch, steps, zoom, horizon
EMPTY = 1 / 32  # share of clips that show nothing: a plain picture, in which else a large thing may be seen
CHUNK = 4


class Perceiving(PlainWeights):
    """Classify pixels, point to middles, measure depth, follow the camera."""

    def __init__(self, model: Perception, recipe: Recipe, device: torch.device) -> None:
        self.model, self.device = model, device
        self.degrade = Degrader(recipe.degrade, recipe.seed + 7919, device)
        self.generators = {"degrade": self.degrade.generator}

    @classmethod
    def build(cls, recipe: Recipe, init: str | Path | None, device: torch.device) -> "Perceiving":
        """Build from weights or fresh from the seed."""
        return cls(build_network(recipe, Perception, init, device), recipe, device)

    def inputs(self, batch: Batch, text_length: int, fps: float) -> dict[str, Any]:
        """Mirror and degrade pixels; turn labels into targets. Raises: DataError where clips have none."""
        if not batch.labels:
            raise DataError("a parser learns from labels, which only the world has; train it without --data")
        labels = {name: label.to(self.device) for name, label in batch.labels.items()}
        video, plain = to_float(batch.pixels.to(self.device)), self.degrade.plain(len(batch.pixels))
        labels["motion"] = camera_motion(labels.pop("camera"))
        video, labels = mirrored(video, labels, self.degrade.uniform(len(video)) < MIRRORED)
        empty = (self.degrade.uniform(len(video)) < EMPTY).view(-1, 1, 1, 1)
        shown = {name: labels[name].long().where(~empty, 0) for name in ("kind", "color", "size", "side")}
        return {
            "video": self.degrade(torch.where(empty[..., None], plain, video)),
            **shown,
            "offset": offsets(labels["thing"].long()),
            "depth": labels["depth"].float().where(~empty, 0.0),
            "motion": labels["motion"].where(~empty[..., 0], 0.0),
            "cut": cuts(labels["shot"]).where(~empty[..., 0, 0], 0.0),
        }

    def loss(
        self, video: Tensor, kind: Tensor, color: Tensor, size: Tensor, side: Tensor, offset: Tensor,
        depth: Tensor, motion: Tensor, cut: Tensor,
    ) -> Tensor:  # fmt: skip
        """Return the sum of the losses of everything that is seen."""
        seen = self.model(video)
        return sum(
            losses(seen, kind, color, size, side, offset, depth, motion, cut).values(), torch.zeros(())
        )

    def flops(self, bucket: Bucket, text_length: int) -> int:
        """Return the operations of a training step for one clip: three times those of a look."""
        return 3 * look_flops(Perception, self.model.config, bucket.shape)

    def exam(self, data: DataSet, recipe: Recipe) -> "PerceptionExam":
        """Draw held-out clips and their labels."""
        return PerceptionExam(self, data, recipe)


def mirrored(video: Tensor, labels: dict[str, Tensor], which: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Turn some clips [B, T, H, W, 3] about, `which` bool [B], and what is said of their pixels and cameras.

    labels: of pixels [B, T, H, W], the camera's `motion` [B, T, 7], and what has no sides. A dog's left leg
    becomes a right one; a person's left leg is the one whose trousers have another tone there, and stays it.
    """

    def turned(x: Tensor) -> Tensor:
        return torch.where(which.view(-1, *[1] * (x.ndim - 1)), x.flip(3), x)

    told = {name: turned(x) if x.ndim >= 4 else x for name, x in labels.items()}
    signs = labels["motion"].new_tensor(MIRRORED_MOTION)
    told["motion"] = torch.where(which.view(-1, 1, 1), signs * labels["motion"], labels["motion"])
    other = torch.where(told["side"] == NO_LEG, NO_LEG, LEFT + RIGHT - told["side"])
    dogs = which.view(-1, 1, 1, 1) & (told["kind"] == DOG)
    told["side"] = torch.where(dogs, other, told["side"])
    return turned(video), told


def losses(
    seen: Seen, kind: Tensor, color: Tensor, size: Tensor, side: Tensor, offset: Tensor, depth: Tensor,
    motion: Tensor, cut: Tensor,
) -> dict[str, Tensor]:  # fmt: skip
    """Return the loss of each field; what a pixel does not show (the colour of nothing) does not count.

    Pixels about a thing count as much as its own. With a weight w on its own alone the network gives
    w p / (1 - p + w p) for what is p: things came out a tenth too large, and bites were filled.
    """
    thing = (kind > 0).float()
    near = F.max_pool2d(thing, NEAR, stride=1, padding=NEAR // 2)
    walker = sum((kind == w).float() for w in WALKERS)
    camera = camera_losses(seen.camera, motion, cut)
    return {
        "kind": _entropy(seen.kind, kind, 1.0 + (THING_WEIGHT - 1.0) * near),
        "color": _entropy(seen.color, (color - 1).clamp(min=0), (color > 0).float()),
        "size": 0.5 * _entropy(seen.size, (size - 1).clamp(min=0), thing),
        "side": 0.5 * _entropy(seen.side, side, walker * (1.0 + LEG_WEIGHT * (side != NO_LEG))),
        "offset": 0.5 * _mean(_huber((seen.offset - offset) / OFFSET_UNIT).sum(-1), thing),
        "depth": 0.2 * _mean(_huber((seen.depth - depth.clamp(min=0.1).log()) / DEPTH_UNIT), depth > 0),
        "camera": 0.5 * camera["camera"],
        "cut": camera["cut"],
    }


def camera_losses(seen: Tensor, motion: Tensor, cut: Tensor) -> dict[str, Tensor]:
    """Return the loss of the motion and the horizon, and that of cuts: seen [B, T, 8], motion [B, T, 7].

    A camera that stands still counts less than one that moves: where the picture says little, the best guess
    is otherwise that it stands.
    """
    units = motion.new_tensor(CAMERA_UNITS)
    off = _huber((seen[..., :7] - motion) / units)
    moves = (motion[..., :6].abs() / units[:6]).amax(-1) > MOVES
    weight = (1.0 - cut) * torch.where(moves, 1.0, STILL_WEIGHT)
    some = cut.shape[1] > 1
    return {
        "camera": _mean(off[..., :6].mean(-1), weight) + 0.2 * off[..., 6].mean(),
        "cut": F.binary_cross_entropy_with_logits(seen[:, 1:, 7], cut[:, 1:]) if some else seen.sum() * 0.0,
    }


def _entropy(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted mean cross entropy of classes over pixels."""
    loss = F.cross_entropy(logits.flatten(0, -2), target.flatten(), reduction="none")
    return _mean(loss, weight.flatten())


def _huber(error: Tensor) -> Tensor:
    """Return e^2 / 2 up to 1 and |e| - 1/2 beyond, whose gradient fades as the error does.

    With |e| alone, whose gradient never fades, camera and offsets drowned what pixels say of colours and
    kinds. Source: Huber 1964, "Robust estimation of a location parameter".
    """
    return F.huber_loss(error, torch.zeros_like(error), reduction="none")


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / weight.sum().clamp(min=1.0)


class PerceptionExam:
    """Held-out clips of each bucket, degraded once: losses by field, and pictures of what is seen."""

    def __init__(self, objective: Perceiving, data: DataSet, recipe: Recipe) -> None:
        self.shape: VideoShape = recipe.stages[-1].buckets[0].shape
        degrade = Degrader(recipe.degrade, recipe.seed * 1000 + 999, objective.device)
        examiner = Perceiving(objective.model, recipe, objective.device)
        examiner.degrade = degrade
        stage = recipe.stages[-1]
        self.parts = []
        for n, bucket in enumerate(stage.buckets):
            each = max(1, recipe.data.heldout_clips // len(stage.buckets))
            stream = data.stream(
                stage.of(n), bucket.shape, each, split="heldout", seed=recipe.seed * 1000 + 990 + n,
                device=str(objective.device),
            )  # fmt: skip
            self.parts.append(examiner.inputs(next(stream), 1, bucket.shape.fps))
        self.shown = min(recipe.data.sample_prompts, len(self.parts[-1]["video"]))

    @torch.inference_mode()
    def losses(self, model: Perception) -> dict[str, float]:
        """Return the loss of each field and their sum, averaged over the buckets."""
        found: dict[str, list[float]] = {}
        for part in self.parts:
            for first in range(0, len(part["video"]), CHUNK):
                some = {name: value[first : first + CHUNK] for name, value in part.items()}
                for name, value in losses(model(some.pop("video")), **some).items():
                    found.setdefault(name, []).append(float(value))
        table = {f"t={name}": float(np.mean(values)) for name, values in found.items()}
        return table | {"mean": sum(table.values())}

    @torch.inference_mode()
    def picture(self, model: Perception, title: str) -> Image.Image:
        """Draw each clip beside its things in the colours that the model gives them."""
        video = self.parts[-1]["video"][: self.shown]
        seen = model(video)
        palette = torch.tensor([PALETTE[c] for c in COLORS], device=video.device).sqrt()
        painted = palette[seen.color.argmax(-1)] * (seen.kind.argmax(-1) > 0)[..., None]
        clips = [((x.clamp(-1, 1) + 1) * 127.5) for x in (video, 2 * painted - 1)]
        true, made = (clip.round().byte().cpu().numpy() for clip in clips)
        return sheet([""] * self.shown, true, made, title)
