"""Cuts that a prompt tells are found where the frames have them, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest
from tests.generate.test_edit import FAST
from tests.generate.test_edit import film as photographed

from reelworld.core.errors import PromptError
from reelworld.generate import edit
from reelworld.generate.shots import check_shots, cuts_of, shots_of
from reelworld.generate.windows import Windows
from reelworld.world.stream import WorldConfig, film, plan

SHOTS, LAST = "Shot 1: a red ball Shot 2 at 0.5 seconds: the ball spins", "the ball spins"
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


def test_what_is_said_of_each_shot(clips):
    assert shots_of("At night. Shot 1: a ball. Shot 2 at 1.2 seconds: it rolls.") == [
        "At night. a ball. ",
        "At night. it rolls.",
    ]
    assert shots_of("a ball") == ["a ball"]
    assert shots_of("Shot 1: a ball") == ["Shot 1: a ball"]
    for clip in clips:
        told = shots_of(clip.caption)
        assert len(told) == len(clip.scene.shots)
        assert not any("Shot" in shot for shot in told)


def test_a_shot_that_cannot_come_is_told():
    check_shots("Shot 1: a ball. Shot 2 at 1.9 seconds: it rolls.", 2.0)
    with pytest.raises(PromptError, match="begin at 2 seconds, but what is made at once ends at 2;"):
        check_shots("Shot 1: a ball. Shot 2 at 2 seconds: it rolls.", 2.0)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda pipeline, video, **o: edit.film(pipeline, SHOTS, num_frames=14, **o), [SHOTS, LAST, LAST]),
        (
            lambda pipeline, video, **o: edit.animate(pipeline, video, SHOTS, num_frames=14, **o),
            [SHOTS, LAST, LAST],
        ),
        (
            lambda pipeline, video, **o: edit.extend(pipeline, video, SHOTS, seconds=1.125, **o),
            [LAST] * 3,
        ),
        (
            lambda pipeline, video, **o: edit.extend(pipeline, video, SHOTS, seconds=1.125, before=True, **o),
            ["a red ball "] * 3,
        ),
        (lambda pipeline, video, **o: edit.loop(pipeline, video, SHOTS, length="short", **o), [LAST]),
        (lambda pipeline, video, **o: edit.fill(pipeline, video, SHOTS, start=0.5, end=0.75, **o), [LAST]),
    ],
)
def test_later_windows_do_not_cut_again(pipeline, monkeypatch, make, said):
    heard = []
    real = Windows._window
    monkeypatch.setattr(Windows, "_window", lambda self, **o: heard.append(self.prompt) or real(self, **o))
    made = make(pipeline, photographed(8), **FAST)
    assert heard == said
    assert made.metadata["prompt"] == SHOTS


@pytest.mark.parametrize("count", [8, 16])
def test_a_film_of_a_shot_that_cannot_come_is_refused(pipeline, count):
    late = "Shot 1: a red ball. Shot 2 at 1.5 seconds: it spins."
    with pytest.raises(PromptError, match=r"begin at 1\.5 seconds, but .* ends at 1;"):
        edit.film(pipeline, late, num_frames=count, **FAST)
    with pytest.raises(PromptError, match=r"begin at 1\.5 seconds"):
        pipeline(late, **FAST)
    with pytest.raises(PromptError, match=r"begin at 1\.5 seconds"):
        edit.animate(pipeline, photographed(1), late, num_frames=count, **FAST)
