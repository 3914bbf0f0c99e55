"""How files were made: shown, told apart, and made again, also by accounts that others wrote."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from tests.e2e.test_cli_edit import FAST, apart, reel

from reelworld.core.types import Video
from reelworld.core.video import probe, read, write
from reelworld.generate import edit
from reelworld.generate.pipeline import Pipeline


def test_lineage_is_shown(film, weights, tmp_path):
    one, two = tmp_path / "one.mp4", tmp_path / "two.mp4"
    options = ["--weights", weights, *FAST]
    assert reel("animate", film, "a red ball", "-o", one, "--seed", 7, *options)[0] == 0
    assert reel("extend", one, "a blue box", "-o", two, *options)[0] == 0
    code, said, _ = reel("show", two)
    assert code == 0
    lines = said.splitlines()
    assert lines[0] == "extend"
    assert "  animate" in lines
    assert any(line.split() == ["seed", "7"] for line in lines)
    assert lines[-1].strip() == "of film.mp4"
    made = json.loads(reel("show", two, "--json")[1])["made"]
    assert made["parents"][0]["prompt"] == "a red ball"


def test_a_video_is_made_again_and_otherwise(film, weights, tmp_path):
    beside = write(read(film), tmp_path / "film.mp4")
    one, twin, other = (tmp_path / f"{name}.gif" for name in ("one", "twin", "other"))
    options = ["--weights", weights]
    assert reel("remix", beside, "a red ball", "-o", one, "--seed", 7, *options, *FAST)[0] == 0
    assert reel("again", one, "-o", twin, *options)[0] == 0
    assert twin.read_bytes() == one.read_bytes()
    assert (
        reel("again", one, "--set", "strength=0.9", "--set", "prompt=a blue box", "-o", other, *options)[0]
        == 0
    )
    made = probe(other).metadata
    assert (made["strength"], made["prompt"], made["seed"]) == (0.9, "a blue box", 7)
    code, _, told = reel("again", one, "--set", "colour=red", "-o", other, *options)
    assert (code, "no 'colour' to change" in told) == (2, True)
    write(read(film, num_frames=5), beside)
    code, _, told = reel("again", one, "-o", other, *options)
    assert (code, "is not the file" in told) == (2, True)


def test_a_generated_video_is_made_again(weights, tmp_path):
    one, twin = tmp_path / "one.png", tmp_path / "twin.png"
    options = ["--weights", weights]
    assert reel("generate", "a red ball", "--num-frames", 4, "-o", one, *options, *FAST)[0] == 0
    assert reel("again", one, "-o", twin, *options)[0] == 0
    assert twin.read_bytes() == one.read_bytes()
    code, _, told = reel("again", one, "-o", twin)  # by other weights
    assert (code, "load those" in told) == (2, True)


def interrupt_second_window(monkeypatch) -> list[tuple]:
    """Let the second call of the pipeline be interrupted; return what grows by each call."""
    calls, real = [], Pipeline.__call__

    def stopping(self, *given, **options):
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(self, *given, **options)

    monkeypatch.setattr(Pipeline, "__call__", stopping)
    return calls


def test_a_repeat_that_was_interrupted_goes_on(film, weights, tmp_path, monkeypatch):
    first, out = tmp_path / "a.mp4", tmp_path / "b.mp4"
    code, _, told = reel(
        "extend", film, "a red ball", "--seconds", "2", "-o", first, "--weights", weights, *FAST
    )
    assert code == 0, told
    calls = interrupt_second_window(monkeypatch)
    asked = ["again", first, "-o", out, "--made-of", film.parent, "--weights", weights]
    code, _, _ = reel(*asked)
    assert code == 130
    assert not out.exists()
    code, _, told = reel(*asked)
    assert code == 0, told
    again = len(calls)
    shutil.rmtree(tmp_path / ".b.mp4.windows", ignore_errors=True)
    reel("again", first, "-o", tmp_path / "c.mp4", "--made-of", film.parent, "--weights", weights)
    assert len(calls) - again == again - 1  # the first window was not made anew; the second was tried twice
    assert not list(tmp_path.glob(".*"))
    assert apart(first, out) < 1.0


def test_a_preview_shows_the_first_window_after_an_interruption(weights, tmp_path, monkeypatch):
    interrupt_second_window(monkeypatch)
    for name, codes in (("stopped", [130, 0]), ("whole", [0])):
        asked = ["generate", "a red ball", "--num-frames", 12, "-o", tmp_path / f"{name}.mp4"]
        for preview, code in zip(([], ["--preview"])[-len(codes) :], codes, strict=True):
            assert reel(*asked, *preview, "--weights", weights, *FAST)[0] == code
    shown = [read(tmp_path / f"{name}_preview.png").frames for name in ("stopped", "whole")]
    np.testing.assert_array_equal(*shown)
    assert not list(tmp_path.glob(".*"))


def test_a_chain_of_edits_is_told_and_made_again(film, weights, tmp_path):
    """A remix of an extension of an image, each in a folder of its own."""
    files = [tmp_path / name / f"{name}.mp4" for name in ("animate", "extend", "remix")]
    options = ["--weights", weights, *FAST]
    image = (
        write(read(film, num_frames=1), tmp_path / "photos" / "cat.png")
        if ((tmp_path / "photos").mkdir() is None)
        else film
    )
    assert reel("animate", image, "a red ball", "-o", files[0], "--seed", 7, *options)[0] == 0
    assert reel("extend", files[0], "a red ball", "--seconds", "0.5", "-o", files[1], *options)[0] == 0
    assert reel("remix", files[1], "a blue box", "-o", files[2], *options)[0] == 0
    lines = [line.strip() for line in reel("show", files[2])[1].splitlines()]
    assert [line for line in lines if line in ("remix", "extend", "animate", "of cat.png")] == [
        "remix", "extend", "animate", "of cat.png"
    ]  # fmt: skip
    for file, made_of in zip(files, (image, files[0].parent, files[1]), strict=True):
        twin = tmp_path / f"twin_{file.stem}.mp4"
        code, _, told = reel("again", file, "-o", twin, "--weights", weights)
        assert (code, "--made-of" in told) == (2, True)
        code, _, told = reel("again", file, "--made-of", made_of, "-o", twin, "--weights", weights)
        assert code == 0, told
        assert apart(twin, file) < 1.0
    code, _, told = reel("again", files[0], "--made-of", image, "-o", files[0], "--weights", weights)
    assert (code, "would take the place" in told) == (2, True)


@pytest.mark.parametrize(
    "options",
    [
        {"num_frames": 1},
        {"start": 0.5, "fps": 4.0},
        {"width": 16, "height": 48, "duration": 1.0},
        {},
    ],
)
def test_what_was_made_in_python_is_made_again_of_what_was_read(options, film, weights, tmp_path):
    out, twin = tmp_path / "out.gif", tmp_path / "twin.gif"
    pipeline, read_so = Pipeline.load(weights), Video.load(film, **options)
    edit.extend(pipeline, read_so, "a red ball", seconds=0.5, num_inference_steps=2).save(out)
    code, _, told = reel("again", out, "--made-of", film, "-o", twin, "--weights", weights)
    assert code == 0, told
    assert twin.read_bytes() == out.read_bytes()


def test_accounts_that_do_not_tell_how_files_were_read_are_read_as_before(film, weights, tmp_path):
    out, old, twin = (tmp_path / f"{name}.gif" for name in ("out", "old", "twin"))
    asked = ["extend", film, "a red ball", "--take", "0.5:1.25", "--seconds", "0.5", "-o", out]
    assert reel(*asked, "--weights", weights, *FAST)[0] == 0
    made = read(out).metadata
    del made["parents"][0]["read"]
    made["parents"][0]["take"] = [0.5, 1.25]
    write(Video(read(out).frames, 8.0, made), old)
    again = ["again", old, "--made-of", film, "-o", twin, "--weights", weights]
    code, _, told = reel(*again)
    assert code == 0, told
    np.testing.assert_array_equal(read(twin).frames, read(out).frames)
    for odd in (3, {"width": 16.5}, {"num_frames": True}, {"limits": 1}, {"path": "x"}):
        made["parents"][0]["read"] = odd
        write(Video(read(out).frames, 8.0, made), old)
        code, _, told = reel(*again)
        assert (code, "'read' is" in told) == (2, True), told


def test_two_parents_of_one_name_are_told_apart(film, weights, tmp_path):
    one, other, out = tmp_path / "a" / "x.mp4", tmp_path / "b" / "x.mp4", tmp_path / "out" / "both.mp4"
    for path, part in ((one, slice(0, 16)), (other, slice(8, 24))):
        path.parent.mkdir()
        write(Video(read(film).frames[part], 16.0), path)
    options = ["--weights", weights]
    assert reel("blend", one, other, "a red ball", "-o", out, *options, *FAST)[0] == 0
    given = ["--made-of", one, "--made-of", other.parent]
    code, _, told = reel("again", out, *given, "-o", tmp_path / "twin.mp4", *options)
    assert code == 0, told
    assert apart(tmp_path / "twin.mp4", out) < 1.0


def test_a_file_that_lost_its_account_is_known_by_the_one_beside_it(film, weights, tmp_path):
    frames, bare = tmp_path / "frames", tmp_path / "bare.mp4"
    image = write(read(film, num_frames=1), tmp_path / "cat.png")
    for out in (frames, bare):
        assert reel("animate", image, "a red ball", "-o", out, "--weights", weights, *FAST)[0] == 0
    write(Video(read(bare).frames, 8.0), bare)
    for file in (frames, bare, tmp_path / "bare.json"):
        assert reel("show", file)[1].splitlines()[0] == "animate"
        assert reel("again", file, "-o", tmp_path / "twin.mp4", "--weights", weights)[0] == 0
    (tmp_path / "bare.json").write_text("[1]")
    assert "nor is there a bare.json" in reel("show", bare)[2]


def test_a_storyboard_is_made_again_only_with_the_same_characters(film, weights, tmp_path):
    options = ["--weights", weights, *FAST]
    for name, seed in (("bo", 1), ("other", 2)):
        picture = ["-o", tmp_path / f"{name}.png", "--num-frames", 1, "--seed", seed]
        assert reel("generate", "a red ball", *picture, *options)[0] == 0
    board, out = tmp_path / "board.toml", tmp_path / "out" / "film.mp4"
    board.write_text(
        '[[characters]]\nname = "Bo"\nimage = "bo.png"\n[[cards]]\ntime = 0.0\ntext = "Bo rolls"\n'
    )
    assert reel("storyboard", board, "-o", out, *options)[0] == 0
    again = ["again", out, "-o", tmp_path / "twin.mp4", "--weights", weights, "--made-of"]
    assert reel(*again, tmp_path)[0] == 0
    (tmp_path / "other.png").replace(tmp_path / "bo.png")
    code, _, told = reel(*again, tmp_path)
    assert (code, "is not the file" in told) == (2, True)


@pytest.mark.parametrize("change", ["made=3", "characters=3", "pipeline=3", "parents=[]"])
def test_what_cannot_be_changed_is_told(change, film, weights, tmp_path):
    beside, one = write(read(film), tmp_path / "film.mp4"), tmp_path / "one.gif"
    assert reel("remix", beside, "a red ball", "-o", one, "--weights", weights, *FAST)[0] == 0
    code, _, told = reel("again", one, "--set", change, "-o", tmp_path / "two.gif", "--weights", weights)
    assert (code, "to change" in told) == (2, True)


@pytest.mark.parametrize("made", [{"parents": 1}, {"shape": 5}, {"operation": "extend"}])
def test_accounts_that_somebody_else_wrote_are_told(made, weights, tmp_path):
    file = write(Video(np.zeros((1, 8, 8, 3), np.uint8), 8.0, {"prompt": "a", **made}), tmp_path / "odd.png")
    assert reel("show", file)[0] == 0
    code, _, told = reel("again", file, "-o", tmp_path / "two.gif", "--weights", weights)
    assert (code, told.startswith("error")) == (2, True), told


def test_a_storyboard_is_made_again(film, weights, tmp_path):
    write(read(film), tmp_path / "film.mp4")
    board = tmp_path / "board.toml"
    board.write_text(
        'duration = 2.0\n[[cards]]\ntime = 0.0\ntext = "a red ball"\n'
        '[[cards]]\ntime = 1.0\ntext = "a blue box"\nvideo = "film.mp4"\n'
    )
    one, two, other = (tmp_path / f"{name}.gif" for name in ("one", "two", "other"))
    options = ["--weights", weights]
    assert reel("storyboard", board, "-o", one, *options, *FAST)[0] == 0
    code, _, told = reel("again", one, "-o", two, *options)
    assert code == 0, told
    assert probe(two).metadata == probe(one).metadata
    first, twin = (read(file).frames.astype(int) for file in (one, two))
    assert np.abs(first - twin).mean() < 0.5  # on a busy machine a few bytes differed once
    assert reel("again", one, "--set", "seed=3", "-o", other, *options)[0] == 0
    assert np.abs(first - read(other).frames).mean() > 5
    write(read(film, num_frames=5), tmp_path / "film.mp4")
    code, _, told = reel("again", one, "-o", other, *options)
    assert (code, "is not the file" in told) == (2, True)


def test_an_account_cannot_steer_a_terminal(tmp_path):
    hostile = {"prompt": "a", "operation": "loop\x1b[2J", "parents": [{"file": "b\x1b]0;x\x07.mp4\nok"}]}
    out = write(Video(np.zeros((4, 16, 16, 3), np.uint8), 8.0, hostile), tmp_path / "a.mp4")
    code, said, _ = reel("show", out)
    assert code == 0
    assert "loop" in said
    assert all(c.isprintable() or c == "\n" for c in said)
    assert "ok" not in said.splitlines()
