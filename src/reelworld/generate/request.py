"""What may be asked of a pipeline: prompts, sampling settings, shapes, seeds, known pixels; and why not.

Every check raises before the first step of denoising, and its message says how to ask instead.
"""

import math
from dataclasses import dataclass
from difflib import get_close_matches

import torch
from torch import Tensor

from reelworld.core.errors import ConfigError, PromptError, ShapeError
from reelworld.core.types import Frames, Mask, Pixels, Video, VideoShape
from reelworld.diffusion.samplers import SAMPLERS
from reelworld.models.patches import Grid, PatchConfig

MAX_PROMPT_BYTES = 10_000
MAX_TOKENS = 16_384  # 64 times a 64x64 clip of 16 frames; the time grows faster than the tokens
MAX_STEPS = 1000
MAX_VIDEOS = 1000
MIN_FPS, MAX_FPS = 1.0, 120.0
GUIDED = (0.5, 1.0)  # timesteps: further down guidance wins nothing and costs as much (docs/design/0022)


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How noise becomes video; see `diffusion.samplers` and `diffusion.guidance`."""

    num_inference_steps: int = 20
    guidance_scale: float = 3.0
    guidance_interval: tuple[float, float] = GUIDED
    guidance_rescale: float = 0.0
    sampler: str = "multistep"
    shift: float = 1.0
    strength: float = 1.0

    @property
    def steps_left(self) -> int:
        """Return how many steps lead from the strength's noise to a clean video."""
        return max(1, round(self.strength * self.num_inference_steps))

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            near = get_close_matches(str(self.sampler), SAMPLERS, n=1, cutoff=0.0)[0]
            known = ", ".join(SAMPLERS)
            raise ConfigError(f"there is no sampler {self.sampler!r}; did you mean {near!r}? Known: {known}")
        check_count("num_inference_steps", self.num_inference_steps, MAX_STEPS)
        for name in ("guidance_scale", "guidance_rescale", "shift", "strength"):
            if isinstance(getattr(self, name), bool) or not isinstance(getattr(self, name), (int, float)):
                raise ConfigError(f"{name} is {getattr(self, name)!r}; give a number")
        if not (math.isfinite(self.guidance_scale) and self.guidance_scale >= 0):
            raise ConfigError(f"guidance_scale is {self.guidance_scale!r}; give 0 or more, 1 for no guidance")
        if not 0 < self.strength <= 1:
            raise ConfigError(f"strength is {self.strength!r}; give more than 0, and 1 to begin from noise")


@dataclass(frozen=True)
class Given:
    """Frames of which some pixels are known [1, T, H, W, 3], and the mask of those [1, T, H, W, 1]."""

    known: Pixels
    mask: Mask


def check_prompt(text: str, name: str = "prompt") -> None:
    """Raise PromptError unless the text can be read and is of a sane length."""
    if not isinstance(text, str):
        raise PromptError(f"the {name} is {type(text).__name__}; give text")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise PromptError(f"the {name} is not valid Unicode ({error.reason}); write it anew") from error
    if size > MAX_PROMPT_BYTES:
        raise PromptError(f"the {name} is {size} bytes long; shorten it to at most {MAX_PROMPT_BYTES}")


def check_count(name: str, count: int, most: int) -> None:
    """Raise ConfigError unless `count` is a whole number from 1 to `most`."""
    if not _is_whole(count) or not 1 <= count <= most:
        raise ConfigError(f"{name} is {count!r}; give a whole number from 1 to {most}")


def seeds(seed: int, num_videos: int) -> list[int]:
    """Return one seed for each video, counting on from `seed`.

    Raises: ConfigError for a seed or a number of videos that cannot be.
    """
    check_count("num_videos", num_videos, MAX_VIDEOS)
    if not _is_whole(seed) or not 0 <= seed <= 2**63 - num_videos:
        raise ConfigError(f"seed is {seed!r}; give a whole number from 0 to 2**63 - 1")
    return list(range(seed, seed + num_videos))


def seed_after(seed: int, count: int) -> int:
    """Return the seed of a later window; behind the last one comes the first."""
    return (seed + count) % 2**63


def wanted_shape(
    default: VideoShape, known: Frames | None, patch: PatchConfig, **sizes: float | None
) -> VideoShape:
    """Return the shape asked for; a size left out (None) is that of the known frames, else the default.

    Raises: ShapeError where the tubelet does not divide it, or it is beyond reason.
    """
    default = default if known is None else Video(known, default.fps).shape
    shape = default.replace(**{name: size for name, size in sizes.items() if size is not None})
    num_tokens = Grid.of(*shape.size, patch).num_tokens
    if num_tokens > MAX_TOKENS:
        raise ShapeError(
            f"{shape} is {num_tokens} tokens, more than the {MAX_TOKENS} allowed; make it smaller or shorter"
        )
    if not MIN_FPS <= shape.fps <= MAX_FPS:
        raise ShapeError(f"fps is {shape.fps:g}; give {MIN_FPS:g} to {MAX_FPS:g} frames per second")
    return shape


def given(known: Frames | None, mask: Tensor | None, shape: VideoShape, device: torch.device) -> Given | None:
    """Return the known pixels and their mask on the device, or None where nothing is known.

    Raises: ShapeError where they do not fit the shape, or the mask is not between 0 and 1.
    """
    if known is None and mask is None:
        return None
    if known is None or mask is None:
        raise ShapeError("known frames and their mask come together; give both or neither")
    if known.shape != (*shape.size, 3):
        raise ShapeError(f"the known frames are {known.shape}, the video {(*shape.size, 3)}; make them equal")
    wanted = (1, *shape.size, 1)
    pairs = zip(reversed(mask.shape), reversed(wanted), strict=False)
    if mask.ndim > len(wanted) or any(size not in (1, whole) for size, whole in pairs):
        raise ShapeError(f"the mask is {tuple(mask.shape)}; give one that broadcasts to {wanted}")
    if not bool(((mask >= 0) & (mask <= 1)).all()):
        raise ShapeError("the mask must lie between 0 (to be made) and 1 (known) everywhere")
    return Given(to_pixels(known, device), mask.to(device, torch.float32).expand(wanted))


def begun(init: Frames | None, sampling: Sampling, shape: VideoShape, device: torch.device) -> Pixels | None:
    """Return the pixels of a video to begin from, or None to begin from noise.

    Raises: ShapeError where it does not fit the shape; ConfigError where a strength has nothing to begin
    from.
    """
    if init is None:
        if sampling.strength < 1:
            raise ConfigError("a strength below 1 begins from a video; give `init`, or leave it at 1")
        return None
    if init.shape != (*shape.size, 3):
        raise ShapeError(f"the init frames are {init.shape}, the video {(*shape.size, 3)}; make them equal")
    return to_pixels(init, device)


def check_noise(noise: Tensor | None, shape: VideoShape, num_videos: int) -> None:
    """Raise ShapeError where noise does not fit the shape; ConfigError where it is that of several videos."""
    if noise is None:
        return
    if num_videos != 1:
        raise ConfigError("noise makes one video; leave it out, or ask for one")
    if noise.shape != (1, *shape.size, 3):
        raise ShapeError(f"the noise is {tuple(noise.shape)}; the video needs {(1, *shape.size, 3)}")


def to_pixels(frames: Frames, device: torch.device | str = "cpu") -> Pixels:
    """Map frames, uint8 [T, H, W, 3], to pixels [1, T, H, W, 3] in [-1, 1]."""
    return torch.tensor(frames, device=device)[None].float() / 127.5 - 1


def to_frames(pixels: Pixels) -> Frames:
    """Map the first video of pixels [B, T, H, W, 3] in [-1, 1], clamped, to frames, uint8 [T, H, W, 3]."""
    frames: Frames = ((pixels[0].clamp(-1, 1) + 1) * 127.5).round().byte().cpu().numpy()
    return frames


def _is_whole(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)
