"""What captions say at their words, and that a text encoder can be taught to tell it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reelworld.core import checkpoint
from reelworld.models.released import checkpoint_to_denoiser
from reelworld.models.text import TextConfig, TextEncoder, Tokenizer, encode, split_words
from reelworld.recipes import LossConfig
from reelworld.train.loop import train
from reelworld.train.reading import CLASSES, UNKNOWN, Reading, batch_labels, word_labels
from reelworld.world.caption import tokens, vocabulary
from reelworld.world.stream import WorldConfig, plan

CAPTION = (
    "There is a big red cube sliding slowly to the left. A small ball is spinning. "
    "The cube begins on the right of the ball."
)


def told(caption: str) -> list[tuple[str, dict[str, str]]]:
    words = split_words(caption)
    return [(words[place], dict(said)) for place, said in word_labels(caption)]


def test_words_tell_what_all_sentences_say_of_their_thing() -> None:
    cube = {"kind": "cube", "color": "red", "size": "large", "action": "slide", "direction": "left",
            "side": "right"}  # fmt: skip
    ball = {"kind": "ball", "size": "small", "action": "spin", "side": "left"}
    found = told(CAPTION)
    assert [word for word, _ in found] == ["red", "cube", "ball", "cube", "ball"]
    for word, said in found:
        assert said == (ball if word == "ball" else cube), word


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("A red ball and a blue ball spin.", ["red", "blue"]),  # "ball" could be either
        ("A red ball and a red cube spin.", ["ball", "cube"]),
        ("A red ball and a red ball spin.", []),
        ("xyzzy", []),
        ("a red ball and " * 200, []),
    ],
)
def test_words_that_name_nothing_alone_are_left_out(caption: str, words: list[str]) -> None:
    assert [word for word, _ in told(caption)] == words


def test_words_tell_who_stands_before_whom() -> None:
    found = told("A red cube stands behind a blue ball. The camera stays still.")
    assert [(word, said.get("depth"), said.get("side")) for word, said in found] == [
        ("red", "behind", None), ("cube", "behind", None), ("blue", "front", None), ("ball", "front", None)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "caption",
    [
        "A red ball... then a blue cube.", "A red ball rolls (slowly), then a blue cube falls.",
        "clip_01: a red ball rolls to a blue cube.", "\u2460 A red ball rolls\u2026 A blue cube stays.",
    ],
)  # fmt: skip
def test_labels_sit_on_the_words_that_the_encoder_reads(caption: str) -> None:
    row = encode(Tokenizer.from_words(vocabulary()), [caption], 32)[0]
    read = [Tokenizer.from_words(vocabulary()).decode([row[place]]) for place, _ in word_labels(caption)]
    assert read == ["red", "ball", "blue", "cube"]


def test_captions_of_the_world_are_split_as_the_world_does() -> None:
    for mix in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)):
        for clip in plan(WorldConfig(seed=5, level=3, caption_mix=mix), range(100)):
            assert split_words(clip.caption) == tokens(clip.caption)


def test_labels_are_cut_as_words_are() -> None:
    labels = batch_labels([CAPTION, "xyzzy"], 6)
    assert {name: of.shape for name, of in labels.items()} == dict.fromkeys(CLASSES, (2, 6))
    assert [CLASSES["side"][n] if n != UNKNOWN else "" for n in labels["side"][0]] == [""] * 4 + ["right"] * 2
    assert all((of[1] == UNKNOWN).all() for of in labels.values())


def test_every_scene_of_two_things_says_sides_that_are_true() -> None:
    checked = 0
    for clip in plan(WorldConfig(seed=3, caption_mix=(0.0, 0.0, 1.0)), range(60)):
        left = {thing.kind: thing.position[0] for thing in clip.told.cast}
        if len(left) != 2:
            continue
        for _, said in told(clip.caption):
            if "side" in said and "kind" in said:
                own = left[said["kind"]]  # type: ignore[index]
                assert said["side"] == ("left" if own == min(left.values()) else "right")
                checked += 1
    assert checked > 30


def test_a_text_encoder_learns_to_read_sides() -> None:
    """Chance is one half; it needs "the cube" of one sentence to be the one of another."""
    captions = [c.caption for c in plan(WorldConfig(seed=4, caption_mix=(0.0, 0.0, 1.0)), range(400))]
    tokenizer = Tokenizer.from_words(vocabulary())
    ids, labels = encode(tokenizer, captions, 64), batch_labels(captions, 64)
    generator = torch.Generator().manual_seed(0)
    encoder = TextEncoder(TextConfig(dim=64, depth=2, num_heads=2))
    with torch.no_grad():
        for parameter in encoder.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=parameter.shape[-1] ** -0.5, generator=generator)
    head = Reading(64, generator)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=3e-3)
    encoder.requires_grad_(True)
    for _ in range(150):
        rows = torch.randint(0, 400, (48,), generator=generator)
        optimizer.zero_grad()
        loss = head.loss(encoder(ids[rows])[0], {name: of[rows] for name, of in labels.items()})
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        side = head(encoder(ids)[0])["side"].argmax(-1)
    known = labels["side"] != UNKNOWN
    assert known.sum() > 200
    assert (side[known] == labels["side"][known]).float().mean() > 0.8


def test_the_reader_is_trained_with_the_model_and_not_released(tiny, squares, tmp_path, monkeypatch) -> None:
    """The captions of the squares say nothing of the world; so they say something here."""
    monkeypatch.setattr("reelworld.train.reading.word_labels", lambda caption: ((0, (("color", "red"),)),))
    quiet = {"data": squares, "progress": "silent", "compile": False, "note": lambda line: None}
    recipe = tiny(loss=LossConfig(reading_weight=0.5))
    whole = train(recipe, tmp_path / "whole", **quiet)
    train(recipe, tmp_path / "parts", minutes=0.0, **quiet)
    parts = train(recipe, tmp_path / "parts", resume=True, **quiet)
    tensors, resumed = checkpoint.load(whole)[0], checkpoint.load(parts)[0]
    assert not [name for name in tensors if "reading" in name]
    assert all(torch.equal(tensors[name], resumed[name]) for name in tensors)
    assert checkpoint_to_denoiser(whole).denoiser.config == recipe.model
    state = checkpoint.latest(tmp_path / "whole" / "state")
    assert state is not None
    assert "reading_head.out.weight" in state.tree["model"]
    plain, _ = checkpoint.load(train(tiny(), tmp_path / "plain", **quiet))
    name = "text_encoder.blocks.0.attention.qkv.weight"
    assert not torch.equal(plain[name], tensors[name])


def test_weights_meet_the_teachers_of_their_first_training(tiny, squares, tmp_path) -> None:
    quiet = {"data": squares, "progress": "silent", "compile": False, "note": lambda line: None}
    taught = LossConfig(reading_weight=0.5, label_weight=0.5, label_layer=1)

    def teachers(name: str, seed: int, init: Path | None) -> tuple[Path, list[torch.Tensor]]:
        out = tmp_path / name
        weights = train(tiny(loss=taught, seed=seed), out, init=init, minutes=0.0, **quiet)
        state = checkpoint.latest(out / "state")
        assert state is not None
        return weights, [state.tree["model"][f"{head}.out.weight"] for head in ("reading_head", "label_head")]

    first, met = teachers("first", 3, None)
    second, again = teachers("second", 9, first)
    _, once_more = teachers("third", 4, second)
    _, others = teachers("others", 9, None)
    for one, two, three, other in zip(met, again, once_more, others, strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, three)
        assert not torch.equal(one, other)
