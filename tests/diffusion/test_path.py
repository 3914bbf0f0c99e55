"""The path's identities, its loss, and how timesteps are drawn."""

import math

import pytest
import torch

from reelworld.diffusion import path

B = 5


@pytest.fixture
def pair(rng):
    clean = torch.randn(B, 4, 6, 6, 3, generator=rng)
    return clean, torch.randn(clean.shape, generator=rng)


def test_the_path_starts_clean_and_ends_in_noise(pair):
    clean, noise = pair
    torch.testing.assert_close(path.add_noise(clean, noise, torch.zeros(B)), clean, rtol=0, atol=0)
    torch.testing.assert_close(path.add_noise(clean, noise, torch.tensor(1.0)), noise, rtol=0, atol=0)


def test_every_sample_has_its_own_timestep(pair):
    clean, noise = pair
    timestep = torch.linspace(0, 1, B)
    noisy = path.add_noise(clean, noise, timestep)
    for index, t in enumerate(timestep):
        torch.testing.assert_close(noisy[index], (1 - t) * clean[index] + t * noise[index])


def test_velocity_is_the_derivative_of_the_path(pair):
    clean, noise = (part.double() for part in pair)
    ahead, behind = (path.add_noise(clean, noise, torch.tensor(t)) for t in (0.6001, 0.5999))
    torch.testing.assert_close((ahead - behind) / 2e-4, path.velocity(clean, noise), rtol=0, atol=1e-3)


@pytest.mark.parametrize("t", [0.05, 0.3, 1.0])
def test_the_true_clean_gives_the_true_velocity(pair, t):
    clean, noise = (part.double() for part in pair)
    noisy = path.add_noise(clean, noise, torch.tensor(t))
    torch.testing.assert_close(
        path.clean_to_velocity(noisy, clean, torch.tensor(t)), path.velocity(clean, noise)
    )


@pytest.mark.parametrize("t", [0.0, 0.01, 0.5, 1.0])
def test_clean_and_velocity_are_inverse(pair, t):
    clean, noisy = (part.double() for part in pair)
    velocity = path.clean_to_velocity(noisy, clean, torch.full((B,), t))
    torch.testing.assert_close(path.velocity_to_clean(noisy, velocity, torch.full((B,), t)), clean)


def test_division_by_t_is_held_at_a_twentieth(pair):
    clean, noisy = pair
    for t in (0.0, 0.01, 0.05):
        velocity = path.clean_to_velocity(noisy, clean, torch.tensor(t))
        torch.testing.assert_close(velocity, (noisy - clean) / 0.05)


def test_the_loss_is_the_squared_error_of_velocities(pair, rng):
    clean, noise = pair
    timestep = torch.tensor([0.01, 0.05, 0.2, 0.7, 1.0])
    noisy = path.add_noise(clean, noise, timestep)
    prediction = clean + 0.1 * torch.randn(clean.shape, generator=rng)
    wanted, got = (path.clean_to_velocity(noisy, each, timestep) for each in (clean, prediction))
    expected = (wanted - got).square().mean((1, 2, 3, 4))
    torch.testing.assert_close(path.velocity_loss(prediction, clean, timestep), expected, rtol=1e-4, atol=0)


def test_no_prediction_beats_the_posterior_mean(mixture, rng):
    clean = mixture.sample(20_000, rng)
    timestep = torch.tensor(0.4, dtype=torch.float64)
    noisy = path.add_noise(clean, torch.randn(clean.shape, generator=rng, dtype=torch.float64), timestep)
    best = mixture.posterior_mean(noisy, timestep)
    loss = path.velocity_loss(best, clean, timestep).mean()
    for other in (best + 0.05, best * 0.95, best * 1.05, 0.95 * best + 0.05 * noisy):
        assert path.velocity_loss(other, clean, timestep).mean() > loss


@pytest.mark.parametrize(("mean", "std"), [(0.8, 0.8), (-0.5, 1.2)])
def test_timesteps_are_logit_normal(rng, mean, std):
    num = 20_000
    timestep = path.sample_timesteps(num, rng, mean=mean, std=std).double()
    standard = ((torch.logit(timestep) - mean) / std).sort().values
    normal = 0.5 * (1 + torch.erf(standard / math.sqrt(2)))
    distance = (normal - (torch.arange(num) + 0.5) / num).abs().max()
    assert 0 < timestep.min() < timestep.max() < 1
    assert distance < 1.63 / math.sqrt(num), "Kolmogorov-Smirnov, 1 %"


def test_timesteps_follow_their_generator():
    first, second, other = (path.sample_timesteps(8, torch.Generator().manual_seed(s)) for s in (3, 3, 4))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_shift_keeps_the_ends_and_scales_the_noise_to_signal_ratio():
    timestep = torch.linspace(0, 1, 11, dtype=torch.float64)
    shifted = path.shift(timestep, 3.0)
    assert shifted[0] == 0
    assert shifted[-1] == 1
    inner, inner_shifted = timestep[1:-1], shifted[1:-1]
    torch.testing.assert_close(inner_shifted / (1 - inner_shifted), 3 * inner / (1 - inner))
    torch.testing.assert_close(path.shift(timestep, 1.0), timestep)
    torch.testing.assert_close(path.shift(shifted, 1 / 3), timestep)
