"""Prompts told in full: all that the user said, in a scene that the world can film, and nothing twice."""

import pytest

from reelworld.world.caption import parse, vocabulary
from reelworld.world.caption import tokens as words_of
from reelworld.world.expand import Expanded, expand
from reelworld.world.facts import Fact

SHORT = (
    "a red ball rolls", "two cubes", "a blue cube to the left of a green ball", "a dog bites a cookie",
    "a purple cylinder behind a white ball", "a ball hits a cube", "a car enters the frame", "a ship",
    "a yellow cone spins, the camera pans left", "a person turns on a lamp at night", "three red balls",
)  # fmt: skip
ORDERED = "it tells shots or an order of events, as a full prompt does"
FULL = "A large matte red ball rolls to the left. The camera stays still. A meadow by day."


def values(text: str, name: str) -> list[object]:
    """Return what is said under a name, of every thing."""
    return sorted(str(fact.args[-1]) for fact in parse(text).facts if fact.name == name)


@pytest.mark.parametrize("prompt", SHORT)
def test_a_short_prompt_is_told_in_the_words_of_the_captions(prompt: str) -> None:
    told = expand(prompt, seed=3)
    assert told.why == ""
    assert not parse(told.text).unread
    assert set(words_of(told.text)) <= set(vocabulary())
    said = parse(told.text)
    assert {fact.name for fact in said.facts} >= {"camera", "place", "kind", "color", "size", "action"}
    assert said.things >= parse(prompt).things


@pytest.mark.parametrize("prompt", SHORT)
def test_nothing_that_the_user_said_is_lost(prompt: str) -> None:
    told = parse(expand(prompt, seed=5).text)
    for fact in parse(prompt).facts:
        if not any(isinstance(arg, int) for arg in fact.args):
            assert fact in told.facts
        elif len(fact.args) == 2 and isinstance(fact.args[1], str) and fact.args[1] != "move":
            assert any(f.name == fact.name and f.args[-1] == fact.args[1] for f in told.facts)


def test_two_things_keep_their_own_attributes() -> None:
    for seed in range(6):
        told = parse(expand("a blue cube to the left of a green ball", seed=seed).text).facts
        cube = next(f.args[0] for f in told if f.name == "kind" and f.args[1] == "cube")
        ball = next(f.args[0] for f in told if f.name == "kind" and f.args[1] == "ball")
        assert {Fact("color", (cube, "blue")), Fact("color", (ball, "green"))} <= told
        assert told & {Fact("left_of", (cube, ball)), Fact("right_of", (ball, cube))}


def test_seeds_draw_what_is_open_and_repeat_themselves() -> None:
    texts = [expand("a red ball", seed=seed).text for seed in range(6)]
    assert len(set(texts)) > 3
    assert texts[2] == expand("a red ball", seed=2).text


def test_a_camera_that_is_not_told_stands_still() -> None:
    for seed in range(5):
        assert values(expand("a green cone spins", seed=seed).text, "camera") == ["still"]


def test_levels_beyond_the_first_use_more_of_the_world() -> None:
    places = {
        place
        for seed in range(12)
        for place in values(expand("a red ball", seed=seed, level=2).text, "place")
    }
    assert places - {"studio", "meadow"}
    assert all(
        set(values(expand("a red ball", seed=seed).text, "place")) <= {"studio", "meadow"}
        for seed in range(6)
    )


def test_no_telling_is_longer_than_allowed() -> None:
    texts = [expand("two red cubes", seed=seed, longest=52).text for seed in range(6)]
    assert all(len(words_of(text)) <= 52 for text in texts)
    assert expand("two red cubes", longest=12).text == "two red cubes"


@pytest.mark.parametrize(
    ("prompt", "why"),
    [
        (FULL, "it is told in full"),
        ("a dragon flies over Paris", "the world does not know dragon, paris"),
        ("a red ball is day", "the world cannot follow 'is day' here"),
        ("", "it names nothing of the world"),
        ("at night in the snow", "it names nothing of the world"),
        ("first a ball hits a cube, then a dog bites a cookie", ORDERED),
        ("a house walks", "the world has no scene in which all of it is true, told in few enough words"),
        ("a ball, a cube, a cone, a cylinder and a dog", "it names too many things"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_better_stays_as_it_is(prompt: str, why: str) -> None:
    assert expand(prompt) == Expanded(prompt, why)


def test_captions_of_the_training_stay_as_they_are() -> None:
    from reelworld.world.stream import WorldConfig, plan

    full = [clip.caption for clip in plan(WorldConfig(caption_mix=(0.0, 0.0, 1.0)), range(24))]
    kept = [caption for caption in full if expand(caption).text == caption]
    assert len(kept) > 0.8 * len(full), [c for c in full if c not in kept]
