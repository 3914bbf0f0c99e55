"""From the request of a job to its files: which operation, in which native shape, and how it is enlarged.

    studio = Studio({"nano": None})
    made = studio.make("generate", {"prompt": "a red ball", "seconds": 4.0, "size": [1280, 720]}, load, watch)
    made.files["video.mp4"], made.about

A video of any size is made in the shape that the weights know, enlarged by the upsampler where that helps,
then scaled and cropped; `about` says what was done.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from reelworld.core import runtime
from reelworld.core.config import from_json
from reelworld.core.encode import encode_frames, encode_mp4, encode_png
from reelworld.core.errors import ConfigError, StorageError
from reelworld.core.progress import Progress
from reelworld.core.sheet import contact_sheet
from reelworld.core.storage import make_folder
from reelworld.core.types import Frames, Video
from reelworld.core.video import fit, part
from reelworld.diffusion.samplers import Callback
from reelworld.generate import edit
from reelworld.generate.enlarge import Enlarger
from reelworld.generate.pipeline import Pipeline
from reelworld.generate.simple import of_text
from reelworld.generate.storyboard import Storyboard, render
from reelworld.generate.windows import MOST_KEPT, forget_oldest
from reelworld.serve.asked import MOST_PIXELS

THUMBNAIL = 256  # pixels of a thumbnail's longer side
SHEET_FRAMES, SHEET_HEIGHT = 8, 128
SAMPLING = ("num_inference_steps", "guidance_scale", "negative_prompt")

Load = Callable[[str], Frames]  # name of a stored file, or of another job's video -> frames


@dataclass(frozen=True)
class Made:
    """The files of a finished job, and what is told of it."""

    files: dict[str, bytes]
    about: dict[str, Any]


@dataclass
class Studio:
    """Weights by name; each is loaded when it is first asked for, and stays."""

    weights: Mapping[str, Path | None]
    pipelines: dict[str, Pipeline] = field(default_factory=dict)
    enlarger: Enlarger | None = None

    def pipeline(self, name: str) -> Pipeline:
        """Return a model. Raises: ConfigError for a name that is not served; CheckpointError."""
        if name not in self.weights:
            raise ConfigError(f"the model {name} is not served here; there is {', '.join(self.weights)}")
        if name not in self.pipelines:
            self.pipelines[name] = Pipeline.load(self.weights[name] or name)
        return self.pipelines[name]

    def make(
        self, operation: str, request: Mapping[str, Any], load: Load, watch: Progress, seen: Callback
    ) -> Made:
        """Make what a request asks for; `seen` is the callback of each denoising step.

        Raises: as the operation does, and what `watch` raises to stop it.
        """
        pipeline = self.pipeline(request["model"])
        options = {name: request[name] for name in SAMPLING if request.get(name) is not None}
        options |= {"progress": watch, "callback": seen}
        if request.get("characters"):
            options["characters"] = {
                name: Video(load(file), pipeline.shape.fps, {"character": name})
                for name, file in request["characters"].items()
            }
        options["kept"] = kept = _cache()
        base = OPERATIONS[operation](pipeline, request, load, options)
        if kept is not None:
            forget_oldest(kept, MOST_KEPT)
        return self._finished(base, request, pipeline, watch)

    def _finished(self, base: Video, request: Mapping[str, Any], pipeline: Pipeline, watch: Progress) -> Made:
        """Enlarge, scale and encode; between the steps `watch` may stop it."""
        done = [f"made at {base.shape}"]
        width, height = request.get("size") or (4 * base.shape.width, 4 * base.shape.height)
        fps = request.get("fps") or base.fps
        if max(width * height * fps * len(base) / base.fps, base.shape.num_pixels) > MOST_PIXELS:
            raise ConfigError("the video is too large for this server; ask for fewer seconds or pixels")
        video = base
        watch.advance(0)
        if request.get("upsample", True) and (width > base.shape.width or height > base.shape.height):
            self.enlarger = self.enlarger or Enlarger.load()
            video = self.enlarger(base)
            done.append(f"enlarged to {video.shape.width}x{video.shape.height} by the upsampler")
        watch.advance(0)
        if (width, height, fps) != (video.shape.width, video.shape.height, video.fps):
            video = fit(video, width=width, height=height, fps=fps)
            video = replace(video, frames=video.frames[: request.get("num_frames")])
            done.append(f"scaled and cropped to {width}x{height} at {fps:g} fps")
        about = {"done": done, "num_frames": len(video), "size": [width, height], "fps": fps}
        about |= {"base_fps": base.fps}
        about |= {"made": video.metadata, "weights": pipeline.weights_hash}
        if video.metadata.get("asked") not in (None, video.metadata.get("prompt")):
            about["expanded_prompt"] = video.metadata["prompt"]
        watch.advance(0)
        return Made(_files(video, base), about)


def _files(video: Video, base: Video) -> dict[str, bytes]:
    """Encode the video, its pictures, and the frames that other jobs go on from."""
    middle = Image.fromarray(video.frames[len(video) // 2])
    middle.thumbnail((THUMBNAIL, THUMBNAIL))
    sheet = contact_sheet([video], [""], frames_per=SHEET_FRAMES, frame_height=SHEET_HEIGHT)
    return {
        "video.mp4": encode_mp4(video),
        "thumbnail.png": encode_png(Video(np.asarray(middle)[None])),
        "spritesheet.png": encode_png(Video(np.asarray(sheet)[None])),
        "base.npy": encode_frames(base.frames),
    }


def _source(pipeline: Pipeline, load: Load, request: Mapping[str, Any], name: str) -> Video:
    """Return what a job begins from, with how that was made."""
    return Video(load(name), _rate(pipeline, request, name), _told(request, name))


def _rate(pipeline: Pipeline, request: Mapping[str, Any], name: str) -> float:
    """Return the frame rate of a stored file; other weights may have made it."""
    return float(request.get("rates", {}).get(name, pipeline.shape.fps))


def _told(request: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return how a stored file was made; jobs that an earlier version queued do not say."""
    return dict(request.get("told", {}).get(name, {"file": name.split("/")[0]}))


Operation = Callable[[Pipeline, Mapping[str, Any], Load, dict[str, Any]], Video]


def _generate(pipeline: Pipeline, request: Mapping[str, Any], load: Load, options: dict[str, Any]) -> Video:
    """Make a video from text, told in full; and from an image as its first frame where there is one.

    What a picture shows is not left open, nor how a character looks: such a prompt stays as it is.
    """
    about = {"num_frames": _native_frames(request, pipeline.shape.fps), "seed": request["seed"], **options}
    if image := request.get("image"):
        return edit.animate(pipeline, _source(pipeline, load, request, image), request["prompt"], **about)
    told = request["prompt"]
    if request.get("expand") and "characters" not in options:
        told, _ = pipeline.expand(told, seed=request["seed"])
    video = of_text(pipeline, told, **about)
    return replace(video, metadata={**video.metadata, "asked": request["prompt"]})


def _native_frames(request: Mapping[str, Any], native: float) -> int:
    """Return how many frames to make, at the rate of the weights, for those that are asked for."""
    if asked := request.get("num_frames"):
        return math.ceil(asked * native / (request.get("fps") or native))
    return max(1, round(request["seconds"] * native))


def _editing(operation: Callable[..., Video], *names: str) -> Operation:
    """Return an operation of `generate.edit` on a request's sources, with its arguments of these names."""

    def edited(pipeline: Pipeline, request: Mapping[str, Any], load: Load, options: dict[str, Any]) -> Video:
        sources = [_source(pipeline, load, request, name) for name in request["sources"]]
        own = {name: request[name] for name in names if request.get(name) is not None}
        return operation(pipeline, *sources, request["prompt"], **own, seed=request["seed"], **options)

    return edited


def _storyboard(pipeline: Pipeline, request: Mapping[str, Any], load: Load, options: dict[str, Any]) -> Video:
    cast, shape = options.pop("characters", {}), pipeline.shape

    def stored(name: str, num_frames: int, start: float = 0.0, **_: Any) -> Video:
        given = _source(pipeline, load, request, name)
        fitted = fit(given, width=shape.width, height=shape.height, fps=shape.fps)
        return part(fitted, start, num_frames)

    board = from_json(Storyboard, request["board"])
    return render(pipeline, board, cast=cast, reader=stored, **options)


def _cache() -> Path | None:
    """Return the folder for finished windows; None, and a word on it, where none can be made."""
    try:
        return make_folder(runtime.cache_dir() / "windows")
    except StorageError as error:
        print(f"windows are not kept: {error}", file=sys.stderr)
        return None


OPERATIONS: dict[str, Operation] = {
    "generate": _generate,
    "remix": _editing(edit.remix, "strength"),
    "edit": _editing(edit.remix, "strength"),
    "extend": _editing(edit.extend, "seconds", "before"),
    "loop": _editing(edit.loop, "length"),
    "fill": _editing(edit.fill, "start", "end"),
    "blend": _editing(edit.blend, "curve", "strength"),
    "recut": _editing(edit.recut, "keep", "gap", "seconds"),
    "storyboard": _storyboard,
}
