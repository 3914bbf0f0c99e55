"""The small parts of the transformers: RMSNorm, rotary positions, SwiGLU, timestep embedding, modulation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reelworld.core.errors import ConfigError


def check_size(dim: int, depth: int, num_heads: int, mlp_ratio: float, *, multiple: int) -> None:
    """Raise ConfigError for a transformer that cannot be built."""
    if min(dim, depth, num_heads) < 1 or not mlp_ratio > 0:
        raise ConfigError(
            f"dim {dim}, depth {depth} and num_heads {num_heads} must be at least 1, "
            f"mlp_ratio {mlp_ratio} above 0"
        )
    if dim % num_heads or dim // num_heads % multiple:
        raise ConfigError(
            f"dim {dim} over num_heads {num_heads} must be a multiple of {multiple} for each; change either"
        )


def _normalise(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return y = x r, in float32 at least, and r = 1 / sqrt(mean(x^2) + eps)."""
    wide = x if x.dtype == torch.float64 else x.float()
    norm = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    rate = torch.addcmul(norm.new_full((), 1e-6), norm, norm, value=1 / x.shape[-1]).rsqrt()
    return wide * rate, rate


class _RMSNorm(torch.autograd.Function):
    """y = x r, and its gradient r (g - y mean(g y))."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y, rate = _normalise(x)
        ctx.save_for_backward(y, rate)
        return y.type_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        y, rate = ctx.saved_tensors
        wide = gradient.type_as(y)
        along = (wide * y).mean(-1, keepdim=True)
        return (torch.addcmul(wide, y, along, value=-1) * rate).type_as(gradient)


def rms_norm(x: Tensor, weight: Tensor | None = None) -> Tensor:
    """Scale the last axis to unit root mean square: x / sqrt(mean(x^2) + eps) * weight.

    Source: arXiv:1910.07467 Eq. 4. Compilers fuse F.rms_norm and GPUs have a kernel for it; otherwise it and
    its gradient take three times as long as what is written here, and seven times for heads of 64.
    """
    if torch.compiler.is_compiling() or x.is_cuda:
        return F.rms_norm(x, x.shape[-1:], weight, eps=1e-6)
    scaled: Tensor = _RMSNorm.apply(x) if torch.is_grad_enabled() else _normalise(x)[0].type_as(x)
    return scaled if weight is None else scaled * weight


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Normalise, then let the condition shift and scale: rms_norm(x) * scale + shift."""
    return torch.addcmul(shift, rms_norm(x), scale)


def narrowed(x: Tensor) -> Tensor:
    """Round to the type that products are computed in, early: what is cut and copied is half as long."""
    return x.to(torch.get_autocast_dtype(x.device.type)) if torch.is_autocast_enabled(x.device.type) else x


def swiglu_width(dim: int, ratio: float) -> int:
    """Return the hidden width of SwiGLU: dim * ratio rounded to a multiple of 32."""
    return max(32, round(dim * ratio / 32) * 32)


class SwiGLU(nn.Module):
    """Gated feed-forward: W_out (silu(W_gate x) * W_up x), gate and up in one product.

    Source: arXiv:2002.05202 Eq. 6.
    """

    def __init__(self, dim: int, ratio: float) -> None:
        super().__init__()
        hidden = swiglu_width(dim, ratio)
        self.gate_up = nn.Linear(dim, 2 * hidden, bias=False)
        self.out = nn.Linear(hidden, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Transform tokens [..., dim]."""
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.out(F.silu(gate) * up)


def rotary_split(head_dim: int) -> tuple[int, int, int]:
    """Share the rotated pairs of a head between time (a quarter), height and width (three eighths each)."""
    if head_dim % 16:
        raise ConfigError(f"head dimension {head_dim} must be a multiple of 16; change dim or num_heads")
    return (head_dim // 8, head_dim * 3 // 16, head_dim * 3 // 16)


def rotary_angles(positions: Tensor, split: Sequence[int], theta: float) -> tuple[Tensor, Tensor]:
    """Return the rotation of each position [..., N, axes]: cosines and signed sines [..., N, 1, 2 pairs].

    Axis a with n pairs turns its i-th pair by position_a * theta^(-i / n); theta is about its slowest period.
    Source: arXiv:2104.09864 Eq. 15, one block of pairs per axis.
    """
    angles = [
        positions[..., axis, None] * theta ** (-torch.arange(pairs, device=positions.device) / pairs)
        for axis, pairs in enumerate(split)
    ]
    table = torch.cat(angles, dim=-1).unsqueeze(-2)
    cos, sin = table.cos(), table.sin()
    return torch.cat([cos, cos], dim=-1), torch.cat([-sin, sin], dim=-1)


def swap(x: Tensor) -> Tensor:
    """Swap the halves of the last axis. The compiler's loops for `roll` took a twelfth of a training step."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat([second, first], dim=-1)


def rotate(x: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate the pairs (i, i + half) of heads [B, N, ..., head_dim] by their positions' angles.

    (a, b) -> (a cos - b sin, b cos + a sin), for all pairs at once: x cos + swap(x) (-sin, sin).
    """
    cos, sin = rotary
    return torch.addcmul(x * cos, swap(x), sin)


def scaled(rotary: tuple[Tensor, Tensor], scales: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rotation of what is first scaled: tables [..., N, kinds, 1, head_dim] of [kinds, head_dim].

    rotate(s x) = x (s cos) + swap(x) (swap(s) (-sin, sin)).
    """
    cos, sin = (table.unsqueeze(-2) for table in rotary)
    return cos * scales[:, None], sin * swap(scales)[:, None]


def sinusoidal(timestep: Tensor, dim: int) -> Tensor:
    """Embed timesteps [B] as cosines and sines [B, dim] of 1000 t at dim/2 frequencies from 1 down to 1e-4.

    Source: arXiv:1706.03762 section 3.5; scale of arXiv:2006.11239.
    """
    half = dim // 2
    frequencies = torch.exp(-math.log(1e4) * torch.arange(half, device=timestep.device) / half)
    angles = 1000.0 * timestep.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class Condition(nn.Module):
    """Timestep and kind (video or image) -> an embedding and the modulation that all blocks share.

    The modulation is (shift, scale, gate) twice, as (0, 1, 1) plus what is learned.
    Source: arXiv:2310.00426 section 2.3 (adaLN-single).
    """

    rest: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.hidden = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)
        self.kind = nn.Parameter(torch.zeros(2, dim))
        self.modulation = nn.Linear(dim, 6 * dim)
        self.register_buffer("rest", torch.tensor([0.0, 1.0, 1.0] * 2)[:, None], persistent=False)

    def forward(self, timestep: Tensor, is_image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embedding [B, 1, dim] and modulation [B, 6, dim] of timesteps [B], kinds [B]."""
        embedding = self.out(F.silu(self.hidden(sinusoidal(timestep, self.dim)))) + self.kind[is_image]
        modulation = self.modulation(F.silu(embedding))
        return embedding.unsqueeze(1), modulation.unflatten(-1, (6, self.dim)) + self.rest
