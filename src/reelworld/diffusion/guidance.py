"""Classifier-free guidance: push the prediction away from what the model says without the prompt.

    guided = without + scale * (with - without)

Source: arXiv:2207.12598 Eq. 6, on clean predictions (a velocity is affine in them, so guiding either is the
same). Scale 1 is the plain conditional model; then, or outside the interval, the other branch is not
computed.

    model = guided(conditional, both, scale=3.0, interval=(0.1, 0.9))
    clean = multistep(model, noise, schedule(20))
"""

import torch
from torch import Tensor

from reelworld.core.errors import ConfigError
from reelworld.diffusion.samplers import Model

ROUNDING = 1e-6  # a timestep of 0.8 is 0.800000012 in float32


def guided(
    conditional: Model,
    both: Model,
    scale: float,
    *,
    interval: tuple[float, float] = (0.0, 1.0),
    rescale: float = 0.0,
) -> Model:
    """Return a model that guides with `scale` at timesteps within `interval`, ends included.

    `conditional` predicts with the prompt. `both` is given the noisy batch twice over, [2B, ...], and
    predicts the first half with the prompt and the second half without it (or with the negative prompt):
    one call for both. Guidance harms at the noisiest timesteps and does little at the cleanest; source:
    arXiv:2404.07724.

    Raises: ConfigError for an interval outside 0 <= low <= high <= 1, or a rescale outside [0, 1].
    """
    low, high = interval
    if not 0 <= low <= high <= 1 or not 0 <= rescale <= 1:
        raise ConfigError(
            f"guidance needs an interval 0 <= low <= high <= 1 and a rescale from 0 to 1, "
            f"got {interval} and {rescale}"
        )

    def model(noisy: Tensor, timestep: Tensor) -> Tensor:
        if scale == 1 or not low - ROUNDING <= float(timestep) <= high + ROUNDING:
            return conditional(noisy, timestep)
        with_prompt, without = both(torch.cat([noisy, noisy]), timestep).chunk(2)
        return match_contrast(without + scale * (with_prompt - without), with_prompt, rescale)

    return model


def match_contrast(guided: Tensor, conditional: Tensor, rescale: float) -> Tensor:
    """Bring each sample's standard deviation back to the conditional prediction's, by a share `rescale`.

    Source: arXiv:2305.08891 Eqs. 15 and 16.
    """
    if rescale == 0:
        return guided
    axes = tuple(range(1, guided.ndim))
    ratio = conditional.std(axes, keepdim=True) / guided.std(axes, keepdim=True).clamp_min(1e-8)
    return guided * (rescale * ratio + (1 - rescale))
