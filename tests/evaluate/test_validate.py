"""The gates of the checks: each can be passed and failed, and they say which."""

import ast
from dataclasses import replace

import numpy as np
import pytest

from reelworld.core.errors import ConfigError
from reelworld.evaluate import gate, validate
from reelworld.evaluate.checks import judge
from reelworld.evaluate.controls import BREAKAGES
from reelworld.evaluate.gate import UNTESTED, Gate, failed, packaged, recorded, write_gates
from reelworld.evaluate.references import References
from reelworld.evaluate.staging import NEARER, from_near
from reelworld.evaluate.suite import enough, groups_of, suite, suite_config
from reelworld.evaluate.validate import NULL_CHANGES, gates, mirrored
from reelworld.world.parse import parse
from reelworld.world.stream import film, plan


def test_a_gate_has_a_side():
    assert Gate("ceiling", "kind", "", 0.97, 0.97).passed
    assert not Gate("ceiling", "kind", "", 0.96, 0.97).passed
    assert Gate("null", "kind", "encoded", 0.02, 0.02, from_below=False).passed
    assert not Gate("null", "kind", "encoded", 0.03, 0.02, from_below=False).passed
    assert Gate("null", "kind", "encoded", 0.03, 0.02, from_below=False).line().startswith("FAIL")


def test_what_fails_is_read_back_for_its_parser_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(gate, "packaged", lambda level: tmp_path / f"gates-level{level}.json")
    tested = [
        *(Gate("ceiling", check, "", 0.98, 0.97, group="one thing") for check in ("kind", "growth")),
        Gate("null", "growth", "encoded", 0.03, 0.02, False),
    ]
    write_gates(tmp_path / "gates-level1.json", "this parser", "train", tested)
    gates = recorded(1, "this parser")
    assert failed(gates, "one thing", "growth") == ("null encoded: 0.030 against 0.02",)
    assert failed(gates, "one thing", "kind") == ()
    assert failed(gates, "two things", "kind") == (UNTESTED,)
    assert failed(gates, "one thing", "gravity") == (UNTESTED,)
    assert recorded(1, "another") is None
    assert recorded(2, "this parser") is None
    assert failed(None, "one thing", "kind") == (UNTESTED,)


def test_gates_of_other_code_vouch_for_nothing(tmp_path, monkeypatch):
    (tmp_path / "own").mkdir()
    monkeypatch.setattr(gate, "packaged", lambda level: tmp_path / f"gates-level{level}.json")
    tested = [Gate("ceiling", "kind", "", 0.98, 0.97, group="one thing")]
    write_gates(tmp_path / "gates-level1.json", "this parser", "train", tested)
    assert recorded(1, "this parser") == tested
    monkeypatch.setattr(gate, "code_hash", lambda: "other code")
    assert recorded(1, "this parser", tmp_path / "own") is None
    write_gates(tmp_path / "own" / "gates-level1.json", "this parser", "train", tested)
    assert recorded(1, "this parser", tmp_path / "own") == tested
    assert recorded(1, "this parser") is None


def test_a_damaged_record_is_told(tmp_path):
    path = tmp_path / packaged(1).name
    for text in ("{", "[1]"):
        path.write_text(text)
        with pytest.raises(ConfigError, match="delete it"):
            recorded(1, "this parser", tmp_path)


def test_enlarging_and_back_changes_next_to_nothing():
    clip = suite("train", 1)[0].clip
    true = film([clip], suite_config("train", 1))[0].numpy()
    again = NULL_CHANGES["enlarged"](true)
    assert again.shape == true.shape
    assert 0 < np.abs(again.astype(int) - true).mean() < 2


def test_comments_are_no_code():
    told = '"""Say it."""\n\ndef one():\n    """Say."""\n    return "1"  # one\n'
    silent = 'def one():\n    return "1"\n'
    said = [list(gate._code(ast.parse(source))) for source in (told, silent, silent.replace("1", "2"))]
    assert said[0] == said[1] != said[2]


def test_a_mirrored_film_shows_the_mirrored_scene(parser):
    cases = suite("train", 1)
    films = film([case.clip for case in cases], suite_config("train", 1)).numpy()
    same = asked = wrong = 0
    for case, frames in zip(cases, films, strict=True):
        seen = parser.look(np.ascontiguousarray(frames[:, :, ::-1]))
        true, other, unturned = (
            judge(*pair)
            for pair in (
                (case.clip.told, parser.look(frames)),
                (mirrored(case.clip.told), seen),
                (case.clip.told, seen),
            )
        )
        asked += len(case.asks)
        same += sum(other[name] == true[name] for name in case.asks)
        if true["left_right"]:
            wrong += 1
            assert not unturned["left_right"]
    assert same >= 0.95 * asked
    assert wrong > 0


def test_what_is_said_of_renders_is_kept_for_its_parser(parser, tmp_path, monkeypatch):
    cases, path = suite("train", 1)[:3], tmp_path / "references.json"
    first = References.kept(path, cases, "train", 1, parser, "silent")
    monkeypatch.setattr(References, "of", lambda *_: pytest.fail("computed again"))
    assert References.kept(path, cases, "train", 1, parser, "silent") == first
    with pytest.raises(pytest.fail.Exception):
        References.kept(path, cases, "train", 1, replace(parser, weights_hash="another"), "silent")
    with pytest.raises(pytest.fail.Exception):
        References.kept(path, cases[:2], "train", 1, parser, "silent")


def test_what_is_rare_is_staged():
    cases = suite("train", 3)
    staged = {case.group: case.clip.told for case in cases if case.group.startswith("something")}
    names = ("something crosses", "something comes or goes", "something falls", "something bounces")
    assert set(staged) == set(names)
    for told in staged.values():
        assert told.shots[0].camera.move == "still"
    crosses = staged["something crosses"].cast[0]
    assert (crosses.motion.action, crosses.kind != "cube", crosses.material != "striped") == (
        "slide",
        True,
        True,
    )
    assert staged["something comes or goes"].cast[0].motion.direction in ("toward", "away")
    assert staged["something falls"].cast[0].position[2] > 2
    assert "bounce" in {thing.motion.action for thing in staged["something bounces"].cast}


def test_every_prompt_of_shots_tells_when_its_cuts_come():
    films = [case for case in suite("train", 3, 3) if case.group == "films"]
    for case in films:
        times = {fact.args for fact in parse(case.clip.caption).facts if fact.name == "cut"}
        assert {number for number, _ in times} == {str(n + 1) for n in range(1, len(case.clip.told.shots))}
        for number, moment in times:
            assert abs(float(moment) - case.clip.told.shots[int(number) - 1].start) <= 0.05 + 1e-9
    assert len(films) >= 3


def test_what_is_small_is_filmed_from_as_near_as_shows_all():
    clips = plan(suite_config("train", 2), range(12))
    for clip in clips:
        takes, drawn = from_near(clip.scene), clip.scene.shots[0].camera
        if drawn.move == "aerial":
            assert takes == []
            continue
        eye, target = np.array(drawn.position), np.array(drawn.target)
        away = [np.linalg.norm(np.array(s.shots[0].camera.position) - target) for s in takes]
        assert away == sorted(away)
        assert away[-1] == pytest.approx(NEARER[-1] * np.linalg.norm(eye - target), abs=1e-2)
        assert {(s.cast, s.events, s.shots[0].camera.move) for s in takes} == {
            (clip.scene.cast, clip.scene.events, "still")
        }


def test_two_things_one_behind_the_other_stand_on_the_ground():
    behind = [case.clip.told for case in suite("train", 3) if "front_behind" in case.asks]
    assert len(behind) >= 3
    for told in behind:
        assert all(thing.position[2] == 0 for thing in told.cast)


def test_nobody_is_asked_for_white_before_a_white_wall():
    white = [
        case.clip.told.setting.place for case in suite("train", 8)
        if any(thing.color == "white" for thing in case.clip.told.cast)
    ]  # fmt: skip
    assert set(white) == {"meadow"}  # level 1 has no snow


def test_enough_prompts_of_each_check_and_no_more():
    cases = suite("train", 6)
    kept = [cases[n] for n in enough(cases, 2)]
    for group in groups_of(1):
        for check in {check for case in cases for check in case.asks if case.group == group}:
            asking = sum(check in case.asks for case in kept if case.group == group)
            assert asking >= min(2, sum(check in case.asks for case in cases if case.group == group))
    assert len(kept) < len(cases)


SOME = dict(list(BREAKAGES.items())[::3])  # of which each is tested by itself in test_controls


@pytest.fixture(scope="module")
def found(parser, tmp_path_factory):
    """Gates of few prompts, found in two runs of which the first is stopped in the middle."""
    folder = tmp_path_factory.mktemp("gates")
    with pytest.MonkeyPatch.context() as few:
        few.setattr(validate, "BROKEN", 1)
        few.setattr(validate, "NULLED", 1)
        few.setattr(validate, "BREAKAGES", SOME)
        few.setattr(validate, "LEARNT", 40)
        first = []
        for gate_ in gates(folder, "train", 2, 1, parser):
            first.append(gate_)
            if gate_.name == "trivial":
                break
        with pytest.MonkeyPatch.context() as again:
            for name in ("_ends", "_grey", "_null"):
                again.setattr(validate, name, lambda *_: pytest.fail("tested again"))
            rest = list(gates(folder, "train", 2, 1, parser))
        assert rest[: len(first)] == first
        return rest


def test_all_gates_are_there(found):
    assert {g.name for g in found} == {"ceiling", "floor", "grey", "null", "trivial", "breakage"}
    checks = {check for group in groups_of(1).values() for check in group.checks}
    assert {g.check for g in found if g.name == "ceiling"} == checks
    noticed = [g for g in found if g.name == "breakage" and g.from_below]
    assert {g.check for g in noticed} == {b.check for b in SOME.values()} & checks


def test_what_two_prompts_cannot_show_is_not_passed(found):
    assert not any(g.passed for g in found if g.name == "ceiling")


def test_grey_passes_nothing_and_full_breakages_are_noticed(found):
    assert all(g.passed for g in found if g.name == "grey")
    noticed = [g.value for g in found if g.name == "breakage" and g.from_below]
    assert np.mean(noticed) > 0.9
