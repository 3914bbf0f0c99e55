"""Cuts that a prompt tells are found where the frames have them, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest

from reelworld.generate.shots import cuts_of
from reelworld.world.stream import WorldConfig, film, plan

CONFIG = WorldConfig(level=3, seed=77, near=0.5, caption_mix=(0.0, 0.0, 1.0))


@pytest.fixture(scope="module")
def clips():
    return [clip for clip in plan(CONFIG, range(64)) if len(clip.scene.shots) > 1][:16]


def test_cuts_in_renders_are_found_at_their_frame(clips):
    found, told = [], 0
    for clip, frames in zip(clips, film(clips, CONFIG).numpy(), strict=True):
        true = {round(shot.start * CONFIG.fps) for shot in clip.scene.shots[1:]}
        cuts = cuts_of(clip.caption, frames, CONFIG.fps)
        assert len(cuts) <= len(true)
        assert cuts == sorted(set(cuts))
        found += [cut in true for cut in cuts]
        told += len(true)
    assert sum(found) >= 0.85 * told


def test_cuts_that_did_not_come_are_not_told_of(clips):
    whole = [replace(clip.scene.shots[0], duration=clip.scene.duration) for clip in clips]
    flat = [replace(c, scene=replace(c.scene, shots=(shot,))) for c, shot in zip(clips, whole, strict=True)]
    found = [
        cuts_of(c.caption, f, CONFIG.fps) for c, f in zip(clips, film(flat, CONFIG).numpy(), strict=True)
    ]
    assert sum(map(len, found)) <= len(clips) // 3


@pytest.mark.parametrize("prompt", ["A ball.", "Shot 1: a ball.", "", "Shot 2"])
def test_a_prompt_of_one_shot_has_no_cuts(prompt):
    frames = np.zeros((8, 8, 8, 3), np.uint8)
    frames[4:] = 255
    assert cuts_of(prompt, frames, 8.0) == []


@pytest.mark.parametrize(
    ("prompt", "count", "cuts"),
    [
        ("Shot 1: a ball. Shot 2 at 0.5 seconds: it rolls.", 8, [4]),
        ("Shot 1: a ball. Shot 2: it rolls.", 8, [4]),
        ("Shot 1: a ball. Shot 2 at 9 seconds: it rolls.", 8, []),
        ("Shot 1: a ball. Shot 2: it rolls.", 1, []),
    ],
)
def test_when_a_cut_comes_may_be_told_or_left_open(prompt, count, cuts):
    frames = np.zeros((8, 8, 8, 3), np.uint8)
    frames[4:] = 255
    assert cuts_of(prompt, frames[:count], 8.0) == cuts
