"""What a parser sees of a video, and how things found in single frames become tracks through it.

    tracks = follow(frame_by_frame, (), name, video)    # regions of each frame -> tracks, the longest first

Regions are linked from frame to frame by the assignment of least cost; no link crosses a cut. Lengths are in
picture heights, x right and y up from the middle of the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy.optimize import linear_sum_assignment

from reelworld.core.types import Frames
from reelworld.world.scene import COLORS

Array = np.ndarray
FPS = 8.0  # frames a second of every video that is looked at
REACH = 0.13  # how far a thing or a turning camera goes between two frames,
OWN_REACH = 0.3  # or in lengths of the thing: the middle of a large one that falls over goes far
OTHER_COLOR = 0.08  # cost of a link between two colours, in picture heights
LONGEST_GAP = 2  # frames for which a thing may be lost and found again
FORBIDDEN = 1e3  # cost of a link that may not be
SHORTEST = 4  # frames of a track, or all of its shot; shorter ones are noise
SMALLEST = 1.2e-3  # share of the picture's pixels; smaller regions are noise
RIM = 2  # pixels: what comes nearer to the border may lie beyond it
OTHERWISE = 12  # of 255: a pixel that differs by more from what it was does not look the same
ALIKE, MOST, ROUNDS = 24, 0.4, 3  # of 255; share of a thing; how often: by what pixels the light is judged
SOME = 3  # frames that say how a thing looks
DARK = 4.0  # of 255: added to lights whose ratio is taken
MEASURES = ("x", "y", "foot", "width", "height", "area", "whole", "tall", "depth", "light", "gait")
PER_FRAME = (*MEASURES, "marked")


@dataclass(frozen=True)
class Region:
    """A thing in one frame.

    color counts from 1 as in COLORS; foot is its lowest point, seen even where the border cuts its top off;
    whole: it does not touch the border; tall: neither its upper nor its lower one. depth in metres, light
    from 0 to 1, gait: how far the left leg is right of the right one; not a number for what a parser does not
    see. about: what it needs to name a track. mask bool [H, W]: its pixels.
    """

    color: int
    x: float
    y: float
    foot: float
    width: float
    height: float
    area: float
    whole: bool
    tall: bool
    about: Array
    mask: Array
    depth: float = float("nan")
    light: float = float("nan")
    gait: float = float("nan")


@dataclass(frozen=True)
class Track:
    """A thing through a clip: float [T] each, NaN in frames where it is not seen; size "" where unknown.

    marked: the share of its pixels that look other from this frame on; it says something of what rests.
    """

    color: str
    kind: str
    size: str
    colors: tuple[str | None, ...]  # frame by frame; `color` is the most frequent one
    x: Array
    y: Array
    foot: Array
    width: Array
    height: Array
    area: Array
    whole: Array
    tall: Array
    depth: Array
    light: Array
    gait: Array
    marked: Array

    @property
    def seen(self) -> Array:
        """Tell in which frames the thing is seen: bool [T]."""
        return ~np.isnan(self.x)


@dataclass(frozen=True)
class Observed:
    """What a parser saw: tracks, the first frames of new shots, and the camera where it can be told.

    camera [T, 7], as `models.perception.CAMERA` names it without the cut; None: this parser does not know.
    """

    tracks: tuple[Track, ...] = ()
    num_frames: int = 16
    cuts: tuple[int, ...] = ()
    camera: Array | None = field(default=None)


def nobody(num_frames: int) -> Observed:
    """Return what is seen of an empty picture, under a camera that stands still."""
    return Observed((), num_frames, (), np.zeros((num_frames, 7)))


Naming = Callable[[Sequence[Region]], tuple[str, str]]  # regions of a track -> kind and size


def follow(
    frames: Sequence[Sequence[Region]], cuts: Sequence[int], naming: Naming, video: Frames
) -> tuple[Track, ...]:
    """Link the regions of each frame of a video to tracks, the one seen longest first."""
    chains = sorted(_link(frames, set(cuts)), key=len, reverse=True)
    shots = [range(a, b) for a, b in pairwise([0, *cuts, len(frames)])]
    least = {t: min(SHORTEST, len(shot)) for shot in shots for t in shot}
    return tuple(_track(c, naming, video) for c in chains if len(c) >= least[min(c)])


def _track(chain: dict[int, Region], naming: Naming, video: Frames) -> Track:
    """Measure a chain; where the border cuts it off and leaves a stripe, its usual colour stands."""
    votes = np.bincount([region.color for region in chain.values()], minlength=len(COLORS) + 1)
    usual = int(votes.argmax())
    columns = np.full((len(MEASURES), len(video)), np.nan)
    colors: list[str | None] = [None] * len(video)
    for t, region in chain.items():
        colors[t] = COLORS[(region.color if region.whole else usual) - 1]
        columns[:, t] = [getattr(region, name) for name in MEASURES]
    kind, size = naming(list(chain.values()))
    per_frame = [*columns, marked(chain, video)]
    return Track(COLORS[usual - 1], kind, size, tuple(colors), *per_frame)


def marked(chain: Mapping[int, Region], video: Frames) -> Array:
    """Return which share of a thing's pixels looks other from each frame on, for good: [T], NaN where unseen.

    What a pixel shows before and after is the median of some frames.
    """
    found, seen = np.full(len(video), np.nan), sorted(chain)
    mask = np.mean([chain[t].mask for t in seen[:SOME]], 0) > 0.5
    looks, places = video[:, mask].astype(float), np.argwhere(mask) / len(mask)
    if not looks.size:
        return found
    first, last = (np.median(looks[part], 0) for part in (seen[:SOME], seen[-SOME:]))
    lasts = _differs(first, last, places)
    found[seen[0]] = 0.0
    for n, t in enumerate(seen[1:], start=1):
        before, after = (
            np.median(looks[part], 0) for part in (seen[max(n - SOME, 0) : n], seen[n : n + SOME])
        )
        found[t] = (_differs(before, after, places) & _differs(before, last, places) & lasts).mean()
    return found


def _differs(one: Array, other: Array, places: Array) -> Array:
    """Tell which pixels [N, 3] at places [N, 2] of two pictures of a thing look different: bool [N].

    Lit otherwise, it looks the same: other = (a + b row + c column) one, channel by channel, by least squares
    over the pixels that look the same.
    """
    one, other = one + DARK, other + DARK
    lit = np.median(other / one, axis=0) * one
    ramp = np.insert(places - places.mean(0), 0, 1.0, axis=1)
    for _ in range(ROUNDS):
        same = np.abs(other - lit).max(-1) <= ALIKE
        if same.mean() < MOST:
            break
        for c in range(3):
            slopes = np.linalg.lstsq(ramp[same] * one[same, c, None], other[same, c], rcond=None)[0]
            lit[:, c] = (ramp @ slopes) * one[:, c]
    differs: Array = np.abs(other - lit).max(-1) > OTHERWISE
    return differs


def _link(frames: Sequence[Sequence[Region]], cuts: set[int]) -> list[dict[int, Region]]:
    """Link regions to chains by frame; each frame's links are the assignment of least total cost.

    Source: Kuhn 1955, "The Hungarian method for the assignment problem".
    """
    chains: list[dict[int, Region]] = []
    begun = 0  # chains before this one ended with a shot
    for t, found in enumerate(frames):
        begun = len(chains) if t in cuts else begun
        open_ = [chain for chain in chains[begun:] if t - max(chain) <= LONGEST_GAP + 1]
        free = set(range(len(found)))
        if open_ and found:
            cost = np.array([[_cost(chain, region, t) for region in found] for chain in open_])
            for row, column in zip(*linear_sum_assignment(cost), strict=True):
                if cost[row, column] < FORBIDDEN:
                    open_[row][t] = found[column]
                    free.discard(int(column))
        chains += [{t: found[n]} for n in sorted(free)]
    return chains


def _cost(chain: dict[int, Region], region: Region, t: int) -> float:
    """Return how far a region is from where a chain was or should be, and what a change of colour costs.

    What bounces does not go on as it went, so the nearer of both places counts.
    """
    last = max(chain)
    before = chain[last]
    x, y = before.x, before.y
    if last - 1 in chain:  # it goes on as it went
        x, y = x + (x - chain[last - 1].x) * (t - last), y + (y - chain[last - 1].y) * (t - last)
    stayed = float(np.hypot(region.x - before.x, region.y - before.y))
    went_on = float(np.hypot(region.x - x, region.y - y))
    cost = min(stayed, went_on) + OTHER_COLOR * (region.color != before.color)
    reach = max(REACH, OWN_REACH * float(np.hypot(before.width, before.height)))
    return cost if cost < reach * (t - last) else FORBIDDEN


def region_of(mask: Array, color: int, about: Array, **more: float) -> Region:
    """Measure the pixels of a thing in one frame: mask [H, W]."""
    height, width = mask.shape
    rows, columns = np.nonzero(mask)
    top, bottom = int(rows.min()), int(rows.max()) + 1
    left, right = int(columns.min()), int(columns.max()) + 1
    return Region(
        color=color,
        x=float((columns.mean() + 0.5 - width / 2) / height),
        y=float((height / 2 - rows.mean() - 0.5) / height),
        foot=0.5 - bottom / height,
        width=(right - left) / height,
        height=(bottom - top) / height,
        area=float(len(rows)) / height**2,
        whole=min(top, left, height - bottom, width - right) >= RIM,
        tall=min(top, height - bottom) >= RIM,
        about=about,
        mask=mask,
        **more,
    )
