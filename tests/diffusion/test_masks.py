"""Masks of known frames: their shapes, their shares, and the final pinning."""

from dataclasses import astuple, fields

import pytest
import torch

from reelworld.core.config import from_json, to_json
from reelworld.core.errors import ConfigError, ShapeError
from reelworld.diffusion.masks import MaskConfig, join, known_frames, pin_known, sample_masks

KINDS = [field.name for field in fields(MaskConfig)]


def only(kind):
    return MaskConfig(**{name: float(name == kind) for name in KINDS})


def frames_of(mask):
    """Return bool [B, T] after checking that each frame is wholly known or wholly unknown."""
    flat = mask.flatten(2)
    assert torch.equal(flat.amin(2), flat.amax(2))
    return flat[:, :, 0].bool()


def test_shape_dtype_and_values(rng):
    mask = sample_masks((5, 8, 6, 4, 3), rng)
    assert mask.shape == (5, 8, 6, 4, 1)
    assert mask.dtype == torch.float32
    assert set(mask.unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("frames", [1, 2, 3, 8, 16])
def test_something_is_always_left_to_make(frames, rng):
    known = frames_of(sample_masks((2000, frames, 1, 1, 3), rng))
    assert (~known).any(1).all()


def test_images_have_no_known_pixel(rng):
    assert sample_masks((100, 1, 2, 2, 3), rng, only("first")).sum() == 0


def test_kinds_come_at_their_shares(rng):
    num = 20_000
    known = frames_of(sample_masks((num, 16, 1, 1, 3), rng))
    first_only = known[:, 0] & (known.sum(1) == 1)
    none = (~known).all(1)
    config = MaskConfig()
    assert none.float().mean().item() == pytest.approx(config.none, abs=0.015)
    # a prefix of one frame, or a span that starts there and is one frame long, is a first frame too
    one_frame = config.first + config.prefix / 15 + config.spans * (0.5 / 15 / 16 + 0.5 / 15 / 2)
    assert first_only.float().mean().item() == pytest.approx(one_frame, abs=0.012)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_what_its_name_says(kind, rng):
    known = frames_of(sample_masks((500, 8, 1, 1, 3), rng, only(kind)))
    lengths = known.sum(1)
    changes = (known[:, 1:] != known[:, :-1]).sum(1)
    if kind == "none":
        assert not known.any()
    elif kind == "first":
        assert torch.equal(known, known_frames(8, [0])[:, :, 0, 0, 0].bool().expand(500, 8))
    elif kind == "first_last":
        assert torch.equal(known, known_frames(8, [0, -1])[:, :, 0, 0, 0].bool().expand(500, 8))
    elif kind in ("prefix", "suffix"):
        end = 0 if kind == "prefix" else -1
        assert known[:, end].all()
        assert (changes == 1).all()
        assert set(lengths.tolist()) == set(range(1, 8))
    else:
        assert (changes <= 2).all()
        assert set(lengths.tolist()) == set(range(1, 8))
        assert known[:, 0].any()
        assert not known[:, 0].all()


def test_masks_follow_their_generator():
    first, second, other = (
        sample_masks((64, 8, 1, 1, 3), torch.Generator().manual_seed(s)) for s in (1, 1, 2)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_default_shares_are_those_of_the_design_and_add_up():
    config = MaskConfig()
    assert (config.none, config.first) == (0.60, 0.15)
    assert sum(astuple(config)) == pytest.approx(1)
    assert from_json(MaskConfig, to_json(config)) == config


@pytest.mark.parametrize("shares", [{"none": 0.7}, {"none": 0.85, "first": -0.10}])
def test_impossible_shares_are_refused(shares):
    with pytest.raises(ConfigError, match="add up to 1"):
        MaskConfig(**shares)


def test_known_frames_counts_from_both_ends():
    mask = known_frames(5, [0, -1, 2])
    assert mask.shape == (1, 5, 1, 1, 1)
    assert mask.flatten().tolist() == [1, 0, 1, 0, 1]
    assert known_frames(3, []).sum() == 0


@pytest.mark.parametrize("index", [5, -6])
def test_frames_outside_the_clip_are_refused(index):
    with pytest.raises(ShapeError, match="clip of 5 frames"):
        known_frames(5, [index])


def test_pinning_gives_back_known_pixels_exactly(rng):
    clean, known = (torch.randn(2, 4, 3, 3, 3, generator=rng) for _ in range(2))
    mask = known_frames(4, [1])
    pinned = pin_known(clean, known, mask)
    assert torch.equal(pinned[:, 1], known[:, 1])
    assert torch.equal(pinned[:, [0, 2, 3]], clean[:, [0, 2, 3]])
    torch.testing.assert_close(pin_known(clean, known, torch.tensor(0.25)), 0.25 * known + 0.75 * clean)


def test_soft_frames_fade_towards_what_is_made():
    mask = known_frames(8, [0, 1, 2, 3, 7], soft=3).flatten()
    assert mask.tolist() == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0, 0.0, 0.25]
    assert known_frames(4, range(4), soft=3).flatten().tolist() == [1.0] * 4  # beside nothing that is made
    assert known_frames(4, [], soft=3).flatten().tolist() == [0.0] * 4


def still(frames: int = 8) -> torch.Tensor:
    """A picture that stands still."""
    picture = torch.rand(1, 1, 4, 4, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    return picture.repeat(1, frames, 1, 1, 1)


def test_what_is_made_in_another_light_is_joined_to_its_sides():
    true = still()
    light = torch.linspace(0.02, 0.05, 8)[None, :, None, None, None]
    joined = join(true + light, true, known_frames(8, [0, 1, 6, 7]))
    torch.testing.assert_close(joined[:, 2:6], true[:, 2:6], atol=3e-3, rtol=0)
    torch.testing.assert_close(joined[:, [0, 1, 6, 7]], (true + light)[:, [0, 1, 6, 7]])  # for `pin_known`


def test_an_offset_fades_to_an_end_that_is_not_known():
    true = still()
    for known, made in (((0, 1), range(2, 8)), ((6, 7), range(5, -1, -1))):
        off = join(true + 0.04, true, known_frames(8, known)) - true
        sizes = [float(off[:, t].mean()) for t in made]
        assert sizes == pytest.approx([0.04 * n / 7 for n in range(1, 7)], abs=1e-3)


def test_where_something_else_is_seen_nothing_is_carried_over():
    true = still()
    clean = true + 0.05
    clean[:, 3:] = -clean[:, 3:] + 1.5
    torch.testing.assert_close(join(clean, true, known_frames(8, [0, 1, 2])), clean, atol=1e-4, rtol=0)


@pytest.mark.parametrize("known", [[], range(8)])
def test_without_a_border_nothing_is_joined(known):
    clean, before = still() + 0.1, still() + 0.1
    assert torch.equal(join(clean, still(), known_frames(8, known)), before)
    assert torch.equal(clean, before)


def test_changes_in_time_stay_as_they_were_made():
    """Between the borders second differences are those of the model: only a straight line was added."""
    generator = torch.Generator().manual_seed(1)
    clean = still() + 0.002 * torch.randn(1, 8, 4, 4, 3, generator=generator)
    joined = join(clean, still(), known_frames(8, [0, 7]))
    bends = [(x[:, 2:] - 2 * x[:, 1:-1] + x[:, :-2])[:, 1:-1] for x in (clean, joined)]
    torch.testing.assert_close(*bends, atol=2e-4, rtol=0)
