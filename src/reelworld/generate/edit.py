"""Images and videos as prompts: known frames, a mask, and where the noise begins. One mechanism for all.

    pipeline = reelworld.load()
    video = animate(pipeline, Video.load("ball.png"), "the ball rolls to the left")
    video = extend(pipeline, video, "the ball rolls on", seconds=4)
    video = loop(pipeline, video, "the ball rolls")

Inputs of any size are resized and centre-cropped to what the weights make. Long results are made window by
window; each window sees the frames before it, or on both sides. Every result says in its metadata which
operation made it, of what, and with which seed. Where a prompt may be left out, it is that of the (first)
video, if that tells one that can be read alone (not all cards of a storyboard, nor names of characters who
are not given); else the frames alone say what is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from reelworld.core.errors import ConfigError, ShapeError
from reelworld.core.types import Frames, Video
from reelworld.core.version import __version__
from reelworld.core.video import fit
from reelworld.generate.lineage import ancestry
from reelworld.generate.pipeline import Pipeline
from reelworld.generate.request import check_count, seed_after
from reelworld.generate.shots import cuts_of
from reelworld.generate.windows import (
    WATCHING,
    opened,
    padded,
    to_bridge,
    to_grow,
    to_make_anew,
    window_size,
    with_defaults,
)

MOST_SECONDS = 600.0  # that one operation makes
GAPS = {"short": 0.5, "normal": 1.0, "long": 2.0}  # seconds that a loop adds
SOFT = 3  # frames at each end of a video that a loop softens at most
STRENGTHS = {"subtle": 0.35, "mild": 0.55, "strong": 0.8}
Curve = Callable[[np.ndarray], np.ndarray]  # time from 0 to 1 -> share of the second video


def film(
    pipeline: Pipeline, prompt: str, *, num_frames: int | None = None, seed: int = 0, **options: Any
) -> Video:
    """Make a video of a text, of any length, window by window; without `num_frames` one window.

    Where the prompt tells shots, the first window shows them, and the others go on with the last one.
    `options` are those of `Pipeline`. Raises: as `Pipeline` does.
    """
    count = _length(pipeline, num_frames)
    with opened(pipeline, prompt, options, to_make_anew(pipeline, count)) as windows:
        begun = windows.fresh(seed)[:count]
        frames = windows.beyond_cuts().grown(begun, count - len(begun), seed_after(seed, 1))
    about = {"prompt": prompt, "num_frames": num_frames, "seed": seed}
    cuts = cuts_of(prompt, begun, pipeline.shape.fps)
    return _made(pipeline, frames, "film", [], cuts, **about, **options)


def animate(
    pipeline: Pipeline,
    image: Video,
    prompt: str,
    *,
    num_frames: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    **options: Any,
) -> Video:
    """Make a video that begins with an image (its first frame, where it is a video).

    Without `num_frames` or `seconds` it is as long as a window. `options` are those of `Pipeline`.
    Raises: ConfigError for both lengths; as `Pipeline` does.
    """
    if num_frames is not None and seconds is not None:
        raise ConfigError("num_frames and seconds both say how long it is; give one of them")
    count = _length(pipeline, num_frames if seconds is None else _frames(pipeline, seconds, "seconds"))
    with opened(pipeline, prompt, options, to_make_anew(pipeline, count)) as windows:
        first = Video(image.frames[:1], image.fps, image.metadata)
        known = padded(_fitted(pipeline, first).frames, windows.size)
        begun = windows.complete(known, [0], seed)[:count]
        frames = windows.beyond_cuts().grown(begun, count - len(begun), seed_after(seed, 1))
    about = {"prompt": prompt, "num_frames": num_frames, "seconds": seconds, "seed": seed}
    cuts = cuts_of(prompt, begun, pipeline.shape.fps)
    return _made(pipeline, frames, "animate", [image], cuts, **about, **options)


def _length(pipeline: Pipeline, num_frames: int | None) -> int:
    """Return how many frames are asked for. Raises: ConfigError."""
    count = window_size(pipeline) if num_frames is None else num_frames
    check_count("num_frames", count, round(MOST_SECONDS * pipeline.shape.fps))
    return count


def extend(
    pipeline: Pipeline,
    video: Video,
    prompt: str,
    *,
    seconds: float,
    before: bool = False,
    seed: int = 0,
    **options: Any,
) -> Video:
    """Go on with a video's last shot for so many seconds, or make what came before its first.

    Its own frames stay.

    Raises: ConfigError for a time that is not positive; as `Pipeline` does.
    """
    fitted = _fitted(pipeline, video)
    own, cuts = fitted.frames, fitted.cuts
    count = _frames(pipeline, seconds, "seconds")
    shot = _first_shot(own, cuts) if before else _last_shot(own, cuts)
    with opened(pipeline, prompt, options, to_grow(pipeline, len(shot), count)) as windows:
        grown = windows.grown(shot, count, seed, before)
    frames = np.concatenate([grown, own[len(shot) :]] if before else [own[: len(own) - len(shot)], grown])
    about = {"prompt": prompt, "seconds": seconds, "before": before, "seed": seed}
    cuts = [cut + count * before for cut in cuts]
    return _made(pipeline, frames, "extend", [video], cuts, **about, **options)


def fill(
    pipeline: Pipeline,
    video: Video,
    prompt: str | None = None,
    *,
    start: float,
    end: float,
    seed: int = 0,
    **options: Any,
) -> Video:
    """Make anew what lies between two times, in seconds, so that it fits to both sides.

    Raises: ConfigError for times that are not within the video, in their order; as `Pipeline` does.
    """
    fitted = _fitted(pipeline, video)
    own, cuts = fitted.frames, fitted.cuts
    first, last = (_frame(pipeline, time, name) for time, name in ((start, "start"), (end, "end")))
    if not 0 < first < last < len(own):
        raise ConfigError(
            f"start {start:g} and end {end:g} must lie within the video's {len(own) / pipeline.shape.fps:g} "
            "seconds, in this order and a frame from its ends; beyond them, use extend"
        )
    prompt = _told(prompt, video, options)
    left = _last_shot(own[:first], [cut for cut in cuts if cut < first])
    right = _first_shot(own[last:], [cut - last for cut in cuts if cut > last])
    with opened(pipeline, prompt, options, to_bridge(pipeline, len(left), last - first)) as windows:
        gap = windows.bridge(left, right, last - first, seed)
    frames = np.concatenate([own[:first], gap, own[last:]])
    about = {"prompt": prompt, "start": start, "end": end, "seed": seed}
    cuts = [cut for cut in cuts if not first <= cut <= last]
    return _made(pipeline, frames, "fill", [video], cuts, **about, **options)


def loop(
    pipeline: Pipeline,
    video: Video,
    prompt: str | None = None,
    *,
    length: str | float = "normal",
    seed: int = 0,
    **options: Any,
) -> Video:
    """Add what leads from a video's end back to its beginning: short, normal, long, or seconds.

    The three frames on either side of what is made last fade into how the model shows them, so that nothing
    jumps: those that the video begins with, and that it ends with where one window closes the gap.

    Raises: ConfigError for another length; as `Pipeline` does.
    """
    fitted = _fitted(pipeline, video)
    own, cuts = fitted.frames, fitted.cuts
    gap = _frames(pipeline, _named(length, GAPS, "length"), "length")
    prompt, last, first = _told(prompt, video, options), _last_shot(own, cuts), _first_shot(own, cuts)
    soft = min(SOFT, len(last) // 2, len(first) // 2)
    with opened(pipeline, prompt, options, to_bridge(pipeline, len(last), gap)) as windows:
        whole = windows.joined(last, first, gap, seed, soft)
    begin, end = whole[len(last) + gap :][:soft], whole[len(last) - soft : len(last) + gap]
    frames = np.concatenate([begin, own[soft : len(own) - soft], end])
    about = {"prompt": prompt, "length": length, "seed": seed}
    return _made(pipeline, frames, "loop", [video], cuts, **about, **options)


def recut(
    pipeline: Pipeline,
    video: Video,
    prompt: str | None = None,
    *,
    keep: Sequence[tuple[float, float]],
    gap: float = 0.5,
    seconds: float = 0.0,
    seed: int = 0,
    **options: Any,
) -> Video:
    """Keep parts of a video (pairs of seconds), make what leads from each to the next, and go on at the end.

    Parts with a `gap` of 0 seconds follow each other as they are; `seconds` are made after the last one.
    Raises: ConfigError for parts that are empty or not within the video; as `Pipeline` does.
    """
    fitted, fps = _fitted(pipeline, video), pipeline.shape.fps
    own, parts, inside = fitted.frames, [], []
    for start, end in _spans(keep):
        first, last = _frame(pipeline, start, "keep"), _frame(pipeline, end, "keep")
        part = own[first:last]
        if not len(part) or first < 0 or last > len(own):
            raise ConfigError(f"keep {start:g}:{end:g} is no part of a video of {len(own) / fps:g} seconds")
        parts.append(part)
        inside.append([cut - first for cut in fitted.cuts if first < cut < last])
    if not parts:
        raise ConfigError("recut keeps nothing; give at least one part, as keep=[(0.0, 1.5)]")
    count, more = (_frames(pipeline, t, name) if t else 0 for t, name in ((gap, "gap"), (seconds, "seconds")))
    frames, prompt = parts[0], _told(prompt, video, options)
    ends = [int(end) for end in np.cumsum([len(part) + count for part in parts]) - count]
    begins = [0, *(end + count for end in ends[:-1])]
    cuts = [begin + cut for begin, own_cuts in zip(begins, inside, strict=True) for cut in own_cuts]
    cuts = sorted(cuts if count else [*cuts, *begins[1:]])
    shots = [max([0, *(cut for cut in cuts if cut < end)]) for end in ends]  # where each end's shot begins
    gaps = sum(to_bridge(pipeline, end - shot, count) for shot, end in zip(shots, ends[:-1], strict=False))
    needed = gaps * bool(count) + to_grow(pipeline, ends[-1] - shots[-1], more)
    with opened(pipeline, prompt, options, needed) as windows:
        for n, part in enumerate(parts[1:]):
            middle = part[:0]
            if count:
                right = _first_shot(part, inside[n + 1])
                middle = windows.bridge(frames[shots[n] :], right, count, seed_after(seed, n))
            frames = np.concatenate([frames, middle, part])
        grown = windows.grown(frames[shots[-1] :], more, seed_after(seed, len(parts)))
    frames = np.concatenate([frames[: shots[-1]], grown])
    about = {"prompt": prompt, "keep": [list(part) for part in keep], "gap": gap, "seconds": seconds}
    about |= {"seed": seed}
    return _made(pipeline, frames, "recut", [video], cuts, **about, **options)


def remix(
    pipeline: Pipeline,
    video: Video,
    prompt: str,
    *,
    strength: str | float = "mild",
    seed: int = 0,
    **options: Any,
) -> Video:
    """Make a video anew from its own noised frames: subtle, mild, strong, or a share from 0 to 1.

    0 leaves it as it is. The more noise, the more the text decides and the less the video.
    Source: arXiv:2108.01073 (SDEdit).
    Raises: ConfigError for another strength; as `Pipeline` does.
    """
    fitted, share = _fitted(pipeline, video), _named(strength, STRENGTHS, "strength")
    own = fitted.frames
    begun, count = {**options, "strength": share or 1.0}, to_make_anew(pipeline, len(own))
    with opened(pipeline, prompt, begun, count if share else 0) as windows:
        made = windows.anew(own, [], seed) if share else own
    about = {"prompt": prompt, "strength": strength, "seed": seed}
    return _made(pipeline, made, "remix", [video], fitted.cuts, **about, **options)


def blend(
    pipeline: Pipeline,
    one: Video,
    other: Video,
    prompt: str | None = None,
    *,
    curve: Curve | Sequence[tuple[float, float]] | None = None,
    strength: str | float = 0.7,
    seed: int = 0,
    **options: Any,
) -> Video:
    """Go from one video over into another: as long as the shorter one, both ends as they are.

    `curve` says how much of the other video is in the mixture that is then made anew: a function of the time
    from 0 to 1, or points of straight lines; by default a half cosine. `strength` says how much anew, as for
    `remix`; 0 leaves the mixture. Raises: ConfigError for a curve that is not from 0 to 1; as `remix` does.
    """
    anew = _named(strength, STRENGTHS, "strength")
    first, second = (_fitted(pipeline, video) for video in (one, other))
    a, b = first.frames, second.frames
    count = min(len(a), len(b))
    if count < (least := 2 * pipeline.denoiser.config.patch.frames):
        raise ShapeError(f"blend needs two videos of {least} frames or more")
    times = np.linspace(0.0, 1.0, count)
    follow = curve if callable(curve) else half_cosine if curve is None else through(curve)
    share = np.asarray(follow(times), float)
    if share.shape != times.shape or not ((share >= 0) & (share <= 1)).all():
        raise ConfigError("a curve of influence must give a share from 0 to 1 for each time")
    told = [[float(time), float(part)] for time, part in zip(times, share, strict=True)]
    other_length, prompt = len(b), _told(prompt, one, options)
    a, b, part = a[:count], b[-count:], share[:, None, None, None]
    mixed = np.rint((1 - part) * a + part * b).astype(np.uint8)
    mixed[0], mixed[-1] = a[0], b[-1]
    begun = {**options, "strength": anew or 1.0}
    with opened(pipeline, prompt, begun, to_make_anew(pipeline, count) if anew else 0) as windows:
        frames = windows.anew(mixed, [0, count - 1], seed) if anew else mixed
    points = None if curve is None else told if callable(curve) else [list(point) for point in curve]
    about = {"prompt": prompt, "curve": points, "strength": strength, "seed": seed}
    later = other_length - count
    cuts = [cut for cut in first.cuts if cut < count and share[cut] < 0.5]
    cuts += [cut - later for cut in second.cuts if cut > later and share[cut - later] >= 0.5]
    return _made(pipeline, frames, "blend", [one, other], sorted(cuts), **about, **options)


def _spans(keep: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return parts of a video as pairs of seconds. Raises: ConfigError."""
    try:
        return [(float(start), float(end)) for start, end in keep]
    except (TypeError, ValueError) as error:
        raise ConfigError("keep is made of pairs of seconds, as keep=[(0.0, 1.5)]") from error


def own_prompt(made: Mapping[str, Any], characters: Iterable[str]) -> str:
    """Return the prompt of a video by its account, or nothing where that cannot be read alone.

    That of a storyboard is many; one with names in it needs these characters again.
    """
    own, played = made.get("prompt"), made.get("characters") or ()
    alone = made.get("operation") != "storyboard" and set(played) <= set(characters)
    return own if alone and isinstance(own, str) else ""


def _told(prompt: str | None, video: Video, options: Mapping[str, Any]) -> str:
    """Return a prompt; where it is left out, the video's own."""
    return prompt if prompt is not None else own_prompt(video.metadata, options.get("characters") or ())


def _first_shot(frames: Frames, cuts: Sequence[int]) -> Frames:
    """Return the frames before the first cut: what is made beside them goes on with their shot."""
    return frames[: cuts[0]] if cuts else frames


def _last_shot(frames: Frames, cuts: Sequence[int]) -> Frames:
    """Return the frames from the last cut on."""
    return frames[cuts[-1] :] if cuts else frames


def half_cosine(time: np.ndarray) -> np.ndarray:
    """Return (1 - cos(pi t)) / 2: slow at both ends."""
    share: np.ndarray = 0.5 - 0.5 * np.cos(np.pi * time)
    return share


def through(points: Sequence[tuple[float, float]]) -> Curve:
    """Return the curve of straight lines through points (time, share). Raises: ConfigError."""
    try:
        table = np.array(sorted((float(time), float(share)) for time, share in points)).reshape(-1, 2)
    except (TypeError, ValueError) as error:
        raise ConfigError("a curve is made of pairs of numbers, (time, share)") from error
    if len(table) < 2 or not ((table >= 0) & (table <= 1)).all():
        raise ConfigError("a curve needs two points or more, times and shares from 0 to 1")
    return lambda time: np.interp(time, table[:, 0], table[:, 1])


def _fitted(pipeline: Pipeline, video: Video) -> Video:
    """Return a video in the size and at the rate of the weights. Raises: ConfigError for what is none."""
    if not isinstance(video, Video):
        raise ConfigError(f"edits begin from a Video, not {type(video).__name__}; Video.load reads a file")
    shape = pipeline.shape
    return fit(video, width=shape.width, height=shape.height, fps=shape.fps)


def _frames(pipeline: Pipeline, seconds: float, name: str) -> int:
    """Return how many frames a time to be made takes."""
    count = _frame(pipeline, seconds, name)
    if count < 1 or seconds > MOST_SECONDS:
        raise ConfigError(f"{name} is {seconds:g} seconds; give a frame's time to {MOST_SECONDS:g} seconds")
    return count


def _frame(pipeline: Pipeline, seconds: float, name: str) -> int:
    """Return the frame that is shown at a time."""
    known = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not (known and abs(seconds) <= 1e12):  # what is not a number is no less
        raise ConfigError(f"{name} is {seconds} seconds; give a number")
    return round(seconds * pipeline.shape.fps)


def _named(value: str | float, names: dict[str, float], what: str) -> float:
    """Return a number, or what a name stands for."""
    if isinstance(value, str):
        if value not in names:
            raise ConfigError(f"{what} is {value!r}; give {', '.join(names)}, or a number")
        return names[value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigError(f"{what} is {value!r}; give {', '.join(names)}, or a number")
    return float(value)


def _made(
    pipeline: Pipeline,
    frames: Frames,
    operation: str,
    parents: Sequence[Video],
    cuts: Sequence[int],
    **about: Any,
) -> Video:
    """Return the result with the account of how it was made; how it was watched does not belong there."""
    told = with_defaults({name: value for name, value in about.items() if name not in WATCHING})
    if told.get("characters"):
        told["characters"] = {name: picture.metadata for name, picture in told["characters"].items()}
    origin = {
        "operation": operation,
        **told,
        "weights": pipeline.weights_hash,
        "reelworld": __version__,
        "parents": ancestry([parent.metadata for parent in parents]),
    }
    if cuts:
        origin["cuts"] = list(cuts)
    return Video(np.ascontiguousarray(frames), pipeline.shape.fps, origin)
