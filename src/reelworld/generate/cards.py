"""What the card of weights says to those who make videos: their shape, and how to speak to them.

native_shape(card), learnt_level(card), longest_caption(card)
told_in_full("a red ball rolls", seed=3, card=card).text
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reelworld.core.config import from_json
from reelworld.core.errors import CheckpointError, ConfigError, ShapeError
from reelworld.core.types import VideoShape
from reelworld.generate import request
from reelworld.world.expand import Expanded, expand

MOST_WORDS = 300  # of a prompt that is told in full, where the captions' length is not known


def native_shape(card: Mapping[str, Any]) -> VideoShape:
    """Return the shape that the weights were trained for. Raises: CheckpointError where none is named."""
    try:
        return from_json(VideoShape, card.get("shape"))
    except (ConfigError, ShapeError) as error:
        raise CheckpointError(f"the weights' card names no usable shape ({error}); save them anew") from error


def learnt_level(card: Mapping[str, Any]) -> int | None:
    """Return the highest level of the world that the weights of a card learnt from; None where of footage."""
    if card.get("data", {}).get("kind") != "world":
        return None
    stages = card.get("recipe", {}).get("stages", [])
    levels = [b.get("level") or stage.get("level") for stage in stages for b in stage.get("buckets", [])]
    return max((level for level in levels if level is not None), default=None)


def longest_caption(card: Mapping[str, Any]) -> int | None:
    """Return how many words and marks the longest caption of a training held; None if not known."""
    stages = card.get("recipe", {}).get("stages", [])
    return max((stage["text_length"] for stage in stages), default=None)


def told_in_full(prompt: str, seed: int, card: Mapping[str, Any]) -> Expanded:
    """Expand a prompt for the weights of a card.

    Captions of footage are of another kind: for weights that learnt from it a prompt stays as it is.

    Raises: PromptError; ConfigError for a seed that cannot be.
    """
    request.check_prompt(prompt)
    request.seeds(seed, 1)
    level, shape = learnt_level(card), native_shape(card)
    if level is None:
        return Expanded(prompt, "the model did not learn from the world")
    aspect, longest = shape.width / shape.height, longest_caption(card)
    if len(re.findall(r"\w+|[^\w\s]", prompt)) > (longest or MOST_WORDS):
        return Expanded(prompt, "it is longer than any caption")
    return expand(prompt, seed=seed, level=level, aspect=aspect, longest=longest)
