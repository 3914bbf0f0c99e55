"""Still images and animations as timed frames, by Pillow: PNG, JPEG, GIF, WebP, AVIF, TIFF and others.

Used through `reelworld.core.video`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from reelworld.core.media import Limits, TimedFrame, VideoInfo, stored_metadata

STILL_FPS = 8.0  # a still image has no frame rate; this one is reported for it
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "AVIF", "TIFF", "JPEG2000", "PPM", "BMP")
_ANIMATIONS = ("PNG", "GIF", "WEBP", "AVIF")


def as_picture(path: str | Path) -> Image.Image | None:
    """Open the file with Pillow (its header only), or return None where Pillow does not know it."""
    Image.init()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limits look at the size
        warnings.filterwarnings("error", message="Invalid APNG", category=UserWarning)
        try:
            return Image.open(path, formats=[name for name in _FORMATS if name in Image.OPEN])
        except UnidentifiedImageError:
            return None


class Pictures:
    """A still image or an animation, opened by Pillow."""

    def __init__(self, pages: Image.Image, path: str | Path, num_bytes: int, limits: Limits) -> None:
        limits.check_size(path, *pages.size)
        self.pages = pages
        self.num_frames = getattr(pages, "n_frames", 1) if pages.format in _ANIMATIONS else 1
        limits.check_amount(path, 0.0, self.num_frames)
        limits.check_work(path, *pages.size, self.num_frames)
        self.delays = self._delays()
        limits.check_amount(path, sum(self.delays), self.num_frames)
        self.info = VideoInfo(
            width=pages.width,
            height=pages.height,
            fps=self._fps(),
            duration=sum(self.delays),
            num_frames=self.num_frames,
            codec=str(pages.format).lower(),
            num_bytes=num_bytes,
            is_still=self.num_frames == 1,
            metadata=stored_metadata(pages.info.get("comment", "")),
        )

    def timed(self, start: float) -> Iterator[TimedFrame]:
        begin = 0.0
        for index, delay in enumerate(self.delays):
            self.pages.seek(index)
            yield TimedFrame(begin, begin + delay, _rgb(self.pages))
            begin += delay

    def image(self, picture: Image.Image) -> Image.Image:
        return picture

    def _delays(self) -> list[float]:
        """Seconds that each page is shown; 0 means 0.1, as in browsers."""
        if self.num_frames == 1:
            return [1 / STILL_FPS]
        delays = []
        for index in range(self.num_frames):
            self.pages.seek(index)
            self.pages.load()
            delays.append((self.pages.info.get("duration") or 100) / 1000)
        self.pages.seek(0)
        return delays

    def _fps(self) -> float:
        """Frames per second of the short delays: long ones are equal frames that the file holds once."""
        short = [delay for delay in self.delays if delay < min(self.delays) + 0.011]
        return len(short) / sum(short)


def _rgb(page: Image.Image) -> Image.Image:
    """Return a page as upright RGB on white."""
    page = ImageOps.exif_transpose(page)
    return on_white(Image.fromarray(_eight_bits(page)) if page.mode[0] in "IF" else page)


def on_white(image: Image.Image) -> Image.Image:
    """Return an image as RGB, on white where it is transparent."""
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _eight_bits(page: Image.Image) -> np.ndarray:
    """Return deep greys in 8 bits: 16 bits keep the upper 8, floats to 1 are scaled, what fits stays."""
    values = np.asarray(page)
    if page.mode == "F":
        values = np.nan_to_num(values)
        values = np.rint(values * 255 if values.max() <= 1 else values)
    elif page.mode != "I" or values.max() > 255:
        values = values >> 8
    return values.clip(0, 255).astype(np.uint8)
