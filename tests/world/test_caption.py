"""Captions: every one is true of its scene, the full ones leave nothing out, and no word is unknown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar, get_args

import numpy as np
import pytest

from reelworld.world import phrases, words
from reelworld.world.caption import (
    Caption,
    contradictions,
    descriptive,
    facts,
    holds,
    parse,
    raw,
    short,
    tokens,
    vocabulary,
)
from reelworld.world.facts import Fact, happenings
from reelworld.world.naming import COLORED, COLORLESS
from reelworld.world.scene import (
    COLORS,
    PRIMITIVES,
    Action,
    Camera,
    CameraMove,
    Kind,
    Motion,
    Pattern,
    Place,
    Scene,
    Setting,
    Shot,
    Style,
    Thing,
    Time,
)
from reelworld.world.truth import stated

Option = TypeVar("Option")


class Entry(NamedTuple):
    """A line of a simulation log."""

    kind: str
    time: float
    agent: int
    patient: int | None = None


TRAVELS = ("slide", "drive", "walk", "run", "roll", "drift", "stop", "bounce", "jump")
LEVEL1_ACTIONS = ("stand", "slide", "roll", "bounce", "jump", "spin", "fall")
ACTIONS_OF = {
    "person": ("walk", "run", "stand", "jump", "stop"),
    "dog": ("run", "walk", "stand", "jump"),
    "car": ("drive", "stand", "stop"),
    "ship": ("drift", "stand"),
}


class Sampler:
    """Draws scenes of any level with a log that fits them; stands in for the grammar."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def pick(self, options: Sequence[Option]) -> Option:
        return options[int(self.rng.integers(len(options)))]

    def scene(self, level: int) -> tuple[Scene, list[Entry]]:
        count = int(self.rng.integers(1, 3 if level == 1 else 5))
        cast = tuple(self.thing(level) for _ in range(count))
        if level > 1 and self.rng.random() < 0.2:
            domino = replace(self.thing(level), kind="domino", motion=Motion())
            cast = (*cast[:2], *(replace(domino, position=(float(k), 0.0, 0.0)) for k in range(3)))
        log = [] if level == 1 and self.rng.random() < 0.8 else self.log(cast)
        scene = Scene(
            level=level, split="train", setting=self.setting(level), cast=cast,
            shots=self.shots(level, len(cast)), style=self.pick(get_args(Style)) if level == 3 else "natural",
        )  # fmt: skip
        return scene, log

    def thing(self, level: int) -> Thing:
        kind = self.pick(PRIMITIVES if level == 1 else get_args(Kind))
        actions = LEVEL1_ACTIONS if kind in PRIMITIVES else ACTIONS_OF.get(kind, ("stand",))
        action: Action = self.pick(actions)
        directed = action in ("slide", "drive", "walk", "run", "roll", "drift") or self.rng.random() < 0.3
        direction = self.pick(("left", "right", "toward", "away")) if action in TRAVELS and directed else None
        return Thing(
            kind=kind, color=self.pick(COLORS), size=self.pick(("small", "large")),
            material=self.pick(("matte", "shiny", "striped")) if kind in PRIMITIVES else "matte",
            second_color=self.pick(COLORS) if kind in ("person", "house", "ship") else None,
            hat=self.pick(COLORS) if kind == "person" and self.rng.random() < 0.4 else None,
            position=(*self.rng.uniform(-2.5, 2.5, 2).tolist(), 0.0),
            motion=Motion(action=action, direction=direction, speed=self.pick(("slow", "medium", "fast"))),
        )  # fmt: skip

    def setting(self, level: int) -> Setting:
        place = self.pick(("studio", "meadow") if level == 1 else get_args(Place))
        time = "day" if level == 1 else self.pick(get_args(Time))
        pattern = "grass" if place == "meadow" else self.pick(get_args(Pattern))
        return Setting(place=place, time=time, pattern=pattern)

    def shots(self, level: int, count: int) -> tuple[Shot, ...]:
        moves = get_args(CameraMove)[: 5 if level == 1 else None]
        number = int(self.rng.integers(1, 4)) if level == 3 else 1
        casts = [tuple(range(count)), *(self.some(count) for _ in range(number - 1))]
        length = 2.0 / number
        return tuple(
            Shot(start=k * length, duration=length, camera=Camera(move=self.pick(moves)), cast=shown)
            for k, shown in enumerate(casts)
        )

    def some(self, count: int) -> tuple[int, ...]:
        size = int(self.rng.integers(1, count + 1))
        return tuple(sorted(self.rng.choice(count, size, replace=False).tolist()))

    def log(self, cast: tuple[Thing, ...]) -> list[Entry]:
        """Up to three different events that the cast's kinds allow, plus what a log has besides."""
        moving = [i for i, thing in enumerate(cast) if thing.motion.action in TRAVELS]
        possible: list[tuple[str, int, int | None]] = []
        for i in moving:
            possible += [("enter", i, None), ("leave", i, None)]
            for j in range(len(cast)):
                if i != j:
                    possible += [(kind, i, j) for kind in ("collide", "push", "knock_over", "go_behind")]
        for j, thing in enumerate(cast):
            doers = [i for i, t in enumerate(cast) if t.kind in ("person", "dog")]
            if thing.kind in ("lamp", "cookie"):
                kind = "switch_on" if thing.kind == "lamp" else "bite"
                possible += [(kind, self.pick(doers), j) if doers else (kind, j, None)]
        chosen = [self.pick(possible) for _ in range(int(self.rng.integers(0, 4)))] if possible else []
        entries = [Entry(kind, 0.2 + 0.5 * k, a, b) for k, (kind, a, b) in enumerate(chosen)]
        return [*entries, *(e._replace(time=e.time + 0.1) for e in entries[:1]), Entry("land", 0.5, 0)]


LEVELS = (1, 2, 3)
WRITERS = (raw, short, descriptive)


def captions(
    level: int, number: int, writers: Sequence = WRITERS
) -> list[tuple[Caption, Scene, list[Entry]]]:
    """Write captions of random scenes of one level."""
    sampler, rng, found = Sampler(level), np.random.default_rng(level), []
    for _ in range(number):
        scene, log = sampler.scene(level)
        found += [(writer(scene, log, rng), scene, log) for writer in writers]
    return found


def ball(**changes) -> Thing:
    return replace(Thing(kind="ball", color="red"), **changes)


def film(*cast: Thing, shots: tuple[Shot, ...] = (), style: Style = "natural") -> Scene:
    """A scene in a plain studio."""
    shots = shots or (Shot(start=0, duration=2, camera=Camera(), cast=tuple(range(len(cast)))),)
    return Scene(level=2, split="train", setting=Setting(), cast=cast, shots=shots, style=style)


# ---- captions are true, complete, understood


@pytest.mark.parametrize("level", LEVELS)
def test_captions_parse_back_to_true_facts(level: int) -> None:
    for written, scene, log in captions(level, 250):
        assert parse(written.text).unread == (), written.text
        wrong = contradictions(written.text, scene, log)
        assert bool(wrong) != written.correct, (written, wrong)


def due(scene: Scene, log: list[Entry]) -> set[Fact]:
    """What a descriptive caption has to state."""
    setting, true = scene.setting, facts(scene, log)
    usual = {("material", "matte"), ("speed", "medium"), ("style", "natural"), ("action", "move")}
    told = {
        fact
        for fact in true
        if fact.name
        in (
            "kind",
            "color",
            "size",
            "material",
            "action",
            "direction",
            "speed",
            "hat",
            "second_color",
            "style",
        )
        and (fact.name, fact.args[-1]) not in usual
    }
    if scene.style in COLORLESS:
        told = {fact for fact in told if fact.name not in COLORED}
    told |= {f for f in true if f.name in ("place", "time")}
    if setting.place == "studio" or setting.pattern != "plain":
        told.add(Fact("pattern", (setting.pattern,)))
    for number, shot in enumerate(scene.shots, start=1):
        args = (shot.camera.move, str(number)) if len(scene.shots) > 1 else (shot.camera.move,)
        told.add(Fact("camera", args))
    return told


@pytest.mark.parametrize("level", LEVELS)
def test_descriptive_captions_leave_nothing_out(level: int) -> None:
    for written, scene, log in captions(level, 150, [descriptive]):
        missing = due(scene, log) - stated(parse(written.text), scene, log)
        assert not missing, (written.text, missing)


@pytest.mark.parametrize("level", [2, 3])
def test_descriptive_captions_tell_each_event_in_its_shot(level: int) -> None:
    for written, scene, log in captions(level, 150, [descriptive]):
        said = {fact.name for fact in parse(written.text).facts}
        for event in happenings(log):
            if set(event.parties) <= set(scene.shot_at(event.time).cast):
                assert event.kind in said, (written.text, event)


def test_events_are_told_in_order() -> None:
    scene = film(ball(color="red"), ball(color="blue", kind="cube"), ball(color="green", kind="cone"))
    log = [Entry("push", 1.0, 1, 2), Entry("collide", 0.5, 0, 1), Entry("leave", 1.5, 0)]
    for seed in range(20):
        text = descriptive(scene, log, np.random.default_rng(seed)).text
        orders = [fact for fact in parse(text).facts if fact.name == "before"]
        assert len(orders) == 2, text
        assert holds(parse(text), scene, log)
        assert not holds(parse(text), scene, [e._replace(time=2.0 - e.time) for e in log])


# ---- wrong captions


def test_error_rate_decides_how_many_raw_captions_are_wrong() -> None:
    sampler, rng = Sampler(7), np.random.default_rng(7)
    scenes = [sampler.scene(2) for _ in range(100)]
    assert all(raw(scene, log, rng, error_rate=0.0).correct for scene, log in scenes)
    for scene, log in scenes:
        written = raw(scene, log, rng, error_rate=1.0)
        assert not written.correct
        assert contradictions(written.text, scene, log), written


# ---- language


def test_vocabulary_holds_every_word_of_3000_captions() -> None:
    known = vocabulary()
    assert list(known) == sorted(set(known))
    assert len(known) <= 600
    used = {
        token for level in LEVELS for written, _, _ in captions(level, 334) for token in tokens(written.text)
    }
    assert used <= set(known), used - set(known)


@pytest.mark.parametrize("level", LEVELS)
def test_captions_are_well_formed(level: int) -> None:
    for written, _, _ in captions(level, 150):
        text = written.text
        assert not re.search(r"\ba [aeiou]|\ban [^aeiou]|  | [.,:]|[.,:]{2}|[{}]|\b(\w+) \1\b", text), text
        assert re.findall(r"\w+|[^\w\s]", text.lower()) == tokens(text), "no two marks in a row"
        assert len(tokens(text)) <= 160, text
        if written.kind == "descriptive":
            assert text[0].isupper()
            assert text[-1] == "."


def test_captions_are_repeatable_and_varied() -> None:
    scene = film(ball(motion=Motion(action="roll", direction="left", speed="slow")))
    for writer in WRITERS:
        texts = [writer(scene, [], np.random.default_rng(seed)).text for seed in range(200)]
        assert texts == [writer(scene, [], np.random.default_rng(seed)).text for seed in range(200)]
        assert len(set(texts)) > 100


def test_at_least_forty_sentence_patterns() -> None:
    clauses = ("motion", "presence", "relation", "order", "camera", "setting", "short", "event")
    assert sum(len(set(phrases.SENTENCES[name])) for name in clauses) >= 40


def test_phrases_name_one_atom_each() -> None:
    tables = (
        words.COLORS,
        words.SIZES,
        words.NOUNS,
        words.ACTIONS,
        words.DIRECTIONS,
        words.CAMERA,
        words.TIMES,
    )
    for table in (*tables, words.PLACES, words.STYLES, words.RELATIONS, words.PATTERNS, words.CAMERA_NOUNS):
        named = [phrase for options in table.values() for phrase in options]
        assert len(named) == len(set(named))


@pytest.mark.parametrize(
    ("base", "forms"),
    [
        ("bounce up and down", ("bounces up and down", "bouncing up and down")),
        ("dash", ("dashes", "dashing")),
        ("fly overhead", ("flies overhead", "flying overhead")),
        ("spin", ("spins", "spinning")),
        ("not move", ("does not move", "not moving")),
    ],
)
def test_conjugation(base: str, forms: tuple[str, str]) -> None:
    verb = words.conjugate(base)
    assert (verb.s, verb.ing) == forms


@pytest.mark.parametrize("style", ["historical", "black_and_white", "film_noir"])
def test_films_without_colour_are_told_without(style: Style) -> None:
    person = Thing(kind="person", color="red", second_color="blue", hat="green", position=(-1.5, 0.0, 0.0))
    scene = film(person, Thing(kind="ball", color="red"), Thing(kind="ball", color="blue"), style=style)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        for written in (descriptive(scene, (), rng), short(scene, (), rng)):
            facts_said = parse(written.text).facts
            assert not [f for f in facts_said if f.name in ("color", "second_color", "hat")], written.text
            assert not contradictions(written.text, scene, ())
