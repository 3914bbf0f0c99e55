"""The command line: settings, one-line errors, exit codes."""

import json
import subprocess
import sys

import pytest

from reelworld.train.__main__ import main

SMALL = [
    "model.dim=32",
    "model.depth=1",
    "model.num_heads=2",
    "model.text.dim=32",
    "model.text.depth=1",
    "model.text.num_heads=2",
    "data.workers=0",
    "data.reuse=1",
    "data.heldout_clips=1",
    "data.sample_prompts=1",
    "report.sample_steps=1",
    *(f"stages.{stage}.{key}" for stage in range(2) for key in ("steps=1", "batch=1")),
]


def options(*settings: str) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


def test_the_nano_recipe_trains_small_on_the_world(tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["nano", "--out", str(out), "--json", "--threads", "1", *options(*SMALL)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert json.loads(lines[-1]) == {"event": "result", "weights": str(out / "weights.safetensors")}
    assert json.loads(lines[-2])["event"] == "finish"
    assert main(["nano", "--out", str(out), "--threads", "1", "--resume", *options(*SMALL)]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nanno"], "did you mean 'nano'"),
        (["nano", "--set", "model.dimm=3"], "dim"),
        (["nano", "--resume"], "nothing to resume"),
        (["nano", "--data", "nowhere"], "is no folder"),
        (["nano", "--init", "nowhere.safetensors"], "does not exist"),
        (["nano", "--device", "tpu"], "tpu"),
    ],
)
def test_errors_are_one_line_and_exit_2(arguments, message, tmp_path, capsys):
    assert main([*arguments, "--out", str(tmp_path / "run"), "--threads", "1", *options(*SMALL)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert message in told
    assert told.count("\n") == 1


def test_training_imports_neither_av_nor_typer():
    code = "import sys, reelworld.train.__main__; print({'av', 'typer', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
