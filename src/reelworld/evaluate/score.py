"""From verdicts to figures: shares with their uncertainty, normalised scores, agreement, comparisons.

    share = Share.of(passed, prompts)                 # M: of generated clips, four seeds a prompt
    score = Score(share, ceiling=0.98, floor=0.10)    # S = (M - F) / (C - F)
    print(f"{score.value:.2f} [{score.interval[0]:.2f}, {score.interval[1]:.2f}]")

Clips of one prompt are alike, so a prompt is the unit of chance: all errors are clustered by prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from reelworld.core.errors import ConfigError

Array = np.ndarray
Z95 = float(norm.ppf(0.975))
LEAST_RANGE = 0.05  # between floor and ceiling; with less, a check cannot tell a model from chance
FLIPS = 20_000  # of signs, where there are too many prompts to try all
MOST_EXACT = 14  # prompts up to which all sign flips are tried


@dataclass(frozen=True)
class Share:
    """The share of clips that pass, its standard error, and how many clips of how many prompts it is of."""

    mean: float
    error: float
    clips: int
    prompts: int

    @classmethod
    def of(cls, passed: Sequence[bool | float], prompts: Sequence[int]) -> Share:
        """Average verdicts, each of a clip of the prompt with that number.

        SE^2 = sum_c (sum_i (s_ic - mean))^2 / N^2 over prompts c and their clips i. Source: arXiv:2411.00640
        Eq. 4 (clustered standard errors). Raises: ConfigError where nothing was judged.
        """
        values, cluster = np.asarray(passed, float), np.asarray(prompts)
        if not len(values) or values.shape != cluster.shape:
            raise ConfigError(
                f"{values.shape} verdicts of {cluster.shape} prompts: give one each, at least one"
            )
        mean = float(values.mean())
        error = float(np.sqrt((_sums(values - mean, cluster) ** 2).sum())) / len(values)
        return cls(mean, error, len(values), len(np.unique(cluster)))

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the mean (Wilson), as if of the number of clips its error is worth.

        A share of 0 or 1 has no spread, and yet is not certain: it is worth at least as many clips as there
        are prompts. Source: Wilson 1927, "Probable inference, the law of succession".
        """
        spread = self.mean * (1.0 - self.mean)
        worth = spread / self.error**2 if self.error > 0.0 and spread > 0.0 else float(self.prompts)
        worth = min(worth, float(self.clips))
        middle = (self.mean + Z95**2 / (2 * worth)) / (1 + Z95**2 / worth)
        half = Z95 / (1 + Z95**2 / worth) * float(np.sqrt(spread / worth + Z95**2 / (4 * worth**2)))
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Score:
    """A share between what knows nothing and what is true: S = (M - F) / (C - F)."""

    share: Share
    ceiling: float
    floor: float

    @property
    def measured(self) -> bool:
        """Tell whether floor and ceiling are far enough apart for a score."""
        return self.ceiling - self.floor >= LEAST_RANGE

    @property
    def value(self) -> float:
        """Return S; not a number where the check cannot tell truth from chance."""
        return self._scaled(self.share.mean)

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of S, floor and ceiling taken as known."""
        low, high = self.share.interval
        return self._scaled(low), self._scaled(high)

    def _scaled(self, share: float) -> float:
        return (share - self.floor) / (self.ceiling - self.floor) if self.measured else float("nan")


@dataclass(frozen=True)
class Difference:
    """How much more often B passes than A on the same prompts and seeds; p of no difference at all."""

    mean: float
    error: float
    p: float
    prompts: int

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval."""
        return self.mean - Z95 * self.error, self.mean + Z95 * self.error


def difference(
    a: Sequence[bool | float], b: Sequence[bool | float], prompts: Sequence[int], seed: int = 0
) -> Difference:
    """Compare verdicts of two models clip by clip; p by flipping the sign of whole prompts.

    If neither is better, each prompt's difference could as well have the other sign. Source: Good 2005,
    "Permutation, parametric and bootstrap tests of hypotheses", section 3.2. Raises: ConfigError.
    """
    if len(a) != len(b):
        raise ConfigError(f"{len(a)} verdicts against {len(b)}: compare the same prompts and seeds")
    off = np.asarray(b, float) - np.asarray(a, float)
    share = Share.of(off.tolist(), prompts)
    sums = _sums(off, np.asarray(prompts))
    return Difference(share.mean, share.error, _sign_flip(sums, np.random.default_rng(seed)), share.prompts)


def _sign_flip(sums: Array, rng: np.random.Generator) -> float:
    """Return the share of sign flips that are as far from zero as what was seen; 1 where nothing differs."""
    sums = sums[sums != 0.0]
    if not len(sums):
        return 1.0
    if len(sums) <= MOST_EXACT:
        signs = 1.0 - 2.0 * (np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums)) & 1)
        return float((np.abs(signs @ sums) >= abs(sums.sum()) - 1e-9).mean())
    signs = rng.choice([-1.0, 1.0], (FLIPS, len(sums)))
    as_far = (np.abs(signs @ sums) >= abs(sums.sum()) - 1e-9).sum()
    return float((as_far + 1) / (FLIPS + 1))


def holm(p: Sequence[float]) -> list[float]:
    """Correct p-values for their number: the k-th smallest times (n - k + 1), never falling.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    order = np.argsort(p, kind="stable")
    scaled = np.asarray(p, float)[order] * np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return [float(value) for value in corrected]


def kappa(a: Sequence[bool], b: Sequence[bool]) -> float:
    """Return how far two judges agree beyond chance: (p_o - p_e) / (1 - p_e); 1 if both never vary.

    Source: Cohen 1960, "A coefficient of agreement for nominal scales". Raises: ConfigError.
    """
    if len(a) != len(b) or not len(a):
        raise ConfigError(f"{len(a)} verdicts against {len(b)}: give as many of each, at least one")
    x, y = np.asarray(a, bool), np.asarray(b, bool)
    seen = float((x == y).mean())
    chance = float(x.mean() * y.mean() + (1 - x.mean()) * (1 - y.mean()))
    return (seen - chance) / (1.0 - chance) if chance < 1.0 else 1.0


def agreement(pairs: Iterable[tuple[bool, bool | None]]) -> tuple[float, float]:
    """Return in what share of verdicts two judges agree, and their kappa; NaN where the second gives none.

    Where nearly all pass, a high share comes with a low kappa: both are told.
    """
    judged = [(bool(a), bool(b)) for a, b in pairs if b is not None]
    if not judged:
        return float("nan"), float("nan")
    return float(np.mean([a == b for a, b in judged])), kappa(*map(list, zip(*judged, strict=True)))


def _sums(values: Array, cluster: Array) -> Array:
    """Return the sum of values in each cluster."""
    _, index = np.unique(cluster, return_inverse=True)
    return np.bincount(index, weights=values)
