"""The gates of the checks: each can be passed and failed, and they say which."""

import numpy as np
import pytest

from reelworld.evaluate import validate
from reelworld.evaluate.checks import CHECKS, judge
from reelworld.evaluate.controls import BREAKAGES
from reelworld.evaluate.suite import suite, suite_config
from reelworld.evaluate.validate import Gate, gates, mirrored
from reelworld.world.stream import film


def test_a_gate_has_a_side():
    assert Gate("ceiling", "kind", 0.97, 0.97).passed
    assert not Gate("ceiling", "kind", 0.96, 0.97).passed
    assert Gate("null", "encoded", 0.02, 0.02, from_below=False).passed
    assert not Gate("null", "encoded", 0.03, 0.02, from_below=False).passed
    assert Gate("null", "encoded", 0.03, 0.02, from_below=False).line().startswith("FAIL")


def test_a_mirrored_film_shows_the_mirrored_scene(parser):
    cases = suite("train", 2)
    films = film([case.clip for case in cases], suite_config("train")).numpy()
    same = wrong = 0
    for case, frames in zip(cases, films, strict=True):
        seen = parser.tracks(np.ascontiguousarray(frames[:, :, ::-1]))
        true, other, unturned = (
            judge(*pair)
            for pair in (
                (case.clip.told, parser.tracks(frames)),
                (mirrored(case.clip.told), seen),
                (case.clip.told, seen),
            )
        )
        assert {name for name, v in true.items() if v is None} == {n for n, v in other.items() if v is None}
        same += sum(other[name] == v for name, v in true.items())
        if true["left_right"]:
            wrong += 1
            assert not unturned["left_right"]
    assert same >= 0.95 * len(CHECKS) * len(cases)
    assert wrong > 0


@pytest.fixture(scope="module")
def found():
    with pytest.MonkeyPatch.context() as few:
        few.setattr(validate, "BROKEN", 2)
        return list(gates("train", 2))


def test_all_gates_are_there(found):
    assert {gate.name for gate in found} == {"ceiling", "floor", "grey", "null", "breakage"}
    for check in CHECKS:
        assert any(gate.name == "ceiling" and gate.what.startswith(f"{check},") for gate in found)
    noticed = [gate for gate in found if gate.name == "breakage" and gate.from_below]
    assert {gate.what.split(":")[0] for gate in noticed} == set(BREAKAGES)


def test_what_two_prompts_cannot_show_is_not_passed(found):
    assert not any(gate.passed for gate in found if gate.name == "ceiling")


def test_grey_passes_nothing_and_full_breakages_are_noticed(found):
    assert all(gate.passed for gate in found if gate.name == "grey")
    noticed = [gate.value for gate in found if gate.name == "breakage" and gate.from_below]
    assert np.mean(noticed) > 0.9
