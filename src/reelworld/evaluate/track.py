"""The classical parser: a video -> what things are in it, where and how large, frame by frame.

    parser = Parser.fit()                        # on a few hundred renders, some seconds; the same every time
    for track in parser.look(video.frames).tracks: print(track.color, track.kind, track.x, track.y)

Pixels are told apart by colour (`colors`) and connected to regions, which `tracking` links. What kind of
thing a track is, its silhouettes say. No network is involved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.ndimage import binary_closing, binary_opening, find_objects, label

from reelworld.core.types import Frames
from reelworld.evaluate.colors import NOTHING, ColorTable, find_cuts
from reelworld.evaluate.tracking import SMALLEST, Observed, Region, follow, region_of
from reelworld.world.dataset import film_scene
from reelworld.world.scene import COLORS, PRIMITIVES
from reelworld.world.stream import Clip, WorldConfig, plan

Array = np.ndarray
FAINTEST = 0.1  # share of a blob that a colour must have to be a thing of its own in it
FITTED_ON = 160  # renders
BRIDGE = 1 / 32  # of the picture's height: half the gap that a stripe may leave in a thing
EIGHT = np.ones((3, 3), bool)  # neighbours, diagonal ones too
WHITE = 1 + COLORS.index("white")


@dataclass(frozen=True)
class Silhouettes:
    """A Gaussian for the silhouettes of each kind, with a covariance of its own (quadratic discriminant)."""

    means: Array
    precisions: Array
    log_determinants: Array

    @classmethod
    def fit(cls, examples: Sequence[Array]) -> Silhouettes:
        """Fit on silhouettes [n, features] of each kind, in the order of PRIMITIVES."""
        covariances = [np.cov(e.T) + 1e-4 * np.eye(e.shape[1]) for e in examples]
        return cls(
            np.stack([e.mean(0) for e in examples]),
            np.stack([np.linalg.inv(c) for c in covariances]),
            np.array([np.linalg.slogdet(c)[1] for c in covariances]),
        )

    def kind(self, silhouettes: Array) -> str:
        """Return the most probable kind behind silhouettes [n, features] of one thing."""
        off = silhouettes[:, None] - self.means
        distance = np.einsum("nki,kij,nkj->nk", off, self.precisions, off)
        return PRIMITIVES[int((-distance - self.log_determinants).sum(0).argmax())]


@dataclass(frozen=True)
class Parser:
    """Colours and silhouettes, fitted on renders of the world's first level."""

    table: ColorTable
    silhouettes: Silhouettes

    @classmethod
    @cache
    def fit(cls, seed: int = 424242) -> Parser:
        """Fit on renders of `seed`, which is no seed of a benchmark or a training."""
        config = WorldConfig(level=1, split="train", seed=seed)
        clips = plan(config, range(FITTED_ON))
        films = [film_scene(clip, config)[1:] for clip in clips]
        frames = np.stack([video.frames for _, video in films])
        things = np.stack([rendered.thing.numpy() for rendered, _ in films])
        plain = np.array([all(t.material != "striped" for t in clip.scene.cast) for clip in clips])
        classes = np.stack([_classes(clip, ids) for clip, ids in zip(clips, things, strict=True)])
        table = ColorTable.fit(frames[plain], classes[plain])
        seen = np.where(table.classify(frames) != NOTHING, things, 0)
        return cls(table, Silhouettes.fit(_examples(clips, seen)))

    def look(self, frames: Frames) -> Observed:
        """Return the things of a video and its cuts; of the camera this parser knows nothing."""
        cuts = find_cuts(frames)
        per_frame = [list(regions(classes)) for classes in self.table.classify(frames)]
        return Observed(follow(per_frame, cuts, self._name, frames), len(frames), cuts)

    def _name(self, chain: Sequence[Region]) -> tuple[str, str]:
        whole = [region.about for region in chain if region.whole] or [region.about for region in chain]
        return self.silhouettes.kind(np.stack(whole)), ""


def _classes(clip: Clip, things: Array) -> Array:
    """Return the colour class of each pixel of a render, from its ids [T, H, W]."""
    classes = [NOTHING, *(1 + COLORS.index(thing.color) for thing in clip.scene.cast)]
    return np.array(classes)[np.maximum(things, 0)]


def _examples(clips: Sequence[Clip], things: Array) -> list[Array]:
    """Collect the silhouettes of each kind from the ids of renders [N, T, H, W], as far as colours show."""
    found: dict[str, list[Array]] = {kind: [] for kind in PRIMITIVES}
    for clip, ids in zip(clips, things, strict=True):
        for n, thing in enumerate(clip.scene.cast):
            for mask in ids[::3] == n + 1:
                if _touches_nothing(mask) and mask.mean() >= SMALLEST:
                    found[thing.kind].append(silhouette(mask[_bounds(mask)]))
    return [np.stack(found[kind]) for kind in PRIMITIVES]


def _touches_nothing(mask: Array) -> bool:
    return not (mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())


def _bounds(mask: Array) -> tuple[slice, ...]:
    """Return the box around what is true."""
    return tuple(slice(int(i.min()), int(i.max()) + 1) for i in np.nonzero(mask))


def silhouette(mask: Array) -> Array:
    """Describe a mask cut to its box: log aspect, share filled, width at five heights over the largest."""
    height, width = mask.shape
    widths = mask.sum(1) / mask.sum(1).max()
    at = np.interp(np.linspace(0.08, 0.92, 5) * height - 0.5, np.arange(height), widths)
    return np.array([np.log(width / height), mask.mean(), *at])


def regions(classes: Array) -> Iterator[Region]:
    """Yield the things in a frame of colour classes [H, W].

    A region of one colour, with what is white beside it: stripes are the thing's own.
    """
    bridge = max(1, round(BRIDGE * len(classes)))
    some = np.pad(classes != NOTHING, bridge)  # so that what is near the border is not eroded there
    closed = binary_closing(some, structure=EIGHT, iterations=bridge)
    blobs, _ = label(closed[bridge:-bridge, bridge:-bridge], structure=EIGHT)
    for number, box in enumerate(find_objects(blobs), start=1):
        inside = (blobs[box] == number) & (classes[box] != NOTHING)
        if inside.sum() < SMALLEST * classes.size:
            continue
        for color, mask in _by_color(np.where(inside, classes[box], NOTHING), SMALLEST * classes.size):
            whole = np.zeros(classes.shape, bool)
            whole[box] = mask
            yield region_of(whole, color, silhouette(mask[_bounds(mask)]))


def _by_color(classes: Array, smallest: float) -> Iterator[tuple[int, Array]]:
    """Split a blob into its things: one for each colour with a body of its own; the rest is the largest's.

    A rim of mixed colours is no body: an opening with 2 x 2 pixels takes it away.
    """
    counts = np.bincount(classes.ravel(), minlength=len(COLORS) + 1)
    counts[NOTHING] = 0
    body = [binary_opening(classes == c, np.ones((2, 2))).sum() for c in range(len(counts))]
    least = max(smallest, FAINTEST * counts.sum())
    strong = [c for c in range(1, len(counts)) if body[c] >= least and c != WHITE]
    if len(strong) < 2:
        yield strong[0] if strong else int(counts.argmax()), classes != NOTHING
        return
    largest = max(strong, key=lambda c: counts[c])
    for color in strong:
        others = [c for c in range(1, len(counts)) if c not in strong] if color == largest else []
        yield color, np.isin(classes, [color, *others])
