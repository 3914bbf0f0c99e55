"""What happens to a video between a clean render and a viewer: other light, blur, codec blocks, noise.

    dirty = Degrader(DegradeConfig(), seed=0, device)(video)       # float [B, T, H, W, 3] in [-1, 1]

Each clip draws its own strengths, which stay the same for all its frames; some clips stay clean.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from reelworld.core import runtime
from reelworld.recipes import DegradeConfig

BLOCK = 8


class Degrader:
    """Degrades clips at random, from its own generator."""

    def __init__(self, config: DegradeConfig, seed: int, device: torch.device) -> None:
        self.config, self.device = config, device
        self.generator = runtime.generator(seed, device)

    def __call__(self, video: Tensor) -> Tensor:
        """Degrade float [B, T, H, W, 3] in [-1, 1]."""
        config, count = self.config, len(video)
        x = relight(video, self._around(count, 3, config.light), self._around(count, 1, config.light))
        x = blur(x, self._upto(count, config.blur))
        x = quantise(x, self._upto(count, config.blocks))
        grain = torch.randn(x.shape, generator=self.generator, device=self.device)
        x = x + self._upto(count, config.noise).view(-1, 1, 1, 1, 1) * grain
        clean = self.uniform(count) < config.clean
        return torch.where(clean.view(-1, 1, 1, 1, 1), video, x.clamp(-1, 1))

    def plain(self, count: int) -> Tensor:
        """Draw pictures of one colour each, most of them nearly grey: [count, 1, 1, 1, 3] in [-1, 1]."""
        grey = 2.0 * self.uniform(count, 1) - 1.0
        tint = 0.6 * self.uniform(count, 1) ** 2 * (2.0 * self.uniform(count, 3) - 1.0)
        return (grey + tint).clamp(-1, 1).view(-1, 1, 1, 1, 3)

    def uniform(self, *shape: int) -> Tensor:
        """Draw numbers from 0 to 1."""
        return torch.rand(*shape, generator=self.generator, device=self.device)

    def _upto(self, count: int, most: float) -> Tensor:
        """Draw strengths [count] from 0 to `most`, half of them 0."""
        drawn = 2.0 * self.uniform(count) - 1.0
        return most * drawn.clamp(min=0.0)

    def _around(self, count: int, channels: int, most: float) -> Tensor:
        """Draw factors [count, channels] around 1: a common one, and a third of it for each channel."""
        common = 2.0 * self.uniform(count, 1) - 1.0
        own = 2.0 * self.uniform(count, channels) - 1.0
        return 1.0 + most * (common + own / 3.0)


def relight(video: Tensor, gain: Tensor, contrast: Tensor) -> Tensor:
    """Multiply colours by gain [B, 3] and distances from middle grey by contrast [B, 1]."""
    lit = (video + 1.0) * gain.view(-1, 1, 1, 1, 3) - 1.0
    return (lit * contrast.view(-1, 1, 1, 1, 1)).clamp(-1, 1)


def blur(video: Tensor, sigma: Tensor) -> Tensor:
    """Blur each frame by a Gaussian, exp(-x^2 / (2 sigma^2)), of its clip's sigma [B] in pixels."""
    reach = max(1, math.ceil(3.0 * float(sigma.max())))
    offsets = torch.arange(-reach, reach + 1, device=video.device)
    weights = torch.exp(-0.5 * (offsets / sigma.clamp(min=1e-2)[:, None]) ** 2)
    weights = weights / weights.sum(1, keepdim=True)
    batch, num_frames, height, width, channels = video.shape
    x = video.permute(1, 4, 0, 2, 3).reshape(num_frames * channels, batch, height, width)
    for kernel, pad in (
        (weights[:, None, :, None], (0, 0, reach, reach)),
        (weights[:, None, None], (reach, reach, 0, 0)),
    ):
        x = F.conv2d(F.pad(x, pad, mode="replicate"), kernel, groups=batch)
    return x.view(num_frames, channels, batch, height, width).permute(2, 0, 3, 4, 1)


def quantise(video: Tensor, step: Tensor) -> Tensor:
    """Round the cosines of 8 x 8 blocks to multiples of each clip's step [B], finer for low frequencies.

    X = D x D^T with D_kn = s_k cos(pi (2 n + 1) k / 16). Source: ITU-T T.81 (JPEG), A.3.3. Other sizes are
    filled up by their borders, as codecs do; a step of 0 changes nothing.
    """
    height, width = video.shape[2:4]
    if height % BLOCK or width % BLOCK:
        whole = quantise(_filled(video, -height % BLOCK, -width % BLOCK), step)
        return whole[:, :, :height, :width]
    basis = _cosines(video.device)
    frequency = torch.arange(BLOCK, device=video.device)
    grid = (1.0 + frequency[:, None] + frequency) / BLOCK  # from 1/8 to 15/8: coarser for fine detail
    steps = step.view(-1, 1, 1, 1, 1, 1, 1).clamp(min=1e-6) * grid[:, None, :, None]
    blocks = video.unflatten(2, (-1, BLOCK)).unflatten(4, (-1, BLOCK))  # [B, T, h, 8, w, 8, C]
    spectrum = torch.einsum("btinjmc,kn,lm->btikjlc", blocks, basis, basis)
    rounded = (spectrum / steps).round() * steps
    back = torch.einsum("btikjlc,kn,lm->btinjmc", rounded, basis, basis)
    return back.flatten(4, 5).flatten(2, 3)


def _filled(video: Tensor, below: int, beside: int) -> Tensor:
    """Repeat the last rows and columns of a video [B, T, H, W, C]."""
    x = video.flatten(0, 1).permute(0, 3, 1, 2)
    return F.pad(x, (0, beside, 0, below), mode="replicate").permute(0, 2, 3, 1).unflatten(0, video.shape[:2])


def _cosines(device: torch.device) -> Tensor:
    """Return the orthonormal cosine basis [8, 8]: a row for each frequency."""
    n = torch.arange(BLOCK, device=device)
    basis = torch.cos(math.pi * (2 * n + 1) * n[:, None] / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    basis[0] /= math.sqrt(2)
    return basis
