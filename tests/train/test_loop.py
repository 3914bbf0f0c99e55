"""The loop: it learns, refuses what is not finite, stops when asked, resumes bit for bit after kill -9."""

import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from reelworld import recipes
from reelworld.core import checkpoint, runtime
from reelworld.core.checkpoint import read_card
from reelworld.core.config import from_json
from reelworld.core.errors import (
    CheckpointError,
    ConfigError,
    Interrupted,
    NonFiniteError,
    StorageError,
    VideoError,
)
from reelworld.core.storage import file_hash
from reelworld.models.denoiser import Denoiser
from reelworld.models.text import Tokenizer
from reelworld.recipes import Bucket, DataConfig, NoiseConfig, OptimConfig, Recipe, ReportConfig, Stage
from reelworld.train.data import servings
from reelworld.train.denoising import Denoising
from reelworld.train.heldout import Heldout
from reelworld.train.loop import train
from reelworld.train.report import read_log
from reelworld.train.snapshot import Run
from reelworld.train.step import train_step

QUIET = {"compile": False, "progress": "silent"}

KILLED = """
import sys
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
from conftest import Squares, tiny
from reelworld.recipes import ReportConfig
from reelworld.train.loop import train
report = ReportConfig(checkpoint_minutes=0.0, sample_steps=1)
train(tiny(int(sys.argv[3]), report=report), sys.argv[2], data=Squares(), compile=False, progress="silent")
"""


def weights(folder: Path) -> dict[str, torch.Tensor]:
    tensors, _ = checkpoint.load(folder / "weights.safetensors")
    return tensors


def assert_same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert left.keys() == right.keys()
    assert [name for name in left if not torch.equal(left[name], right[name])] == []


def start_run(recipe: Recipe, data) -> Run:
    tokenizer = Tokenizer.from_words(data.words(), size=recipe.model.text.vocabulary_size)
    model = Denoiser(recipe.model, runtime.generator(recipe.seed))
    return Run(Denoising(model, tokenizer, recipe, torch.device("cpu")), recipe)


def test_a_run_leaves_all_that_is_promised(tiny, squares, tmp_path):
    path = train(tiny(), tmp_path, data=squares, **QUIET)
    log = read_log(tmp_path / "log.jsonl")
    steps = [record for record in log if record["kind"] == "step"]
    assert [record["step"] for record in steps] == [1, 2, 3, 4, 5, 6]
    assert [record["stage"] for record in steps] == ["short"] * 3 + ["long"] * 3
    assert all(record["flops"] > 0 and 0 <= record["wait_share"] <= 1 for record in steps)
    heldout = [record for record in log if record["kind"] == "heldout"]
    assert set(heldout[-1]) == {"kind", "step", "t=0.1", "t=0.3", "t=0.5", "t=0.7", "t=0.9", "mean"}
    assert (tmp_path / "samples" / "step_00000006.png").is_file()
    assert (tmp_path / "curves.png").is_file()
    assert from_json(Recipe, json.loads((tmp_path / "recipe.json").read_text())) == tiny()
    assert checkpoint.read_card(path)["trained"]["steps"] == 6


def test_resume_after_kill_9_is_bit_for_bit(tiny, squares, tmp_path):
    steps, killed, whole = 40, tmp_path / "killed", tmp_path / "whole"
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(killed), str(steps)]
    process = subprocess.Popen(command)
    kill_at, log = random.Random().randrange(3, 30), killed / "log.jsonl"
    while process.poll() is None and not (log.exists() and log.read_text().count("\n") >= kill_at):
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    recipe = tiny(steps, report=ReportConfig(sample_steps=1))
    train(recipe, killed, data=squares, resume=True, **QUIET)
    train(recipe, whole, data=squares, **QUIET)
    assert_same(weights(killed), weights(whole))
    assert [r["step"] for r in read_log(log) if r["kind"] == "step"] == list(range(1, steps + 1))


@dataclass(frozen=True)
class Signalling:
    """Data that sends this process a signal when a clip is drawn."""

    inner: object
    at: int
    number: int

    def words(self):
        return self.inner.words()

    def own_words(self):
        return self.inner.own_words()

    def notes(self, recipe, words):
        return self.inner.notes(recipe, words)

    def describe(self):
        return self.inner.describe()

    def stream(self, stage, shape, batch, *, split, seed, device):
        return SignallingStream(
            self.inner.stream(stage, shape, batch, split=split, seed=seed, device=device), self
        )


class SignallingStream:
    def __init__(self, stream, data: Signalling) -> None:
        self.stream, self.data, self.seek = stream, data, stream.seek

    def __next__(self):
        if self.stream.position == self.data.at:
            signal.raise_signal(self.data.number)
        return next(self.stream)


@pytest.fixture
def minding():
    """Mind what asks to stop, also where these tests run under `nohup`."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("minding")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_finishes_the_step_saves_and_resumes_bit_for_bit(tiny, squares, tmp_path, number):
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match=r"after step \d+ .*--resume"):
        train(tiny(12), tmp_path / "a", data=Signalling(squares, 4, number), **QUIET)
    assert signal.getsignal(number) is before
    assert len(checkpoint.states(tmp_path / "a" / "state")) == 1
    train(tiny(12), tmp_path / "a", data=squares, resume=True, **QUIET)
    train(tiny(12), tmp_path / "b", data=squares, **QUIET)
    assert_same(weights(tmp_path / "a"), weights(tmp_path / "b"))


def test_a_hangup_that_is_ignored_stops_nothing(tiny, squares, tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
    try:
        train(tiny(), tmp_path, data=Signalling(squares, 4, signal.SIGHUP), **QUIET)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_file_that_breaks_later_ends_a_training_that_is_saved(tiny, squares, tmp_path, monkeypatch):
    def broken(stream):
        if stream.stream.position == 4:
            raise VideoError("c.mp4 is broken; convert it again")
        return next(stream.stream)

    monkeypatch.setattr(SignallingStream, "__next__", broken)
    with pytest.raises(VideoError, match="broken"):
        train(tiny(12), tmp_path, data=Signalling(squares, 4, 0), **QUIET)
    (state,) = checkpoint.states(tmp_path / "state")
    assert state.name > "step_00000000"


def test_minutes_stop_and_save(tiny, squares, tmp_path):
    train(tiny(), tmp_path, data=squares, minutes=0.0, **QUIET)
    assert [path.name for path in checkpoint.states(tmp_path / "state")] == ["step_00000000.safetensors"]


def test_a_step_that_is_not_finite_is_refused_and_named(tiny, squares):
    run = start_run(tiny(), squares)
    feed = servings(squares, run.recipe, 0)
    before = {name: p.detach().clone() for name, p in run.objective.model.named_parameters()}
    record = train_step(run, next(feed), lambda **inputs: run.objective.loss(**inputs) * float("nan"))
    assert (record["applied"], record["loss"], record["refused"]) == (False, None, 1)
    assert record["culprit"].startswith("adamw (")
    assert_same(before, dict(run.objective.model.named_parameters()))
    assert train_step(run, next(feed), run.objective.loss)["applied"]
    assert (run.step, run.applied, run.refused_in_row) == (2, 1, 0)


def test_too_many_refused_steps_end_the_run(tiny, squares):
    run = start_run(tiny(optim=OptimConfig(max_refused=2)), squares)
    feed = servings(squares, run.recipe, 0)

    def bad_block(**inputs):
        weight = run.objective.model.blocks[1].mlp.gate_up.weight
        return run.objective.loss(**inputs) + (weight * float("inf")).sum()

    train_step(run, next(feed), bad_block)
    with pytest.raises(NonFiniteError, match=r"step 2.*muon \(blocks.1.mlp.gate_up.weight\)"):
        train_step(run, next(feed), bad_block)


def test_a_folder_with_a_run_is_not_overwritten(tiny, squares, tmp_path):
    train(tiny(), tmp_path, data=squares, minutes=0.0, **QUIET)
    with pytest.raises(StorageError, match="--resume"):
        train(tiny(), tmp_path, data=squares, **QUIET)


def test_weights_without_a_state_are_not_overwritten(tiny, squares, tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(b"precious")
    with pytest.raises(StorageError, match=r"holds weights\.safetensors"):
        train(tiny(), tmp_path, data=squares, **QUIET)
    assert (tmp_path / "weights.safetensors").read_bytes() == b"precious"


@pytest.mark.filterwarnings("ignore:passing over")
def test_states_that_are_all_damaged_are_told(tiny, squares, tmp_path):
    train(tiny(), tmp_path, data=squares, minutes=0.0, **QUIET)
    (state,) = checkpoint.states(tmp_path / "state")
    state.write_bytes(state.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match=rf"is damaged \({state.name}\).*another folder"):
        train(tiny(), tmp_path, data=squares, resume=True, **QUIET)


@pytest.mark.parametrize("minutes", [float("nan"), -1.0])
def test_minutes_that_cannot_be_are_refused(tiny, squares, tmp_path, minutes):
    with pytest.raises(ConfigError, match="minutes is"):
        train(tiny(), tmp_path / "run", data=squares, minutes=minutes, **QUIET)
    assert not (tmp_path / "run").exists()


def test_checks_of_what_makes_no_videos_are_refused_at_once(tmp_path):
    with pytest.raises(ConfigError, match="makes no videos to check"):
        train(recipes.get("perception"), tmp_path / "run", checks=lambda path: {}, **QUIET)
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_takes_no_other_beginning(tiny, squares, tmp_path):
    first = train(tiny(), tmp_path / "first", data=squares, minutes=0.0, **QUIET)
    other = train(tiny(seed=5), tmp_path / "other", data=squares, minutes=0.0, **QUIET)
    again = {"data": squares, "minutes": 0.0, **QUIET}
    train(tiny(), tmp_path / "second", init=first, **again)
    train(tiny(), tmp_path / "second", init=first, resume=True, **again)
    for folder, init in (("second", other), ("first", first)):
        with pytest.raises(ConfigError, match="did not begin from"):
            train(tiny(), tmp_path / folder, init=init, resume=True, **again)
    with pytest.raises(CheckpointError, match="does not exist"):
        train(tiny(), tmp_path / "second", init=tmp_path / "none", resume=True, **again)


def test_resume_needs_a_state_of_the_same_recipe(tiny, squares, tmp_path):
    with pytest.raises(CheckpointError, match="nothing to resume"):
        train(tiny(), tmp_path / "none", data=squares, resume=True, **QUIET)
    train(tiny(), tmp_path / "run", data=squares, minutes=0.0, **QUIET)
    with pytest.raises(ConfigError, match="settings of: seed"):
        train(tiny(seed=5), tmp_path / "run", data=squares, resume=True, **QUIET)


def test_resuming_on_other_data_or_threads_is_told(tiny, squares, tmp_path):
    train(tiny(), tmp_path, data=squares, minutes=0.0, **QUIET)
    with pytest.raises(ConfigError, match="data of kind 'squares', not 'world'"):
        train(tiny(), tmp_path, resume=True, **QUIET)
    notes: list[str] = []
    torch.set_num_threads(2)
    train(tiny(), tmp_path, data=squares, resume=True, minutes=0.0, note=notes.append, **QUIET)
    assert notes == ["resumed, but not bit for bit: other threads (then 1, now 2)"]


def test_a_disk_that_refuses_pictures_does_not_end_a_training(tiny, squares, tmp_path, monkeypatch):
    """What cannot be written on the way is told once; what is asked for at the end is an error."""

    def full(path: Path, data: bytes) -> Path:
        raise StorageError(f"cannot write {path.parent.name}: the disk is full")

    monkeypatch.setattr("reelworld.train.reporter.write_bytes", full)
    notes: list[str] = []
    often = tiny(report=ReportConfig(sample_steps=1, sample_minutes=0.0))
    with pytest.raises(StorageError, match="disk is full"):
        train(often, tmp_path, data=squares, note=notes.append, **QUIET)
    assert len([line for line in notes if "disk is full; training goes on" in line]) == 1
    assert weights(tmp_path)


def test_init_starts_from_released_weights(tiny, squares, tmp_path):
    first = train(tiny(), tmp_path / "first", data=squares, **QUIET)
    train(tiny(seed=9), tmp_path / "second", data=squares, init=first, minutes=0.0, **QUIET)
    assert_same(weights(tmp_path / "first"), weights(tmp_path / "second"))
    train(tiny(seed=9), tmp_path / "second", data=squares, resume=True, **QUIET)
    assert read_log(tmp_path / "second" / "log.jsonl")[-2]["applied"]


def test_weights_say_what_they_went_on_from(tiny, squares, tmp_path):
    first = train(tiny(), tmp_path / "first", data=squares, minutes=0.0, **QUIET)
    assert "continued" not in read_card(first)
    train(tiny(seed=9), tmp_path / "second", data=squares, init=first, minutes=0.0, **QUIET)
    second = train(tiny(seed=9), tmp_path / "second", data=squares, resume=True, **QUIET)
    told, card = read_card(second)["continued"], read_card(first)
    assert told == {"from": file_hash(first), "trained": card["trained"], "recipe": card["recipe"]}
    third = train(tiny(), tmp_path / "third", data=squares, init=second, minutes=0.0, **QUIET)
    assert read_card(third)["continued"]["continued"] == told


def test_init_with_another_model_is_refused(tiny, squares, tmp_path):
    first = train(tiny(), tmp_path / "first", data=squares, minutes=0.0, **QUIET)
    with pytest.raises(ConfigError, match="another model"):
        train(
            tiny(model=replace(tiny().model, dim=64)), tmp_path / "second", data=squares, init=first, **QUIET
        )


def test_a_tiny_model_learns_which_caption_means_which_clip(tiny, squares):
    """After a short training on four clips the sampler returns, for each caption, the clip it belongs to."""
    base = tiny()
    shape = base.stages[0].buckets[0].shape
    stage = Stage(name="all", steps=350, batch=16, buckets=(Bucket(shape=shape),), text_length=32)
    data = DataConfig(workers=0, heldout_clips=4, sample_prompts=4)
    model = replace(base.model, dim=64)
    recipe = tiny(
        stages=(stage,), data=data, model=model, noise=NoiseConfig(), optim=OptimConfig(ema_decay=0.98)
    )
    run = start_run(recipe, squares)
    for serving in servings(squares, recipe, 0):
        train_step(run, serving, run.objective.loss)
    heldout = Heldout(squares, recipe, run.objective.tokenizer, torch.device("cpu"))
    assert len(set(heldout.clips.captions[:4])) == 4
    samples = torch.from_numpy(heldout.samples(run.ema)).float()
    distances = (samples[:, None] - torch.from_numpy(heldout.truth()).float()[None]).abs().mean((2, 3, 4, 5))
    assert distances.argmin(1).tolist() == [0, 1, 2, 3]
    assert float(distances.diagonal().max()) < 12, "mean error in grey levels"
