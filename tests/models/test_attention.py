"""Attention against the plain formula, with masks and the text's extra keys."""

import pytest
import torch

from reelworld.core.errors import ConfigError
from reelworld.models.attention import SelfAttention, attention, key_bias
from reelworld.models.layers import rms_norm, rotary_angles, rotate


def plain(query, key, value, seen):
    scores = torch.einsum("bnhd,bmhd->bhnm", query, key) / query.shape[-1] ** 0.5
    scores = scores.masked_fill(~seen[:, None, None, :], float("-inf"))
    return torch.einsum("bhnm,bmhd->bnhd", scores.softmax(dim=-1), value).flatten(2)


@pytest.fixture
def seen(generator):
    seen = torch.rand(2, 9, generator=generator) > 0.4
    seen[:, 0] = True
    return seen


def test_attention_is_its_formula(generator, seen):
    query = torch.randn(2, 5, 3, 16, generator=generator)
    key, value = torch.randn(2, 2, 9, 3, 16, generator=generator)
    everything = torch.ones_like(seen)
    torch.testing.assert_close(attention(query, key, value), plain(query, key, value, everything))
    expected = plain(query, key, value, seen)
    torch.testing.assert_close(attention(query, key, value, seen), expected)
    torch.testing.assert_close(attention(query, key, value, key_bias(seen)), expected)


def test_self_attention_is_its_formula_with_extra_keys(generator, seen):
    layer = SelfAttention(32, 2)
    with torch.no_grad():
        layer.query_scale.normal_(generator=generator)
        layer.key_scale.normal_(generator=generator)
    x = torch.randn(2, 6, 32, generator=generator)
    extra = torch.randn(2, 2, 3, 2, 16, generator=generator)
    rotary = rotary_angles(torch.arange(6.0)[:, None], (8,), 100.0)
    query, key, value = (x @ layer.qkv.weight.T).view(2, 6, 3, 2, 16).unbind(2)
    query = rotate(rms_norm(query) * layer.query_scale, rotary)
    key = torch.cat([extra[0], rotate(rms_norm(key) * layer.key_scale, rotary)], dim=1)
    value = torch.cat([extra[1], value], dim=1)
    expected = plain(query, key, value, seen) @ layer.out.weight.T
    torch.testing.assert_close(layer(x, rotary, key_bias(seen), (extra[0], extra[1])), expected)


def test_hidden_keys_cannot_be_felt(generator, seen):
    query = torch.randn(2, 5, 3, 16, generator=generator)
    key, value = torch.randn(2, 2, 9, 3, 16, generator=generator)
    before = attention(query, key, value, seen)
    key[~seen], value[~seen] = 100.0, -100.0
    torch.testing.assert_close(attention(query, key, value, seen), before)


def test_heads_must_divide_the_width():
    with pytest.raises(ConfigError, match="multiple of num_heads"):
        SelfAttention(32, 3)
