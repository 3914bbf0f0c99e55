"""What a media file says of itself and may ask of us: the shared words of films and pictures.

Used through `reelworld.core.video`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import av
from PIL import Image

from reelworld.core.errors import VideoError
from reelworld.core.storage import storage_errors


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a file may ask of us. `max_bytes` bounds the file, and the frames that are kept in memory.

    `max_work` bounds the pixels of all pages of an animation, which are drawn whole however little changes.
    """

    max_side: int = 16_384
    max_pixels: int = 2**27  # of one frame: the largest sensors of phones and cameras
    max_work: int = 2**33
    max_frames: int = 20_000
    max_seconds: float = 600.0
    max_bytes: int = 2 * 2**30

    def check_size(self, path: str | Path, width: int, height: int) -> None:
        """Raise VideoError where one frame is too large."""
        if width < 1 or height < 1:
            raise VideoError(f"{path} has no picture size ({width}x{height}); it is broken")
        if max(width, height) > self.max_side or width * height > self.max_pixels:
            raise VideoError(
                f"{path} is {width}x{height}, over the limit of {self.max_side} a side and "
                f"{self.max_pixels / 1e6:.3g} million pixels; shrink it"
            )

    def check_work(self, path: str | Path, width: int, height: int, pages: int) -> None:
        """Raise VideoError where drawing all pages of an animation would take minutes."""
        if width * height * pages > self.max_work:
            raise VideoError(
                f"{path}: {pages} pages of {width}x{height} are too much to draw; make it an mp4"
            )

    def check_amount(self, path: str | Path, seconds: float, num_frames: int, num_bytes: int = 0) -> None:
        """Raise VideoError where there is too much of it."""
        mend = "take a part of it, or fewer or smaller frames"
        if seconds > self.max_seconds:
            raise VideoError(
                f"{path}: {seconds:.3g} seconds are over the limit of {self.max_seconds:g}; {mend}"
            )
        if num_frames > self.max_frames:
            raise VideoError(f"{path}: {num_frames} frames are over the limit of {self.max_frames}; {mend}")
        if num_bytes > self.max_bytes:
            sizes = f"{num_bytes / 2**20:.4g} MiB are over the limit of {self.max_bytes / 2**20:.4g}"
            raise VideoError(f"{path}: {sizes}; {mend}")


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What the header of a file says; sizes are as shown, with square pixels.

    `duration` (seconds) and `num_frames` are None where the header does not tell. `metadata` is what
    `video.write` stored; empty for files from elsewhere.
    """

    width: int
    height: int
    fps: float
    duration: float | None
    num_frames: int | None
    codec: str
    num_bytes: int
    has_audio: bool = False
    is_still: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)


class TimedFrame(NamedTuple):
    """A frame, shown from `begin` to `end` seconds after the start of the file."""

    begin: float
    end: float
    picture: av.VideoFrame | Image.Image


class Source(Protocol):
    """An open file: its header and its frames."""

    info: VideoInfo

    def timed(self, start: float) -> Iterator[TimedFrame]:
        """Yield frames in order of time, from the one shown at `start` or earlier."""

    def image(self, picture: Any) -> Image.Image:
        """Turn a frame's picture into an RGB image."""


def account_file(path: str | Path) -> Path:
    """Return where the account of a file lies: the .json beside it."""
    return Path(path).parent / f"{Path(path).stem}.json"


def account_beside(path: Path) -> dict[str, Any]:
    """Return how a file was made by the .json beside it; empty where there is none, or it is of another file.

    Raises: StorageError where it cannot be read.
    """
    made, of = read_account(beside := account_file(path))
    its_own = path == beside or of in (None, path.name)
    return made if its_own else {}


def read_account(file: Path) -> tuple[dict[str, Any], Any]:
    """Return what a .json says of how a file was made, and of which; empty where that is not what it says.

    Raises: StorageError where it cannot be read.
    """
    if not file.is_file():
        return {}, None
    with storage_errors(file):
        told = stored_metadata(file.read_bytes())
    made = told.get("made")
    return (made if isinstance(made, dict) else {}), told.get("of")


def stored_metadata(text: str | bytes) -> dict[str, Any]:
    """Read the metadata that `video.write` put into a comment; empty for any other comment."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
