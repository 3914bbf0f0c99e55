"""Layers against their formulas."""

import math

import pytest
import torch

from reelworld.core.errors import ConfigError
from reelworld.models.layers import (
    Condition,
    SwiGLU,
    modulate,
    narrowed,
    rms_norm,
    rotary_angles,
    rotary_split,
    rotate,
    sinusoidal,
)
from reelworld.models.patches import PatchConfig, patchify


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6), (torch.bfloat16, 8e-3)]
)
def test_rms_norm_is_that_of_torch(generator, dtype, tolerance):
    x = torch.randn((5, 64), generator=generator).to(dtype)
    wanted = torch.nn.functional.rms_norm(x, (64,), eps=1e-6)
    assert rms_norm(x).dtype == dtype
    torch.testing.assert_close(rms_norm(x), wanted, rtol=tolerance, atol=tolerance)


def test_gradient_of_rms_norm_is_exact(generator):
    x = torch.randn((3, 8), generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(rms_norm, (x,))


def test_rms_norm_gives_unit_root_mean_square(generator):
    x = 5 * torch.randn(3, 7, 32, generator=generator)
    weight = torch.rand(32, generator=generator)
    torch.testing.assert_close(rms_norm(x).square().mean(-1), torch.ones(3, 7))
    torch.testing.assert_close(rms_norm(x, weight), rms_norm(x) * weight)


def test_modulate_shifts_and_scales(generator):
    x = torch.randn(2, 5, 8, generator=generator)
    shift, scale = torch.randn(2, 2, 1, 8, generator=generator)
    torch.testing.assert_close(modulate(x, shift, scale), rms_norm(x) * scale + shift)


def test_swiglu_is_its_formula(generator):
    layer = SwiGLU(16, 2.0)
    x = torch.randn(4, 16, generator=generator)
    gate, up = layer.gate_up.weight.chunk(2)
    expected = ((x @ gate.T) * torch.sigmoid(x @ gate.T) * (x @ up.T)) @ layer.out.weight.T
    torch.testing.assert_close(layer(x), expected)


def test_rotary_scores_depend_on_differences_of_position_only(generator):
    query, key = torch.randn(2, 1, 1, 1, 64, generator=generator)

    def score(at: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        split = rotary_split(64)
        return (
            rotate(query, rotary_angles(at, split, 100.0)) * rotate(key, rotary_angles(other, split, 100.0))
        ).sum()

    at, other = torch.tensor([[1.0, 2.5, -3.0]]), torch.tensor([[4.0, 0.5, 2.0]])
    moved = torch.tensor([[2.0, -7.0, 11.5]])
    torch.testing.assert_close(score(at, other), score(at + moved, other + moved), rtol=1e-4, atol=1e-4)
    for axis in range(3):  # and each axis matters
        nudged = at + torch.eye(3)[axis]
        assert (score(at, other) - score(nudged, other)).abs() > 1e-3


def test_rotation_is_that_of_the_complex_plane(generator):
    heads = torch.randn(1, 3, 2, 8, generator=generator)
    positions = torch.tensor([[0.0], [1.0], [5.0]])
    rotated = rotate(heads, rotary_angles(positions, (4,), 100.0))
    turn = torch.exp(1j * positions * 100.0 ** (-torch.arange(4) / 4))[:, None]
    expected = torch.complex(heads[..., :4], heads[..., 4:]) * turn
    torch.testing.assert_close(rotated, torch.cat([expected.real, expected.imag], dim=-1))


def test_rotary_split_fills_the_head():
    assert rotary_split(64) == (8, 12, 12)
    assert sum(rotary_split(16)) == 8
    with pytest.raises(ConfigError, match="multiple of 16"):
        rotary_split(24)


def test_sinusoidal_is_its_formula():
    embedding = sinusoidal(torch.tensor([0.0, 0.25]), 8)
    frequencies = [math.exp(-math.log(1e4) * i / 4) for i in range(4)]
    torch.testing.assert_close(embedding[0], torch.tensor([1.0] * 4 + [0.0] * 4))
    expected = [math.cos(250 * f) for f in frequencies] + [math.sin(250 * f) for f in frequencies]
    torch.testing.assert_close(embedding[1], torch.tensor(expected), rtol=1e-4, atol=1e-5)


def test_condition_tells_images_from_videos(generator):
    condition = Condition(16)
    with torch.no_grad():
        condition.kind.normal_(generator=generator)
    timestep = torch.tensor([0.3, 0.3])
    embedding, modulation = condition(timestep, torch.tensor([0, 1]))
    assert embedding.shape == (2, 1, 16)
    assert modulation.shape == (2, 6, 16)
    assert not torch.allclose(modulation[0], modulation[1])


def test_condition_that_has_learned_nothing_changes_nothing(generator):
    condition = Condition(16)
    torch.nn.init.zeros_(condition.modulation.weight)
    torch.nn.init.zeros_(condition.modulation.bias)
    _, modulation = condition(torch.tensor([0.3]), torch.tensor([0]))
    for index, neutral in enumerate((0, 1, 1, 0, 1, 1)):  # shift, scale, gate
        torch.testing.assert_close(modulation[0, index], torch.full((16,), float(neutral)))


def test_pixels_rounded_before_they_are_cut_are_those_rounded_after():
    video, config = torch.randn(2, 8, 16, 16, 3, generator=torch.Generator().manual_seed(0)), PatchConfig()
    assert narrowed(video) is video
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(patchify(narrowed(video), config), patchify(video, config).bfloat16())
