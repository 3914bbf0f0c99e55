"""How the camera moved between two frames, from the brightness of everything that stands still.

    motion = follow_camera(luminance, depth, still, guess)     # [T, 6]: yaw, pitch, right, up, forward, zoom

Brightness constancy, I_x u + I_y v + I_t = 0, where the flow (u, v) of a point at depth Z is linear in the
camera's turns, steps and zoom: six unknowns, thousands of pixels, least squares. Sources: Longuet-Higgins and
Prazdny 1980, "The interpretation of a moving retinal image", Eq. 2.8; Horn and Weldon 1988, "Direct methods
for recovering motion".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import binary_erosion, gaussian_filter, map_coordinates

Array = np.ndarray
FOCAL = 1.75  # of the half height of the picture: the world's cameras before they zoom
SMOOTH = (3.0, 1.5)  # pixels, coarse to fine: gradients must reach as far as things move
WARPS = 3  # of each smoothness
REWEIGHTED = 3  # times that outliers are weighed down
# How far a frame's motion is likely to be from what was guessed.
LIKELY = np.array([0.06, 0.06, 0.4, 0.4, 0.4, 0.1])
PRIOR = 5e-3  # weight of that beside the pixels
MARGIN = 4  # pixels around things that blur carries them to
BORDER = 3  # pixels at which warped pictures are not known


def follow_camera(
    luminance: Array, depth: Array, still: Array, guess: Array, cuts: Sequence[int] = ()
) -> Array:
    """Return the motion [T, 6] from each frame to the next of luminance [T, H, W], 0 for a shot's first.

    guess [T, 6]: where to begin, and what holds where the picture shows nothing.

    depth [T, H, W] in metres; still bool [T, H, W]: pixels that show no thing of the cast. Turns in radians,
    left and up; steps in metres, right, up and forward; zoom the log of the focal lengths' ratio.
    """
    motion = np.zeros((len(luminance), 6))
    for t in sorted(set(range(1, len(luminance))) - set(cuts)):
        pair = luminance[t - 1 : t + 1].astype(np.float64)
        motion[t] = _between(pair, depth[t - 1].astype(np.float64), still[t - 1] & still[t], guess[t])
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


def _between(pair: Array, depth: Array, still: Array, guess: Array) -> Array:
    basis = flow_basis(depth)
    use = binary_erosion(still, iterations=MARGIN)
    use[:BORDER] = use[-BORDER:] = False
    use[:, :BORDER] = use[:, -BORDER:] = False
    motion = guess
    for sigma in SMOOTH:
        before, after = (gaussian_filter(frame, sigma) for frame in pair)
        for _ in range(WARPS):
            motion = motion + _step(before, after, basis, use, motion, guess)
    return motion


def _step(before: Array, after: Array, basis: Array, use: Array, motion: Array, guess: Array) -> Array:
    """Return the change of motion that best explains what is left after warping by `motion`."""
    flow = basis @ motion
    rows, columns = np.indices(before.shape)
    there = map_coordinates(after, [rows + flow[..., 1], columns + flow[..., 0]], order=1, mode="nearest")
    gy, gx = np.gradient(0.5 * (before + there))
    design = (gx[..., None] * basis[:, :, 0] + gy[..., None] * basis[:, :, 1])[use] * LIKELY
    rest = (there - before)[use]
    held = np.eye(6) * PRIOR * len(rest) * max(float((design**2).mean()), 1e-12)
    weight = np.ones(len(rest))
    step = np.zeros(6)
    for _ in range(REWEIGHTED):
        weighted = design * weight[:, None]
        pull = held @ ((motion - guess) / LIKELY)
        step = np.linalg.solve(weighted.T @ design + held, -weighted.T @ rest - pull)
        off = np.abs(design @ step + rest)
        weight = 1.0 / np.maximum(off, 1.5 * np.median(off) + 1e-6)  # Huber 1964
        weight /= weight.mean()
    return step * LIKELY
