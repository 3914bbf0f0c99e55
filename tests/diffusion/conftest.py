"""Mixtures of Gaussians: the data whose best possible model is known in closed form."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor


@dataclass(frozen=True)
class GaussianMixture:
    """Round Gaussians with means [K, D], standard deviations [K] and weights [K], all in float64."""

    means: Tensor
    stds: Tensor
    weights: Tensor

    def posterior_mean(self, noisy: Tensor, timestep: Tensor) -> Tensor:
        """E[clean | noisy, t]: what a perfect model predicts.

        Component k of the noisy marginal is N((1 - t) mean, (1 - t)^2 std^2 + t^2); given k, clean and noisy
        are jointly Gaussian, and the components are weighted by how likely each made `noisy` (Bayes).
        """
        alpha = 1 - timestep
        variance = (alpha * self.stds) ** 2 + timestep**2
        offset = noisy[:, None, :] - alpha * self.means
        size = offset.square().sum(2)
        log_weights = self.weights.log() - size / (2 * variance) - noisy.shape[1] / 2 * variance.log()
        each = self.means + (alpha * self.stds**2 / variance)[:, None] * offset
        return (log_weights.softmax(1)[:, :, None] * each).sum(1)

    def mean(self) -> Tensor:
        return self.weights @ self.means

    def covariance(self) -> Tensor:
        centred = self.means - self.mean()
        between = (self.weights[:, None] * centred).T @ centred
        return between + (self.weights * self.stds**2).sum() * torch.eye(self.means.shape[1]).double()

    def sample(self, num: int, generator: torch.Generator) -> Tensor:
        kind = torch.multinomial(self.weights, num, replacement=True, generator=generator)
        noise = torch.randn(num, self.means.shape[1], generator=generator, dtype=torch.float64)
        return self.means[kind] + self.stds[kind, None] * noise


def _mixture(means: list[list[float]], stds: list[float], weights: list[float]) -> GaussianMixture:
    return GaussianMixture(*(torch.tensor(values, dtype=torch.float64) for values in (means, stds, weights)))


MIXTURES = {
    "1d": _mixture([[-0.7], [0.5]], [0.2, 0.35], [0.3, 0.7]),
    "3d": _mixture(
        [[0.8, 0.3, 0.0], [-0.5, 0.6, -0.4], [0.1, -0.9, 0.7]], [0.25, 0.3, 0.35], [0.5, 0.3, 0.2]
    ),
}


@pytest.fixture(params=list(MIXTURES))
def mixture(request: pytest.FixtureRequest) -> GaussianMixture:
    """Return a mixture in one and in three dimensions."""
    return MIXTURES[request.param]


@pytest.fixture
def line() -> GaussianMixture:
    """Return the mixture in one dimension."""
    return MIXTURES["1d"]


@pytest.fixture
def rng() -> torch.Generator:
    """Return a generator with a fixed seed."""
    return torch.Generator().manual_seed(0)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Compute these tiny tensors on one thread."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(num_threads)
