"""Breakages: each is noticed by its check at full severity, and changes nothing but what it says."""

import numpy as np
import pytest

from reelworld.evaluate.checks import judge
from reelworld.evaluate.controls import BREAKAGES, SEVERITIES, Breakage
from reelworld.world.stream import Clip, WorldConfig, film, plan

CONFIG = WorldConfig(level=1, split="train", seed=31)


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return plan(CONFIG, range(120))


def passing(parser, clips: list[Clip], breakage: Breakage) -> Clip:
    """Return the first clip to which a breakage applies and whose render passes its check."""
    for clip in clips:
        if breakage.applies(clip):
            tracks = parser.tracks(film([clip], CONFIG)[0].numpy())
            if judge(clip.told, tracks)[breakage.check]:
                return clip
    raise AssertionError("no clip to break")


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_breakage_is_noticed(parser, clips, name):
    breakage = BREAKAGES[name]
    clip = passing(parser, clips, breakage)
    broken = breakage.film(clip, CONFIG, severity=SEVERITIES[-1])
    assert judge(clip.told, parser.tracks(broken))[breakage.check] is False


def test_a_breakage_leaves_the_frames_before_it_alone(clips):
    clip = clips[0]
    true, broken = film([clip], CONFIG)[0].numpy(), BREAKAGES["drop"].film(clip, CONFIG, severity=2)
    assert np.array_equal(broken[:8], true[:8])
    assert not np.array_equal(broken[8:], true[8:])


@pytest.mark.parametrize("name", BREAKAGES)
def test_severities_are_different_videos(clips, name):
    clip = next(c for c in clips if BREAKAGES[name].applies(c))
    films = [BREAKAGES[name].film(clip, CONFIG, severity=s) for s in SEVERITIES]
    assert not np.array_equal(films[0], films[1])
    assert not np.array_equal(films[1], films[2])
