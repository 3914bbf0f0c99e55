"""The trained parser: a video -> its things, its cuts and its camera, by `models/perception.py`.

    parser = Perceiver.load()                    # the packaged weights; the same file for every evaluation
    seen = parser.look(video.frames)
    for track in seen.tracks: print(track.color, track.kind, track.size, track.depth)

Pixels of things point to the middles of their things; where many point, there is a thing. The network also
says how the camera moves, if it moves: where no ground changes, it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from reelworld.core.types import Frames
from reelworld.evaluate.tracking import SMALLEST, Observed, Region, follow, region_of
from reelworld.models.perception import Perception, PerceptionConfig, Seen
from reelworld.models.released import packaged
from reelworld.world.labels import KINDS, LEFT, MOTION, RIGHT, SIZES

Array = np.ndarray
HEIGHT = 64  # of the pictures that it was trained on; others are scaled to it
STEP = 8  # pixels of which sizes are multiples
SMOOTH = 1.0  # pixels: how exactly pixels point
STRAY, FAR_STRAY = 4.0, 0.3  # pixels from a middle within which pixels point to it, or share of the way there
FAINTEST = 0.04  # of the pixels of the largest thing: fewer are noise beside it
BESIDE = 0.45  # of the root of a thing's pixels: how near to its middle its own stray pixels point
FAINT = 0.04  # of full light from pixel to pixel: fainter edges count less
LOST, CUT = 25.0, 3.3  # log odds: what edges that are lost are worth, and from where there is a cut
STAYS = 0.75  # share of their pixels that the things of two frames have in common: no cut,
GONE = 0.25  # unless so many edges are lost
CHANGE = 0.01  # of full light between two frames: less is noise
MOVING = 0.015  # mean share of the pixels of the ground that change between frames of a camera that moves
LEG_PIXELS = 2  # fewer of a leg's do not show where it is
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # Source: ITU-R BT.709


@dataclass(frozen=True)
class Perceiver:
    """A trained network and the hash of its weights."""

    network: Perception
    weights_hash: str

    @classmethod
    def load(cls, path: str | Path | None = None) -> Perceiver:
        """Load weights, by default the packaged ones. Raises: CheckpointError."""
        return cls(*packaged(Perception, PerceptionConfig, "perception", path))

    def look(self, frames: Frames) -> Observed:
        """Return what a video uint8 [T, H, W, 3] shows."""
        small = _scaled(frames)
        with torch.inference_mode():
            seen = self.network(torch.from_numpy(small).float()[None] / 127.5 - 1)
        fields = _Fields.of(seen, small)
        told = seen.camera[0].double().numpy()
        cuts, camera = find_shots(fields.light, told[:, len(MOTION)], fields.thing), told[:, : len(MOTION)]
        camera[:, :6] *= moves(fields.light, ~fields.thing, cuts)[:, None]
        per_frame = [list(regions(fields, t)) for t in range(len(small))]
        return Observed(follow(per_frame, cuts, name, small), len(frames), cuts, camera)


def find_shots(light: Array, log_odds: Array, thing: Array) -> tuple[int, ...]:
    """Return the first frames of new shots: what the network says, and where edges go that stayed before.

    light [T, H, W], 0 to 1; log_odds [T]: of a cut before each frame; thing bool [T, H, W]. A fast turn keeps
    few edges from one frame to the next, but as few before and after; a lamp that is lit at night changes
    many of them, but not where things are.
    """
    kept = np.pad(edges_kept(light), 1, constant_values=1.0)
    lost = np.minimum(kept[:-2], kept[2:]) - kept[1:-1]
    both, either = thing[1:] & thing[:-1], thing[1:] | thing[:-1]
    stays = both.sum((1, 2)) > STAYS * np.maximum(either.sum((1, 2)), 1)
    cut = (log_odds[1:] + LOST * lost > CUT) & (~stays | (lost > GONE))
    return tuple(int(t) + 1 for t in np.flatnonzero(cut))


def edges_kept(light: Array) -> Array:
    """Return how alike the directions of edges are in each two frames of light [T, H, W]: [T - 1]."""
    edges = np.stack(np.gradient(gaussian_filter(light, (0.0, 1.0, 1.0)), axis=(1, 2)), -1)
    edges /= np.linalg.norm(edges, axis=-1, keepdims=True) + FAINT
    edges = edges.reshape(len(light), -1)
    edges /= np.maximum(np.linalg.norm(edges, axis=1, keepdims=True), 1e-6)
    kept: Array = (edges[1:] * edges[:-1]).sum(-1)
    return kept


def moves(light: Array, ground: Array, cuts: Sequence[int] = ()) -> Array:
    """Tell for each frame whether the camera moved since the one before it: bool [T], one answer a shot.

    light [T, H, W], 0 to 1; ground bool [T, H, W]: pixels that show no thing of the cast. Shadows that pass
    over a ground change less of it than a camera that turns.
    """
    moving = np.zeros(len(light), bool)
    for start, end in pairwise([0, *cuts, len(light)]):
        both = ground[start : end - 1] & ground[start + 1 : end]
        changed = np.abs(np.diff(light[start:end], axis=0)) > CHANGE
        moving[start + 1 : end] = (changed & both).sum() > MOVING * max(both.sum(), 1)
    return moving


@dataclass(frozen=True)
class _Fields:
    """What pixels show [T, H, W, ...]: log probabilities of classes, and what is measured."""

    kind: Array
    color: Array
    size: Array
    thing: Array  # bool: it shows something of the cast
    side: Array
    offset: Array
    depth: Array  # metres
    light: Array  # luminance, 0 to 1

    @classmethod
    def of(cls, seen: Seen, frames: Frames) -> _Fields:
        """Take them from what the network says of one clip, and from its frames."""
        kind, color, size = (f[0].log_softmax(-1).numpy() for f in (seen.kind, seen.color, seen.size))
        side, offset, depth = seen.side[0].argmax(-1), seen.offset[0], seen.depth[0].double().exp()
        thing, light = kind.argmax(-1) > 0, frames @ LUMINANCE / 255.0
        return cls(kind, color, size, thing, side.numpy(), offset.numpy(), depth.numpy(), light)


def _scaled(frames: Frames) -> Frames:
    """Scale to the height of the training; the width to the nearest that the network's levels divide."""
    height, width = frames.shape[1:3]
    wanted = (HEIGHT, max(STEP, STEP * round(width * HEIGHT / height / STEP)))
    if (height, width) == wanted:
        return np.ascontiguousarray(frames)
    x = torch.from_numpy(np.ascontiguousarray(frames)).float().permute(0, 3, 1, 2)
    x = torch.nn.functional.interpolate(x, wanted, mode="bilinear", antialias=True)
    scaled: Frames = x.round().byte().permute(0, 2, 3, 1).numpy()
    return scaled


def regions(fields: _Fields, t: int) -> Iterator[Region]:
    """Yield the things of frame t."""
    kind, color, size = fields.kind[t], fields.color[t], fields.size[t]
    for mask in members(fields.thing[t], fields.offset[t], color.argmax(-1)):
        about = np.concatenate([kind[mask][:, 1:].mean(0), size[mask].mean(0)])
        yield region_of(
            mask, 1 + int(color[mask].mean(0).argmax()), about, depth=float(np.median(fields.depth[t][mask])),
            light=float(fields.light[t][mask].mean()), gait=_gait(fields.side[t], mask),
        )  # fmt: skip


def members(thing: Array, offset: Array, color: Array) -> Iterator[Array]:
    """Yield the pixels [H, W] of each thing: those that point to the same middle, the largest crowd first.

    thing bool [H, W]; offset [H, W, 2], right and down, in picture heights; color [H, W]: a crowd beside the
    middle of a larger one of its colour is what that one left over.
    """
    rows, columns = np.nonzero(thing)
    way = offset[rows, columns][:, ::-1] * len(thing)
    there, stray = np.stack([rows, columns], -1) + way, np.linalg.norm(way, axis=-1)
    middles, owners, left = _crowds(there, np.maximum(STRAY, FAR_STRAY * stray), color[thing], thing.shape)
    if not owners:
        return
    nearest = np.linalg.norm(there[:, None] - np.stack(middles), axis=-1).argmin(-1)
    owner = np.where(left, -1, np.array(owners)[nearest])
    for k in dict.fromkeys(owners):
        mask = np.zeros_like(thing)
        mask[rows[owner == k], columns[owner == k]] = True
        yield mask


def _crowds(
    there: Array, stray: Array, color: Array, shape: tuple[int, int]
) -> tuple[list[Array], list[int], Array]:
    """Return the middles of crowds, whose pixels each has (its own or a larger crowd's), and who is in none.

    there [N, 2]: where pixels point; stray [N]: how far from there, in pixels, the middle may be.
    """
    left, least = np.ones(len(there), bool), SMALLEST * shape[0] * shape[1]
    middles: list[Array] = []
    owners: list[int] = []
    hues: list[int] = []
    sizes: list[int] = []
    while left.sum() >= least:
        middle = _crowd(there[left], shape)
        own = left & (np.linalg.norm(there - middle, axis=-1) < stray)
        if (size := int(own.sum())) < least:
            break
        left, least = left & ~own, max(least, FAINTEST * size)
        hue = int(np.bincount(color[own]).argmax())
        beside = (
            k for k in range(len(middles)) if owners[k] == k and hue == hues[k]
            and np.linalg.norm(middle - middles[k]) < BESIDE * np.sqrt(sizes[k])
        )  # fmt: skip
        owners.append(next(beside, len(middles)))
        middles.append(middle)
        hues.append(hue)
        sizes.append(size)
    return middles, owners, left


def _crowd(there: Array, shape: tuple[int, int]) -> Array:
    """Return the middle of the densest crowd of places [N, 2] in a picture."""
    spots = np.clip(np.rint(there).astype(int), 0, np.array(shape) - 1)
    votes = np.zeros(shape)
    np.add.at(votes, tuple(spots.T), 1.0)
    peak = np.array(np.unravel_index(gaussian_filter(votes, SMOOTH).argmax(), shape))
    near = np.linalg.norm(there - peak, axis=-1) < 2.0 * SMOOTH
    middle: Array = there[near].mean(0) if near.any() else peak.astype(float)
    return middle


def name(chain: Sequence[Region]) -> tuple[str, str]:
    """Return the kind and size that a track's regions speak for, the large ones louder."""
    weights = np.array([region.area * (1.0 if region.whole else 0.3) for region in chain])
    votes = (np.stack([region.about for region in chain]) * weights[:, None]).sum(0)
    return KINDS[int(votes[: len(KINDS)].argmax())], SIZES[int(votes[len(KINDS) :].argmax())]


def _gait(side: Array, mask: Array) -> float:
    """Return how far the left leg is right of the right one, in picture heights; NaN where one is hidden."""
    legs = [np.nonzero((side == s) & mask)[1] for s in (LEFT, RIGHT)]
    if min(len(leg) for leg in legs) < LEG_PIXELS:
        return float("nan")
    return float((legs[0].mean() - legs[1].mean()) / side.shape[0])
