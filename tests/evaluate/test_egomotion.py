"""The camera's motion from brightness: flows of drawn pictures are found, what moves by itself is not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from reelworld.evaluate.egomotion import LIKELY, flow_basis, follow_camera

DEPTH = np.full((64, 64), 6.0)
DEPTH[32:] = np.linspace(12.0, 3.0, 32)[:, None]  # a floor


def texture(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(64, 64))
    smooth = gaussian_filter(noise, 3.0)
    return 0.5 + 0.2 * smooth / smooth.std()


def moved(picture: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Return the frame before: `picture` seen where each pixel will have flowed to."""
    flow = flow_basis(DEPTH) @ motion
    rows, columns = np.indices(picture.shape)
    return map_coordinates(picture, [rows + flow[..., 1], columns + flow[..., 0]], order=3, mode="nearest")


@pytest.mark.parametrize(
    ("motion", "guess"),
    [
        ([0.015, 0, 0, 0, 0, 0], [0.01, 0, 0, 0, 0, 0]),
        ([0, 0, 0, 0, 0.08, 0], [0, 0, 0, 0, 0.05, 0]),
        ([0, 0, 0, 0, 0, -0.02], [0, 0, 0, 0, 0, -0.01]),
    ],
)
def test_a_motion_is_found_from_a_rough_guess(motion, guess):
    motion, guess = np.array(motion, float), np.array([[0.0] * 6, guess])
    after = texture()
    clip = np.stack([moved(after, motion), after])
    found = follow_camera(clip, np.stack([DEPTH] * 2), np.ones((2, 64, 64), bool), guess)
    assert not found[0].any()
    off, wanted = np.abs(found[1] - motion) / LIKELY, np.abs(motion) / LIKELY
    assert off.max() < 0.25 * wanted.max()


def test_a_camera_that_stands_is_not_moved_by_a_guess_or_a_shadow():
    clip = np.stack([texture()] * 4)
    guess = np.full((4, 6), 0.01)
    everywhere = np.ones(clip.shape, bool)
    depth = np.stack([DEPTH] * 4)
    assert not follow_camera(clip, depth, everywhere, guess).any()
    for t in range(4):
        clip[t, 40:46, 10 + 4 * t : 18 + 4 * t] *= 0.6  # a shadow passes
    assert not follow_camera(clip, depth, everywhere, guess).any()


def test_shots_are_followed_one_by_one():
    pan = np.array([0.015, 0, 0, 0, 0, 0])
    still, after = texture(1), texture(2)
    clip = np.stack([still, still, moved(after, pan), after])
    found = follow_camera(
        clip, np.stack([DEPTH] * 4), np.ones(clip.shape, bool), np.stack([0.8 * pan] * 4), (2,)
    )
    assert not found[:3].any()
    assert found[3, 0] == pytest.approx(0.015, abs=0.003)
