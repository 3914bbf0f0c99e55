"""Tokenizer and text encoder."""

import json

import pytest
import torch

from reelworld.core.errors import ConfigError, PromptError
from reelworld.models.text import (
    NULL,
    PAD,
    PUNCTUATION,
    SPECIALS,
    UNKNOWN,
    TextConfig,
    TextEncoder,
    TextFeatures,
    Tokenizer,
)

WORDS = ["a", "red", "ball", "bounces", "Well-lit meadow"]


@pytest.fixture
def tokenizer():
    return Tokenizer.from_words(WORDS, size=64)


def test_words_and_punctuation_become_ids(tokenizer):
    ids = tokenizer.encode(["A RED ball, bounces."])
    assert ids.shape == (1, 32)
    assert ids.dtype == torch.long
    assert tokenizer.decode(ids[0]) == "a red ball , bounces ."
    assert (ids[0, 6:] == PAD).all()
    assert tokenizer.decode(tokenizer.encode(["well-lit"])[0]) == "well - lit"


def test_ids_follow_the_order_of_words_so_a_vocabulary_can_grow(tokenizer):
    grown = Tokenizer.from_words([*WORDS, "violet"], size=64)
    sentence = ["a red ball bounces ."]
    assert torch.equal(grown.encode(sentence), tokenizer.encode(sentence))
    assert UNKNOWN in tokenizer.encode(["violet"])
    assert UNKNOWN not in grown.encode(["violet"])


def test_spare_words_fill_what_rows_are_left() -> None:
    size = len(SPECIALS) + len(PUNCTUATION) + len(Tokenizer.from_words(WORDS, size=64).words) + 2
    grown = Tokenizer.from_words(WORDS, size, [WORDS[0], "Violet", "teal", "puce"])
    assert grown.words == (*Tokenizer.from_words(WORDS, size=64).words, "violet", "teal")
    assert Tokenizer.from_words(WORDS, size - 2, ["violet"]).words == grown.words[:-2]


def test_no_caption_is_the_null_token(tokenizer):
    assert tokenizer.encode(["", "a ball"])[0].tolist() == [NULL] + [PAD] * 31


def test_length_grows_in_steps_of_32_and_long_texts_are_cut_or_refused(tokenizer):
    assert tokenizer.encode(["a " * 33]).shape == (1, 64)
    assert tokenizer.encode(["a " * 99], max_length=40).ne(PAD).sum() == 40
    assert tokenizer.length("a red ball.") == 4
    with pytest.raises(PromptError, match="99 words"):
        tokenizer.encode(["a " * 99], max_length=40, truncate=False)


def test_unknown_words_come_with_their_nearest(tokenizer):
    assert tokenizer.unknown_words("A rad bal bounces, a rad zebra!") == [
        ("rad", ["red"]),
        ("bal", ["ball"]),
        ("zebra", []),
    ]
    assert tokenizer.unknown_words("a red ball.") == []


def test_tokenizer_survives_json(tokenizer):
    again = Tokenizer.from_json(json.loads(json.dumps(tokenizer.to_json())))
    text = ["a red, well-lit ball; a zebra"]
    assert torch.equal(again.encode(text), tokenizer.encode(text))
    assert again.to_json() == tokenizer.to_json()


def test_too_many_words_are_refused():
    with pytest.raises(ConfigError, match="raise `size`"):
        Tokenizer.from_words(WORDS, size=10)


@pytest.fixture
def encoder():
    return TextEncoder(TextConfig(vocabulary_size=64, dim=48, depth=2, num_heads=3, max_length=64))


def test_padding_does_not_change_features(encoder):
    ids = torch.tensor([[3, 7, 9, 20, 5]])
    features, seen = encoder(ids)
    padded, padded_seen = encoder(torch.nn.functional.pad(ids, (0, 27)))
    torch.testing.assert_close(padded[:, :5], features)
    assert seen.all()
    assert padded_seen.sum() == 5


def test_word_order_matters(encoder):
    there, back = encoder(torch.tensor([[5, 6, 7]]))[0], encoder(torch.tensor([[7, 6, 5]]))[0]
    assert not torch.allclose(there[:, 1], back[:, 1], atol=1e-3)


def features(batch: int, length: int, generator: torch.Generator) -> TextFeatures:
    keys, values = torch.randn(2, batch, length, 2, 3, 16, generator=generator)
    return TextFeatures(keys, values, torch.ones(batch, length, dtype=torch.bool))


def test_features_join_select_and_repeat(generator):
    one, two = features(1, 3, generator), features(2, 5, generator)
    joined = TextFeatures.cat([one, two])
    assert len(joined) == 3
    assert joined.mask.sum(dim=1).tolist() == [3, 5, 5]
    assert torch.equal(joined.keys[0, :3], one.keys[0])
    assert torch.equal(joined[-1].values, two.values[1:])
    assert len(joined[1:]) == 2
    assert torch.equal(one.expand(4)[[3]].keys, one.keys)


def test_words_that_training_never_saw_are_unknown(tokenizer):
    again = Tokenizer.from_json(tokenizer.to_json())
    again.learn(again.encode(["a red ball."]))
    assert [word for word, _ in again.unknown_words("a red cube, a red ball.")] == ["cube"]
    assert set(again.known_words()) == {"a", "red", "ball"}
    assert Tokenizer.from_json(again.to_json()).known_words() == again.known_words()


def test_of_many_unknown_words_the_first_are_explained(tokenizer):
    words = [f"redd{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(60)]
    told = tokenizer.unknown_words(" ".join(words))
    assert [word for word, _ in told] == tokenizer.strange_words(" ".join(words)) == words
    assert [bool(near) for _, near in told] == [True] * 16 + [False] * 44
