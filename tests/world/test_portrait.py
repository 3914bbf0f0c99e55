"""Portraits: a character alone, with the looks that it has in the film; names that tell nothing of them."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from reelworld.core.errors import ConfigError
from reelworld.world import words
from reelworld.world.scene import Motion
from reelworld.world.stream import WorldConfig, WorldStream, plan

CAST = WorldConfig(level=1, width=32, height=32, num_frames=4, seed=3, references=2, caption_mix=(0, 0, 1))


def test_a_portrait_shows_one_of_the_cast_as_it_looks() -> None:
    for clip in plan(CAST, range(40)):
        assert len(clip.portraits) <= len(clip.told.cast)
        for name, shown in clip.portraits.items():
            (alone,) = shown.scene.cast
            looks = [(t.kind, t.color, t.size, t.material) for t in clip.told.cast]
            assert (alone.kind, alone.color, alone.size, alone.material) in looks
            assert (alone.motion.action, shown.scene.shots[0].camera.move) == ("stand", "still")
            assert name.lower() in clip.caption.lower()


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_caption_does_not_say_how_a_character_looks(level: int) -> None:
    """Where all the cast have names, no word for a thing or colour of a primitive is left."""
    config = WorldConfig(level=level, width=32, height=32, seed=5, references=3)
    nouns = {noun for kind in ("ball", "cube", "cylinder", "cone", "dog") for noun in words.NOUNS[kind]}
    seen = 0
    for clip in plan(config, range(60)):
        if len(clip.portraits) == len(clip.told.cast):
            seen += 1
            said = set(re.findall(r"\w+", clip.caption.lower()))
            assert not said & nouns, clip.caption
            assert {name.lower() for name in clip.portraits} <= said | {"alpha", "beta", "gamma"}
    assert seen >= 10


def test_who_has_a_name_varies_and_who_has_a_double_has_none() -> None:
    clips = [clip for clip in plan(CAST, range(150)) if len(clip.told.cast) == 2]
    assert {len(clip.portraits) for clip in clips} == {0, 1, 2}
    looks = [[replace(t, position=(0, 0, 0), motion=Motion(), heading=0) for t in c.told.cast] for c in clips]
    assert [len(c.portraits) == 0 for c in clips] == [one == other for one, other in looks]
    named = [clip for clip in clips if clip.portraits]
    first = [c.portraits["Alpha"].scene.cast[0].kind == c.told.cast[0].kind for c in named]
    assert 0.2 < np.mean(first) < 0.95


def test_a_stream_renders_portraits_beside_the_same_films() -> None:
    with_names, without = WorldStream(CAST, 6), WorldStream(WorldConfig(**{**vars(CAST), "references": 0}), 6)
    one, other = next(with_names), next(without)
    assert torch.equal(one.pixels, other.pixels)
    assert other.references is None
    assert one.references is not None
    pixels, seen = one.references
    assert pixels.shape == (6, 2, 32, 32, 3)
    assert seen[:, 0].all()
    assert not pixels[~seen].any()
    assert (pixels[seen].float().flatten(1).std(1) > 1).all()
    captions = [c.lower() for c in one.captions]
    assert [name.lower() in c for c in captions for name in words.CHARACTERS[:2]] == seen.flatten().tolist()


def test_characters_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="give 0 to 3"):
        WorldConfig(references=4)
    with pytest.raises(ConfigError, match="raw captions"):
        WorldConfig(references=1, caption_mix=(0.1, 0.0, 0.9))
