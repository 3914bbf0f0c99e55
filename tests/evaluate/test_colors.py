"""Lab against published values; the colour table on pixels whose class is known."""

import numpy as np
import pytest

from reelworld.evaluate.colors import NOTHING, ColorTable, to_lab


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (100.0, 0.0, 0.0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0.0, 0.0)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
    ],
)
def test_lab_has_the_published_values(rgb, lab):
    np.testing.assert_allclose(to_lab(np.array(rgb, dtype=np.uint8)), lab, atol=0.06)


def test_a_table_knows_what_it_was_fitted_on_and_nothing_else():
    rng = np.random.default_rng(0)
    middles = np.array([[120, 120, 120], [200, 30, 30], [230, 120, 20]])
    classes = np.repeat([NOTHING, 1, 2], 4000)
    pixels = np.clip(middles[classes] + rng.normal(0, 6, (12000, 3)), 0, 255).astype(np.uint8)
    table = ColorTable.fit(pixels[::2], classes[::2])
    assert (table.classify(pixels[1::2]) == classes[1::2]).mean() > 0.99
    never_seen = np.array([[20, 220, 240], [255, 0, 255]], dtype=np.uint8)
    assert (table.classify(never_seen) == NOTHING).all()


def test_where_a_colour_is_both_the_likelier_class_wins():
    pixels = np.full((1000, 3), 90, dtype=np.uint8)
    few = np.r_[np.full(990, NOTHING), np.full(10, 3)]
    assert ColorTable.fit(pixels, few).classify(pixels[0]) == NOTHING  # equally dense: the prior decides
