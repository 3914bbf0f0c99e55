"""Turn a video into the bytes of a file: mp4 (H.264), gif, png, or an HTML element for notebooks.

Used through `reelworld.core.video.write` and `Video._repr_html_`; nothing here touches the disk.
"""

from __future__ import annotations

import base64
import io
import json
from fractions import Fraction
from typing import Any, Literal

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image, PngImagePlugin

from reelworld.core.errors import ShapeError, VideoError
from reelworld.core.sheet import strip
from reelworld.core.types import Frames, Video

MIN_FPS, MAX_GIF_FPS, MAX_MP4_FPS = 0.01, 100.0, 1000.0
_BT709 = 1  # ITU-T H.273: colour primaries, transfer and matrix of high-definition video
# x264's macroblock tree reads past the ends of its rows where a frame is few blocks wide, so that equal
# frames became other bytes at almost every encoding (97 files of 100 at 96x64); without it they do not.
# Its threads take parts of the rows each: as many as there are cores, other bytes on another machine.
X264 = {"preset": "medium", "mbtree": "0", "threads": "1"}


Resize = Literal["nearest", "lanczos"]
_FILTERS = {"nearest": Image.Resampling.NEAREST, "lanczos": Image.Resampling.LANCZOS}


def poster(video: Video, index: int = 0, *, scale: int = 1, enlarge: Resize = "nearest") -> Image.Image:
    """Return one frame as an image, enlarged so many times.

    Raises: ShapeError for a scale that is no whole number of 1 or more, or an unknown way to enlarge.
    """
    if scale < 1 or enlarge not in _FILTERS:
        raise ShapeError(
            f"cannot enlarge {scale} times by {enlarge!r}; use a whole scale, nearest or lanczos"
        )
    image = Image.fromarray(video.frames[index])
    if scale == 1:
        return image
    return image.resize((scale * image.width, scale * image.height), _FILTERS[enlarge])


def encode_mp4(video: Video, crf: int = 16, *, scale: int = 1, enlarge: Resize = "nearest") -> bytes:
    """Return the video as an mp4 file: H.264, yuv420p, BT.709, index first, metadata in the comment.

    Raises: VideoError where crf, fps, size or metadata do not fit.
    """
    if not 0 <= crf <= 51:
        raise VideoError(f"crf is {crf}; give a quality from 0 (best) to 51 (worst)")
    _check_fps(video, MAX_MP4_FPS)
    rate = Fraction(video.fps).limit_denominator(100_000)
    buffer = io.BytesIO()

    def reopen(url: str, flags: int, options: dict[str, str]) -> io.BytesIO:
        return io.BytesIO(buffer.getvalue())  # "faststart" reads the file again to move the index to its head

    options = {"movflags": "+faststart"}
    try:
        with av.open(buffer, "w", format="mp4", options=options, io_open=reopen) as container:
            container.metadata["comment"] = _metadata_text(video)
            stream = container.add_stream("libx264", rate=rate, options={"crf": str(crf), **X264})
            images = (poster(video, n, scale=scale, enlarge=enlarge) for n in range(len(video)))
            for index, array in enumerate(_even(np.asarray(image)) for image in images):
                if index == 0:
                    stream.height, stream.width, stream.pix_fmt = *array.shape[:2], "yuv420p"
                    _tag_colours(stream.codec_context)
                container.mux(stream.encode(_yuv(array, index)))
            container.mux(stream.encode(None))
    except av.FFmpegError as error:
        raise VideoError(
            f"cannot encode {video.shape} as mp4 ({error.strerror}); change its size or fps"
        ) from error
    return buffer.getvalue()


def encode_gif(video: Video, *, scale: int = 1, enlarge: Resize = "nearest") -> bytes:
    """Return the video as an endless GIF with one palette of 256 colours and times in whole 1/100 s.

    Raises: VideoError where fps or metadata do not fit.
    """
    _check_fps(video, MAX_GIF_FPS)
    images = (poster(video, n, scale=scale, enlarge=enlarge) for n in range(len(video)))
    palette = strip(video, min(16, len(video)), gap=0).quantize(256, method=Image.Quantize.MEDIANCUT)
    pages = [image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for image in images]
    ends = [round(100 * (index + 1) / video.fps) for index in range(len(video))]
    delays = [10 * (end - begin) for begin, end in zip([0, *ends], ends, strict=False)]
    buffer = io.BytesIO()
    pages[0].save(
        buffer,
        "GIF",
        save_all=True,
        append_images=pages[1:],
        duration=delays if len(pages) > 1 else delays[0],
        loop=0,
        comment=_metadata_text(video).encode(),
    )
    return buffer.getvalue()


def encode_png(video: Video, index: int = 0, *, scale: int = 1, enlarge: Resize = "nearest") -> bytes:
    """Return one frame as a PNG file, with the metadata as JSON in its comment."""
    notes = PngImagePlugin.PngInfo()
    notes.add_text("comment", _metadata_text(video))
    buffer = io.BytesIO()
    poster(video, index, scale=scale, enlarge=enlarge).save(buffer, "PNG", pnginfo=notes)
    return buffer.getvalue()


def encode_frames(frames: Frames) -> bytes:
    """Return frames as they are, as a file of numpy's."""
    buffer = io.BytesIO()
    np.save(buffer, frames, allow_pickle=False)
    return buffer.getvalue()


def decode_frames(data: bytes) -> Frames:
    """Return the frames that `encode_frames` wrote. Raises: VideoError for anything else."""
    try:
        frames: Frames = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise VideoError(f"these are no stored frames ({error}); make them anew") from error
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
        raise VideoError(f"stored frames are {frames.dtype} {frames.shape}; they must be uint8 [T, H, W, 3]")
    return frames


def html(video: Video, width: int = 256) -> str:
    """Return the video as an HTML element with the file inside, at least `width` pixels wide."""
    width = max(width, video.shape.width)
    style = f'width="{width}" style="image-rendering: pixelated"'
    if video.shape.is_image:
        return f'<img {style} src="data:image/png;base64,{base64.b64encode(encode_png(video)).decode()}">'
    data = base64.b64encode(encode_mp4(video)).decode()
    return (
        f'<video {style} controls autoplay loop muted playsinline src="data:video/mp4;base64,{data}"></video>'
    )


def _check_fps(video: Video, highest: float) -> None:
    if not MIN_FPS <= video.fps <= highest:
        raise VideoError(
            f"{video.fps:g} fps cannot be written; this format takes {MIN_FPS:g} to {highest:g} fps"
        )


def _even(frame: np.ndarray) -> np.ndarray:
    """Repeat the last row and column where height or width is odd."""
    height, width, _ = frame.shape
    if height % 2 == 0 and width % 2 == 0:
        return frame
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _yuv(array: np.ndarray, index: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format="rgb24")
    frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
    frame.pts = index
    return frame


def _tag_colours(context: Any) -> None:
    """Say in the file how its colours were made, so that every player undoes just that."""
    context.color_primaries = context.color_trc = context.colorspace = _BT709
    context.color_range = ColorRange.MPEG.value


def _metadata_text(video: Video) -> str:
    try:
        return json.dumps(video.metadata)
    except (TypeError, ValueError) as error:
        raise VideoError(
            f"the video's metadata cannot be JSON ({error}); use text, numbers, lists, dicts"
        ) from error
