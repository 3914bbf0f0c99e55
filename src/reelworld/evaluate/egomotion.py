"""How the camera moved between two frames, from the brightness of everything that stands still.

    motion = follow_camera(luminance, depth, still, guess)     # [T, 6]: yaw, pitch, right, up, forward, zoom

Brightness constancy, I_x u + I_y v + I_t = 0, where the flow (u, v) of a point at depth Z is linear in the
camera's turns, steps and zoom: six unknowns, thousands of pixels, least squares. Sources: Longuet-Higgins and
Prazdny 1980, "The interpretation of a moving retinal image", Eq. 2.8; Horn and Weldon 1988, "Direct methods
for recovering motion".

A camera moves where that explains what changes; else it stands, whatever was guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.ndimage import binary_erosion, gaussian_filter, map_coordinates

Array = np.ndarray
FOCAL = 1.75  # of the half height of the picture: the world's cameras before they zoom
SMOOTH = (3.0, 1.5)  # pixels, coarse to fine: gradients must reach as far as things move
WARPS = 3  # of each smoothness
REWEIGHTED = 3  # times that outliers are weighed down
# How far a frame's motion is likely to be from what was guessed.
LIKELY = np.array([0.06, 0.06, 0.4, 0.4, 0.4, 0.1])
PRIOR = 3e-2  # weight of that beside the pixels
NOISE = 0.01  # of full light: differences of this size say nothing yet
NOTHING = 1e-3  # share of the pixels that change between two frames of a camera that surely stands still
EXPLAINED = 0.75  # of what changes in a shot, what must be left over at most for the camera to have moved
MARGIN = 4  # pixels around things that blur carries them to
BORDER = 3  # pixels at which warped pictures are not known


def follow_camera(
    luminance: Array, depth: Array, still: Array, guess: Array, cuts: Sequence[int] = ()
) -> Array:
    """Return the motion [T, 6] from each frame to the next of luminance [T, H, W], 0 for a shot's first.

    guess [T, 6]: where to begin, and what holds where a moving picture does not tell. depth [T, H, W] in
    metres; still bool [T, H, W]: pixels that show no thing of the cast. Turns in radians, left and up; steps
    in metres, right, up and forward; zoom the log of the focal lengths' ratio.
    """
    motion = np.zeros((len(luminance), 6))
    for start, end in pairwise([0, *cuts, len(luminance)]):
        pairs = [_Pair.of(luminance[t - 1 : t + 1], depth[t - 1], still[t - 1] & still[t])
                 for t in range(start + 1, end)]  # fmt: skip
        unmoved = sum(pair.unexplained(np.zeros(6)) for pair in pairs)
        if unmoved < NOTHING * len(pairs):
            continue
        found = [pair.motion(guess[t]) for t, pair in enumerate(pairs, start + 1)]
        left = sum(pair.unexplained(moved) for pair, moved in zip(pairs, found, strict=True))
        if left < EXPLAINED * unmoved:
            motion[start + 1 : end] = found
    return motion


def flow_basis(depth: Array) -> Array:
    """Return the flow [H, W, 2, 6] in pixels, right and down, of a unit of each motion at depth [H, W]."""
    height, width = depth.shape
    y, x = np.mgrid[:height, :width] + 0.5
    a, b = (x - width / 2) / (FOCAL * height / 2), (height / 2 - y) / (FOCAL * height / 2)
    zero, one = np.zeros_like(a), np.ones_like(a)
    right = np.stack([1 + a * a, -a * b, -one / depth, zero, a / depth, a], -1)
    up = np.stack([a * b, -(1 + b * b), zero, -one / depth, b / depth, b], -1)
    return np.stack([right, -up], 2) * (FOCAL * height / 2)


@dataclass(frozen=True)
class _Pair:
    """Two frames, coarse and fine: luminance, the flow of each motion, and the pixels that count."""

    levels: tuple[tuple[Array, Array], ...]
    basis: Array
    use: Array

    @classmethod
    def of(cls, pair: Array, depth: Array, still: Array) -> _Pair:
        """Blur two frames [2, H, W]; things, what lies near them, and the border do not count."""
        use = binary_erosion(still, iterations=MARGIN)
        use[:BORDER] = use[-BORDER:] = False
        use[:, :BORDER] = use[:, -BORDER:] = False
        before, after = pair.astype(np.float64)
        levels = tuple((gaussian_filter(before, s), gaussian_filter(after, s)) for s in SMOOTH)
        return cls(levels, flow_basis(depth.astype(np.float64)), use)

    def motion(self, guess: Array) -> Array:
        """Return the motion that best explains the pair, from a guess, coarse to fine."""
        motion = guess
        for before, after in self.levels:
            for _ in range(WARPS):
                there = _warped(after, self.basis @ motion)
                motion = motion + _step(before, there, self.basis, self.use, motion - guess)
        return motion

    def unexplained(self, motion: Array) -> float:
        """Return the share of pixels that a motion does not explain: mean of r^2 / (r^2 + NOISE^2).

        What moves by itself, as shadows do, counts at most as itself. Source: Geman and McClure 1987,
        "Statistical methods for tomographic image reconstruction".
        """
        before, after = self.levels[-1]
        off = (_warped(after, self.basis @ motion) - before)[self.use] ** 2
        return float((off / (off + NOISE**2)).mean()) if len(off) else 0.0


def _warped(frame: Array, flow: Array) -> Array:
    """Return what lies at the end of each pixel's flow, right and down."""
    rows, columns = np.indices(frame.shape)
    there: Array = map_coordinates(
        frame, [rows + flow[..., 1], columns + flow[..., 0]], order=1, mode="nearest"
    )
    return there


def _step(before: Array, there: Array, basis: Array, use: Array, gone: Array) -> Array:
    """Return the change of motion that best explains what is left after warping.

    gone [6]: how far the motion is from what was guessed.
    """
    gy, gx = np.gradient(0.5 * (before + there))
    design = (gx[..., None] * basis[:, :, 0] + gy[..., None] * basis[:, :, 1])[use] * LIKELY
    rest = (there - before)[use]
    held = np.eye(6) * PRIOR * len(rest) * max(float((design**2).mean()), 1e-12)
    weight = np.ones(len(rest))
    step = np.zeros(6)
    for _ in range(REWEIGHTED):
        weighted = design * weight[:, None]
        step = np.linalg.solve(weighted.T @ design + held, -weighted.T @ rest - held @ (gone / LIKELY))
        off = np.abs(design @ step + rest)
        weight = 1.0 / np.maximum(off, 1.5 * np.median(off) + 1e-6)  # Huber 1964
        weight /= weight.mean()
    return step * LIKELY
