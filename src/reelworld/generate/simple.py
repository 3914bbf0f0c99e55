"""One call from a text to a video of any length: what `reelworld.generate`, the command and the API share.

generate("a red ball rolls", seed=3).save("ball.mp4")     # packaged weights, loaded once
video = of_text(pipeline, "a red ball rolls", num_frames=240)
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from reelworld.core.errors import ConfigError
from reelworld.core.types import Video
from reelworld.generate.edit import film
from reelworld.generate.packaged import reads_best, weights_file
from reelworld.generate.pipeline import Pipeline


def of_text(
    pipeline: Pipeline,
    prompt: str,
    *,
    num_frames: int | None = None,
    height: int | None = None,
    width: int | None = None,
    fps: float | None = None,
    kept: Path | None = None,
    **options: Any,
) -> Video:
    """Make one video of a text: at once where the model makes so many frames at once, else window by window.

    One frame is an image. A size or rate that is not the model's own is made at once in any case. `options`
    are those of `Pipeline`; `kept` is a folder for finished windows. Raises: as `Pipeline` does.
    """
    if "num_videos" in options:
        raise ConfigError("this makes one video; for more, use reelworld.load()(prompt, num_videos=...)")
    own_size = height is None and width is None and fps is None
    if num_frames is not None and own_size and not _fits(pipeline, num_frames):
        return film(pipeline, prompt, num_frames=num_frames, kept=kept, **options)
    (video,) = pipeline(prompt, num_frames=num_frames, height=height, width=width, fps=fps, **options)
    return video


def _fits(pipeline: Pipeline, num_frames: int) -> bool:
    """Tell whether the model makes so many frames at once; weights that make images make nothing else."""
    own, tubelet = pipeline.shape.num_frames, pipeline.denoiser.config.patch.frames
    return own == 1 or num_frames == 1 or (num_frames <= own and num_frames % tubelet == 0)


def generate(
    prompt: str, *, weights: str | Path | None = None, device: str = "auto", **options: Any
) -> Video:
    """Make one video of a prompt; the weights stay loaded for the next. Options are those of `Pipeline`.

    Without `weights` the packaged model that reads the prompt best makes it (`packaged.reads_best`).
    More frames than the weights make at once are made window by window.
    Raises: as `Pipeline` does; ConfigError for `num_videos`, which needs a `Pipeline`.
    """
    path = weights_file(reads_best(prompt) if weights is None else weights)
    written = path.stat().st_mtime_ns if path.is_file() else 0
    return of_text(_loaded(path, device, written), prompt, **options)


def load(
    path: str | Path | None = None, *, device: str | torch.device = "auto", compile: bool = False
) -> Pipeline:
    """Read a weights file, or "nano" (the default) or "small", into a pipeline; for videos see `Video.load`.

    Raises: as `Pipeline.load` does.
    """
    return Pipeline.load(path, device=device, compile=compile)


@lru_cache(maxsize=2)
def _loaded(path: Path, device: str, written: int) -> Pipeline:
    """Load once; anew where the file was written anew."""
    return Pipeline.load(path, device=device)
