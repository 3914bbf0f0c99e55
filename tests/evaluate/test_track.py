"""Regions, links and kinds on drawn pictures, and the whole parser on renders whose ids are known."""

from dataclasses import replace

import numpy as np
import pytest

from reelworld.evaluate.events import EFFECTS
from reelworld.evaluate.track import regions, silhouette
from reelworld.evaluate.tracking import Region, _link, follow, region_of
from reelworld.world.dataset import film_scene
from reelworld.world.scene import COLORS
from reelworld.world.stream import WorldConfig, plan

RED, BLUE, WHITE = (1 + COLORS.index(name) for name in ("red", "blue", "white"))


def disc(size: int, x: float, y: float, radius: float) -> np.ndarray:
    row, column = np.mgrid[:size, :size] + 0.5
    return (column - x) ** 2 + (row - y) ** 2 < radius**2


def region(color: int, x: float, y: float) -> Region:
    return Region(color, x, y, y - 0.05, 0.1, 0.1, 0.01, True, True, np.zeros(7), np.ones((4, 4), bool))


def test_a_disc_is_found_where_it_is():
    classes = np.where(disc(64, 48, 16, 8), RED, 0)
    (found,) = regions(classes)
    assert found.color == RED
    assert found.x == pytest.approx(0.25, abs=0.01)  # a quarter of the height right of the middle
    assert found.y == pytest.approx(0.25, abs=0.01)  # and above it
    assert found.width == pytest.approx(0.25, abs=0.02)
    assert found.area == pytest.approx(np.pi * 0.125**2, rel=0.05)
    assert found.whole


def test_what_touches_the_border_is_not_whole_and_specks_are_nothing():
    classes = np.where(disc(64, 2, 32, 8), BLUE, 0)
    classes[50, 50] = RED
    (found,) = regions(classes)
    assert found.color == BLUE
    assert not found.whole


def test_stripes_belong_to_their_thing():
    thing = disc(64, 32, 32, 10)
    stripes = (np.arange(64) // 4 % 2 == 0)[:, None] & thing
    (seen,) = regions(np.where(stripes, WHITE, np.where(thing, RED, 0)))
    assert seen.color == RED
    (gaps,) = regions(np.where(thing & ~stripes, RED, 0))  # white stripes that could not be told from a floor
    assert gaps.color == RED
    assert gaps.height == pytest.approx(20 / 64, abs=0.07)


def test_two_colours_that_touch_are_two_things():
    classes = np.where(disc(64, 26, 32, 8), RED, np.where(disc(64, 40, 32, 8), BLUE, 0))
    assert sorted(found.color for found in regions(classes)) == sorted([RED, BLUE])


def test_a_small_thing_beside_a_large_one_is_seen():
    classes = np.where(disc(64, 24, 32, 10), RED, np.where(disc(64, 40, 36, 5), BLUE, 0))
    assert sorted(found.color for found in regions(classes)) == sorted([RED, BLUE])


def test_a_new_thing_does_not_take_the_place_of_one_that_stays():
    frames = [[region(RED, 0.0, 0.0), region(RED, 0.45, 0.0)]] * 3 + [
        [region(RED, 0.1, 0.0), region(RED, -0.35, 0.0)]
    ]
    assert sorted(len(chain) for chain in _link(frames, set())) == [1, 3, 4]


def test_things_that_cross_keep_their_names():
    frames = [[region(RED, -0.4 + 0.1 * t, 0.0), region(BLUE, 0.4 - 0.1 * t, 0.02)] for t in range(9)]
    chains = _link([frame[:: 1 if t % 2 else -1] for t, frame in enumerate(frames)], set())
    assert len(chains) == 2
    assert all(len({r.color for r in chain.values()}) == 1 and len(chain) == 9 for chain in chains)


def test_a_short_gap_is_bridged_and_a_leap_is_a_new_thing():
    hidden = [[] if t in (3, 4) else [region(RED, 0.03 * t, 0.0)] for t in range(8)]
    assert [sorted(chain) for chain in _link(hidden, set())] == [[0, 1, 2, 5, 6, 7]]
    leaps = [[region(RED, 0.0 if t < 4 else 0.9, 0.0)] for t in range(8)]
    assert [sorted(chain) for chain in _link(leaps, set())] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_a_stripe_that_the_border_leaves_is_no_other_colour():
    frames = [[region(RED, 0.1 * t, 0.0)] for t in range(5)]
    frames += [[replace(region(WHITE, 0.5, 0.0), whole=False)]]
    (track,) = follow(frames, (), lambda chain: ("ball", "small"), np.zeros((6, 4, 4, 3), np.uint8))
    assert track.colors == ("red",) * 6
    frames[2] = [region(WHITE, 0.2, 0.0)]  # seen whole, it is of another colour
    (track,) = follow(frames, (), lambda chain: ("ball", "small"), np.zeros((6, 4, 4, 3), np.uint8))
    assert track.colors == ("red", "red", "white", "red", "red", "red")


def resting(video: np.ndarray):
    """The track of a disc that rests in a video."""
    mask = disc(32, 16, 16, 8)
    frames = [[region_of(mask, RED, np.zeros(7))] for _ in video]
    (track,) = follow(frames, (), lambda chain: ("cookie", "large"), video)
    return track


def bitten(shares) -> np.ndarray:
    """A reddish picture in whose right part something is black, from frame to frame more of it."""
    video = np.full((len(shares), 32, 32, 3), (180, 60, 50), np.uint8)
    for frame, share in zip(video, shares, strict=True):
        frame[:, round(24 - 16 * share) : 24] = (20, 20, 20)
    return video


def test_a_bite_marks_a_part_of_a_thing_and_is_seen_when_it_happens():
    track = resting(bitten([0.0] * 9 + [0.3] * 7))
    assert track.marked[9] == pytest.approx(0.25, abs=0.05)  # the share of a disc right of 0.7 of its width
    assert np.delete(track.marked, [8, 9, 10]) == pytest.approx(0.0)
    assert EFFECTS["bite"](track) == 9


def test_what_heals_creeps_or_only_changes_the_light_is_no_bite():
    assert EFFECTS["bite"](resting(bitten([0.0] * 5 + [0.3] * 6 + [0.0] * 5))) is None
    assert EFFECTS["bite"](resting(bitten([0.02 * t for t in range(16)]))) is None
    lit = (bitten([0.0] * 16) * np.where(np.arange(16) < 8, 1.0, 0.6)[:, None, None, None]).astype(np.uint8)
    assert resting(lit).marked == pytest.approx(0.0)
    assert EFFECTS["bite"](resting(lit)) is None


def test_no_link_crosses_a_cut():
    frames = [[region(RED, 0.0, 0.0)] for _ in range(8)]
    assert [sorted(chain) for chain in _link(frames, {5})] == [[0, 1, 2, 3, 4], [5, 6, 7]]


def test_a_cut_is_seen_where_it_is(classical):
    config = WorldConfig(level=1, split="train", seed=78)
    films = [film_scene(clip, config)[2].frames for clip in plan(config, range(2))]
    seen = classical.look(np.concatenate([films[0][:6], films[1][6:]]))
    assert seen.cuts == (6,)
    assert classical.look(films[0]).cuts == ()


def test_a_silhouette_tells_a_cone_from_a_cylinder():
    row = np.arange(20)[:, None]
    column = np.abs(np.arange(21) - 10)[None]
    cone, cylinder = silhouette(column <= row / 2), silhouette(np.ones((20, 21), bool))
    assert cone[1] < 0.6 < cylinder[1]  # share of the box that is filled
    assert cone[2] < 0.3
    assert cone[-1] > 0.8
    np.testing.assert_allclose(cylinder[2:], 1.0)


def test_renders_are_read_as_they_are(classical):
    """Colours, kinds and places of 24 one-thing clips that the parser was not fitted on."""
    config = WorldConfig(level=1, split="train", seed=77)
    clips = [c for c in plan(config, range(48)) if len(c.scene.cast) == 1 and _distinct(c)][:24]
    right, kinds, off = 0, [], []
    for clip in clips:
        _, rendered, video = film_scene(clip, config)
        tracks = classical.look(video.frames).tracks
        thing = clip.scene.cast[0]
        right += [track.color for track in tracks] == [thing.color]
        for track in tracks[:1]:
            off.append(np.nanmedian(np.hypot(track.x - _middle(rendered, 1), track.y - _middle(rendered, 0))))
            kinds += [track.kind == thing.kind] if thing.size == "large" else []
    assert right >= 18  # a wide stripe can make two things of one
    assert np.median(off) < 0.01
    assert np.max(off) < 0.06
    assert np.mean(kinds) > 0.8


def _distinct(clip) -> bool:
    """White on a bright floor, and white with black stripes, are beyond a parser of colours."""
    return clip.scene.cast[0].color != "white"


def _middle(rendered, axis: int) -> np.ndarray:
    """Return the thing's middle across (axis 1) or up (axis 0) in picture heights, frame by frame."""
    masks = (rendered.thing == 1).numpy()
    middles = [np.nonzero(m)[axis].mean() + 0.5 if m.any() else np.nan for m in masks]
    return (np.array(middles) / 64 - 0.5) * (1 if axis else -1)


def test_nothing_is_seen_in_grey(classical):
    assert classical.look(np.full((16, 64, 64, 3), 128, dtype=np.uint8)).tracks == ()
