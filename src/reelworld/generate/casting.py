"""Characters: who is meant by the names in a prompt, as pictures that the model sees beside its video.

    pipeline("Bo rolls to the left in a meadow", characters={"Bo": Video.load("bo.png")})

A model that was trained on portraits (`world/portrait.py`) knows them by the names Alpha, Beta and Gamma,
each with a place of its own; here the names of a prompt are put in those places.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch

from reelworld.core.errors import ConfigError, PromptError
from reelworld.core.types import References, Video, VideoShape
from reelworld.core.video import fit
from reelworld.generate.request import check_prompt, to_pixels
from reelworld.models.text import Tokenizer
from reelworld.world.words import CHARACTERS

WORD = re.compile(r"[^\W\d_][\w-]*")  # as a name may be


@dataclass(frozen=True)
class Cast:
    """A prompt as the model reads it, and the pictures [1, R, H, W, 3] of those whom it names."""

    prompt: str
    references: References | None


def cast(prompt: str, characters: Mapping[str, Video], shape: VideoShape, tokenizer: Tokenizer) -> Cast:
    """Put characters in the places that the model knows, in the order in which the prompt mentions them.

    A picture is the first frame, resized and cropped.

    Raises: PromptError where the prompt does not name one of them; ConfigError for a name that is no word,
    more characters than there are places, or weights that were trained without.
    """
    check_prompt(prompt)
    if not characters:
        return Cast(prompt, None)
    if not isinstance(characters, Mapping) or not all(isinstance(v, Video) for v in characters.values()):
        raise ConfigError("characters are a picture (Video) for each name, as {'Bo': Video.load('bo.png')}")
    free = places(tokenizer)
    if not free:
        raise ConfigError("these weights were trained without characters; load others, or describe the looks")
    if len(characters) > len(free):
        raise ConfigError(f"{len(characters)} characters are more than the {len(free)} that a shot can have")
    for name in characters:
        check_name(name)
    own = {name.lower(): name for name in characters}
    if len(own) < len(characters):
        raise ConfigError("two characters have the same name in small letters; give each its own")
    order = mentioned(prompt, characters)
    if missing := [name for name in characters if name not in order]:
        raise PromptError(f"the prompt does not mention {missing[0]}; say what they do, or leave them out")
    if taken := [place for place in mentioned(prompt, free) if place.lower() not in own]:
        raise PromptError(f"{taken[0]} is a name that the model itself uses; call them otherwise")
    place_of = {name.lower(): place for name, place in zip(order, free, strict=False)}
    pictures = [fit(characters[name], width=shape.width, height=shape.height).frames[:1] for name in order]
    pixels = torch.cat([to_pixels(picture) for picture in pictures], 1)
    seen = torch.ones(1, pixels.shape[1], dtype=torch.bool)
    text = WORD.sub(lambda found: place_of.get(found[0].lower(), found[0]), prompt)
    return Cast(text, References(pixels, seen))


def places(tokenizer: Tokenizer) -> list[str]:
    """Return the places that a model has for characters; none where it was trained without."""
    known = set(tokenizer.known_words())
    return [name for name in CHARACTERS if name.lower() in known]


def mentioned(prompt: str, names: Iterable[str]) -> list[str]:
    """Return which of the names a prompt mentions, in small or large letters, in the order of the prompt."""
    said = [word.lower() for word in WORD.findall(prompt)]
    return sorted((name for name in names if name.lower() in said), key=lambda name: said.index(name.lower()))


def check_name(name: str) -> None:
    """Raise ConfigError unless a character's name is one word."""
    if not WORD.fullmatch(name) or len(name) > 40:
        raise ConfigError(f"{name!r} is no name of a character; give one word of letters, as Bo")
