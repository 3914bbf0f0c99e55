"""The trained parser: how pixels become things on drawn fields, and what it makes of renders it never saw."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from reelworld.core.errors import CheckpointError
from reelworld.evaluate.checks import judge
from reelworld.evaluate.perceive import Perceiver, find_shots, members, moves
from reelworld.world.dataset import film_scene
from reelworld.world.stream import Clip, WorldConfig, film, plan

GREY = np.zeros((64, 64), int)  # one colour everywhere


def pointing(masks: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return which pixels show things, and exact offsets to their middles, from masks [H, W]."""
    thing, offset = np.any(masks, axis=0), np.zeros((*masks[0].shape, 2))
    rows, columns = np.indices(masks[0].shape)
    for mask in masks:
        middle = rows[mask].mean(), columns[mask].mean()
        offset[mask] = np.stack([middle[1] - columns[mask], middle[0] - rows[mask]], -1) / len(mask)
    return thing, offset


def block(top: int, left: int, height: int, width: int) -> np.ndarray:
    mask = np.zeros((64, 64), bool)
    mask[top : top + height, left : left + width] = True
    return mask


def test_two_things_that_touch_are_two():
    masks = [block(20, 10, 12, 12), block(20, 22, 12, 12)]
    found = sorted(members(*pointing(masks), GREY), key=lambda mask: np.nonzero(mask)[1].mean())
    assert len(found) == 2
    for mask, wanted in zip(found, masks, strict=True):
        assert np.array_equal(mask, wanted)


def test_a_thing_that_another_cuts_in_two_is_one():
    front = block(10, 30, 40, 4)
    behind = block(20, 20, 10, 24) & ~front
    found = list(members(*pointing([front, behind]), front.astype(int)))  # of two colours
    assert sorted(mask.sum() for mask in found) == sorted([front.sum(), behind.sum()])


def test_specks_and_strays_are_nothing():
    thing, offset = pointing([block(20, 20, 10, 10)])
    thing[2, 2] = True  # a pixel that points at itself
    (mask,) = members(thing, offset, GREY)
    assert mask.sum() == 100
    assert list(members(np.zeros((64, 64), bool), offset, GREY)) == []


@pytest.fixture(scope="module")
def readings(parser):
    config = WorldConfig(level=1, split="train", seed=77)
    clips = plan(config, range(40))
    return [
        (clip, film_scene(clip, config)[1], parser.look(film([clip], config)[0].numpy())) for clip in clips
    ]


def test_renders_are_read_as_they_are(readings):
    right = [
        sorted(track.color for track in seen.tracks) == sorted(t.color for t in clip.scene.cast)
        for clip, _, seen in readings
    ]
    assert np.mean(right) >= 0.95


def test_things_are_where_they_are_and_as_far(readings):
    off, far = [], []
    for clip, rendered, seen in readings:
        if len(clip.scene.cast) == 1 and len(seen.tracks) == 1:
            masks = (rendered.thing == 1).numpy()
            x = [(np.nonzero(m)[1].mean() + 0.5) / 64 - 0.5 if m.any() else np.nan for m in masks]
            off.append(np.nanmedian(np.abs(seen.tracks[0].x - np.array(x))))
            depth = [
                float(d[m].median()) if m.any() else np.nan
                for d, m in zip(rendered.depth, masks, strict=True)
            ]
            far.append(np.nanmedian(np.abs(np.log(seen.tracks[0].depth / np.array(depth)))))
    assert np.median(off) < 0.01
    assert np.median(far) < 0.1


def test_a_cut_is_seen_by_the_network_or_where_edges_are_lost():
    rng = np.random.default_rng(0)
    one, other = (gaussian_filter(rng.random((24, 24)), 1.5) for _ in range(2))
    films = {
        "cut": np.stack([one] * 4 + [other] * 5), "lamp": np.stack([one] * 4 + [0.3 + 0.7 * one] * 5),
        "turn": np.stack([np.roll(one, 5 * t, axis=1) for t in range(9)]),
    }  # fmt: skip
    here = np.zeros((9, 24, 24), bool)
    here[:, 4:10, 4:10] = True
    there = here.copy()
    there[4:] = np.roll(here[4:], 3, axis=2)
    sure, never = 9.0, -9.0
    unsure, told = np.full(9, never), np.array([sure, *[never] * 3, sure, *[never] * 4])
    assert find_shots(films["cut"], unsure, there) == (4,)
    assert find_shots(films["cut"], unsure, here) == (4,)  # another thing in the same place
    assert find_shots(films["lamp"], unsure, here) == ()
    assert find_shots(films["turn"], unsure, there) == ()
    assert find_shots(films["lamp"], told, there) == (4,)
    assert find_shots(films["lamp"], told, here) == ()  # however sure the network is: all is where it was


def texture(shift: int) -> np.ndarray:
    """Return a floor [64, 64] seen `shift` pixels further right."""
    return np.roll(np.random.default_rng(0).uniform(0.3, 0.7, (64, 64)), -shift, axis=1)


def test_a_camera_moves_where_the_ground_does():
    clip = np.stack([texture(0)] * 3 + [texture(5 + t) for t in range(3)])  # stands, and after a cut pans
    everywhere = np.ones(clip.shape, bool)
    assert moves(clip, everywhere, (3,)).tolist() == [False] * 4 + [True] * 2
    assert not moves(np.stack([texture(0)] * 6), everywhere).any()


def test_a_shadow_and_a_thing_that_pass_are_no_camera():
    clip, ground = np.stack([texture(0)] * 5), np.ones((5, 64, 64), bool)
    for t in range(5):
        clip[t, 40:44, 10 + 2 * t : 18 + 2 * t] *= 0.6  # a shadow
        clip[t, 10:30, 5 * t : 5 * t + 20] = 0.9  # a thing
        ground[t, 10:30, 5 * t : 5 * t + 20] = False
    assert not moves(clip, ground).any()


def test_a_camera_that_moves_over_a_pattern_is_followed(parser):
    config = WorldConfig(level=1, split="train", seed=78)
    clips = [c for c in plan(config, range(40)) if asks_camera(c)]
    seen = [judge(clip.told, parser.look(film([clip], config)[0].numpy()))["camera"] for clip in clips]
    assert len(clips) >= 15
    assert np.mean(seen) >= 0.95


def asks_camera(clip: Clip) -> bool:
    return clip.told.shots[0].camera.move != "still" and clip.told.setting.pattern != "plain"


def test_any_size_is_looked_at_in_its_own_shape(parser):
    frames = np.full((4, 90, 160, 3), 128, np.uint8)
    seen = parser.look(frames)
    assert seen.num_frames == 4
    assert seen.camera is not None
    assert seen.camera.shape == (4, 7)


def test_missing_weights_are_told(tmp_path):
    with pytest.raises(CheckpointError, match="missing"):
        Perceiver.load(tmp_path / "none.safetensors")
