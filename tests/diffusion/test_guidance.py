"""Classifier-free guidance: linear, within its interval, one model call for both branches."""

import pytest
import torch

from reelworld.core.errors import ConfigError
from reelworld.diffusion.guidance import guided, match_contrast
from reelworld.diffusion.samplers import multistep, schedule

PULL, DRIFT = 0.5, -0.25  # what the prompt adds to the prediction, and what its absence adds


class Branches:
    """A model with and without a prompt that counts its calls and the samples given to it."""

    def __init__(self):
        self.conditional_calls, self.both_calls, self.samples = 0, 0, 0

    def conditional(self, noisy, t):
        self.conditional_calls += 1
        self.samples += len(noisy)
        return noisy * (1 - t) + PULL

    def both(self, noisy, t):
        self.both_calls += 1
        self.samples += len(noisy)
        with_prompt, without = noisy.chunk(2)
        return torch.cat([with_prompt * (1 - t) + PULL, without * (1 - t) + DRIFT])


@pytest.fixture
def branches():
    return Branches()


@pytest.fixture
def noisy(rng):
    return torch.randn(3, 2, 4, 4, 3, generator=rng)


def at(t):
    return torch.tensor(t)


@pytest.mark.parametrize("scale", [0.0, 0.5, 2.0, 3.0, 7.5, -1.0])
def test_guidance_is_linear_in_its_scale(branches, noisy, scale):
    prediction = guided(branches.conditional, branches.both, scale)(noisy, at(0.5))
    torch.testing.assert_close(prediction, noisy * 0.5 + DRIFT + scale * (PULL - DRIFT))


def test_scale_one_is_the_conditional_model_alone(branches, noisy):
    prediction = guided(branches.conditional, branches.both, 1.0)(noisy, at(0.5))
    assert torch.equal(prediction, noisy * 0.5 + PULL)
    assert (branches.conditional_calls, branches.both_calls) == (1, 0)


def test_both_branches_are_one_call(branches, noisy):
    guided(branches.conditional, branches.both, 3.0)(noisy, at(0.5))
    assert (branches.conditional_calls, branches.both_calls, branches.samples) == (0, 1, 6)


@pytest.mark.parametrize(
    ("t", "inside"), [(0.1, False), (0.25, True), (0.5, True), (0.75, True), (0.9, False)]
)
def test_guidance_acts_inside_its_interval_only(branches, noisy, t, inside):
    prediction = guided(branches.conditional, branches.both, 3.0, interval=(0.25, 0.75))(noisy, at(t))
    assert branches.both_calls == int(inside)
    extra = 2 * (PULL - DRIFT) if inside else 0
    torch.testing.assert_close(prediction, noisy * (1 - t) + PULL + extra)


def test_calls_of_a_whole_sampling_run(branches, noisy):
    multistep(guided(branches.conditional, branches.both, 3.0, interval=(0.2, 0.8)), noisy, schedule(10))
    assert branches.both_calls == 7  # t = 0.8, 0.7 ... 0.2 as float32 rounds them
    assert branches.conditional_calls == 3


def test_guiding_by_velocity_is_the_same(noisy, branches):
    t, scale = 0.4, 3.0
    clean = guided(branches.conditional, branches.both, scale)(noisy, at(t))
    with_prompt, without = ((noisy - (noisy * (1 - t) + shift)) / t for shift in (PULL, DRIFT))
    torch.testing.assert_close((noisy - clean) / t, without + scale * (with_prompt - without))


def test_full_rescale_restores_the_contrast(noisy, rng):
    conditional = torch.randn(noisy.shape, generator=rng)
    too_strong = 3 * conditional + 0.5 * noisy
    restored = match_contrast(too_strong, conditional, 1.0)
    axes = (1, 2, 3, 4)
    torch.testing.assert_close(restored.std(axes), conditional.std(axes))
    halfway = match_contrast(too_strong, conditional, 0.5)
    torch.testing.assert_close(halfway, (too_strong + restored) / 2)
    assert match_contrast(too_strong, conditional, 0.0) is too_strong


def test_rescale_reaches_the_guided_model(branches, noisy):
    def both(noisy, t):
        with_prompt, without = noisy.chunk(2)
        return torch.cat([with_prompt, 0.5 * without])

    plain, rescaled = (guided(branches.conditional, both, 3.0, rescale=r)(noisy, at(0.5)) for r in (0.0, 1.0))
    torch.testing.assert_close(plain, 2 * noisy)
    torch.testing.assert_close(rescaled, noisy)


@pytest.mark.parametrize("options", [{"interval": (0.8, 0.2)}, {"interval": (-0.1, 0.5)}, {"rescale": 1.5}])
def test_impossible_guidance_is_refused(branches, options):
    with pytest.raises(ConfigError, match="interval"):
        guided(branches.conditional, branches.both, 3.0, **options)
