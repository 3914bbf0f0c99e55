"""Which thing's colour a pixel wears: a Bayes classifier over CIE Lab, fitted on renders.

    table = ColorTable.fit(frames, classes)      # pixels whose class is known: 0 nothing, 1 + index in COLORS
    classes = table.classify(video.frames)       # int8 [T, H, W]

Light, shadow and haze move a colour through Lab in ways that renders show better than any rule, so the
likelihood p(Lab | class) is a smoothed histogram of them. A colour that no render had is nothing's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from reelworld.core.types import Frames
from reelworld.world.scene import COLORS

Array = np.ndarray
NOTHING = 0
BINS = (26, 44, 44)  # of L, a and b
LOWEST = np.array([0.0, -88.0, -110.0])
HIGHEST = np.array([104.0, 110.0, 110.0])
PRIOR = 0.8  # share of pixels that show nothing; the colours share the rest
SMOOTH = 1.0  # bins: what a codec or a model may shift a colour by
GRAIN = 1.5  # pixels, deviation of the blur before frames are compared
CUT, CUT_TIMES = 0.5, 1.7  # least change at a cut: in Lab's units, and of the changes before and after
RARE = 1e-5  # density under which a colour counts as never seen

# sRGB to CIE XYZ. Source: IEC 61966-2-1.
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.0890])  # D65


def to_lab(frames: Frames) -> Array:
    """Turn sRGB uint8 [..., 3] into CIE Lab, float32 [..., 3].

    L = 116 f(Y) - 16, a = 500 (f(X) - f(Y)), b = 200 (f(Y) - f(Z)), f a cube root with a linear foot.
    Source: CIE 15:2004.
    """
    encoded = np.arange(256) / 255.0
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    xyz = linear.astype(np.float32)[frames] @ (TO_XYZ / WHITE[:, None]).T.astype(np.float32)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1).astype(np.float32)


def find_cuts(frames: Frames) -> tuple[int, ...]:
    """Return the first frames of new shots: where the picture changes far more than before and after.

    The change is the mean difference of Lab between two frames, blurred so that grain does not count.
    """
    if len(frames) < 2:
        return ()
    lab = gaussian_filter(to_lab(frames), (0.0, GRAIN, GRAIN, 0.0))
    change = np.abs(np.diff(lab, axis=0)).mean((1, 2, 3))
    beside = np.pad(change, 1)
    least = np.maximum(CUT, CUT_TIMES * np.maximum(beside[:-2], beside[2:]))
    return tuple(int(t) + 1 for t in np.flatnonzero(change > least))


@dataclass(frozen=True)
class ColorTable:
    """The most probable class of each bin of Lab: int8 [L, a, b]."""

    classes: Array

    @classmethod
    def fit(cls, frames: Frames, classes: Array) -> ColorTable:
        """Fit on pixels uint8 [..., 3] of known classes [...]: the largest p(class) p(Lab | class) wins."""
        bins, flat = _bin(frames).reshape(-1), classes.reshape(-1)
        densities = np.stack([_density(bins[flat == c]) for c in range(len(COLORS) + 1)])
        priors = np.full(len(COLORS) + 1, (1 - PRIOR) / len(COLORS))
        priors[NOTHING] = PRIOR
        best = (densities * priors[:, None, None, None]).argmax(0)
        return cls(np.where(densities.max(0) < RARE, NOTHING, best).astype(np.int8))

    def classify(self, frames: Frames) -> Array:
        """Return the class of each pixel: int8 [...]."""
        return self.classes.reshape(-1)[_bin(frames)]


def _bin(frames: Frames) -> Array:
    """Return the flat index of each pixel's bin."""
    share = (to_lab(frames) - LOWEST) / (HIGHEST - LOWEST)
    index = np.clip((share * BINS).astype(np.int32), 0, np.array(BINS) - 1)
    return np.ravel_multi_index(tuple(np.moveaxis(index, -1, 0)), BINS)


def _density(bins: Array) -> Array:
    """Return the smoothed share of pixels in each bin; zero for a class without pixels."""
    counts = np.bincount(bins, minlength=int(np.prod(BINS))).reshape(BINS).astype(np.float64)
    return gaussian_filter(counts / max(len(bins), 1), SMOOTH, mode="nearest")
