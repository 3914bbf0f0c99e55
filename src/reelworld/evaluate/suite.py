"""Which prompts a model is scored on: for every check as many as asked for, always the same.

    cases = suite("heldout", each=25)
    for case in cases: print(case.clip.caption, case.asks)

Prompts of one thing and of two are two groups, scored apart. Clips are taken in the order of their number,
and one is kept where a check that it asks for still lacks prompts, so nothing is chosen by hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from reelworld.core.errors import ConfigError
from reelworld.evaluate.checks import CHECKS, asks
from reelworld.world.stream import Clip, WorldConfig, plan

SUITE_SEED = 2024  # no seed of a training or of what a parser is fitted on
GROUPS = {1: "one thing", 2: "two things"}
BLOCK = 128
MOST = 40 * BLOCK  # clips that are looked through; a check that is asked for more rarely stays short

Key = tuple[str, str]  # group, check


@dataclass(frozen=True)
class Case:
    """A prompt: the clip that it describes, its number in the stream, its group, and what it asks for."""

    index: int
    clip: Clip
    group: str
    asks: tuple[str, ...]


def suite_config(split: str) -> WorldConfig:
    """Return the world that the prompts of a split describe: level 1, descriptive captions."""
    return WorldConfig(level=1, split=split, seed=SUITE_SEED, caption_mix=(0.0, 0.0, 1.0))


@cache
def suite(split: str, each: int) -> tuple[Case, ...]:
    """Return the prompts of a split that give each check `each` of a group, where the world has as many.

    Raises: ConfigError for an unknown split or no prompts.
    """
    if each < 1:
        raise ConfigError(f"{each} prompts a check: give at least 1")
    lacking = Counter(dict.fromkeys(_keys(), each))
    kept: list[Case] = []
    for case in _cases(split):
        wanted = [key for check in case.asks if lacking[key := (case.group, check)] > 0]
        if wanted:
            kept.append(case)
            lacking.subtract((case.group, check) for check in case.asks)
        if all(count <= 0 for count in lacking.values()):
            break
    return tuple(kept)


def _keys() -> list[Key]:
    """List what can be asked for at all: two things are needed for left and right."""
    return [(g, c) for n, g in GROUPS.items() for c in CHECKS if c != "left_right" or n > 1]


def _cases(split: str) -> Iterator[Case]:
    """Yield the prompts of a split in the order of their numbers."""
    config = suite_config(split)
    for first in range(0, MOST, BLOCK):
        for index, clip in enumerate(plan(config, range(first, first + BLOCK)), first):
            yield Case(index, clip, GROUPS[len(clip.told.cast)], asks(clip.told))
