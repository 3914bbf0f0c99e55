"""Possible and impossible clips: who knows the truth prefers it, who looks at single frames cannot tell."""

from functools import cache

import numpy as np
import pytest

from reelworld.core.errors import ConfigError
from reelworld.evaluate.controls import BREAKAGES
from reelworld.evaluate.plausibility import FOURS, PAIRS, journal_of, matched, plausibility, prefers
from reelworld.evaluate.suite import suite, suite_config

CONFIG = suite_config("train", 1)
CASES = suite("train", 1)


@cache
def possible_films(caption: str) -> list[np.ndarray]:
    """Return what may be seen of the scene with this caption."""
    (clip,) = {case.clip.caption: case.clip for case in CASES if case.clip.caption == caption}.values()
    sets = [matched(name, clip, CONFIG)[0] for name in ("drop", "recolour", "grow", "steady fall")]
    return [film.astype(float) for possible in sets for film in possible]


class Oracle:
    """Finds a video as wrong as it is far from the nearest film that is possible for its caption."""

    def __init__(self, sign: float = 1.0) -> None:
        self.sign = sign

    def loss(self, frames, prompt, timestep, *, seed):
        return self.sign * min(float(((frames - film) ** 2).mean()) for film in possible_films(prompt))


class OfSingleFrames:
    """Finds what is bright wrong, in whatever order its frames come."""

    def loss(self, frames, prompt, timestep, *, seed):
        return int(frames.astype(int).sum())


class OfLeaps:
    """Finds wrong what changes from frame to frame, and at once more than little by little."""

    def loss(self, frames, prompt, timestep, *, seed):
        return float((np.diff(frames.astype(float), axis=0) ** 2).sum())


def test_who_knows_the_truth_prefers_it():
    known = ("drop", "grow", "steady fall")
    rows = {row.breakage: row.share.mean for row in plausibility(Oracle(), split="train", each=1)}
    assert [rows[name] for name in known] == [1.0] * 3
    assert rows.keys() >= FOURS.keys() - {"swap legs"}  # which people and dogs have, of level 2


class Stops:
    """Weighs some videos, then is stopped."""

    def __init__(self, after: int) -> None:
        self.left = after

    def loss(self, frames, prompt, timestep, *, seed):
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return float(frames.astype(int).sum())


def test_what_was_weighed_is_not_weighed_again(tmp_path):
    of = {"split": "train", "each": 1, "level": 1}
    stopped = Stops(after=90)  # two sets, of four clips and ten timesteps each, and a part of the third
    with pytest.raises(KeyboardInterrupt):
        list(plausibility(stopped, **of, journal=journal_of(tmp_path, "a model", **of)))
    journal = journal_of(tmp_path, "a model", **of)
    assert len(journal.found) == 2
    rows = list(plausibility(OfSingleFrames(), **of, journal=journal))
    assert rows == list(plausibility(OfSingleFrames(), **of))
    nothing = Stops(after=0)
    assert list(plausibility(nothing, **of, journal=journal_of(tmp_path, "a model", **of))) == rows
    with pytest.raises(ConfigError, match="weights 'a model', not 'another'"):
        journal_of(tmp_path, "another", **of)


def test_who_believes_the_opposite_prefers_what_cannot_be():
    for name in ("drop", "grow", "steady fall"):
        breakage = BREAKAGES[name]
        case = next(c for c in CASES if breakage.check in c.asks and breakage.applies(c.clip))
        assert prefers(Oracle(-1.0), case, *matched(name, case.clip, CONFIG)) == 0.0


def test_a_four_of_things_that_change_at_once_is_known_by_its_leaps_and_not_by_its_frames():
    for name in ("drop", "teleport", "recolour", "resize"):
        for case in [case for case in CASES if BREAKAGES[name].applies(case.clip)][:3]:
            sets = matched(name, case.clip, CONFIG)
            assert prefers(OfSingleFrames(), case, *sets) == 0.5, name
            assert prefers(OfLeaps(), case, *sets) == 1.0, name


def test_sets_are_as_many_clips_of_each_side():
    for name in (*FOURS, "steady fall"):
        possible, impossible = matched(name, CASES[0].clip, CONFIG)
        assert len(possible) == len(impossible) == (2 if name in FOURS else 1)
        assert all(f.shape == (16, 64, 64, 3) for f in (*possible, *impossible))
    assert not FOURS.keys() & PAIRS.keys()


def test_equal_clips_count_one_half():
    frames = matched("drop", CASES[0].clip, CONFIG)[0][0]
    assert prefers(Oracle(), CASES[0], [frames], [frames.copy()]) == 0.5
    assert prefers(Oracle(), CASES[0], [frames], [np.zeros_like(frames)]) == pytest.approx(1.0)
