"""Prompt -> video: text and noise through the denoiser, step by step.

    pipeline = Pipeline.load()                     # nano; "small", or a file of your own
    (video,) = pipeline("a red ball rolls past a blue box", seed=3)
    video.save("ball.mp4")
    pipeline.expand("a red ball rolls", seed=3)    # told in full, which the model follows better

The same weights, prompt, settings and seed give the same frames; `num_videos=4, seed=3` gives those of seeds
3 to 6. A video's metadata says how it was made. Image-to-video and other editing pass `known` frames and a
`mask`, and get the same frames back where the mask is 1. `characters` are pictures of those whom the prompt
calls by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reelworld.core import runtime
from reelworld.core.config import to_json
from reelworld.core.errors import CheckpointError, ConfigError, PromptError
from reelworld.core.progress import Kind, Progress
from reelworld.core.progress import progress as open_progress
from reelworld.core.storage import file_hash
from reelworld.core.types import Frames, Pixels, References, Video, VideoShape
from reelworld.core.version import __version__
from reelworld.diffusion.guidance import guided
from reelworld.diffusion.masks import join, pin_known
from reelworld.diffusion.path import add_noise, velocity_loss
from reelworld.diffusion.samplers import SAMPLERS, Callback, Model, schedule
from reelworld.generate import request
from reelworld.generate.cards import learnt_level, longest_caption, native_shape, told_in_full
from reelworld.generate.casting import cast
from reelworld.generate.packaged import weights_file
from reelworld.generate.request import Given, Sampling, to_frames
from reelworld.generate.shots import check_shots, cuts_of
from reelworld.models.released import Released, checkpoint_to_denoiser
from reelworld.models.text import NULL, TextFeatures
from reelworld.world.expand import Expanded


class Pipeline:
    """A denoiser with its tokenizer, ready to make videos."""

    def __init__(
        self,
        released: Released,
        *,
        weights_hash: str = "",
        device: str | torch.device = "auto",
        compile: bool = False,
    ) -> None:
        """Take over released weights; `compile` pays for many videos of one shape.

        Raises: DeviceError where the device is not here; ConfigError where nothing can be compiled.
        """
        self.device = runtime.device(device)
        self.denoiser = released.denoiser.to(self.device)
        self.tokenizer, self.card, self.weights_hash = released.tokenizer, released.card, weights_hash
        self.shape = native_shape(released.card)
        if compile:
            _check_compiler(self.device)
        self._denoise = torch.compile(self.denoiser, dynamic=False) if compile else self.denoiser

    @classmethod
    def load(
        cls, path: str | Path | None = None, *, device: str | torch.device = "auto", compile: bool = False
    ) -> "Pipeline":
        """Read a weights file, or a packaged model by its name: "nano", the default, or "small".

        Raises: CheckpointError where it is missing, corrupt or no denoiser; else as `Pipeline`.
        """
        path = weights_file(path)
        released = checkpoint_to_denoiser(path)
        return cls(released, weights_hash=file_hash(path), device=device, compile=compile)

    def unknown_words(self, prompt: str) -> list[tuple[str, list[str]]]:
        """List the words of a prompt that the model never learnt, each with known words spelt alike."""
        request.check_prompt(prompt)
        return self.tokenizer.unknown_words(prompt)

    def check(self, prompt: str, characters: Mapping[str, Video] | None = None) -> None:
        """Find out whether a prompt can be made, without making it. Raises: PromptError, ConfigError."""
        played = cast(prompt, characters or {}, self.shape, self.tokenizer)
        ids = self.tokenizer.encode([played.prompt], self.denoiser.config.text.max_length, truncate=False)
        if ids[0, 0] == NULL:
            raise PromptError("the prompt is empty; describe what the video should show")

    @property
    def level(self) -> int | None:
        """Return the highest level of the world that the weights learnt from; None where it was footage."""
        return learnt_level(self.card)

    def expand(self, prompt: str, *, seed: int = 0) -> Expanded:
        """Tell a short prompt in full, as the captions of the training are; a seed draws what it leaves open.

        Raises: PromptError.
        """
        return told_in_full(prompt, seed, self.card)

    @property
    def trained_length(self) -> int | None:
        """Return how many words and marks the longest caption of the training held; None if not known."""
        return longest_caption(self.card)

    @torch.inference_mode()
    def __call__(
        self,
        prompt: str,
        *,
        num_frames: int | None = None,
        height: int | None = None,
        width: int | None = None,
        fps: float | None = None,
        num_inference_steps: int = 20,
        guidance_scale: float = 3.0,
        guidance_interval: tuple[float, float] = request.GUIDED,
        guidance_rescale: float = 0.0,
        negative_prompt: str | None = None,
        seed: int = 0,
        num_videos: int = 1,
        sampler: str = "multistep",
        shift: float = 1.0,
        known: Frames | None = None,
        mask: Tensor | None = None,
        init: Frames | None = None,
        strength: float = 1.0,
        noise: Tensor | None = None,
        characters: Mapping[str, Video] | None = None,
        progress: Kind = "silent",
        callback: Callback | None = None,
    ) -> list[Video]:
        """Make `num_videos` videos of a prompt, one for each seed from `seed` on; one frame is an image.

        A size left out is that of `known`, or the one that the weights were trained for. `known` (uint8
        [T, H, W, 3]) counts where `mask`, which broadcasts to [1, T, H, W, 1], is 1; between 0 and 1 it
        is shown to the model, and the result fades from it into what was made. From `init` (uint8
        [T, H, W, 3]), noised as far as `strength` says (SDEdit, arXiv:2108.01073), that share of the steps is
        left. `noise` [1, T, H, W, 3] takes the place of what the seed draws. An empty prompt leaves it to
        known frames what is shown. `characters` show, each in its first frame, who is meant by names in the
        prompt. `callback(step, num_steps, clean_prediction, noisy)` sees each video in turn, as pixels
        [1, T, H, W, 3].

        Raises: PromptError, ShapeError, ConfigError; CheckpointError where the weights give non-finite
        numbers.
        """
        sampling = Sampling(
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            guidance_interval=guidance_interval,
            guidance_rescale=guidance_rescale,
            sampler=sampler,
            shift=shift,
            strength=strength,
        )
        sizes = {"num_frames": num_frames, "height": height, "width": width, "fps": fps}
        frames = known if init is None else init
        shape = request.wanted_shape(self.shape, frames, self.denoiser.config.patch, **sizes)
        given = request.given(known, mask, shape, self.device)
        begun = request.begun(init, sampling, shape, self.device)
        request.check_noise(noise, shape, num_videos)
        played = cast(prompt, characters or {}, shape, self.tokenizer)
        frames_given = [name for name, of in (("known", known), ("init", init)) if of is not None]
        origin = {"prompt": prompt, "negative_prompt": negative_prompt, **to_json(sampling)}
        origin |= _told(frames_given, characters or {})
        seeds = request.seeds(seed, num_videos)
        check_shots(prompt, shape.num_frames / shape.fps)
        if given is None:
            self.check(played.prompt)
        model = self._model(played.prompt, negative_prompt, sampling, given, shape.fps, played.references)
        with open_progress(progress, num_videos * sampling.steps_left, "generating") as bar:
            report = _reporting(bar, callback)
            drawn = ((each, _noise(shape, each) if noise is None else noise) for each in seeds)
            made = ((each, self._sample(model, sampling, one, begun, report)) for each, one in drawn)
            return [self._video(clean, given, shape, {**origin, "seed": each}) for each, clean in made]

    @torch.inference_mode()
    def loss(self, frames: Frames, prompt: str, timestep: float, *, seed: int = 0) -> float:
        """Return the velocity loss of a video uint8 [T, H, W, 3] under a prompt, with the noise of a seed.

        Raises: PromptError; ShapeError for a size that the tubelets do not divide.
        """
        clean = torch.from_numpy(np.ascontiguousarray(frames)).float()[None] / 127.5 - 1
        noise = torch.randn(clean.shape, generator=runtime.generator(seed))
        clean, noise = clean.to(self.device), noise.to(self.device)
        t = torch.full((1,), timestep, device=self.device)
        text = self._texts(prompt, None)[0]
        predicted = self._bound(text, None, self.shape.fps)(add_noise(clean, noise, t), t)
        return float(velocity_loss(predicted, clean, t).mean())

    def _model(
        self,
        prompt: str,
        negative_prompt: str | None,
        sampling: Sampling,
        given: Given | None,
        fps: float,
        references: References | None,
    ) -> Model:
        """Return the guided model: text encoded once, both branches in one batch.

        The branch without prompt sees no characters, as where a caption was dropped in training.
        """
        texts = self._texts(prompt, negative_prompt)
        shown = None if references is None else References(*(part.to(self.device) for part in references))
        return guided(
            self._bound(texts[0], given, fps, shown),
            self._bound(texts, given, fps, shown),
            sampling.guidance_scale,
            interval=sampling.guidance_interval,
            rescale=sampling.guidance_rescale,
        )

    def _texts(self, prompt: str, negative_prompt: str | None) -> TextFeatures:
        """Encode [prompt, negative prompt]; without a negative prompt the second is the dropped caption."""
        texts = [prompt, negative_prompt or ""]
        for text, name in zip(texts, ("prompt", "negative prompt"), strict=True):
            request.check_prompt(text, name)
        ids = self.tokenizer.encode(texts, self.denoiser.config.text.max_length, truncate=False)
        with self._autocast():
            return self.denoiser.encode_text(ids.to(self.device))

    def _bound(
        self, texts: TextFeatures, given: Given | None, fps: float, references: References | None = None
    ) -> Model:
        """Return the denoiser as a function of noisy videos, one for each text, and one timestep.

        The first text alone has the references [1, R, H, W, 3].
        """
        batch = len(texts)
        known = None if given is None else given.known.expand(batch, -1, -1, -1, -1)
        mask = None if given is None else (given.mask > 0).float().expand(batch, -1, -1, -1, -1)
        shown = references
        if references is not None:
            first = torch.arange(batch, device=self.device)[:, None] == 0
            pixels, seen = references
            shown = References(pixels.expand(batch, -1, -1, -1, -1), seen & first)

        def model(noisy: Tensor, timestep: Tensor) -> Tensor:
            with self._autocast():
                clean: Tensor = self._denoise(noisy, timestep.expand(batch), texts, known, mask, fps, shown)
            return clean.float()

        return model

    def _sample(
        self,
        model: Model,
        sampling: Sampling,
        noise: Tensor,
        begun: Pixels | None,
        report: Callback,
    ) -> Pixels:
        """Denoise one video, alone: so its frames depend on its noise and not on its company."""
        noisy = noise.to(self.device)
        if begun is not None:
            noisy = add_noise(begun, noisy, torch.tensor(sampling.strength))
        times = schedule(sampling.steps_left, sampling.shift, sampling.strength)
        clean = SAMPLERS[sampling.sampler](model, noisy, times, report)
        if not bool(clean.isfinite().all()):
            raise CheckpointError("the weights gave numbers that are not finite; load other weights")
        return clean

    def _video(self, clean: Pixels, given: Given | None, shape: VideoShape, origin: dict[str, Any]) -> Video:
        """Put the known pixels back and say how the video was made."""
        pinned = clean if given is None else _joined(clean, given)
        about = {"shape": to_json(shape), "weights": self.weights_hash, "reelworld": __version__}
        frames = to_frames(pinned)
        cuts = cuts_of(origin["prompt"], frames, shape.fps)
        return Video(frames, shape.fps, {**origin, **about, **({"cuts": cuts} if cuts else {})})

    def _autocast(self) -> torch.autocast:
        """Compute in bfloat16 where that is faster."""
        dtype = runtime.compute_dtype(self.device)
        return torch.autocast(self.device.type, dtype, enabled=dtype != torch.float32)


@dataclass
class Previews:
    """A callback that keeps, as frames, what each step of the first video began from and predicted."""

    noisy: list[Frames] = field(default_factory=list)
    clean: list[Frames] = field(default_factory=list)

    def __call__(self, step: int, num_steps: int, clean: Tensor, noisy: Tensor) -> None:
        """Keep one step."""
        if len(self.noisy) == num_steps:
            return
        self.noisy.append(to_frames(noisy))
        self.clean.append(to_frames(clean))

    def film(self, frame: int = 0) -> Video:
        """Return one frame as it comes out of the noise, step by step; `core.video.strip` lays it out."""
        return Video(np.stack([step[frame] for step in [*self.noisy, self.clean[-1]]]))


def _joined(clean: Pixels, given: Given) -> Pixels:
    """Return what was made with the known pixels back in it, and no seam between the two."""
    return pin_known(join(clean, given.known, given.mask), given.known, given.mask)


def _told(frames_given: list[str], characters: Mapping[str, Video]) -> dict[str, Any]:
    """Return what an account says of frames and characters that a video was made with; nothing without."""
    cast_told = {name: video.metadata for name, video in characters.items()}
    return {name: told for name, told in (("given", frames_given), ("characters", cast_told)) if told}


def _check_compiler(device: torch.device) -> None:
    if not runtime.compiler_available(device):
        raise ConfigError(
            "compile=True needs a C++ compiler and Python's headers; install g++ or leave it out"
        )


def _reporting(bar: Progress, callback: Callback | None) -> Callback:
    """Return a callback that moves the bar, then calls the caller's."""

    def report(step: int, num_steps: int, clean: Tensor, noisy: Tensor) -> None:
        bar.advance()
        if callback is not None:
            callback(step, num_steps, clean, noisy)

    return report


def _noise(shape: VideoShape, seed: int) -> Tensor:
    """Draw noise [1, T, H, W, 3], on the CPU: a seed means the same on every device."""
    return torch.randn(1, *shape.size, 3, generator=runtime.generator(seed))
