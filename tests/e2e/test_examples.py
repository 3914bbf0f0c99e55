"""The examples run as their first lines say."""

from __future__ import annotations

import copy
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from reelworld.core.checkpoint import load, read_card, save
from reelworld.core.config import to_json
from reelworld.core.types import VideoShape
from reelworld.core.video import read
from reelworld.models.denoiser import Denoiser, DenoiserConfig
from reelworld.models.released import checkpoint_to_denoiser, denoiser_to_checkpoint
from reelworld.models.text import TextConfig, Tokenizer
from reelworld.world.caption import vocabulary

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """What a training leaves: average weights of a tiny denoiser."""
    text = TextConfig(dim=32, depth=1, num_heads=1)
    denoiser = Denoiser(DenoiserConfig(dim=32, depth=1, num_heads=1, text=text))
    torch.nn.init.normal_(denoiser.final.weight, std=0.05, generator=torch.Generator().manual_seed(1))
    shape = VideoShape(width=32, height=32, num_frames=8, fps=8.0)
    card = {"shape": to_json(shape), "trained": {"steps": 3}}
    denoiser_to_checkpoint(
        tmp_path / "weights.safetensors", denoiser, Tokenizer.from_words(vocabulary()), card
    )
    return tmp_path


def example(name: str, *arguments: object) -> str:
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_grid(run_folder: Path) -> None:
    out = run_folder / "grid.gif"
    weights = run_folder / "weights.safetensors"
    example("grid.py", "a red ball", "a blue cube", "a cone", "--weights", weights, "--steps", 1,
            "--columns", 2, "--scale", 1, "-o", out)  # fmt: skip
    assert read(out).frames.shape == (8, 72, 72, 3)


def test_release(run_folder: Path) -> None:
    out = run_folder / "small.safetensors"
    said = example("release.py", run_folder, "-o", out, "--level", 1)
    assert "'steps': 3" in said
    assert out.stat().st_size < 0.6 * (run_folder / "weights.safetensors").stat().st_size
    before, _, _ = checkpoint_to_denoiser(run_folder / "weights.safetensors")
    after, tokenizer, _ = checkpoint_to_denoiser(out)
    for name, value in before.state_dict().items():
        assert torch.allclose(value, after.state_dict()[name].float(), rtol=0.01, atol=1e-6), name
    assert "ball" in tokenizer.learnt
    assert "dog" not in tokenizer.learnt
    assert read_card(out)["trained"] == {"steps": 3}


def test_average(run_folder: Path) -> None:
    one, other, out = (run_folder / f"{n}.safetensors" for n in ("weights", "other", "mean"))
    tensors, card = load(one)
    changed = {name: t + 1 if t.is_floating_point() else t for name, t in tensors.items()}
    save(other, changed, card)
    assert "0.750 weights" in example(
        "average.py", f"{one}=3", f"{other}=1", "--of-first", "final.", "-o", out
    )
    averaged, noted = load(out)
    for name, value in tensors.items():
        moved = 0.25 * (value.is_floating_point() and not name.startswith("final."))
        assert torch.allclose(averaged[name].float(), value.float() + moved, atol=1e-5), name
    assert any(name.startswith("final.") for name in tensors)
    assert noted["mean_of"] == [["weights.safetensors", 0.75], ["other.safetensors", 0.25]]
    assert checkpoint_to_denoiser(out)[2]["shape"] == card["shape"]


def test_average_of_rounded_weights_and_of_more_words(run_folder: Path) -> None:
    """What was rounded is not averaged number by number; who learnt more words keeps them."""
    one, other, out = (run_folder / f"{n}.safetensors" for n in ("weights", "other", "mean"))
    plain = checkpoint_to_denoiser(one)
    denoiser = copy.deepcopy(plain.denoiser)
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter.mul_(3)
    words = Tokenizer.from_words([*plain.tokenizer.words, "griffin"])
    denoiser_to_checkpoint(other, denoiser, words, {"shape": plain.card["shape"]}, torch.int8)
    for options in ((), ("--int8",)):
        example("average.py", f"{one}=1", f"{other}=1", *options, "-o", out)
        averaged, tokenizer, card = checkpoint_to_denoiser(out)
        assert tokenizer.words[-1] == "griffin"
        assert card["dtype"] == ("int8" if options else "float32")
        for name, value in plain.denoiser.state_dict().items():
            off = (averaged.state_dict()[name] - 2 * value).abs().max()
            assert off <= 0.02 * value.abs().max() + 1e-6, name
    save(other, load(one)[0], {**load(one)[1], "tokenizer": {"size": 9, "words": ["zebra"], "learnt": []}})
    command = [sys.executable, str(EXAMPLES / "average.py"), f"{one}=1", f"{other}=1", "-o", str(out)]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "different vocabularies" in refused.stderr


def test_teach_reading(run_folder: Path) -> None:
    before, out = run_folder / "weights.safetensors", run_folder / "taught.safetensors"
    said = example("teach_reading.py", before, "-o", out, "--steps", 4, "--captions", 40)
    assert "read side 0." in said
    assert "nan" not in said  # of forty captions none says who stands before whom
    old, new = load(before)[0], load(out)[0]
    changed = {name for name in old if not torch.equal(old[name], new[name])}
    assert changed
    assert all(name.startswith("text_encoder.") for name in changed)


def test_gallery(tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    example("gallery.py", "--level", 2, "--count", 2, "--size", 32, "-o", out)
    assert read(out).frames.shape[0] == 1


def test_train_camera(tmp_path: Path) -> None:
    before, out = (
        Path(str(files("reelworld") / "weights" / "perception.safetensors")),
        tmp_path / "w.safetensors",
    )
    assert str(out) in example("train_camera.py", before, "-o", out, "--minutes", 0.02)
    old, new = load(before)[0], load(out)[0]
    changed = {name.split(".")[0] for name in old if not torch.equal(old[name], new[name])}
    assert changed == {"camera"}
