"""Cheap choices for writing: one block of draws from a generator serves many picks.

dice = Dice(np.random.default_rng(0))
dice.pick(("red", "crimson"))
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


class Dice:
    """A source of cheap choices: one block of draws from the generator serves many picks."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._draws: list[float] = []

    def roll(self) -> float:
        """Draw a number in [0, 1)."""
        if not self._draws:
            self._draws = self._rng.random(64).tolist()
        return self._draws.pop()

    def pick(self, options: Sequence[Item]) -> Item:
        """Draw one of the options."""
        return options[int(self.roll() * len(options))]

    def chance(self, probability: float) -> bool:
        """Draw a yes with this probability."""
        return self.roll() < probability


@cache
def weighted(options: tuple[str, ...]) -> tuple[str, ...]:
    """Repeat the first, plainest option so that it is drawn about half the time."""
    return (options[0],) * (len(options) - 1) + options
