"""Accounts of what a result was made of: small however long they go back, true, and found again."""

import json

import numpy as np
import pytest
from tests.generate.test_edit import FAST, PROMPT, film

from reelworld.core.errors import ConfigError
from reelworld.core.types import Video
from reelworld.generate import edit
from reelworld.generate.again import again
from reelworld.generate.lineage import find


def with_cuts(count, cuts, **made):
    video = film(count)
    return Video(video.frames, video.fps, {**video.metadata, "cuts": cuts, **made})


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ({"operation": "animate"}, "film 0"),
        ({"operation": "storyboard"}, ""),
        ({"operation": "animate", "characters": {"Bo": {}}}, ""),
        ({"operation": "animate", "characters": None}, "film 0"),
    ],
)
def test_only_a_prompt_that_can_be_read_alone_speaks_for_its_video(pipeline, made, told):
    """Not those of all cards at once, nor one that calls somebody whose picture is not given."""
    looped = edit.loop(pipeline, with_cuts(8, [], **made), length=0.5, **FAST)
    assert looped.metadata["prompt"] == told


def test_an_account_never_outgrows_its_room(pipeline):
    """A blend of a video with itself, over and over: each names two parents, which name two each."""
    video, sizes = film(8), []
    for seed in range(14):
        video = edit.blend(pipeline, video, video, PROMPT, seed=seed, **FAST)
        sizes.append(len(json.dumps(video.metadata)))
    assert max(np.diff(sizes)) < 2 * sizes[0]
    depth, told = 0, video.metadata
    while told.get("parents"):
        depth, told = depth + 1, told["parents"][0]
    assert depth == 14
    long = Video(video.frames, 8.0, {"prompt": "x" * 90_000, "parents": []})
    for seed in range(4):
        long = edit.remix(pipeline, long, PROMPT, seed=seed, negative_prompt="y" * 1000, **FAST)
        long.metadata["note"] = str(seed) * 90_000
    assert len(json.dumps(long.metadata)) < 400_000


@pytest.mark.parametrize(
    ("operation", "arguments", "cuts"),
    [
        (edit.extend, {"seconds": 1.0}, [6, 12]),
        (edit.extend, {"seconds": 1.0, "before": True}, [14, 20]),
        (edit.loop, {"length": 0.5}, [6, 12]),
        (edit.fill, {"start": 0.5, "end": 1.0}, [12]),
        (edit.remix, {"strength": 0.5}, [6, 12]),
        (edit.recut, {"keep": [(0.5, 1.0), (1.25, 2.0)], "gap": 0.0}, [2, 4, 6]),
        (edit.recut, {"keep": [(0.5, 1.0), (1.25, 2.0)], "gap": 0.25}, [2, 8]),
    ],
)
def test_cuts_stay_where_the_shots_change(pipeline, operation, arguments, cuts):
    """Else what enlarges shots one by one would mix frames of two."""
    made = operation(pipeline, with_cuts(16, [6, 12]), PROMPT, **arguments, **FAST)
    assert made.metadata["cuts"] == cuts
    whole = operation(pipeline, film(16), PROMPT, **arguments, **FAST)
    assert whole.metadata.get("cuts", []) == ([4] if arguments.get("gap") == 0.0 else [])


def test_a_blend_cuts_where_the_video_does_that_is_seen(pipeline):
    """Of the first video early on, of the second one later, which begins its last sixteen frames late."""
    one, other = with_cuts(16, [3, 12]), with_cuts(20, [2, 9, 17])
    made = edit.blend(pipeline, one, other, PROMPT, strength=0.0, **FAST)
    assert made.metadata["cuts"] == [3, 13]


def test_a_file_that_was_loaded_is_named_as_a_parent(pipeline, tmp_path):
    path = film(1).save(tmp_path / "photo.png")
    made = edit.animate(pipeline, Video.load(path), PROMPT, **FAST)
    assert made.metadata["parents"][0]["file"] == "photo.png"
    assert find(made.metadata["parents"][0], [tmp_path]) == path
    film(1, seed=2).save(path)
    with pytest.raises(ConfigError, match="is not the file that it was made of"):
        find(made.metadata["parents"][0], [tmp_path])
    with pytest.raises(ConfigError, match="is not beside it"):
        find(made.metadata["parents"][0], [tmp_path / "elsewhere"])


@pytest.mark.parametrize(
    "odd", [{"shape": None}, {"given": [1]}, {"operation": "extend", "parents": None}, {"characters": [1]}]
)
def test_accounts_of_strangers_are_refused_not_trusted(pipeline, odd):
    with pytest.raises(ConfigError, match="does not write that"):
        again(pipeline, {"prompt": "a", **odd})


@pytest.mark.parametrize("asked", [{"num_frames": 20}, {"num_frames": 8, "width": 32, "fps": 4.0}])
def test_what_was_made_at_once_is_made_again_at_once(pipeline, asked):
    """Though it is longer than a window; of another length it is made as it would be now."""
    (first,) = pipeline(PROMPT, seed=3, **asked, **FAST)
    twin = again(pipeline, first.metadata)
    np.testing.assert_array_equal(twin.frames, first.frames)
    assert twin.metadata == first.metadata
    same = again(pipeline, first.metadata, num_frames=asked["num_frames"])
    np.testing.assert_array_equal(same.frames, first.frames)


def test_an_account_of_what_was_read_and_saved_can_be_made_again(pipeline, tmp_path):
    first = pipeline(PROMPT, seed=3, **FAST)[0]
    part = Video.load(first.save(tmp_path / "a.gif"), num_frames=4)
    np.testing.assert_array_equal(again(pipeline, part.metadata).frames, first.frames)


@pytest.mark.parametrize("named", [{}, {"operation": "generate"}])
def test_one_window_is_made_again_whole(pipeline, tmp_path, named):
    first = pipeline(PROMPT, seed=3, **FAST)[0]
    twin = again(pipeline, {**first.metadata, **named}, kept=tmp_path)
    np.testing.assert_array_equal(twin.frames, first.frames)
    assert not list(tmp_path.iterdir())
