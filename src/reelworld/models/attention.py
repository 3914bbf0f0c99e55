"""The one attention entry point, and the self-attention layer that both transformers use."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reelworld.core.errors import ConfigError
from reelworld.models.layers import rms_norm, rotate, scaled


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attend: softmax(query key^T / sqrt(head_dim) + mask) value, for each batch entry and head.

    query [B, N, heads, head_dim], key and value [B, M, heads, head_dim] -> [B, N, heads * head_dim].
    mask: [B, M] added to the scores of each key (0 = seen, -inf = hidden), or bool (True = seen).
    Source: arXiv:1706.03762 Eq. 1.
    """
    bias = None if mask is None else mask[:, None, None, :]
    heads = F.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attn_mask=bias
    )
    return heads.transpose(1, 2).flatten(2)


def key_bias(seen: Tensor) -> Tensor:
    """Turn a key mask (True = seen) into what is added to the scores: 0 or -inf."""
    return torch.zeros(seen.shape, device=seen.device).masked_fill(~seen, float("-inf"))


class SelfAttention(nn.Module):
    """Self-attention with normalised, rotated queries and keys, and extra keys and values (the text's).

    Source: arXiv:2302.05442 (normalised queries and keys).
    """

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        if dim % num_heads:
            raise ConfigError(f"dim {dim} must be a multiple of num_heads {num_heads}")
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.query_scale = nn.Parameter(torch.ones(dim // num_heads))
        self.key_scale = nn.Parameter(torch.ones(dim // num_heads))
        self.out = nn.Linear(dim, dim, bias=False)

    def forward(
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor],
        mask: Tensor | None = None,
        extra: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Mix tokens [B, N, dim]; extra keys and values [B, L, heads, head_dim] come first in the mask."""
        query_key, value = self.qkv(x).unflatten(-1, (3, self.num_heads, -1)).split([2, 1], dim=2)
        scales = torch.stack([self.query_scale, self.key_scale])
        query_key = rotate(rms_norm(query_key), scaled(rotary, scales)).type_as(value)
        query, key, value = *query_key.unbind(2), value.squeeze(2)
        if extra is not None:
            key = torch.cat([extra[0].type_as(value), key], dim=1)
            value = torch.cat([extra[1].type_as(value), value], dim=1)
        return self.out(attention(query, key, value, mask))
