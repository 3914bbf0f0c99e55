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


@dataclass(frozen=True)
class Cast:
    """A prompt as the model reads it, and the pictures [1, R, H, W, 3] of those whom it names."""

    prompt: str
    references: References | None


def cast(prompt: str, characters: Mapping[str, Video], shape: VideoShape, tokenizer: Tokenizer) -> Cast:
    """Put characters in the places that the model knows; a picture is the first frame, resized and cropped.

    Raises: PromptError where the prompt does not name one of them; ConfigError for a name that is no word,
    more characters than there are places, or weights that were trained without.
    """
    check_prompt(prompt)
    if not characters:
        return Cast(prompt, None)
    places = [name for name in CHARACTERS if name.lower() in tokenizer.known_words()]
    if not places:
        raise ConfigError("these weights were trained without characters; load others, or describe the looks")
    if len(characters) > len(places):
        raise ConfigError(
            f"{len(characters)} characters are more than the {len(places)} that a shot can have"
        )
    for name in characters:
        check_name(name)
    place_of = {name.lower(): place for name, place in zip(characters, places, strict=False)}
    named = mentioned(prompt, characters)
    if missing := [name for name in characters if name not in named]:
        raise PromptError(f"the prompt does not mention {missing[0]}; say what they do, or leave them out")
    pictures = [
        fit(video, width=shape.width, height=shape.height).frames[:1] for video in characters.values()
    ]
    pixels = torch.cat([to_pixels(picture) for picture in pictures], 1)
    seen = torch.ones(1, pixels.shape[1], dtype=torch.bool)
    return Cast(
        _any_of(characters).sub(lambda found: place_of[found[0].lower()], prompt), References(pixels, seen)
    )


def mentioned(prompt: str, names: Iterable[str]) -> list[str]:
    """Return which of the names a prompt mentions, in small or large letters."""
    names = list(names)
    found = {name.lower() for name in _any_of(names).findall(prompt)} if names else set()
    return [name for name in names if name.lower() in found]


def _any_of(names: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"\b({'|'.join(map(re.escape, names))})\b", re.IGNORECASE)


def check_name(name: str) -> None:
    """Raise ConfigError unless a character's name is one word."""
    if not re.fullmatch(r"[^\W\d_][\w-]{0,39}", name):
        raise ConfigError(f"{name!r} is no name of a character; give one word of letters, as Bo")
