"""Recipes: functions that return one complete, frozen configuration of a training.

    recipe = recipes.get("nano")
    recipe = config.override(recipe, ["optim.muon_lr=0.001", "seed=1"])

A recipe says everything that decides the trained weights: the model, the curriculum, the optimiser, the data
and the seed. The same recipe on the same machine gives the same weights bit for bit. It travels as JSON
inside every checkpoint.
"""

from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from importlib import import_module
from math import isfinite
from typing import Literal

from reelworld.core.errors import ConfigError
from reelworld.core.types import VideoShape
from reelworld.diffusion.masks import MaskConfig
from reelworld.diffusion.path import MIN_T
from reelworld.models.denoiser import DenoiserConfig
from reelworld.models.perception import PerceptionConfig
from reelworld.models.upsampler import UpsamplerConfig
from reelworld.world.words import CHARACTERS

NAMES = ("nano", "nano_gpu", "small", "perception", "upsampler")


def _at_least(config: object, least: float, *names: str) -> None:
    """Raise ConfigError for the first of these settings that is smaller."""
    for name in names:
        value = getattr(config, name)
        if not value >= least:
            raise ConfigError(f"{name} is {value}; give {least:g} or more")


def _finite(config: object, *names: str) -> None:
    """Raise ConfigError for the first of these settings that is infinite or no number."""
    for name in names:
        if not isfinite(value := getattr(config, name)):
            raise ConfigError(f"{name} is {value}; give a finite number")


def _shares(config: object, *names: str) -> None:
    """Raise ConfigError for the first of these settings that is no share of something."""
    for name in names:
        value = getattr(config, name)
        if not 0.0 <= value <= 1.0:
            raise ConfigError(f"{name} is {value}; give a number from 0 to 1")


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """One shape of clip and how often a step draws it; `level` of the world, if not the stage's.

    `references`: how many characters of a clip have a name in the caption and a picture beside the video.
    `themes`: what all its scenes are about, if not as the level draws them ("bite", "walk", ...). `near`: the
    share that is filmed from near by a still camera, so that what small things do can be seen.
    """

    shape: VideoShape
    weight: float = 1.0
    level: int | None = None
    references: int = 0
    themes: tuple[str, ...] = ()
    near: float = 0.0

    def __post_init__(self) -> None:
        _finite(self, "weight")
        _at_least(self, 0, "references", "weight")
        if self.level is not None:
            _at_least(self, 1, "level")
        _shares(self, "near")

    @property
    def volume(self) -> int:
        """Return the pixels that a clip costs; a picture costs as much as a tubelet of four frames."""
        frames = max(4, self.shape.num_frames) + 4 * self.references
        return self.shape.width * self.shape.height * frames


@dataclass(frozen=True, kw_only=True)
class CaptionMix:
    """The share of each caption style among the clips."""

    raw: float = 0.0
    short: float = 0.05
    descriptive: float = 0.95

    def __post_init__(self) -> None:
        _finite(self, "raw", "short", "descriptive")
        _at_least(self, 0, "raw", "short", "descriptive")
        if self.raw + self.short + self.descriptive <= 0:
            raise ConfigError("the shares of raw, short and descriptive captions are all zero; raise one")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One leg of the curriculum.

    `batch` is the number of clips of the first bucket's shape; a bucket of another shape gets as many clips
    as hold the same number of pixels, so that every step of a stage is the same amount of work.
    """

    name: str
    steps: int
    batch: int
    buckets: tuple[Bucket, ...]
    level: int = 1
    text_length: int = 64
    captions: CaptionMix = field(default_factory=CaptionMix)
    references: int = 0  # of a bucket, set by `of`
    themes: tuple[str, ...] = ()  # likewise
    near: float = 0.0  # likewise

    def __post_init__(self) -> None:
        _at_least(self, 1, "steps", "batch", "level", "text_length")
        if not self.buckets:
            raise ConfigError(f"stage '{self.name}' needs at least one bucket")
        if not any(bucket.weight > 0 for bucket in self.buckets):
            raise ConfigError(f"stage '{self.name}': the weights of its buckets are all zero; raise one")

    @property
    def main(self) -> int:
        """Return the bucket that most steps are of; its shape is what the weights make by themselves."""
        return max(range(len(self.buckets)), key=lambda n: self.buckets[n].weight)

    def of(self, bucket: int) -> "Stage":
        """Return the stage as a bucket's clips see it: at its level of the world, with its references."""
        of = self.buckets[bucket]
        level = of.level or self.level
        return replace(self, level=level, references=of.references, themes=of.themes, near=of.near)

    def clips(self, bucket: int) -> int:
        """Return the batch size of a bucket: the same work per step as the first bucket's batch."""
        ratio = self.buckets[0].volume / self.buckets[bucket].volume
        return max(1, round(self.batch * ratio))


def _check_bucket(stage: Stage, bucket: Bucket) -> None:
    """Raise ConfigError for characters that a bucket's clips cannot have, and for what belongs to buckets."""
    if stage.references or stage.themes or stage.near:
        raise ConfigError(
            f"stage '{stage.name}': references, themes and near belong to a bucket; set them there"
        )
    if bucket.references > len(CHARACTERS):
        raise ConfigError(f"references is {bucket.references}; give 0 to {len(CHARACTERS)}")
    if bucket.references and stage.captions.raw > 0:
        raise ConfigError(f"stage '{stage.name}': raw captions know no characters; set raw to 0")


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """Muon for the blocks' `matrices`, AdamW for the rest; warm-up, constant, linear to zero."""

    matrices: Literal["muon", "adamw"] = "muon"
    muon_lr: float = 2e-3
    muon_momentum: float = 0.95
    muon_steps: int = 5
    muon_weight_decay: float = 0.01
    adamw_lr: float = 1e-3
    adamw_betas: tuple[float, float] = (0.9, 0.99)
    adamw_eps: float = 1e-8
    adamw_weight_decay: float = 0.0
    warmup_steps: int = 50
    decay_share: float = 0.3
    clip_norm: float = 1.0
    ema_decay: float = 0.998
    max_refused: int = 10

    def __post_init__(self) -> None:
        rates = ("muon_lr", "adamw_lr", "muon_weight_decay", "adamw_weight_decay", "adamw_eps")
        _finite(self, *rates)
        _at_least(self, 0, *rates, "warmup_steps")
        _at_least(self, 1, "muon_steps", "max_refused")
        _shares(self, "muon_momentum", "decay_share", "ema_decay")
        if not all(0.0 <= beta < 1.0 for beta in self.adamw_betas):
            raise ConfigError(f"adamw_betas is {self.adamw_betas}; give two numbers from 0 to below 1")
        if not self.clip_norm > 0:
            raise ConfigError(f"clip_norm is {self.clip_norm}; give more than 0")


@dataclass(frozen=True, kw_only=True)
class NoiseConfig:
    """Where on the path from clean to noise the training looks, and what is given to the model."""

    timestep_mean: float = 0.8
    timestep_std: float = 0.8
    min_timestep: float = MIN_T
    caption_dropout: float = 0.1
    masks: MaskConfig = field(default_factory=MaskConfig)

    def __post_init__(self) -> None:
        _finite(self, "timestep_mean", "timestep_std")
        _shares(self, "caption_dropout")
        if not (self.timestep_std > 0 and 0 < self.min_timestep < 1):
            raise ConfigError("timestep_std must be above 0, and min_timestep between 0 and 1")


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """What a denoiser learns beside the video.

    `label_weight`: of naming what each tubelet shows from the tokens after `label_layer` blocks, where the
    data says what a pixel shows, as the world does; `reading_weight`: of telling from a word what its caption
    says of the thing that it names, where the caption is of the world's language.
    """

    reading_weight: float = 0.0
    label_weight: float = 0.0
    label_layer: int = 4

    def __post_init__(self) -> None:
        _at_least(self, 1, "label_layer")
        _finite(self, "label_weight", "reading_weight")
        _at_least(self, 0, "label_weight", "reading_weight")


@dataclass(frozen=True, kw_only=True)
class DegradeConfig:
    """What is done to clean renders before a parser or an upsampler sees them; each drawn up to its limit.

    `light`: how far brightness, contrast and each colour's gain go from 1; `blur`: standard deviation of a
    Gaussian, in pixels; `noise`: its standard deviation, of a range of 2; `blocks`: step of the quantisation
    of 8 x 8 cosines, as codecs do, in the same range; `clean`: share of clips that stay as they are.
    """

    light: float = 0.15
    blur: float = 1.2
    noise: float = 0.08
    blocks: float = 0.25
    clean: float = 0.2

    def __post_init__(self) -> None:
        _finite(self, "light", "blur", "noise", "blocks")
        _at_least(self, 0, "light", "blur", "noise", "blocks")
        _shares(self, "clean")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """How clips reach the loop.

    `reuse`: how many steps see each rendered clip, with fresh noise and masks (data echoing, Source:
    arXiv:1907.05550), drawn from those of the last `reuse_memory` steps. `workers` 1 renders in a second
    process, 0 between the steps; for a GPU every core but two renders. For parsers: a share of the world's
    clips are `close_ups`, of which no caption tells what their border cuts off, and `split` "all" holds no
    combination out.
    """

    reuse: int = 1
    reuse_memory: int = 64
    workers: int = 1
    worker_threads: int = 1
    prefetch: int = 4
    heldout_clips: int = 32
    sample_prompts: int = 8
    close_ups: float = 0.0
    split: str = "train"

    def __post_init__(self) -> None:
        _at_least(
            self, 1, "reuse", "reuse_memory", "worker_threads", "prefetch", "heldout_clips", "sample_prompts"
        )
        _shares(self, "close_ups")
        if self.split not in ("train", "all"):
            raise ConfigError(f'split is {self.split!r}; give "train", or "all" for a parser')
        if self.workers not in (0, 1):
            raise ConfigError(f"workers is {self.workers}; give 1 for a second process, 0 for none")


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """How often the run saves and shows itself; none of it changes the weights."""

    checkpoint_minutes: float = 10.0
    heldout_minutes: float = 10.0
    sample_minutes: float = 15.0
    sample_steps: int = 20
    guidance_scale: float = 3.0
    keep_checkpoints: int = 2
    tensorboard: bool = False

    def __post_init__(self) -> None:
        _at_least(self, 0, "checkpoint_minutes", "heldout_minutes", "sample_minutes", "guidance_scale")
        _at_least(self, 1, "sample_steps", "keep_checkpoints")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides a training."""

    name: str
    model: DenoiserConfig | PerceptionConfig | UpsamplerConfig
    stages: tuple[Stage, ...]
    optim: OptimConfig = field(default_factory=OptimConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    degrade: DegradeConfig = field(default_factory=DegradeConfig)
    data: DataConfig = field(default_factory=DataConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.stages:
            raise ConfigError(f"recipe '{self.name}' has no stages; give at least one")
        depth = self.model.depth if isinstance(self.model, DenoiserConfig) else self.loss.label_layer
        if self.loss.label_layer > depth and self.loss.label_weight > 0.0:
            raise ConfigError(f"loss.label_layer is {self.loss.label_layer}; the model has {depth} blocks")
        for stage in self.stages:
            if isinstance(self.model, DenoiserConfig) and stage.text_length > self.model.text.max_length:
                raise ConfigError(
                    f"stage '{stage.name}': text_length {stage.text_length} exceeds the model's "
                    f"text.max_length {self.model.text.max_length}"
                )
            for index in range(len(stage.buckets)):
                _check_bucket(stage, stage.buckets[index])
                if stage.clips(index) % self.data.reuse:
                    raise ConfigError(
                        f"stage '{stage.name}': a batch of {stage.clips(index)} clips is no multiple of "
                        f"data.reuse={self.data.reuse}; change either"
                    )

    @property
    def needs_labels(self) -> bool:
        """Tell whether the training asks what each pixel shows."""
        taught = isinstance(self.model, DenoiserConfig) and self.loss.label_weight > 0.0
        return isinstance(self.model, PerceptionConfig) or taught

    @property
    def total_steps(self) -> int:
        """Return the number of steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> tuple[int, int]:
        """Return the stage of a step and the step at which that stage began."""
        first = 0
        for index, stage in enumerate(self.stages):
            if step < first + stage.steps:
                return index, first
            first += stage.steps
        raise ConfigError(f"step {step} lies beyond the recipe's {self.total_steps} steps")


def get(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises: ConfigError for an unknown name, with the nearest known one.
    """
    if name not in NAMES:
        near = get_close_matches(name, NAMES, n=1, cutoff=0.0)
        raise ConfigError(f"there is no recipe '{name}'; did you mean '{near[0]}'? Known: {', '.join(NAMES)}")
    recipe: Recipe = getattr(import_module(f"reelworld.recipes.{name}"), name)()
    return recipe
