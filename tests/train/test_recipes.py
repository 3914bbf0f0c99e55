"""Recipes that cannot be trained are refused before anything starts."""

from __future__ import annotations

import pytest

from reelworld import recipes
from reelworld.core.config import from_json, override, to_json
from reelworld.core.errors import ConfigError
from reelworld.recipes import Recipe


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("model.num_heads=0", "num_heads 0"),
        ("model.dim=100", "multiple of 16"),
        ("model.text.num_heads=3", "multiple of 2"),
        ("model.text.max_length=32", "text_length 64 exceeds"),
        ("stages.0.steps=0", "steps is 0"),
        ("stages.0.batch=0", "batch is 0"),
        ("stages.0.level=0", "level is 0"),
        ("stages.0.captions.descriptive=-1", "descriptive is -1"),
        ("data.reuse=0", "reuse is 0"),
        ("data.workers=2", "workers is 2"),
        ("data.split=heldout", "split is 'heldout'"),
        ("data.heldout_clips=0", "heldout_clips is 0"),
        ("data.prefetch=0", "prefetch is 0"),
        ("optim.ema_decay=1.5", "ema_decay is 1.5"),
        ("optim.clip_norm=0", "clip_norm is 0"),
        ("optim.muon_lr=nan", "expected float"),
        ("optim.adamw_lr=-1", "adamw_lr is -1"),
        ("optim.adamw_lr=Infinity", "adamw_lr is inf"),
        ("optim.adamw_eps=-1", "adamw_eps is -1"),
        ("optim.adamw_betas=2,3", "adamw_betas is"),
        ("optim.adamw_betas=0.9,NaN", "adamw_betas is"),
        ("stages.0.buckets.0.weight=NaN", "weight is nan"),
        ("stages.0.buckets.0.weight=Infinity", "weight is inf"),
        ("stages.0.buckets.0.weight=-1", "weight is -1"),
        ("stages.0.buckets.0.level=0", "level is 0"),
        ("stages.0.captions.short=Infinity", "short is inf"),
        ("noise.timestep_mean=NaN", "timestep_mean is nan"),
        ("noise.caption_dropout=2", "caption_dropout is 2"),
        ("noise.timestep_std=0", "timestep_std"),
        ("loss.label_weight=-1", "label_weight is -1"),
        ("report.sample_steps=0", "sample_steps is 0"),
    ],
)
def test_settings_that_cannot_be_are_told(setting: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        override(recipes.get("nano"), [setting])


def test_recipes_go_through_json() -> None:
    for name in recipes.NAMES:
        recipe = recipes.get(name)
        assert from_json(Recipe, to_json(recipe)) == recipe


def test_labels_are_asked_for_where_something_learns_from_them() -> None:
    assert not override(recipes.get("nano"), ["loss.label_weight=0"]).needs_labels
    assert override(recipes.get("nano"), ["loss.label_weight=0.1"]).needs_labels
    assert recipes.get("perception").needs_labels
    assert not recipes.get("upsampler").needs_labels


def test_a_name_nearly_right_is_helped() -> None:
    with pytest.raises(ConfigError, match="did you mean 'nano'"):
        recipes.get("nona")


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (["stages.1.buckets.0.references=9", "data.reuse=1"], "give 0 to 3"),
        (["stages.1.captions.raw=0.2"], "raw captions"),
        (["stages.1.references=1"], "belong to a bucket"),
        (["stages.1.near=0.5"], "belong to a bucket"),
        (["stages.1.buckets.0.near=2"], "from 0 to 1"),
    ],
)
def test_characters_that_clips_cannot_have_are_refused_at_once(settings, why):
    with pytest.raises(ConfigError, match=why):
        override(recipes.get("nano"), settings)
