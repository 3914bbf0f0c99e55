"""Prompts that anybody wrote: what they tell, and what is not asked because they do not say it."""

import pytest

from reelworld.core.errors import PromptError
from reelworld.evaluate.suite import suite
from reelworld.evaluate.told import told
from reelworld.world.facts import relation


def test_a_prompt_is_read_as_a_scene():
    scene, asked = told("A large red ball slides to the left. The camera stays still.")
    (ball,) = scene.cast
    assert (ball.kind, ball.color, ball.size) == ("ball", "red", "large")
    assert (ball.motion.action, ball.motion.direction) == ("slide", "left")
    assert {"binding", "count", "size", "direction"} <= set(asked)


def test_relations_and_events_are_read():
    scene, asked = told("A red cube is to the left of a blue ball.")
    assert relation(*scene.cast) == "left_of"
    assert "left_right" in asked
    scene, asked = told("A red person takes a bite of a yellow cookie. The camera stays still.")
    assert [(e.kind, e.agent, e.patient) for e in scene.events] == [("bite", 0, 1)]
    assert "cause" in asked


def test_the_order_of_events_is_read():
    scene, asked = told(
        "First a red person takes a bite of a yellow cookie, then a blue ball bumps into a green cube. "
        "The camera stays still."
    )
    kinds = [event.kind for event in scene.events]
    (later,) = (event for event in scene.events if event.after is not None)
    assert (later.kind, kinds[later.after]) == ("collide", "bite")
    assert "order" in asked


def test_a_move_of_the_camera_is_asked_for_and_its_rest_is_not():
    assert "camera" in told("A red ball slides to the left. The camera pans left.")[1]
    assert "camera" not in told("A red ball slides to the left. The camera stays still.")[1]
    plain = "A red ball slides to the left. The camera pans left. A studio in daylight. The floor is plain."
    assert "camera" not in told(plain)[1]


def test_what_is_not_said_is_not_asked():
    _, asked = told("A ball slides to the left.")
    assert asked == ("count",)
    _, asked = told("A red ball slides to the left.")  # under whatever camera
    assert "binding" in asked
    assert not {"size", "camera", "direction"} & set(asked)
    _, asked = told("A red ball slides to the left. The camera stays still.")
    assert "direction" in asked


def test_descriptive_captions_ask_for_what_their_scenes_ask():
    missing = 0
    cases = suite("train", 2)
    for case in cases:
        _, asked = told(case.clip.caption)
        missing += len(set(case.asks) - {"perspective"} - set(asked))
    assert missing <= 0.1 * sum(len(case.asks) for case in cases)


def test_a_prompt_of_other_worlds_is_told():
    with pytest.raises(PromptError, match="nothing that the world knows"):
        told("Quantum chromodynamics.")
