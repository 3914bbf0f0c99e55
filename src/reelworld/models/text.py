"""Words -> token ids -> features: a word-level tokenizer and a small bidirectional transformer.

tokenizer = Tokenizer.from_words(["a", "red", "ball"])
tokenizer.encode(["A red ball."])          # LongTensor [1, 32]
tokenizer.unknown_words("a rad ball")      # [("rad", ["red"])]
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import tokenizers
import torch
import torch.nn.functional as F
from tokenizers import models, normalizers, pre_tokenizers
from torch import Tensor, nn

from reelworld.core.errors import ConfigError, PromptError
from reelworld.models.attention import SelfAttention, key_bias
from reelworld.models.layers import SwiGLU, check_size, rms_norm, rotary_angles

PAD, UNKNOWN, NULL = 0, 1, 2
SPECIALS = ("[pad]", "[unk]", "[null]")
PUNCTUATION = tuple(".,;:!?'\"-()")
MOST_EXPLAINED = 16  # unknown words of a text for which others are looked for: that takes time
LENGTH_MULTIPLE = 32  # few distinct lengths, so few compiled shapes


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """The text encoder; vocabulary_size rows are reserved, so that the vocabulary may grow."""

    vocabulary_size: int = 1024
    dim: int = 256
    depth: int = 2
    num_heads: int = 4
    mlp_ratio: float = 2.0
    max_length: int = 160

    def __post_init__(self) -> None:
        check_size(self.dim, self.depth, self.num_heads, self.mlp_ratio, multiple=2)
        if self.vocabulary_size <= len(SPECIALS) + len(PUNCTUATION) or self.max_length < 1:
            raise ConfigError("vocabulary_size must hold the special rows and a word, max_length one word")


class Tokenizer:
    """Lower-cased words and single punctuation marks; an empty text becomes the one token [null].

    `learnt` are the words that training has really seen: a row of the vocabulary alone teaches nothing.
    """

    def __init__(self, words: Sequence[str], size: int = 1024, learnt: Iterable[str] = ()) -> None:
        rows = (*SPECIALS, *PUNCTUATION, *words)
        if len(set(rows)) != len(rows) or len(rows) > size:
            raise ConfigError(
                f"{len(rows)} vocabulary rows must be distinct and fit into {size}; raise `size`"
            )
        self.size = size
        self.words, self.learnt = tuple(words), set(learnt)
        self._model = _word_level({row: index for index, row in enumerate(rows)})

    @classmethod
    def from_words(cls, words: Iterable[str], size: int = 1024, spare: Iterable[str] = ()) -> Tokenizer:
        """Build from any words or phrases, split and lower-cased as prompts are; their order gives the ids.

        `spare` ones get the rows that are left, the first of them first.
        Raises: ConfigError when more than `size` rows are needed.
        """
        needed, more = _rows(words), _rows(spare)
        room = max(0, size - len(SPECIALS) - len(PUNCTUATION) - len(needed))
        return cls([*needed, *[word for word in more if word not in needed][:room]], size)

    def length(self, text: str) -> int:
        """Count the tokens of a text."""
        return len(self._ids(text))

    def encode(self, texts: Sequence[str], max_length: int = 160, truncate: bool = True) -> Tensor:
        """Turn texts into ids [B, L], padded to the next multiple of 32.

        Raises: PromptError when a text is longer than max_length and may not be cut (truncate=False).
        """
        rows = [self._ids(text) for text in texts]
        longest = max(map(len, rows), default=1)
        if longest > max_length and not truncate:
            raise PromptError(
                f"the prompt has {longest} words and marks, the model reads {max_length}; shorten it"
            )
        length = -(-min(longest, max_length) // LENGTH_MULTIPLE) * LENGTH_MULTIPLE
        ids = torch.full((len(rows), length), PAD, dtype=torch.long)
        for row, target in zip(rows, ids, strict=True):
            kept = row[:max_length]
            target[: len(kept)] = torch.tensor(kept)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Join the words of ids, padding left out."""
        return " ".join(str(self._model.id_to_token(int(i))) for i in ids if int(i) != PAD)

    def learn(self, ids: Tensor) -> None:
        """Note that a model was trained on these ids."""
        first = len(SPECIALS) + len(PUNCTUATION)
        self.learnt.update(self.words[i - first] for i in ids.unique().tolist() if i >= first)

    def known_words(self) -> list[str]:
        """Return the words that training has seen (all of them if nothing was trained), in their order."""
        return [word for word in self.words if word in self.learnt] or list(self.words)

    def strange_words(self, text: str) -> list[str]:
        """List each word of a text that was never learnt, once."""
        known = {*self.known_words(), *PUNCTUATION}
        return [word for word in dict.fromkeys(split_words(text)) if word not in known]

    def unknown_words(self, text: str) -> list[tuple[str, list[str]]]:
        """List each word that was never learnt; the first of them with up to three learnt ones like it."""
        known, strange = self.known_words(), self.strange_words(text)
        alike = [difflib.get_close_matches(word, known, n=3) for word in strange[:MOST_EXPLAINED]]
        return [(word, near or []) for word, near in zip_longest(strange, alike)]

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` needs."""
        return {"size": self.size, "words": list(self.words), "learnt": sorted(self.learnt)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Tokenizer:
        """Rebuild the tokenizer that `to_json` described."""
        return cls(data["words"], data["size"], data.get("learnt", ()))

    def _ids(self, text: str) -> list[int]:
        return self._model.encode(text).ids or [NULL]


NORMALIZER = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
PRE_TOKENIZER = pre_tokenizers.BertPreTokenizer()  # splits at spaces and around every punctuation mark


def split_words(text: str) -> list[str]:
    """Split a text into lower-cased words and punctuation marks."""
    return [piece for piece, _ in PRE_TOKENIZER.pre_tokenize_str(NORMALIZER.normalize_str(text))]


def _rows(words: Iterable[str]) -> dict[str, None]:
    """Return the distinct words of texts that need a row of their own, in their order."""
    pieces = dict.fromkeys(piece for word in words for piece in split_words(word))
    return {piece: None for piece in pieces if piece not in PUNCTUATION and piece not in SPECIALS}


def _word_level(rows: dict[str, int]) -> tokenizers.Tokenizer:
    """Build the library's word-level tokenizer over these rows."""
    model = tokenizers.Tokenizer(models.WordLevel(rows, unk_token=SPECIALS[UNKNOWN]))
    model.normalizer = NORMALIZER
    model.pre_tokenizer = PRE_TOKENIZER
    return model


class TextBlock(nn.Module):
    """Pre-norm self-attention and SwiGLU."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.attention_scale = nn.Parameter(torch.ones(config.dim))
        self.attention = SelfAttention(config.dim, config.num_heads)
        self.mlp_scale = nn.Parameter(torch.ones(config.dim))
        self.mlp = SwiGLU(config.dim, config.mlp_ratio)

    def forward(self, x: Tensor, rotary: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        """Transform word features [B, L, dim]."""
        x = x + self.attention(rms_norm(x, self.attention_scale), rotary, mask)
        return x + self.mlp(rms_norm(x, self.mlp_scale))


class TextEncoder(nn.Module):
    """Bidirectional transformer over words; its rotary positions have no last one."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary_size, config.dim)
        self.blocks = nn.ModuleList(TextBlock(config) for _ in range(config.depth))
        self.scale = nn.Parameter(torch.ones(config.dim))

    def forward(self, token_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features [B, L, dim] of ids [B, L], and the mask [B, L] of real words (True)."""
        seen = token_ids != PAD
        pairs = self.config.dim // self.config.num_heads // 2
        positions = torch.arange(token_ids.shape[1], device=token_ids.device)[:, None]
        rotary = rotary_angles(positions, (pairs,), theta=1000.0)
        x = self.embedding(token_ids)
        bias = key_bias(seen)
        for block in self.blocks:
            x = block(x, rotary, bias)
        return rms_norm(x, self.scale), seen


@dataclass(frozen=True)
class TextFeatures:
    """What the denoiser reads: keys and values [B, L, blocks, heads, head_dim], mask [B, L] (True = word).

    They do not depend on the timestep, so they are computed once per prompt and reused by every step.
    """

    keys: Tensor
    values: Tensor
    mask: Tensor

    def __len__(self) -> int:
        return self.mask.shape[0]

    def __getitem__(self, index: Any) -> TextFeatures:
        """Select texts by a slice, a list or a tensor (an integer keeps the batch axis)."""
        index = slice(index, index + 1 or None) if isinstance(index, int) else index
        return TextFeatures(self.keys[index], self.values[index], self.mask[index])

    def expand(self, batch: int) -> TextFeatures:
        """Repeat one text for a batch, without a copy."""
        parts = (self.keys, self.values, self.mask)
        return TextFeatures(*(part.expand(batch, *part.shape[1:]) for part in parts))

    def to(self, device: torch.device | str) -> TextFeatures:
        """Move to a device."""
        return TextFeatures(self.keys.to(device), self.values.to(device), self.mask.to(device))

    @staticmethod
    def cat(items: Sequence[TextFeatures]) -> TextFeatures:
        """Join batches, padding the shorter texts to the longest."""
        length = max(item.mask.shape[1] for item in items)
        padded = [item._padded(length) for item in items]
        keys, values, masks = zip(*((p.keys, p.values, p.mask) for p in padded), strict=True)
        return TextFeatures(torch.cat(keys), torch.cat(values), torch.cat(masks))

    def _padded(self, length: int) -> TextFeatures:
        """Pad to a number of words."""
        missing = length - self.mask.shape[1]
        widths = [0, 0, 0, 0, 0, 0, 0, missing]
        return TextFeatures(
            F.pad(self.keys, widths), F.pad(self.values, widths), F.pad(self.mask, [0, missing])
        )


def encode(tokenizer: Tokenizer, captions: Sequence[str], length: int) -> Tensor:
    """Return token ids [B, length], padded or cut: one length, so that shapes stay the same."""
    token_ids = tokenizer.encode(list(captions), max_length=length)
    return F.pad(token_ids, (0, length - token_ids.size(1)), value=PAD)


def null_ids(token_ids: Tensor) -> Tensor:
    """Return the ids that stand for no caption, in the shape of `token_ids`."""
    empty = torch.full_like(token_ids, PAD)
    empty[:, 0] = NULL
    return empty
