"""Windows: noise that they share, and work that goes on where it was interrupted."""

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.generate.test_edit import FAST, PROMPT, film

from reelworld.core.errors import ConfigError, ShapeError
from reelworld.generate import edit
from reelworld.generate.windows import Windows, context, forget_oldest, shown_before


@pytest.mark.parametrize("before", [False, True])
def test_frames_that_windows_share_have_the_same_noise(pipeline, before, monkeypatch):
    """Each frame of a long video has one noise, whichever window makes it."""
    drawn = []
    real = Windows.complete

    def complete(self, frames, known, seed, noise=None, soft=0):
        drawn.append((len(set(known)), noise))
        return real(self, frames, known, seed, noise, soft)

    monkeypatch.setattr(Windows, "complete", complete)
    edit.extend(pipeline, film(8), PROMPT, seconds=1.125, before=before, **FAST)
    assert [known for known, _ in drawn] == [5, 5, 5]  # a border within a tubelet, of four frames
    for (_, one), (_, next_one) in pairwise(drawn):
        kept, seen = (one[:, :5], next_one[:, 3:]) if before else (one[:, 3:], next_one[:, :5])
        torch.testing.assert_close(kept, seen, rtol=0, atol=0)
    assert len({float(noise[0, n, 0, 0, 0]) for _, noise in drawn for n in range(8)}) == 14


@pytest.mark.parametrize(("length", "shown"), [(1, 1), (4, 4), (5, 5), (8, 5), (40, 5)])
def test_a_border_lies_within_a_tubelet(pipeline, length, shown):
    """Tubelets of the tiny weights have four frames, their windows eight."""
    assert context(pipeline, length) == shown


@pytest.mark.parametrize(
    ("left", "right", "gap", "before"),
    [
        (9, 9, 4, 2),  # 2 and 2: both borders within tubelets
        (9, 9, 2, 3),  # 3 and 3
        (9, 9, 3, 2),  # 2 and 3
        (9, 9, 1, 2),  # 2 and 5: behind 3 or 4 frames a gap of one lies beside a border
        (1, 9, 4, 1),
        (9, 1, 4, 3),  # all that can be seen, before no border between tubelets
        (4, 1, 2, 4),  # no frame is left out for that
        (1, 1, 4, 1),
    ],
)
def test_a_gap_is_seen_from_both_sides(pipeline, left, right, gap, before):
    assert shown_before(pipeline, left, right, gap) == before


def test_a_seed_that_cannot_be_is_told_before_a_prompt_is_told_in_full(pipeline):
    with pytest.raises(ConfigError, match="seed is -1"):
        pipeline.expand(PROMPT, seed=-1)


def test_noise_must_fit(pipeline):
    noise = torch.zeros(1, 8, 16, 16, 3)
    (video,) = pipeline(PROMPT, noise=noise, seed=1, **FAST)
    np.testing.assert_array_equal(video.frames, pipeline(PROMPT, noise=noise, seed=2, **FAST)[0].frames)
    with pytest.raises(ShapeError, match="the noise is"):
        pipeline(PROMPT, noise=noise[:, :4], **FAST)
    with pytest.raises(ConfigError, match="one video"):
        pipeline(PROMPT, noise=noise, num_videos=2, **FAST)


@pytest.mark.parametrize("before", [False, True])
def test_what_is_interrupted_goes_on_where_it_was(pipeline, tmp_path, before):
    asked = {"seconds": 1.5, "before": before, "kept": tmp_path, **FAST}
    whole = edit.extend(pipeline, film(8), PROMPT, **{**asked, "kept": None})
    steps = []

    def stop(step, *_):
        steps.append(step)
        if steps.count(0) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        edit.extend(pipeline, film(8), PROMPT, **asked, callback=stop)
    assert len(list(tmp_path.iterdir())) == 2
    steps.clear()
    again_ = edit.extend(pipeline, film(8), PROMPT, **asked, callback=lambda step, *_: steps.append(step))
    assert steps.count(0) == 2
    np.testing.assert_array_equal(again_.frames, whole.frames)
    assert again_.metadata == whole.metadata
    for change in ({"seed": 1}, {"guidance_scale": 1.5}, {"negative_prompt": "a box"}):
        steps.clear()
        edit.extend(
            pipeline, film(8), PROMPT, **{**asked, **change}, callback=lambda step, *_: steps.append(step)
        )
        assert steps.count(0) == 4


def test_the_windows_used_last_are_kept(tmp_path: Path) -> None:
    """And nothing that is not a window is ever forgotten."""
    names = [f"{digit * 24}.npy" for digit in "0123"]
    for age, name in enumerate(names):
        (tmp_path / name).write_bytes(b"x" * 100)
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    for name in ("other.txt", "mine.npy"):
        (tmp_path / name).write_bytes(b"x" * 1000)
    forget_oldest(tmp_path, 250)
    assert {path.name for path in tmp_path.iterdir()} == {*names[:2], "other.txt", "mine.npy"}
    forget_oldest(tmp_path, 0)
    assert {path.name for path in tmp_path.iterdir()} == {"other.txt", "mine.npy"}
    forget_oldest(tmp_path / "none", 0)
