"""The editing commands as a person uses them: files in, files out, and how they were made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from reelworld.cli import app
from reelworld.core.video import probe, read, write

FAST = ["--num-inference-steps", "2", "--no-upsample"]


def reel(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def apart(one: Path, other: Path) -> float:
    """Return the mean difference of two films.

    On a busy machine the last bit of a sum fell otherwise once, and H.264 made a few levels of it.
    """
    return float(np.abs(read(one).frames.astype(int) - read(other).frames).mean())


@pytest.mark.parametrize(
    ("command", "own", "frames"),
    [
        ("animate", [], 8),
        ("extend", ["--seconds", "1"], 12 + 8),
        ("extend", ["--seconds", "0.5", "--before"], 12 + 4),
        ("fill", ["--start", "0.5", "--end", "1"], 12),
        ("loop", ["--length", "short"], 12 + 4),
        ("loop", ["--length", "0.25"], 12 + 2),
        ("remix", ["--strength", "0.4"], 12),
        ("recut", ["--keep", "0:0.5", "--keep", "1:1.5", "--gap", "0.25"], 4 + 2 + 4),
    ],
)
def test_each_command_makes_a_video(command, own, frames, film, weights, tmp_path):
    out = tmp_path / "made.mp4"
    code, said, told = reel(command, film, "a red ball", *own, "-o", out, "--weights", weights, *FAST)
    assert code == 0, told
    assert str(out) in said
    info = probe(out)
    assert (info.width, info.height, info.num_frames) == (32, 32, frames)
    assert info.metadata["operation"] == command
    (parent,) = info.metadata["parents"]
    assert parent["file"] == "film.mp4"
    assert json.loads(out.with_suffix(".json").read_text())["made"] == info.metadata


def test_two_videos_blend_along_a_curve(film, weights, tmp_path):
    out = tmp_path / "made.gif"
    curve = ["--curve", "0:0,0.5:0.2,1:1"]
    code, _, told = reel("blend", film, film, "a red ball", *curve, "-o", out, "--weights", weights, *FAST)
    assert code == 0, told
    assert probe(out).metadata["curve"] == [[0.0, 0.0], [0.5, 0.2], [1.0, 1.0]]


def test_the_first_frame_is_the_image(film, weights, tmp_path):
    image, out = tmp_path / "image.png", tmp_path / "frames"
    write(read(film, width=32, height=32), image)
    code, _, told = reel("animate", image, "a red ball", "-o", out, "--weights", weights, *FAST)
    assert code == 0, told
    np.testing.assert_array_equal(read(out / "frame_00000.png").frames, read(image).frames)
    assert json.loads((tmp_path / "frames.json").read_text())["made"]["operation"] == "animate"


def test_variations_have_a_sheet_and_go_on(weights, tmp_path):
    command = ["variations", "a red ball", "-o", tmp_path, "--seed", 4, "--weights", weights, *FAST]
    code, said, told = reel(*command, "--count", 2)
    assert code == 0, told
    assert [Path(line).name for line in said.splitlines()] == [
        "seed_00004.mp4",
        "seed_00005.mp4",
        "sheet.png",
    ]
    first = tmp_path / "seed_00004.mp4"
    before = first.stat().st_mtime_ns
    assert reel(*command, "--count", 3)[0] == 0
    assert first.stat().st_mtime_ns == before
    assert reel(*command, "--count", 2, "--guidance-scale", 1.5)[0] == 0
    assert probe(first).metadata["guidance_scale"] == 1.5  # made anew, for it was another one
    assert probe(tmp_path / "seed_00006.mp4").metadata["seed"] == 6
    assert read(tmp_path / "sheet.png").frames.shape[2] > 3 * 32


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["extend", "nowhere.mp4", "a red ball"], "does not exist"),
        (["loop", "FILM", "a red ball", "--length", "endless"], "short, normal, long"),
        (["remix", "FILM", "a red ball", "--strength", "2"], "strength is 2"),
        (["recut", "FILM", "a red ball", "--keep", "soon"], "two numbers"),
        (["recut", "FILM", "a red ball", "--keep", "0:nan"], "keep is nan seconds"),
        (["extend", "FILM", "a red ball", "--seconds", "1e9"], "to 600 seconds"),
        (["extend", "FILM", "a red ball", "--seconds", "nan"], "give a number"),
        (["blend", "FILM", "FILM", "a red ball", "--curve", "0:0"], "two points"),
        (["fill", "FILM", "a red ball", "--start", "1", "--end", "9"], "use extend"),
        (["animate", "FILM", "xyzzy"], "knows none of these words"),
        (["show", "FILM"], "does not say how it was made"),
        (["show", "."], "does not say how it was made"),
        (["show", "/"], "does not say how it was made"),
        (["again", "."], "does not say how it was made"),
        (["animate", ".", "a red ball"], "is not a plain file"),
        (["blend", "/", "FILM", "a red ball"], "is not a plain file"),
    ],
)
def test_what_cannot_be_is_one_line(arguments, complaint, film, weights, tmp_path):
    filled = [film if argument == "FILM" else argument for argument in arguments]
    options = ["-o", tmp_path / "x.mp4", "--weights", weights, *FAST]
    options = {"show": [], "again": options[:4]}.get(arguments[0], options)
    code, _, told = reel(*filled, *options)
    assert code == 2
    assert complaint in told
    assert len(told.strip().splitlines()) == 1
    assert not (tmp_path / "x.mp4").exists()


def test_nothing_beside_a_result_is_removed(film, weights, tmp_path):
    """Folders that are named like those for windows may be anybody's, and hold what a result is made of."""
    for folder in ("made_windows", ".made.mp4.windows"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.mp4").write_bytes(film.read_bytes())
    out = tmp_path / "made.mp4"
    own = tmp_path / ".made.mp4.windows" / "1.mp4"
    code, _, told = reel(
        "extend", own, "a red ball", "--seconds", "0.5", "-o", out, "--weights", weights, *FAST
    )
    assert code == 0, told
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("*windows/*"))
    assert left == [".made.mp4.windows/1.mp4", "made_windows/1.mp4"]


def test_a_storyboard_is_rendered_from_its_file(film, weights, tmp_path):
    board, out = tmp_path / "board.toml", tmp_path / "made.mp4"
    board.write_text(
        "duration = 2.0\n[[cards]]\ntime = 0.0\ntext = 'a red ball'\n"
        f"[[cards]]\ntime = 1.0\ntext = 'a blue ball'\nvideo = '{film}'\ncut = true\n"
    )
    code, said, told = reel("storyboard", board, "-o", out, "--weights", weights, *FAST)
    assert code == 0, told
    assert str(out) in said
    info = probe(out)
    assert (info.num_frames, info.metadata["cuts"]) == (16, [8])
    assert len(list((tmp_path / "made_windows").iterdir())) == 1  # a film that fills its card needs none
    board.write_text("[[cards]]\ntime = 0.0\ntext = 'a red ball'\nmood = 'sad'\n")
    code, _, told = reel("storyboard", board, "-o", out, "--weights", weights, *FAST)
    assert code == 2
    assert "mood" in told


def test_a_character_is_stored_listed_and_forgotten(film, weights, tmp_path, monkeypatch):
    monkeypatch.setenv("REELWORLD_CHARACTERS", str(tmp_path / "shelf"))
    assert "none yet" in reel("characters")[1]
    code, said, told = reel("character", "Bo", "--from", film, "--at", "0.5")
    assert code == 0, told
    assert said.strip() == str(tmp_path / "shelf" / "bo.png")
    np.testing.assert_array_equal(
        read(tmp_path / "shelf" / "bo.png").frames[0], read(film, start=0.5, num_frames=1).frames[0]
    )
    assert reel("characters")[1].split() == ["bo"]
    options = ["--character", "Bo", "--weights", weights, *FAST, "-o", tmp_path / "x.mp4"]
    code, _, told = reel("generate", "Bo rolls", *options)
    assert code == 0, told
    assert "'bo'" not in told
    assert probe(tmp_path / "x.mp4").metadata["characters"]["Bo"]["file"] == "bo.png"
    assert reel("again", tmp_path / "x.mp4", "-o", tmp_path / "y.gif", "--weights", weights)[0] == 0
    code, _, told = reel("generate", "a red ball", *options)
    assert code == 2
    assert "does not mention Bo" in told
    assert reel("character", "Bo", "--from", film, "--at", "1.0")[0] == 0
    assert "another one now" in reel("again", tmp_path / "x.mp4", "--weights", weights)[2]
    assert reel("character", "Bo", "--remove")[0] == 0
    code, _, told = reel("animate", film, "Bo", "--character", "Bo", "--weights", weights, *FAST)
    assert code == 2
    assert "no character Bo" in told


def test_a_result_never_takes_the_place_of_what_it_is_made_of(film, weights, tmp_path):
    own = write(read(film), tmp_path / "own.mp4")
    before = own.read_bytes()
    for output in (own, tmp_path / "there" / ".." / "own.mp4"):
        code, _, told = reel("loop", own, "-o", output, "--weights", weights, *FAST)
        assert (code, "would take the place" in told) == (2, True)
    assert own.read_bytes() == before
    picture = tmp_path / "ball.png"
    assert (
        reel("generate", "a red ball", "--num-frames", 1, "-o", picture, "--weights", weights, *FAST)[0] == 0
    )
    told = picture.with_suffix(".json").read_bytes()
    code, _, said = reel(
        "animate", picture, "a red ball", "-o", tmp_path / "ball.mp4", "--weights", weights, *FAST
    )
    assert (code, "what tells how that was made" in said) == (2, True)
    assert picture.with_suffix(".json").read_bytes() == told
    board = tmp_path / "board.toml"
    board.write_text("[[cards]]\ntime = 0.0\nvideo = 'own.mp4'\n")
    code, _, said = reel("storyboard", board, "-o", own, "--weights", weights, *FAST)
    assert (code, "would take the place" in said) == (2, True)
    assert own.read_bytes() == before


def test_a_result_takes_the_place_of_no_other_json(film, weights, tmp_path):
    """Neither of a scene program nor of settings, nor of how a folder of frames was made."""
    options, clip = ["--weights", weights, *FAST], tmp_path / "clips" / "clip_000000"
    assert reel("world", "sample", "--count", 1, "--out", clip.parent, "--num-frames", 4)[0] == 0
    (tmp_path / "settings.json").write_text("{}")
    (tmp_path / "seed_00001.json").write_text("{}")
    assert reel("generate", "a red ball", "-o", tmp_path / "fr", *options)[0] == 0
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.json")}
    for command in (
        ["remix", clip.with_suffix(".mp4"), "a red ball", "-o", clip.with_suffix(".gif")],
        ["generate", "a red ball", "-o", tmp_path / "settings.mp4"],
        ["generate", "a red ball", "-o", tmp_path / "fr.mp4"],
        ["variations", "a red ball", "--count", 2, "-o", tmp_path],
    ):
        code, _, told = reel(*command, *options)
        assert (code, "would take the place of" in told) == (2, True), told
    assert {file: file.read_bytes() for file in tmp_path.rglob("*.json")} == before
    assert not list(tmp_path.rglob("*.gif"))
    for name in ("twice.mp4", "twice.gif"):
        assert reel("generate", "a red ball", "-o", tmp_path / name, *options)[0] == 0


def test_the_same_command_may_be_given_again(film, weights, tmp_path):
    """A photograph has no account, nor has a storyboard: what lies beside them is that of the result."""
    photo, board = write(read(film, num_frames=1), tmp_path / "photo.png"), tmp_path / "board.toml"
    board.write_text("[[cards]]\ntime = 0.0\ntext = 'a red ball'\n")
    options = ["--weights", weights, *FAST]
    for _ in range(2):
        assert reel("animate", photo, "a red ball", "-o", tmp_path / "photo.mp4", *options)[0] == 0
        assert reel("storyboard", board, "-o", tmp_path / "board.mp4", *options)[0] == 0
    code, _, told = reel("show", photo)
    assert (code, "does not say how it was made" in told) == (2, True)


def test_what_is_missing_may_be_filled_without_a_prompt(film, weights, tmp_path):
    filled, other = tmp_path / "filled.mp4", tmp_path / "other.mp4"
    options = ["--weights", weights]
    where = ["--start", 0.5, "--end", 1.0]
    assert reel("fill", film, *where, "-o", filled, *options, *FAST)[0] == 0
    assert reel("recut", film, "--keep", "0:1", "--keep", "0.5:1.5", "-o", other, *options, *FAST)[0] == 0
    again = ["--made-of", film.parent, "-o", tmp_path / "again.mp4", *options]
    assert reel("again", other, "--set", "keep=0:0.5,1:1.5", *again)[0] == 0
    assert probe(tmp_path / "again.mp4").metadata["keep"] == [[0.0, 0.5], [1.0, 1.5]]


def test_a_part_of_what_is_given_can_be_taken(film, weights, tmp_path):
    out, options = tmp_path / "out.mp4", ["--weights", weights]
    code, _, told = reel(
        "extend", film, "a red ball", "--take", "0.5:1.25", "--seconds", "0.5", "-o", out, *options, *FAST
    )
    assert code == 0, told
    assert probe(out).num_frames == 6 + 4
    own = {"width": 32, "height": 32, "fps": 8.0}
    assert probe(out).metadata["parents"][0]["read"] == {**own, "start": 0.5, "duration": 0.75}
    assert reel("again", out, "--made-of", film, "-o", tmp_path / "twin.mp4", *options)[0] == 0
    assert (
        reel("again", out, "--made-of", film, "--set", "seed=9", "-o", tmp_path / "other.mp4", *options)[0]
        == 0
    )
    assert apart(tmp_path / "twin.mp4", out) < apart(tmp_path / "other.mp4", out) / 2
    for odd in ("1:0.5", "-1:1", "0:nan", "soon"):
        code, _, told = reel("loop", film, "a red ball", f"--take={odd}", "-o", tmp_path / "x.mp4", *options)
        assert (code, "--take is" in told) == (2, True)


def test_a_picture_too_large_to_be_read_again_is_not_begun(weights, tmp_path):
    code, _, told = reel("generate", "a red ball", "--scale", 32, "--width", 1024, "-o", tmp_path / "x.mp4",
                         "--weights", weights, *FAST)  # fmt: skip
    assert (code, "over the limit" in told) == (2, True)


def test_a_video_speaks_for_itself(film, weights, tmp_path):
    one, two = tmp_path / "one.mp4", tmp_path / "two.mp4"
    assert (
        reel("animate", film, "a red ball", "-o", one, "--seconds", "1.5", "--weights", weights, *FAST)[0]
        == 0
    )
    assert probe(one).num_frames == 12
    code, _, told = reel("loop", one, "-o", two, "--weights", weights, *FAST)
    assert code == 0, told
    assert probe(two).metadata["prompt"] == "a red ball"


def test_a_variation_that_a_crash_cut_short_is_made_again(weights, tmp_path):
    asked = ["variations", "a red ball", "--count", "2", "-o", tmp_path / "v", "--weights", weights]
    code, _, told = reel(*asked, "--num-inference-steps", "1")
    assert code == 0, told
    films = sorted((tmp_path / "v").glob("seed_*.mp4"))
    films[1].write_bytes(films[1].read_bytes()[:300])
    code, _, told = reel(*asked, "--num-inference-steps", "1")
    assert code == 0, told
    assert probe(films[1]).num_frames == probe(films[0]).num_frames
