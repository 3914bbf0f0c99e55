"""A teacher of the text encoder: the words that name a thing must tell all that their caption says of it.

    head = Reading(dim=256)
    loss = head.loss(features, batch_labels(captions, length=64))      # features [B, L, dim]

"The cube begins on the left of the ball" bears on the place of what another sentence called "a small red
cube". The loss of the video teaches that late or never (docs/design/0015); large systems take a text encoder
that was taught to read elsewhere (Imagen, arXiv:2205.11487). Here the world's own parser says what each
caption states, so the encoder learns to read while the denoiser learns to paint.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reelworld.models.text import split_words
from reelworld.world.parse import parse
from reelworld.world.scene import COLORS, Action, Direction, Kind, Size
from reelworld.world.words import COLORS as COLOR_WORDS
from reelworld.world.words import NOUNS

MOST_WORDS = 300  # of a caption that is parsed
UNKNOWN = -1  # not said of the thing, or no word that names one
CLASSES: dict[str, tuple[str, ...]] = {
    "side": ("left", "right"), "depth": ("front", "behind"), "kind": get_args(Kind), "color": COLORS,
    "size": get_args(Size), "action": get_args(Action), "direction": get_args(Direction),
}  # fmt: skip
RELATIONS = {  # what each says of the one and of the other
    "left_of": ("side", "left", "right"), "right_of": ("side", "right", "left"),
    "in_front_of": ("depth", "front", "behind"), "behind": ("depth", "behind", "front"),
}  # fmt: skip
_KIND_OF = {noun: kind for kind, nouns in NOUNS.items() for noun in nouns if " " not in noun}
_COLOR_OF = {word: color for color, words in COLOR_WORDS.items() for word in words}


class Reading(nn.Module):
    """A linear layer from a word's features to what is said of the thing that it names."""

    def __init__(self, dim: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, sum(map(len, CLASSES.values())))
        with torch.no_grad():
            self.out.weight.normal_(std=dim**-0.5, generator=generator)
            self.out.bias.zero_()

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Return the logits of each class: [B, L, dim] -> [B, L, options] by name."""
        split = self.out(self.norm(features)).float().split([*map(len, CLASSES.values())], -1)
        return dict(zip(CLASSES, split, strict=True))

    def loss(self, features: Tensor, labels: Mapping[str, Tensor]) -> Tensor:
        """Return the sum of the cross entropies, each the mean over the words that are labelled.

        features [B, L, dim]; labels [B, L] each, as `batch_labels` makes them.
        """
        total = features.new_zeros(())
        for name, logits in self(features).items():
            known = (labels[name] != UNKNOWN).sum().clamp(min=1)
            wrong = F.cross_entropy(
                logits.flatten(0, 1), labels[name].flatten(), ignore_index=UNKNOWN, reduction="sum"
            )
            total = total + wrong / known
        return total


def batch_labels(captions: Sequence[str], length: int) -> dict[str, Tensor]:
    """Return what is said at each word of captions: int64 [B, length] by name, UNKNOWN where nothing is."""
    labels = {name: torch.full((len(captions), length), UNKNOWN) for name in CLASSES}
    for row, caption in enumerate(captions):
        for place, said in word_labels(caption):
            if place < length:
                for name, option in said:
                    labels[name][row, place] = CLASSES[name].index(option)
    return labels


@lru_cache(maxsize=1 << 14)  # a clip comes several times
def word_labels(caption: str) -> tuple[tuple[int, tuple[tuple[str, str], ...]], ...]:
    """Return the places of words that name one thing alone, with what the caption says of that thing.

    Places are those of the tokenizer's words, whose features are taught.
    A noun names a thing where no other is of its kind, a word for a colour where no other has that colour.
    """
    words = split_words(caption)
    said = _said(caption) if len(words) <= MOST_WORDS else []
    kinds, colors = ([facts.get(name) for facts in said] for name in ("kind", "color"))
    found = []
    for place, word in enumerate(words):
        for names, value in ((kinds, _KIND_OF.get(word)), (colors, _COLOR_OF.get(word))):
            if value is not None and names.count(value) == 1:
                found.append((place, tuple(said[names.index(value)].items())))
    return tuple(found)


def _said(caption: str) -> list[dict[str, str]]:
    """Return what a caption says of each thing; of its place, where all that is said of it agrees."""
    parsed = parse(caption)
    facts = [f for f in sorted(parsed.facts, key=str) if len(f.args) == 2 and isinstance(f.args[0], int)]
    said: list[dict[str, str]] = [{} for _ in range(parsed.things)]
    places: list[dict[str, set[str]]] = [{"side": set(), "depth": set()} for _ in said]
    for name, (thing, value) in facts:
        assert isinstance(thing, int)
        if name in RELATIONS and isinstance(value, int):
            axis, one, other = RELATIONS[name]
            places[thing][axis].add(one)
            places[value][axis].add(other)
        elif value in CLASSES.get(name, ()):
            said[thing][name] = str(value)
    for own, found in zip(said, places, strict=True):
        own.update({axis: min(agreed) for axis, agreed in found.items() if len(agreed) == 1})
    return said
