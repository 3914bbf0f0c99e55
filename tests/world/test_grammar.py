"""Splits, determinism and acceptance of sampled scenes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from reelworld.core.errors import ConfigError, DataError
from reelworld.world import grammar
from reelworld.world.grammar import sample
from reelworld.world.scene import COLORS, PRIMITIVES, Scene
from reelworld.world.simulate import nudged, outcome, simulate
from reelworld.world.splits import HELDOUT, combinations_of, in_split, is_heldout


def test_no_heldout_combination_in_train_and_every_atom_present() -> None:
    """1,000 programs of each level here; `benchmarks/world.py` asserts the same of 100,000."""
    for level in (1, 2):
        seen: set[tuple[str, str, str]] = set()
        for index in range(1000):
            scene = grammar._draw(3, level, "train", index, 0)
            assert not is_heldout(scene)
            seen |= combinations_of(scene)
        atoms = {(kind, position, atom) for kind, *rest in seen for position, atom in enumerate(rest)}
        for kind, first, second in HELDOUT:
            if level == 1 and (first not in (*PRIMITIVES, *grammar.MOVES_1) or kind == "event"):
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


def test_extrapolation_leaves_the_training_range() -> None:
    for scene, _ in sample(1, "extrapolate", 3, range(12)):
        assert any(t.scale != 1.0 or t.motion.rate != 1.0 for t in scene.cast)
    for scene, _ in sample(1, "train", 3, range(12)):
        assert all(t.scale == 1.0 and t.motion.rate == 1.0 for t in scene.cast)


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
        assert scene.shots[0].camera.move in grammar.MOVES_1
        assert not scene.events
        colors |= {t.color for t in scene.cast}
    assert colors == set(COLORS)


@pytest.mark.parametrize(("level", "split"), [(0, "train"), (3, "train"), (1, "test")])
def test_unknown_level_or_split(level: int, split: str) -> None:
    with pytest.raises(ConfigError, match="levels are"):
        sample(level, split, 0, [0])
