"""What a video is, its shape and their algebra, and the array aliases used at every public boundary.

Legend of the axis names: B batch, T frames, H height, W width, N tokens, D features, L words of a text.

    Frames     uint8 [T, H, W, 3]      pixels at the border: files, notebooks, users
    Pixels     float [B, T, H, W, 3]   pixels in models, in [-1, 1]
    Mask       float [B, T, H, W, 1]   1 = known pixel, 0 = to be generated
    Tokens     float [B, N, D]         spacetime patches after embedding
    Timesteps  float [B]               0 = clean, 1 = noise (diffusion/path.py)

The aliases import jaxtyping and torch when they are first asked for, so this module alone stays light.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from reelworld.core.errors import ShapeError

if TYPE_CHECKING:
    from jaxtyping import Float, UInt8
    from torch import Tensor

    Frames = UInt8[np.ndarray, "T H W 3"]
    Pixels = Float[Tensor, "B T H W 3"]
    Mask = Float[Tensor, "B T H W 1"]
    Tokens = Float[Tensor, "B N D"]
    Timesteps = Float[Tensor, "B"]
else:
    _TENSOR_AXES = {"Pixels": "B T H W 3", "Mask": "B T H W 1", "Tokens": "B N D", "Timesteps": "B"}

    def __getattr__(name: str) -> Any:
        """Build an alias on first use; jaxtyping and torch are imported only then."""
        if name == "Frames":
            from jaxtyping import UInt8

            return UInt8[np.ndarray, "T H W 3"]
        if name not in _TENSOR_AXES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from jaxtyping import Float
        from torch import Tensor

        return Float[Tensor, _TENSOR_AXES[name]]


class References(NamedTuple):
    """Pictures of characters: pixels [B, R, H, W, C]; seen bool [B, R], False where a place is empty."""

    pixels: Tensor
    seen: Tensor


@dataclass(frozen=True, kw_only=True)
class VideoShape:
    """The size of a video in pixels, frames and time.

    Raises: ShapeError where a size is not a positive whole number or fps is not positive.
    """

    width: int
    height: int
    num_frames: int = 1
    fps: float = 8.0

    def __post_init__(self) -> None:
        for name in ("width", "height", "num_frames"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ShapeError(f"{name} is {value!r}; give a whole number of at least 1")
        _check_fps(self.fps)

    @property
    def size(self) -> tuple[int, int, int]:
        """(num_frames, height, width): the order of array axes."""
        return self.num_frames, self.height, self.width

    @property
    def duration(self) -> float:
        """Seconds; the last frame is shown for one frame time too."""
        return self.num_frames / self.fps

    @property
    def num_pixels(self) -> int:
        """Pixels in all frames together."""
        return self.num_frames * self.height * self.width

    @property
    def is_image(self) -> bool:
        """True for one single frame."""
        return self.num_frames == 1

    def replace(self, **changes: Any) -> VideoShape:
        """Return this shape with some fields changed."""
        return replace(self, **changes)

    def scaled(self, space: int = 1, time: int = 1) -> VideoShape:
        """Multiply width and height by `space`, frames and fps by `time` (the duration stays)."""
        return VideoShape(
            width=self.width * space,
            height=self.height * space,
            num_frames=self.num_frames * time,
            fps=self.fps * time,
        )

    def __str__(self) -> str:
        size = f"{self.width}x{self.height}"
        return size if self.is_image else f"{size}, {self.num_frames} frames at {self.fps:g} fps"


@dataclass(frozen=True, eq=False)
class Video:
    """Frames (uint8 [T, H, W, 3]) with their frame rate and a JSON-able account of their origin.

    Raises: ShapeError where the frames are not uint8 RGB or fps is not positive.
    """

    frames: Frames
    fps: float = 8.0
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        frames = self.frames
        if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8:
            kind = getattr(frames, "dtype", type(frames).__name__)
            raise ShapeError(f"frames are {kind}; give a numpy array of uint8, 0 to 255")
        if frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape:
            raise ShapeError(f"frames have shape {frames.shape}; give [frames, height, width, 3], none empty")
        _check_fps(self.fps)

    def __len__(self) -> int:
        return int(self.frames.shape[0])

    @property
    def shape(self) -> VideoShape:
        """Width, height, number of frames and fps."""
        num_frames, height, width = (int(size) for size in self.frames.shape[:3])
        return VideoShape(width=width, height=height, num_frames=num_frames, fps=self.fps)

    @property
    def cuts(self) -> list[int]:
        """The frames with which later shots begin, as far as the metadata tell of any, in their order."""
        told = self.metadata.get("cuts")
        whole = {cut for cut in told if type(cut) is int} if isinstance(told, list) else set()
        return sorted(cut for cut in whole if 0 < cut < len(self))

    @classmethod
    def load(cls, path: str | Path, **options: Any) -> Video:
        """Read a video or image file; options are those of `reelworld.core.video.read`.

        The metadata say how it was made, where it tells that, its name and hash, and with which options.
        """
        from reelworld.core.video import read_named

        return read_named(path, **options)

    def save(self, path: str | Path, **options: Any) -> Path:
        """Write .mp4, .gif, .png or a folder of frames; options of `reelworld.core.video.write`.

        Beside what was made by a prompt lies a .json that says how.
        """
        from reelworld.core.video import check_account_place, write, write_account

        if "prompt" not in self.metadata:
            return write(self, path, **options)
        check_account_place(path)
        written = write(self, path, **options)
        write_account(self, path)
        return written

    def _repr_html_(self) -> str:
        """Show the video in a notebook, with the file inside the page."""
        from reelworld.core.video import html

        return html(self)


def _check_fps(fps: float) -> None:
    if not (isinstance(fps, (int, float)) and math.isfinite(fps) and fps > 0):
        raise ShapeError(f"fps is {fps!r}; give a positive number of frames per second")
