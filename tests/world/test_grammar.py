"""Splits, determinism and acceptance of sampled scenes."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from reelworld.core.errors import ConfigError, DataError
from reelworld.world import grammar
from reelworld.world.acceptance import filmed, screen_boxes
from reelworld.world.framing import MOVES_1
from reelworld.world.grammar import sample
from reelworld.world.scene import COLORS, PRIMITIVES, Scene, Style, Thing
from reelworld.world.simulate import JUMP, TURN, Trajectory, nudged, outcome, simulate, speed_of
from reelworld.world.splits import HELDOUT, HELDOUT_ORDER, combinations_of, in_split, is_heldout
from reelworld.world.things import extent


def test_no_heldout_combination_in_train_and_every_atom_present() -> None:
    """1,000 programs of each level here; `benchmarks/world.py` asserts the same of 100,000."""
    for level in grammar.LEVELS:
        seen: set[tuple[str, str, str]] = set()
        for index in range(1000):
            scene = grammar.draw(3, level, "train", index)
            assert not is_heldout(scene)
            seen |= combinations_of(scene)
        atoms = {(kind, position, atom) for kind, *rest in seen for position, atom in enumerate(rest)}
        for kind, first, second in HELDOUT:
            if level < 3 and kind in ("order", "shots"):
                continue
            if level == 1 and (first not in (*PRIMITIVES, *MOVES_1) or kind == "event"):
                continue
            if level == 1 and second in ("walk", "drive", "run"):
                continue
            assert (kind, 0, first) in atoms
            assert (kind, 1, second) in atoms


def test_heldout_scenes_have_a_heldout_combination() -> None:
    for scene, _ in sample(1, "heldout", 3, range(20)):
        assert is_heldout(scene)
        assert in_split(scene, "heldout")
        assert not in_split(scene, "train")


def test_all_is_held_out_and_not() -> None:
    """A parser learns from it: it must read what a generator is asked for, and never saw."""
    for level in grammar.LEVELS:
        shares = [is_heldout(grammar.draw(3, level, "all", index)) for index in range(300)]
        assert 0.2 < np.mean(shares) < 0.6
    ordered = [grammar.draw(3, 3, "all", i, themes=("in order",)) for i in range(60)]
    assert {combination for scene in ordered for combination in combinations_of(scene)} >= {
        ("order", *pair) for pair in HELDOUT_ORDER
    }


def test_extrapolation_leaves_the_training_range() -> None:
    """Some thing is larger than large, smaller than small, faster than fast or slower than slow."""
    beyond = [_beyond(t) for scene, _ in sample(1, "extrapolate", 3, range(40)) for t in scene.cast]
    assert sum(bool(b) for b in beyond) == 40  # one thing of each scene
    assert {"large", "small", "fast", "slow"} == {b for b in beyond if b}
    assert not any(_beyond(t) for scene, _ in sample(1, "train", 3, range(12)) for t in scene.cast)


def _beyond(thing: Thing) -> str | None:
    """Say in what a thing lies outside of training, from its size and speed in metres."""
    ordinary = {
        size: extent(replace(thing, size=size, scale=1.0))[1]
        for size in ("small", "large")  # type: ignore[arg-type]
    }
    height = extent(thing)[1]
    if height > ordinary["large"] or height < ordinary["small"]:
        return "large" if height > ordinary["large"] else "small"
    if thing.motion.rate == 1.0:
        return None
    paces = [replace(thing, motion=replace(thing.motion, speed=s, rate=1.0)) for s in ("slow", "fast")]  # type: ignore[arg-type]
    slowest, fastest = (_pace(pace) for pace in paces)
    return "fast" if _pace(thing) > fastest else "slow" if _pace(thing) < slowest else None


def _pace(thing: Thing) -> float:
    """Metres a second, radians a second, or metres a second of a leap."""
    table = {"spin": TURN, "jump": JUMP}.get(thing.motion.action)
    return speed_of(thing) if table is None else table[thing.motion.speed] * thing.motion.rate


def test_a_scene_depends_on_seed_and_index_alone() -> None:
    many = sample(2, "train", 4, range(6))
    (alone,) = sample(2, "train", 4, [5])
    assert many[5][0] == alone[0]
    assert np.array_equal(many[5][1].position, alone[1].position)
    assert sample(2, "train", 5, [5])[0][0] != alone[0]


def test_same_scene_in_another_process() -> None:
    (here,) = sample(2, "train", 4, [5])
    code = "from reelworld.world.grammar import sample; print(sample(2, 'train', 4, [5])[0][0].to_json())"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert Scene.from_json(there) == here[0]


def test_programs_go_through_json() -> None:
    for scene, _ in sample(2, "train", 6, range(8)):
        assert Scene.from_json(scene.to_json()) == scene


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"level": 1}', '{"levle": 1}'])
def test_what_is_no_scene_is_told(text: str) -> None:
    with pytest.raises((DataError, ConfigError)):
        Scene.from_json(text)


def test_outcomes_do_not_depend_on_a_pixel() -> None:
    scenes = [(s, t) for s, t in sample(2, "train", 8, range(24)) if s.events]
    assert scenes
    for distance in (0.12, -0.12):
        moved = simulate([nudged(s, distance) for s, _ in scenes], 16, 8.0)
        for (_, trajectory), other in zip(scenes, moved, strict=True):
            assert outcome(trajectory) == outcome(other)


def test_events_of_the_program_happen() -> None:
    for scene, trajectory in sample(2, "train", 10, range(40)):
        happened = {(e.kind, e.agent, e.patient) for e in trajectory.log}
        for event in scene.events:
            if event.patient is not None and event.kind != "go_behind":
                assert (event.kind, event.agent, event.patient) in happened


def test_level_one_is_what_it_says() -> None:
    colors = set()
    for scene, _ in sample(1, "train", 2, range(60)):
        assert 1 <= len(scene.cast) <= 2
        assert {t.kind for t in scene.cast} <= set(PRIMITIVES)
        assert scene.setting.place in ("studio", "meadow")
        assert scene.setting.time == "day"
        assert scene.shots[0].camera.move in MOVES_1
        assert not scene.events
        colors |= {t.color for t in scene.cast}
    assert colors == set(COLORS)


@pytest.mark.parametrize(("level", "split"), [(0, "train"), (4, "train"), (1, "test")])
def test_unknown_level_or_split(level: int, split: str) -> None:
    with pytest.raises(ConfigError, match="levels are"):
        sample(level, split, 0, [0])


@pytest.mark.parametrize("num_frames", [16, 32])
def test_level_three_has_styles_orders_and_shots(num_frames: int) -> None:
    found = sample(3, "train", 30, range(80), num_frames=num_frames)
    scenes = [scene for scene, _ in found]
    assert {s.style for s in scenes} == set(get_args(Style))
    assert {len(s.shots) for s in scenes} == {1, 2, 3}
    assert any(len(s.events) == 2 and s.events[1].after == 0 for s in scenes)
    for scene, trajectory in found:
        assert scene.duration == num_frames / 8
        ends = [shot.start + shot.duration for shot in scene.shots]
        assert [*ends] == [*(shot.start for shot in scene.shots[1:]), scene.duration]
        assert min(shot.duration for shot in scene.shots) >= 0.4
        _check_order(scene, trajectory)


def _check_order(scene: Scene, trajectory: Trajectory) -> None:
    """What must come later does, and the shot that runs shows those it happens to."""
    log = {(e.kind, e.agent, e.patient): e.time for e in reversed(trajectory.log)}
    for event in scene.events:
        time = log[event.kind, event.agent, event.patient]
        assert {event.agent, event.patient} - {None} <= set(scene.shot_at(time).cast)
        if event.after is not None:
            first = scene.events[event.after]
            assert time >= log[first.kind, first.agent, first.patient] + 0.3


def test_every_shot_shows_its_cast() -> None:
    for scene, trajectory in sample(3, "train", 31, range(40)):
        screen, shown = screen_boxes(scene, trajectory, 8.0), filmed(scene, 16, 8.0)
        crossing = {e.agent for e in scene.events if e.kind in ("enter", "leave")}
        for n in set(range(len(scene.cast))) - crossing:
            inside = np.abs(screen[shown[:, n], n, :2]) < 1.05
            assert inside.all(-1).mean() >= 0.85


def test_what_is_round_and_turns_is_striped() -> None:
    """A plain ball that spins shows nothing of it."""
    for scene, _ in sample(2, "heldout", 2, range(60)):
        for thing in scene.cast:
            if thing.kind in PRIMITIVES and (
                thing.motion.action == "roll" or (thing.motion.action == "spin" and thing.kind != "cube")
            ):
                assert thing.material == "striped"


@pytest.mark.parametrize("aspect", [9 / 16, 16 / 9])
def test_scenes_of_other_shapes_are_seen_whole(aspect: float) -> None:
    for scene, trajectory in sample(2, "train", 12, range(16), aspect=aspect):
        screen = screen_boxes(scene, trajectory, 8.0)
        crossing = {e.agent for e in scene.events if e.kind in ("enter", "leave")}
        for n in set(range(len(scene.cast))) - crossing:
            assert (np.abs(screen[:, n, 0]) < aspect + 0.05).mean() >= 0.85


def test_a_shape_that_shows_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grammar, "ATTEMPTS", 3)
    with pytest.raises(ConfigError, match="nearer to a square"):
        sample(2, "train", 0, range(4), aspect=0.01)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"cast": []}, "0 things"),
        ({"duration": 1e9}, "lasts"),
        ({"duration": float("nan")}, "not finite"),
        ({"shots": []}, "first shot"),
        ({"events": [{"kind": "push", "agent": 0, "patient": 9}]}, "parties"),
        ({"events": [{"kind": "push", "agent": 0}]}, "needs a patient"),
    ],
)
def test_programs_that_cannot_be_filmed_are_told(change: dict[str, object], complaint: str) -> None:
    (scene, _) = sample(1, "train", 0, [0])[0]
    values = json.loads(scene.to_json()) | change
    with pytest.raises(DataError, match=complaint):
        Scene.from_json(json.dumps(values))
