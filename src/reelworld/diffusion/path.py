"""The straight path between a clean video and noise; the convention of the whole project lives here.

    timestep t in [0, 1]: 0 = clean, 1 = noise
    noisy    = (1 - t) * clean + t * noise
    velocity = d noisy / dt = noise - clean

Source: rectified flow, arXiv:2209.03003 Eq. 1. The model predicts `clean`; its loss is weighted as if it
predicted `velocity` (arXiv:2511.13720). Everything is a pure function on tensors of any shape [B, ...]; a
timestep is one number, or one number a sample [B].

    noisy = add_noise(clean, noise, t)
    loss = velocity_loss(model(noisy, t), clean, t).mean()
"""

import torch
from jaxtyping import Float
from torch import Tensor

from reelworld.core.types import Timesteps

MIN_T = 0.05
"""Below this timestep the division by t is held back. Source: arXiv:2511.13720."""


def align(timestep: Float[Tensor, "..."], like: Float[Tensor, "B ..."]) -> Tensor:
    """Return the timestep (one number, or [B]) shaped to broadcast over `like` [B, ...]."""
    return timestep.reshape(-1, *[1] * (like.ndim - 1)).to(like)


def add_noise(clean: Tensor, noise: Tensor, timestep: Tensor) -> Tensor:
    """Return (1 - t) * clean + t * noise."""
    t = align(timestep, clean)
    return (1 - t) * clean + t * noise


def velocity(clean: Tensor, noise: Tensor) -> Tensor:
    """Return noise - clean: the speed along the path, the same at every timestep."""
    return noise - clean


def clean_to_velocity(noisy: Tensor, clean: Tensor, timestep: Tensor, min_t: float = MIN_T) -> Tensor:
    """Return the velocity that a clean prediction stands for: (noisy - clean) / max(t, min_t).

    Source: arXiv:2511.13720, where time runs the other way.
    """
    return (noisy - clean) / align(timestep, noisy).clamp_min(min_t)


def velocity_to_clean(noisy: Tensor, velocity: Tensor, timestep: Tensor, min_t: float = MIN_T) -> Tensor:
    """Return noisy - max(t, min_t) * velocity: the inverse of `clean_to_velocity`."""
    return noisy - align(timestep, noisy).clamp_min(min_t) * velocity


def velocity_loss(clean_prediction: Tensor, clean: Tensor, timestep: Tensor, min_t: float = MIN_T) -> Tensor:
    """Return the mean squared velocity error of each sample [B].

    Both velocities are read from the same noisy input, so it cancels and a weight on the clean error is left:

        |v_prediction - v|^2 = |clean_prediction - clean|^2 / max(t, min_t)^2

    No other weight may stand before it that depends on the clean sample: the minimum would no longer be its
    mean (docs/design/0012). Source: arXiv:2511.13720.
    """
    error = ((clean_prediction - clean) / align(timestep, clean).clamp_min(min_t)).square()
    return error.flatten(1).mean(1)


def sample_timesteps(
    num: int, generator: torch.Generator, *, mean: float = 0.8, std: float = 0.8
) -> Timesteps:
    """Draw logit-normal timesteps, sigmoid(mean + std * normal); a positive mean favours noise.

    Source: arXiv:2403.03206 Eq. 19; the values from arXiv:2511.13720 (there -0.8: time runs the other way).
    """
    normal = torch.randn(num, generator=generator, device=generator.device)
    return torch.sigmoid(mean + std * normal)


def shift(timestep: Float[Tensor, "..."], factor: float) -> Float[Tensor, "..."]:
    """Return s t / (1 + (s - 1) t): more time at high noise when s > 1, as larger videos need; 0 and 1 stay.

    Source: arXiv:2403.03206 Eq. 23.
    """
    return factor * timestep / (1 + (factor - 1) * timestep)
