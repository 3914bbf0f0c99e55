"""Reading texts into facts, and judging the facts by a scene."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import pytest

from reelworld.world.caption import contradictions, facts, parse
from reelworld.world.facts import Fact, happenings, has_speed, visible_at_start
from reelworld.world.scene import Camera, Motion, Scene, Setting, Shot, Thing


class Entry(NamedTuple):
    """A line of a simulation log."""

    kind: str
    time: float
    agent: int
    patient: int | None = None


def ball(**changes) -> Thing:
    return replace(Thing(kind="ball", color="red"), **changes)


def film(*cast: Thing) -> Scene:
    """A scene in a plain studio."""
    shots = (Shot(start=0, duration=2, camera=Camera(), cast=tuple(range(len(cast)))),)
    return Scene(level=2, split="train", setting=Setting(), cast=cast, shots=shots)


# ---- reading what users write


def said(text: str) -> set[str]:
    parsed = parse(text)
    assert parsed.unread == (), parsed.unread
    return {str(fact) for fact in parsed.facts if fact.name not in ("kind", "in_shot")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a large red ball bounces while a small blue cube slides to the left",
            {"size(0, large)", "color(0, red)", "action(0, bounce)", "size(1, small)", "color(1, blue)",
             "action(1, slide)", "direction(1, left)"},
        ),
        ("A ball rolls slowly and stops.", {"action(0, roll)", "speed(0, slow)", "action(0, stop)"}),
        ("two dogs run in the snow", {"action(0, run)", "action(1, run)", "place(snow)"}),
        ("a ball is left of a cube", {"left_of(0, 1)"}),
        ("a ball rolls behind a cube", {"action(0, roll)", "go_behind(0, 1)"}),
        ("A ball bounces. It is red.", None),
        (
            "a red ball and another red ball spin",
            {"color(0, red)", "color(1, red)", "action(0, spin)", "action(1, spin)"},
        ),
        ("The camera slowly pans left.", {"camera(pan_left)"}),
        ("aerial view of a house at night", {"camera(aerial)", "time(night)"}),
        ("historical footage of a dog running", {"style(historical)", "action(0, run)"}),
        (
            "a man in a black jacket walks down a street of neon signs at night",
            {"color(0, black)", "action(0, walk)", "place(street)", "time(night)"},
        ),
        (
            "the dog bites the cookie after the lamp comes on",
            {"bite(0, 1)", "switch_on(2)", "before(switch_on(2), bite(0, 1))"},
        ),
        (
            "after the lamp comes on, the dog bites the cookie",
            {"bite(1, 2)", "switch_on(0)", "before(switch_on(0), bite(1, 2))"},
        ),
        ("Shot 1: a ball rolls. Shot 2: The camera zooms in.", {"action(0, roll)", "camera(zoom_in, 2)"}),
        ("Shot 1: A ball. Shot 2 at 1.2 seconds: A still shot.", {"cut(2, 1.2)", "camera(still, 2)"}),
        ("shot 1: a ball. shot 2 after 1 second: it rolls.", {"cut(2, 1.0)", "action(0, roll)"}),
        ("Shot 1: a ball. Shot 2 at two seconds: it rolls.", {"cut(2, 2.0)", "action(0, roll)"}),
    ],
)  # fmt: skip
def test_prompts_are_understood(text: str, expected: set[str] | None) -> None:
    if expected is None:
        assert parse(text).unread == ("is", "red")
    else:
        assert said(text) == expected


def test_words_that_fit_nothing_are_listed() -> None:
    parsed = parse("a red ball and a zebra juggle")
    assert {"zebra", "juggle"} <= set(parsed.unread)
    assert Fact("color", (0, "red")) in parsed.facts


@pytest.mark.parametrize(
    "text", ["a red ball and ", "a red ball rolls and rolls and ", "and and, ", "The ball "]
)
def test_texts_of_any_length_are_read(text: str) -> None:
    assert parse(text * 3000) is not None


def test_lists_of_things_are_read_to_their_end() -> None:
    colors = ("red", "blue", "green", "yellow", "purple")
    parsed = parse(", ".join(f"a {color} ball" for color in colors[:-1]) + " and a purple ball spin.")
    assert {f.args[1] for f in parsed.facts if f.name == "color"} == set(colors)
    assert sum(f.name == "action" for f in parsed.facts) == parsed.things == 5
    assert not parsed.unread


def test_the_same_thing_is_not_counted_twice() -> None:
    parsed = parse("Three white dominoes stand. A ball rolls. The ball hits the second domino.")
    assert parsed.things == 4
    assert Fact("collide", (1, 3)) in parsed.facts


# ---- facts


def test_relations_have_a_dead_band() -> None:
    near = facts(film(ball(position=(0, 0, 0)), ball(position=(0.4, 0.5, 0))), [])
    far = facts(film(ball(position=(0, 0, 0)), ball(position=(2, 3, 0))), [])
    names = {"left_of", "right_of", "in_front_of", "behind"}
    assert not {fact for fact in near if fact.name in names}
    assert {fact for fact in far if fact.name in names} == {
        Fact("left_of", (0, 1)), Fact("right_of", (1, 0)),
        Fact("in_front_of", (0, 1)), Fact("behind", (1, 0)),
    }  # fmt: skip


def test_what_enters_later_stands_nowhere_at_first() -> None:
    scene, log = film(ball(position=(-5, 0, 0)), ball()), [Entry("enter", 0.5, 0)]
    assert visible_at_start(scene, happenings(log)) == [1]
    assert not {fact for fact in facts(scene, log) if fact.name == "left_of"}


def test_happenings_tell_each_event_once_and_no_contact_with_the_ground() -> None:
    log = [
        Entry("collide", 0.7, 1, 0),
        Entry("collide", 0.5, 0, 1),
        Entry("collide", 0.1, 0),
        Entry("land", 0.2, 0),
    ]
    assert [(e.kind, e.time, e.agent, e.patient) for e in happenings(log)] == [("collide", 0.5, 0, 1)]


def test_a_false_text_is_contradicted() -> None:
    scene = film(ball(motion=Motion(action="roll", direction="left")), ball(kind="cube", color="blue"))
    assert contradictions("a red ball rolls to the left", scene, []) == []
    assert contradictions("a red ball rolls to the right", scene, []) == ["direction(red ball, right)"]
    assert contradictions("a blue ball", scene, []) == ["color(blue ball, blue)"]
    assert contradictions("two red balls", scene, []) != []
    assert contradictions("a studio at night", scene, []) == ["time(night)"]


def test_speed_is_a_fact_only_where_it_shows() -> None:
    assert has_speed("roll", "left")
    assert has_speed("bounce", "left")
    assert not has_speed("bounce", None)
    assert not has_speed("stand", None)
