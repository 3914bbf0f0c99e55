"""The `reel` command as a person uses it, in real processes, with tiny weights made here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reelworld import recipes
from reelworld.core.config import to_json
from reelworld.core.video import probe, read
from reelworld.models.released import checkpoint_to_denoiser, denoiser_to_checkpoint
from reelworld.train.footage import find_clips


def reel(*arguments: object, text: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reelworld.cli", *map(str, arguments)]
    return subprocess.run(command, input=text, capture_output=True, text=True, cwd=cwd, timeout=120)


def test_generate_writes_video_poster_and_preview(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "ball.mp4"
    done = reel(
        "generate", "a red ball", "-o", out, "--weights", weights, "--num-inference-steps", 3, "--preview"
    )
    assert done.returncode == 0, done.stderr
    beside = {"ball.mp4", "ball.json", "ball_poster.png", "ball_preview.png"}
    assert {p.name for p in out.parent.iterdir()} == beside
    assert json.loads(out.with_suffix(".json").read_text())["captions"] == {"descriptive": "a red ball"}
    info = probe(out)
    assert (info.width, info.height, info.num_frames) == (128, 128, 8)
    assert info.metadata["prompt"] == "a red ball"


def test_same_seed_same_bytes_and_json(weights: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        done = reel(
            "generate", "-", "-o", tmp_path / f"{name}.mp4", "--weights", weights, "--num-inference-steps", 2,
            "--num-videos", 2, "--seed", 5, "--json", text="a red ball",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert [e["seed"] for e in events if e["event"] == "result"] == [5, 6]
        assert sum(e["event"] == "advance" for e in events) == 4
    assert (tmp_path / "a_000.mp4").read_bytes() == (tmp_path / "b_000.mp4").read_bytes()
    assert (tmp_path / "a_000.mp4").read_bytes() != (tmp_path / "a_001.mp4").read_bytes()


def test_unknown_words_are_named(weights: Path, tmp_path: Path) -> None:
    done = reel(
        "generate",
        "a purpel ball",
        "-o",
        tmp_path / "x.mp4",
        "--weights",
        weights,
        "--num-inference-steps",
        1,
    )
    assert done.returncode == 0
    assert "'purpel'" in done.stderr
    assert "purple" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([""], "prompt"),
        (["x" * 100_000], "prompt"),
        (["qwertz asdfgh"], "none of these words"),
        (["a red ball", "--width", "30"], "width"),
        (["a red ball", "--num-frames", "0"], "frames"),
        (["a red ball", "--num-inference-steps", "0"], "steps"),
        (["a red ball", "--weights", "missing.safetensors"], "missing.safetensors"),
        (["a red ball", "--sampler", "magic"], "sampler"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    weights: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    given = arguments if "--weights" in arguments else [*arguments, "--weights", str(weights)]
    done = reel("generate", *given, "-o", tmp_path / "x.mp4", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_foreign_weights_and_bad_outputs(weights: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.safetensors"
    foreign.write_bytes(b"not weights at all")
    full = [
        ("--weights", foreign, "-o", tmp_path / "x.mp4"),
        ("--weights", weights, "-o", tmp_path / "x.avi"),
    ]
    full.append(("--weights", weights, "-o", "/proc/nowhere/x.mp4"))
    full.append(("--weights", weights, "-o", "/"))
    full.append(("--weights", tmp_path / "none.safetensors", "-o", tmp_path / "new" / "x.mp4"))
    for options in full:
        done = reel("generate", "a red ball", "--num-inference-steps", 1, *options)
        assert done.returncode == 2, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["foreign.safetensors"]


def test_full_disk_leaves_nothing(weights: Path, tmp_path: Path) -> None:
    """A file-size limit of 4 kB stands for the full disk: the same OSError, in the same place."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); from reelworld.cli import run; run()"
    )
    command = [sys.executable, "-B", "-c", code, "generate", "a red ball", "-o", str(tmp_path / "x.mp4")]
    options = ["--weights", str(weights), "--num-inference-steps", "1"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_unwritable_folder(weights: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    done = reel("generate", "a red ball", "-o", tmp_path / "x.mp4", "--weights", weights)
    assert done.returncode == 2
    assert "cannot write" in done.stderr


def test_world_sample_show_and_words(tmp_path: Path) -> None:
    out = tmp_path / "clips"
    done = reel("world", "sample", "--count", 2, "--level", 2, "--seed", 7, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    assert sorted(p.suffix for p in out.glob("clip_*")) == [".json", ".json", ".mp4", ".mp4"]
    done = reel("world", "show", out / "clip_000000.json", "--size", 64, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "descriptive:" in done.stdout
    assert len(read(tmp_path / "out" / "clip_000000.mp4").frames) == 16
    assert len(list(find_clips(out))) == 2  # the folder is still one that training reads


def test_words_lists_what_was_learnt(weights: Path) -> None:
    assert "sphere" in reel("words", "--weights", weights).stdout.split()


def test_world_errors(tmp_path: Path) -> None:
    done = reel("world", "sample", "--out", tmp_path / "a", "--level", 9)
    assert done.returncode == 2
    assert "level" in done.stderr
    done = reel("world", "show", tmp_path / "missing.json")
    assert done.returncode == 2
    assert "no scene" in done.stderr


def test_train_speaks_one_line(tmp_path: Path) -> None:
    done = reel("train", "nanno", "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "nano" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["generate", "a red ball", "--num-frames", "many"], "--num-frames"),
        (["generate", "a red ball", "--colour", "red"], "--colour"),
        (["generate"], "prompt"),
        (["world", "sample", "--count", "0", "--out", "x"], "--count"),
        (["generrate"], "generrate"),
        (["train", "nano"], "--out"),
        (["evaluate", "--validate", "--model", "x.safetensors"], "--validate takes no --model"),
        (["evaluate", "--videos", "x", "--prompts", "x.json", "--seeds", "2"], "--videos takes no --seeds"),
        (["evaluate", "--videos", "x"], "--prompts"),
        (["evaluate", "--plausibility", "--validate"], "--validate takes no --plausibility"),
        (["evaluate", "--prompts", "many"], "--prompts"),
    ],
)
def test_options_that_cannot_be_read_are_one_line(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = reel(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_long_prompts_are_told(weights: Path, tmp_path: Path) -> None:
    denoiser, tokenizer, card = checkpoint_to_denoiser(weights)
    longer = tmp_path / "longer.safetensors"
    denoiser_to_checkpoint(longer, denoiser, tokenizer, card | {"recipe": to_json(recipes.get("nano"))})
    out = tmp_path / "x.mp4"
    done = reel("generate", "a red ball. " * 20, "-o", out, "--weights", longer, "--num-inference-steps", 1)
    assert done.returncode == 0
    assert "80 words and marks; the model learned from captions of at most 64" in done.stderr


def test_a_damaged_world_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "world.json").write_bytes(b"\xff\xfe not text")
    done = reel("world", "sample", "--count", 1, "--out", tmp_path)
    assert done.returncode == 2
    assert "damaged" in done.stderr


def test_version_and_help() -> None:
    assert reel("--version").stdout.strip() == "0.1.0"
    assert "generate" in reel("--help").stdout
    assert "--resume" in reel("train", "--help").stdout


def test_short_prompts_are_told_in_full_and_long_videos_go_by_windows(weights: Path, tmp_path: Path) -> None:
    released = checkpoint_to_denoiser(weights)
    learnt = {"data": {"kind": "world"}, "recipe": to_json(recipes.get("nano"))}
    own = denoiser_to_checkpoint(
        tmp_path / "own.safetensors", released.denoiser, released.tokenizer, {**released.card, **learnt}
    )
    common = ("--weights", own, "--num-inference-steps", 1, "--num-frames", 13, "--no-upsample", "--json")
    done = reel("generate", "a red ball rolls", *common, "-o", tmp_path / "told.mp4")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    (told,) = (event["prompt"] for event in events if event["event"] == "expanded")
    made = probe(tmp_path / "told.mp4")
    assert made.num_frames == 13
    names = ("operation", "asked", "prompt")
    assert [made.metadata[name] for name in names] == ["film", "a red ball rolls", told]
    as_it_is = reel("generate", "a red ball rolls", *common, "--no-expand", "-o", tmp_path / "own.mp4")
    assert as_it_is.returncode == 0, as_it_is.stderr
    assert probe(tmp_path / "own.mp4").metadata["prompt"] == "a red ball rolls"
