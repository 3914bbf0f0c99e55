"""Samplers against truth: a Gaussian solved by hand, mixtures with a known best model, measured orders."""

import math

import pytest
import torch

from reelworld.core.errors import ConfigError
from reelworld.diffusion.samplers import SAMPLERS, euler, heun, multistep, schedule

NAMES = list(SAMPLERS)
CALLS = {"euler": 6, "heun": 11, "multistep": 6}  # model calls in 6 steps


def noise_for(mixture, num, rng):
    return torch.randn(num, mixture.means.shape[1], generator=rng, dtype=torch.float64)


def order_of_convergence(sampler, model, noise, reference, steps, times=schedule):
    """Return the slope of log error against log number of steps, by least squares."""
    errors = [(sampler(model, noise, times(n)) - reference).norm(dim=1).mean().item() for n in steps]
    x, y = (torch.tensor(values, dtype=torch.float64).log() for values in (steps, errors))
    return -(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()).item()


def test_the_posterior_mean_of_the_fixture_agrees_with_numerical_integration(line):
    grid = torch.linspace(-4, 4, 8001, dtype=torch.float64)
    density = (
        line.weights / line.stds * torch.exp(-(((grid[:, None] - line.means[:, 0]) / line.stds) ** 2) / 2)
    ).sum(1)
    noisy = torch.linspace(-2, 2, 9, dtype=torch.float64)
    for t in (0.1, 0.5, 0.9):
        weight = density * torch.exp(-(((noisy[:, None] - (1 - t) * grid) / t) ** 2) / 2)
        expected = (weight * grid).sum(1) / weight.sum(1)
        got = line.posterior_mean(noisy[:, None], torch.tensor(t, dtype=torch.float64))[:, 0]
        torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_schedule_falls_from_one_to_zero(shift):
    times = schedule(7, shift)
    assert len(times) == 8
    assert times[0] == 1
    assert times[-1] == 0
    assert (times.diff() < 0).all()


def test_shift_spends_more_steps_at_high_noise():
    assert (schedule(10, 3.0)[1:-1] > schedule(10)[1:-1]).all()
    torch.testing.assert_close(schedule(4), torch.linspace(1, 0, 5, dtype=torch.float64))


@pytest.mark.parametrize(("steps", "shift"), [(0, 1.0), (-3, 1.0), (4, 0.0), (4, -1.0), (4, math.nan)])
def test_impossible_schedules_are_refused(steps, shift):
    with pytest.raises(ConfigError, match="num_steps >= 1"):
        schedule(steps, shift)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("num_steps", [1, 2, 5])
def test_a_constant_prediction_is_reached_exactly(name, num_steps, rng):
    noise, target = torch.randn(3, 4, generator=rng), torch.randn(3, 4, generator=rng)
    clean = SAMPLERS[name](lambda noisy, t: target, noise, schedule(num_steps))
    torch.testing.assert_close(clean, target, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_one_step_is_the_prediction_from_pure_noise(name, mixture, rng):
    noise = noise_for(mixture, 10, rng)
    clean = SAMPLERS[name](mixture.posterior_mean, noise, schedule(1))
    torch.testing.assert_close(clean, mixture.posterior_mean(noise, torch.tensor(1.0)))


@pytest.mark.parametrize("name", NAMES)
def test_the_last_step_lands_on_the_last_prediction(name, mixture, rng):
    seen = []
    SAMPLERS[name](
        mixture.posterior_mean, noise_for(mixture, 4, rng), schedule(5), lambda *report: seen.append(report)
    )
    again = SAMPLERS[name](mixture.posterior_mean, seen[0][3], schedule(5))
    torch.testing.assert_close(again, seen[-1][2], rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_one_gaussian_is_solved_as_by_hand(name, rng):
    """Data N(m, s^2): noise z travels along (1 - t) m + sqrt((1 - t)^2 s^2 + t^2) z and ends at m + s z."""
    mean, std = 0.3, 0.4

    def model(noisy, t):
        return mean + (1 - t) * std**2 / (((1 - t) * std) ** 2 + t**2) * (noisy - (1 - t) * mean)

    noise = torch.randn(200, 1, generator=rng, dtype=torch.float64)
    exact = mean + std * noise
    error = (SAMPLERS[name](model, noise, schedule(200)) - exact).abs().mean()
    assert error < (4e-3 if name == "euler" else 2e-4)


@pytest.mark.parametrize(
    ("name", "lowest", "highest"), [("euler", 0.9, 1.1), ("heun", 1.8, 2.2), ("multistep", 1.3, 2.3)]
)
def test_order_of_convergence_from_noise_to_clean(name, lowest, highest, mixture, rng):
    """For multistep see the next test: the ends of the path cost it some order."""
    noise = noise_for(mixture, 150, rng)
    reference = heun(mixture.posterior_mean, noise, schedule(800))
    order = order_of_convergence(
        SAMPLERS[name], mixture.posterior_mean, noise, reference, [10, 20, 40, 80, 160]
    )
    assert lowest < order < highest


def test_multistep_is_of_second_order_where_lambda_is_finite(mixture, rng):
    """At both ends of the path a step is infinitely long in lambda, which costs a logarithm; not inside."""

    def inside(num_steps):
        return torch.linspace(0.9, 0.1, num_steps + 1, dtype=torch.float64)

    noise = noise_for(mixture, 150, rng)
    reference = heun(mixture.posterior_mean, noise, inside(800))
    order = order_of_convergence(
        multistep, mixture.posterior_mean, noise, reference, [20, 40, 80, 160], times=inside
    )
    assert 1.85 < order < 2.15


def test_higher_order_pays_at_twenty_steps(mixture, rng):
    noise = noise_for(mixture, 150, rng)
    reference = heun(mixture.posterior_mean, noise, schedule(800))
    steps = {euler: 20, heun: 10, multistep: 20}  # the same number of model calls
    error = {
        sampler: (sampler(mixture.posterior_mean, noise, schedule(num)) - reference).norm(dim=1).mean()
        for sampler, num in steps.items()
    }
    assert error[multistep] < error[heun] < error[euler]


@pytest.mark.parametrize("name", NAMES)
def test_samples_have_the_moments_of_the_mixture(name, mixture, rng):
    num = 8000
    samples = SAMPLERS[name](mixture.posterior_mean, noise_for(mixture, num, rng), schedule(80))
    covariance = samples.T.cov().reshape(mixture.covariance().shape)
    standard_error = mixture.covariance().diagonal().max().sqrt().item() / math.sqrt(num)
    torch.testing.assert_close(samples.mean(0), mixture.mean(), rtol=0, atol=5 * standard_error + 0.005)
    torch.testing.assert_close(covariance, mixture.covariance(), rtol=0, atol=5 * standard_error + 0.015)


@pytest.mark.parametrize("name", NAMES)
def test_samples_have_the_shares_of_the_mixture(name, line, rng):
    """The distribution as a whole: the empirical distribution function against the true one."""
    num = 8000
    samples = SAMPLERS[name](line.posterior_mean, noise_for(line, num, rng), schedule(80)).sort(0).values
    truth = (
        line.weights * 0.5 * (1 + torch.erf((samples - line.means[:, 0]) / (line.stds * math.sqrt(2))))
    ).sum(1)
    distance = (truth - (torch.arange(num) + 0.5) / num).abs().max()
    assert distance < 1.63 / math.sqrt(num) + 0.01


@pytest.mark.parametrize("name", NAMES)
def test_model_calls_timesteps_and_reports(name, mixture, rng):
    calls, reports = [], []

    def model(noisy, t):
        assert t.ndim == 0
        calls.append(t.item())
        return mixture.posterior_mean(noisy, t)

    noise = noise_for(mixture, 4, rng)
    times = schedule(6)
    SAMPLERS[name](model, noise, times, lambda *report: reports.append(report))
    assert len(calls) == CALLS[name]
    assert set(calls) == set(times[:-1].tolist())
    assert [report[:2] for report in reports] == [(step, 6) for step in range(6)]
    torch.testing.assert_close(reports[0][3], noise)
    torch.testing.assert_close(reports[0][2], mixture.posterior_mean(noise, torch.tensor(1.0)))


@pytest.mark.parametrize("name", NAMES)
def test_samplers_are_pure_and_keep_the_dtype(name, rng):
    noise = torch.randn(2, 3, generator=rng)
    before = noise.clone()
    first, second = (
        SAMPLERS[name](lambda noisy, t: noisy.tanh() * (1 - t), noise, schedule(4)) for _ in range(2)
    )
    assert torch.equal(noise, before)
    assert torch.equal(first, second)
    assert first.dtype == torch.float32


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_does_not_depend_on_its_batch(name, mixture, rng):
    noise = noise_for(mixture, 6, rng)
    together = SAMPLERS[name](mixture.posterior_mean, noise, schedule(8))
    alone = SAMPLERS[name](mixture.posterior_mean, noise[2:3], schedule(8))
    torch.testing.assert_close(together[2:3], alone)
