"""The weights that come with the package, and which of them reads a text best.

weights_file("small")                              # a packaged model's name, or a file of your own
reads_best("a dog runs in the snow")               # "small": nano has never seen a dog
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from reelworld.core.checkpoint import read_card
from reelworld.core.storage import file_hash
from reelworld.generate.cards import longest_caption
from reelworld.models.released import packaged_file
from reelworld.models.text import Tokenizer

PACKAGED = ("nano", "small")  # by what a video costs


class Reader(NamedTuple):
    """What a model reads: its words, and the length of the longest caption that it learnt from."""

    tokenizer: Tokenizer
    longest: int | None

    @classmethod
    def of(cls, card: Mapping[str, Any]) -> Reader:
        """Tell from the card of weights."""
        return cls(Tokenizer.from_json(card["tokenizer"]), longest_caption(card))

    def misses(self, text: str) -> int:
        """Count what of a text is lost on the model: words never learnt, and what is beyond all captions."""
        beyond = 0 if self.longest is None else self.tokenizer.length(text) - self.longest
        return len(self.tokenizer.strange_words(text)) + max(0, beyond)


def weights_file(asked: str | Path | None = None) -> Path:
    """Return the file of a packaged model, by default the first, or a path as it is.

    Raises: CheckpointError where this copy of ReelWorld has no such weights.
    """
    name = PACKAGED[0] if asked is None else str(asked)
    return packaged_file(name) if name in PACKAGED else Path(name)


def reads_best(*texts: str) -> str:
    """Return the packaged model that misses least of texts; of equals the one whose videos cost least."""
    return best_reader(texts, {name: packaged_reader(name) for name in PACKAGED})


def best_reader(texts: Iterable[str], readers: Mapping[str, Reader]) -> str:
    """Return the name of the reader that misses least of texts; of equals the first."""
    given = list(texts)
    return min(readers, key=lambda name: sum(readers[name].misses(text) for text in given))


def packaged_with(weights_hash: object) -> str:
    """Return the packaged model whose weights have a hash; the first where none has."""
    return next((name for name in PACKAGED if file_hash(weights_file(name)) == weights_hash), PACKAGED[0])


@cache
def packaged_reader(name: str) -> Reader:
    """Read what a packaged model reads; the tensors stay where they are. Raises: CheckpointError."""
    return Reader.of(read_card(weights_file(name)))
