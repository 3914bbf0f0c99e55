"""Open any video or image file as timed frames: PyAV for films, Pillow for pictures and animations.

Nothing in a file is believed: sizes, times and counts are checked in its header and again in every frame.
FFmpeg opens plain files only: no network, no playlists that name other files. Used through `core/video.py`.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import av
from av.video.reformatter import Colorspace, VideoReformatter
from PIL import Image

from reelworld.core.errors import VideoError
from reelworld.core.media import Limits, Source, TimedFrame, VideoInfo, stored_metadata
from reelworld.core.pictures import Pictures, as_picture, on_white

_FILMS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,ogg,mpeg,mpegts,mpegvideo,m4v,h264,hevc,ivf,obu,asf,mxf,nut"
    ",yuv4mpegpipe"
)
_FILM_OPTIONS = {"format_whitelist": _FILMS, "protocol_whitelist": "file"}
_PHOTOS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1")  # brands of ISO/IEC 23008-12
_UNTOLD = 2  # ITU-T H.273: a film that does not say how its colours were made
_SEEK_EARLIER = (0.0, 1.0, 10.0)  # seconds; some containers land on a key frame after the one asked for
# How a film's display matrix ((a, b), (c, d)), (x, y) -> (ax + cy, bx + dy), says that pictures are shown.
_SHOWN = {
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT, (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE, (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90, (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
}  # fmt: skip
_PICTURE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    Image.DecompressionBombError,
    UserWarning,  # Pillow's "Invalid APNG"
)


@contextmanager
def opened(path: str | Path, limits: Limits) -> Iterator[Source]:
    """Open a video or image file whose header keeps within `limits`.

    Raises: VideoError, in one line, for anything that goes wrong inside the block too.
    """
    num_bytes = _check_file(path, limits)
    try:
        if picture := as_picture(path):
            with picture:
                yield Pictures(picture, path, num_bytes, limits)
        else:
            _check_no_photo(path)
            with closing(Film(path, num_bytes, limits)) as film:
                yield film
    except (av.FFmpegError, *_PICTURE_ERRORS) as error:
        raise VideoError(
            f"{path} is not a readable video or image ({_reason(error)}); copy it again or convert it to mp4"
        ) from error


class Film:
    """A video file, opened by PyAV."""

    def __init__(self, path: str | Path, num_bytes: int, limits: Limits) -> None:
        self.path, self.limits = path, limits
        self.container, self.stream = self._open()
        self.colors = VideoReformatter()  # one for all frames, which would each have its threads
        self.origin = float((self.stream.start_time or 0) * self.stream.time_base)
        self.duration_is_sure = bool(self.stream.duration) or not self.container.streams.audio
        self.aspect = float(self.stream.sample_aspect_ratio or 1)
        self.info = self._info(num_bytes)
        limits.check_size(path, self.info.width, self.info.height)

    def close(self) -> None:
        self.container.close()

    def timed(self, start: float) -> Iterator[TimedFrame]:
        period, end = 1 / self.info.fps, 0.0
        for number, frame in enumerate(self._frames(start, period)):
            self.limits.check_size(self.path, frame.width, frame.height)
            begin = number * period if frame.time is None else frame.time - self.origin
            lasts = max(period, float((frame.duration or 0) * (frame.time_base or 0)))
            end = max(end, begin + lasts)
            yield TimedFrame(begin, begin + lasts, frame)
        if self.duration_is_sure and start < (self.info.duration or 0.0):
            self._check_whole(end)

    def image(self, picture: av.VideoFrame) -> Image.Image:
        if picture.is_corrupt:
            raise VideoError(f"{self.path} is damaged (broken picture data); download or copy it again")
        clear = any(part.is_alpha for part in picture.format.components)
        colors = self.colors.reformat(
            picture, format="rgba" if clear else "rgb24", src_colorspace=_matrix(picture), threads=1
        )
        image = on_white(Image.fromarray(colors.to_ndarray()))
        shown = (round(image.width * self.aspect), image.height)
        self.limits.check_size(self.path, *shown)
        image = image if image.size == shown else image.resize(shown, Image.Resampling.LANCZOS)
        turn = _turn(picture)
        return image if turn is None else image.transpose(turn)

    def _open(self) -> tuple[Any, Any]:
        """Open the file from its beginning; return the container and its first video stream."""
        url = f"file:{os.path.abspath(self.path)}"
        container = av.open(url, metadata_errors="replace", options=_FILM_OPTIONS)
        if not container.streams.video:
            raise VideoError(f"{self.path} has no pictures, only sound or data; give a video or an image")
        stream = container.streams.video[0]
        context = stream.codec_context
        if context is None:
            raise VideoError(f"{self.path} uses an unknown codec; convert it to mp4 (H.264)")
        self.limits.check_size(self.path, context.width, context.height)
        context.options = {"max_pixels": str(self.limits.max_pixels)}
        if context.width * context.height > 512 * 512:
            stream.thread_type = "AUTO"
        return container, stream

    def _frames(self, start: float, period: float) -> Iterator[av.VideoFrame]:
        """Return the frames from one at `start` or earlier; all of them where seeking does not get there."""
        latest = start + self.origin + period / 100
        aims = [start - early for early in _SEEK_EARLIER if start > early]
        for aim in aims:
            frames = self._sought(aim)
            first = next(frames, None)
            if first is not None and first.time is not None and first.time <= latest:
                return chain((first,), frames)
        if aims:
            self.close()
            self.container, self.stream = self._open()
        return self._decoded()

    def _sought(self, time: float) -> Iterator[av.VideoFrame]:
        try:
            self.container.seek(int((time + self.origin) / self.stream.time_base), stream=self.stream)
        except PermissionError:  # the container cannot seek
            return iter(())
        return self._decoded()

    def _decoded(self) -> Iterator[av.VideoFrame]:
        for packet in self.container.demux(self.stream):
            yield from packet.decode()

    def _check_whole(self, end: float) -> None:
        """Raise VideoError where the frames end well before the header says."""
        said = self.info.duration or 0.0
        if end < said - max(3 / self.info.fps, 0.1 * said):
            raise VideoError(
                f"{self.path} is cut off at {end:.1f} of {said:.1f} seconds; download or copy it again"
            )

    def _info(self, num_bytes: int) -> VideoInfo:
        stream, context = self.stream, self.stream.codec_context
        rate = stream.average_rate or stream.guessed_rate
        if not rate:
            raise VideoError(f"{self.path} has no frame rate; convert it to mp4 at a fixed frame rate")
        ticks, tick = stream.duration, stream.time_base
        if not ticks:
            ticks, tick = self.container.duration, Fraction(1, av.time_base)
        seconds = float(ticks * tick) if ticks else None
        return VideoInfo(
            width=round(context.width * self.aspect),
            height=context.height,
            fps=float(rate),
            duration=seconds,
            num_frames=stream.frames or (None if seconds is None else max(1, round(seconds * rate))),
            codec=context.name,
            num_bytes=num_bytes,
            has_audio=bool(self.container.streams.audio),
            metadata=stored_metadata(self.container.metadata.get("comment", "")),
        )


def _turn(picture: av.VideoFrame) -> Image.Transpose | None:
    """Return how a frame must be turned or mirrored to stand as it was filmed; None as it is.

    The display matrix is nine whole numbers, the first two columns in 1/65536 (ISO/IEC 14496-12, 6.2.2).
    """
    matrix: Any = picture.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return None
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix)[:36])
    return _SHOWN.get(tuple((n > 0) - (n < 0) for n in (a, b, c, d)))


def _matrix(picture: av.VideoFrame) -> Colorspace | None:
    """Return how a frame's colours were made where it does not tell: in high definition by BT.709."""
    large = picture.width >= 1280 or picture.height > 576
    return Colorspace.ITU709 if large and picture.colorspace == _UNTOLD else None


def _check_no_photo(path: str | Path) -> None:
    """Raise VideoError for a HEIC photo: it is stored in tiles, each of which would be taken for a film."""
    with open(path, "rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp" and head[8:] in _PHOTOS:
        raise VideoError(f"{path} is a HEIC photo, stored in tiles; convert it to JPEG or PNG")


def _check_file(path: str | Path, limits: Limits) -> int:
    """Return the size of the file in bytes, or say why it cannot be a video."""
    file = Path(path)
    if not file.exists():
        raise VideoError(f"{path} does not exist; check the path")
    if not file.is_file():
        raise VideoError(f"{path} is not a plain file; give the path of a video or an image")
    num_bytes = file.stat().st_size
    if num_bytes == 0:
        raise VideoError(f"{path} is empty; download or copy it again")
    limits.check_amount(path, 0.0, 0, num_bytes)
    return num_bytes


def _reason(error: BaseException) -> str:
    """Say in a few words, on one line, what a library made of a file."""
    if isinstance(error, (av.InvalidDataError, av.ArgumentError)):
        return "damaged, or of an unknown format"
    if isinstance(error, Image.DecompressionBombError):
        return "far too many pixels for one image"
    return " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())
