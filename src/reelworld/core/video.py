"""Read, write and show videos: mp4 (H.264), gif, png, folders of frames, contact sheets (PyAV, Pillow).

    clip = read("talk.mp4", width=64, height=64, fps=8, start=2.0, num_frames=16)
    write(clip, "clip.mp4", scale=4)      # also .gif, .png (its first frame), or a folder of numbered .png
    contact_sheet([clip], ["a talk"]).save("sheet.png")

Files are written whole or not at all (storage.py). `probe` and `read` return the metadata written.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from reelworld.core.encode import Resize, encode_gif, encode_mp4, encode_png, html, poster
from reelworld.core.errors import ShapeError, StorageError, VideoError
from reelworld.core.media import Limits, Source, TimedFrame, VideoInfo, account_file, read_account
from reelworld.core.sheet import contact_sheet, strip
from reelworld.core.sources import opened
from reelworld.core.storage import atomic, file_hash, write_bytes
from reelworld.core.types import Video

__all__ = [
    "Limits",
    "VideoInfo",
    "check_account_place",
    "contact_sheet",
    "encode_gif",
    "encode_mp4",
    "encode_png",
    "fit",
    "html",
    "poster",
    "probe",
    "read",
    "read_image",
    "read_named",
    "strip",
    "write",
    "write_account",
]

# The options of `read` that decide what a file shows, as accounts tell them.
READING = {"width": int, "height": int, "fps": float, "start": float, "duration": float, "num_frames": int}
ROUNDING = 1e-6  # of a frame
MAX_SKIPPED = 20_000  # frames decoded on the way from a key frame to the start asked for
DEFAULT_LIMITS = Limits()


def probe(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> VideoInfo:
    """Return what a file says about itself, after decoding its first frame.

    Raises: VideoError for a file that is broken, too large or no video.
    """
    with opened(path, limits) as source:
        first = next(iter(source.timed(0.0)), None)
        if first is None:
            raise VideoError(f"{path} holds no frames; give a video or an image")
        width, height = source.image(first.picture).size
        return replace(source.info, width=width, height=height)


def read(
    path: str | Path,
    *,
    width: int | None = None,
    height: int | None = None,
    fps: float | None = None,
    start: float = 0.0,
    duration: float | None = None,
    num_frames: int | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Video:
    """Read a video or image file, evenly spaced in time.

    `width` and `height` (both or none) resize and centre-crop, never stretch. `fps` resamples by showing, at
    each new time, the frame that the file shows then (within half a frame). `start`, `duration` (seconds) and
    `num_frames` take a part; a file that ends sooner gives fewer frames.

    Raises: VideoError for a file that is broken, too large, no video, or over before `start`; ShapeError for
        impossible options.
    """
    _check_options(width, height, fps, start, duration, num_frames)
    with opened(path, limits) as source:
        info = source.info
        size = None if width is None or height is None else (width, height)
        if size is not None:
            limits.check_size(f"{path} at the size asked for", *size)
        rate = fps or info.fps
        wanted = _wanted(info, rate, duration, num_frames)
        _check_header(
            path, info, limits, rate, start, wanted, 3 * math.prod(size or (info.width, info.height))
        )
        timed = _guarded(source, path, start, limits)
        shown = islice(_at_even_times(timed, rate, info.fps, start), wanted)
        frames = _collect(source, shown, size, path, limits)
    if not frames:
        raise VideoError(f"{path} shows nothing from {start:g} seconds on; start earlier")
    return Video(np.stack(frames), rate, _moved(info.metadata, info.fps, rate, start, len(frames)))


def read_image(path: str | Path, *, width: int | None = None, height: int | None = None) -> Video:
    """Read an image, or the first frame of a video, as a video of one frame.

    Raises: VideoError as `read` does.
    """
    return read(path, width=width, height=height, num_frames=1)


def read_named(path: str | Path, **options: Any) -> Video:
    """Read a video or image; its metadata say which file it was, and with which options it was read.

    Raises: as `read`, whose options these are.
    """
    video = read(path, **options)
    told = {name: kind(options[name]) for name, kind in READING.items() if options.get(name)}
    about = {"file": Path(path).name, "hash": file_hash(path), "read": told}
    return Video(video.frames, video.fps, {**video.metadata, **about})


def fit(video: Video, *, width: int, height: int, fps: float | None = None) -> Video:
    """Resize and centre-crop a video, never stretching it; at another fps, show what is shown then.

    Raises: ShapeError for impossible sizes.
    """
    _check_options(width, height, fps, 0.0, None, None)
    rate = fps or video.fps
    count = max(1, _first_after(len(video) / video.fps, video.fps, rate))
    times = np.arange(count) / rate + _look(video.fps, rate)
    shown = np.minimum((times * video.fps + ROUNDING).astype(int), len(video) - 1)
    frames = {int(n): _fit(Image.fromarray(video.frames[n]), width, height) for n in np.unique(shown)}
    told = _moved(video.metadata, video.fps, rate, 0.0, count)
    return Video(np.stack([frames[int(n)] for n in shown]), rate, told)


def part(video: Video, start: float, num_frames: int) -> Video:
    """Return as many frames of a video, or fewer, from a second on. Raises: VideoError where it is over."""
    first = round(start * video.fps)
    if first >= len(video):
        raise VideoError(f"the video is over after {len(video) / video.fps:g} s; begin before {start:g} s")
    frames = video.frames[first : first + num_frames]
    told = _moved(video.metadata, video.fps, video.fps, first / video.fps, len(frames))
    return Video(frames, video.fps, told)


def _look(fps: float, rate: float) -> float:
    """Return how much later than its time a frame at `rate` is looked for at `fps`: half the shorter frame.

    So no rounding of times skips one.
    """
    return 0.5 / max(fps, rate)


def _first_after(time: float, fps: float, rate: float) -> int:
    """Return the first frame at `rate` that shows what comes from a time on at `fps`."""
    return math.ceil((time - _look(fps, rate)) * rate - ROUNDING)


def _moved(told: dict[str, Any], fps: float, rate: float, start: float, count: int) -> dict[str, Any]:
    """Return metadata whose cuts are those of a part, at another rate: the frames that show them there."""
    cuts = told.get("cuts")
    if not isinstance(cuts, list) or (fps == rate and start == 0.0):
        return told
    there = {_first_after(cut / fps - start, fps, rate) for cut in cuts if type(cut) is int}
    return {**told, "cuts": sorted(cut for cut in there if 0 < cut < count)}


def write(
    video: Video,
    path: str | Path,
    *,
    crf: int = 16,
    scale: int = 1,
    enlarge: Resize = "nearest",
) -> Path:
    """Write a video as .mp4, .gif, .png (its first frame) or, without a suffix, a folder of numbered .png.

    `crf` is the H.264 quality (0 best, 51 worst). `scale` enlarges small clips for viewing. An .mp4 needs
    even sizes: odd ones are padded by one repeated row or column. Metadata is stored as JSON.

    Raises: StorageError where the disk refuses; VideoError where the suffix or the metadata does not fit.
    """
    suffix = Path(path).suffix.lower()
    larger: dict[str, Any] = {"scale": scale, "enlarge": enlarge}
    if suffix == ".mp4":
        return write_bytes(path, encode_mp4(video, crf, **larger))
    if suffix == ".gif":
        return write_bytes(path, encode_gif(video, **larger))
    if suffix == ".png":
        return write_bytes(path, encode_png(video, **larger))
    if suffix:
        raise VideoError(
            f"cannot write {path}: {suffix} is unknown; use .mp4, .gif, .png or a folder (no suffix)"
        )
    with atomic(path) as folder:
        folder.mkdir()
        for index in range(len(video)):
            (folder / f"frame_{index:05d}.png").write_bytes(encode_png(video, index, **larger))
    return Path(path)


def write_account(video: Video, path: str | Path) -> Path:
    """Write beside a video's file how it was made, as JSON that `reel train --data` also reads.

    Raises: StorageError, also as `check_account_place`; VideoError where the video was not made by a prompt,
        or its metadata is not JSON.
    """
    check_account_place(path)
    if "prompt" not in video.metadata:
        raise VideoError(f"{path} was not made by a prompt; its account would be empty")
    account = {
        "of": Path(path).name, "captions": {"descriptive": video.metadata["prompt"]}, "made": video.metadata,
    }  # fmt: skip
    try:
        text = json.dumps(account, indent=1)
    except TypeError as error:
        raise VideoError(f"the metadata of {path} is not JSON: {error}") from error
    return write_bytes(account_file(path), text.encode())


def check_account_place(path: str | Path) -> None:
    """Make sure, before a video is made or written, that its account takes the place of no other's.

    Raises: StorageError where the .json there is no account, or all that tells how another file was made.
    """
    beside = account_file(path)
    made, of = read_account(beside)
    if not beside.exists() or (made and (of in (None, Path(path).name) or _tells_itself(beside, of))):
        return
    what = f"alone tells how {of!r} was made" if made else "is no account of a video"
    raise StorageError(
        f"cannot write {path}: its account would take the place of {beside}, which {what}; "
        "choose another name"
    )


def _tells_itself(beside: Path, of: Any) -> bool:
    """Tell whether the file of an account says in itself how it was made."""
    try:
        return isinstance(of, str) and "prompt" in probe(beside.parent / Path(of).name).metadata
    except VideoError:
        return False


def _guarded(source: Source, path: str | Path, start: float, limits: Limits) -> Iterator[TimedFrame]:
    """Yield the frames of `source` while their number and times keep within `limits`."""
    kept = skipped = 0
    for frame in source.timed(start):
        if frame.end <= start:
            skipped += 1
        else:
            kept += 1
        limits.check_amount(path, frame.begin - start, kept - 1)  # the latest may only end the one before
        if skipped > MAX_SKIPPED:
            raise VideoError(f"{path} must be decoded too long to reach {start:g} seconds; convert it to mp4")
        yield frame


def _at_even_times(
    frames: Iterator[TimedFrame], fps: float, source_fps: float, start: float
) -> Iterator[TimedFrame]:
    """Yield the frame that is shown at start + k / fps, for k = 0, 1, ..."""
    shown, number = None, 0
    due = start + _look(source_fps, fps)
    for frame in frames:
        shown = shown or frame
        while due + number / fps < frame.begin:
            yield shown
            number += 1
        shown = frame
    while shown is not None and due + number / fps < shown.end:
        yield shown
        number += 1


def _collect(
    source: Source,
    frames: Iterator[TimedFrame],
    size: tuple[int, int] | None,
    path: str | Path,
    limits: Limits,
) -> list[np.ndarray]:
    """Turn frames into arrays of one size (that of the first, if none is asked for) within `limits`."""
    arrays: list[np.ndarray] = []
    last = None
    for frame in frames:
        if frame is not last:
            image = source.image(frame.picture)
            size = size or image.size
            array, last = _fit(image, *size), frame
        arrays.append(array)
        limits.check_amount(path, 0.0, len(arrays), len(arrays) * array.nbytes)
    return arrays


def _fit(image: Image.Image, width: int, height: int) -> np.ndarray:
    """Resize and centre-crop to width x height without stretching."""
    if image.size == (width, height):
        return np.asarray(image)
    scale = max(width / image.width, height / image.height)
    kept_width, kept_height = min(width / scale, image.width), min(height / scale, image.height)
    left, top = (image.width - kept_width) / 2, (image.height - kept_height) / 2
    box = (left, top, left + kept_width, top + kept_height)
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS, box=box))


def _wanted(info: VideoInfo, fps: float, duration: float | None, num_frames: int | None) -> int | None:
    """Return how many frames to take at most, or None for all that follow."""
    bounds = [1] if info.is_still else []
    if num_frames is not None:
        bounds.append(num_frames)
    if duration is not None:
        bounds.append(max(1, round(duration * fps)))
    return min(bounds, default=None)


def _check_header(
    path: str | Path,
    info: VideoInfo,
    limits: Limits,
    fps: float,
    start: float,
    wanted: int | None,
    frame_bytes: int,
) -> None:
    """Raise VideoError where the part asked for would be too large, by what the header says."""
    bounds = [] if wanted is None else [wanted]
    if info.duration is not None:
        bounds.append(math.ceil(max(0.0, info.duration - start) * fps))
    num_frames = min(bounds, default=0)
    limits.check_amount(path, num_frames / fps, num_frames, num_frames * frame_bytes)


def _check_options(
    width: int | None,
    height: int | None,
    fps: float | None,
    start: float,
    duration: float | None,
    num_frames: int | None,
) -> None:
    if (width is None) != (height is None):
        raise ShapeError("only one of width and height is given; give both or neither")
    for name, value in (("width", width), ("height", height), ("num_frames", num_frames)):
        if value is not None and value < 1:
            raise ShapeError(f"{name} is {value}; give at least 1")
    for name, seconds in (("fps", fps), ("duration", duration)):
        if seconds is not None and not 0 < seconds < float("inf"):
            raise ShapeError(f"{name} is {seconds}; give a positive number")
    if not 0 <= start < float("inf"):
        raise ShapeError(f"start is {start}; give 0 seconds or more")
