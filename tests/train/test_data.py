"""What each step sees: a function of the step, with every clip shown as often as the recipe says."""

import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from multiprocessing import active_children, get_context
from pathlib import Path

import pytest
import torch

from reelworld import recipes
from reelworld.core import runtime
from reelworld.core.errors import ConfigError, DataError
from reelworld.models.text import Tokenizer
from reelworld.recipes import DataConfig
from reelworld.train.data import Echo, WorldData, bucket_at, open_feed, servings
from reelworld.train.denoising import Annotator
from reelworld.train.footage import Footage
from reelworld.train.makers import makers
from reelworld.world.splits import is_heldout
from reelworld.world.stream import plan


def test_servings_continue_from_any_step(tiny, squares):
    whole = list(servings(squares, tiny(20), 0))
    for start in (3, 10, 17):
        for expected, got in zip(whole[start:], servings(squares, tiny(20), start), strict=True):
            assert (expected.step, expected.bucket) == (got.step, got.bucket)
            assert expected.batch.indices == got.batch.indices
            assert torch.equal(expected.batch.pixels, got.batch.pixels)


def echo_of(squares, tiny, start: int = 0) -> Echo:
    stage = tiny().stages[0]
    stream = squares.stream(stage, stage.buckets[0].shape, 2, split="train", seed=0, device="cpu")
    return Echo(stream, 2, 3, 5, start, seed=4)


def test_echo_shows_each_clip_about_reuse_times_and_never_twice_at_once(squares, tiny):
    echo = echo_of(squares, tiny)
    batches = [next(echo) for _ in range(1000)]
    assert all({2 * k, 2 * k + 1} <= set(batch.indices) for k, batch in enumerate(batches))  # what is new
    assert all(min(batch.indices) >= 2 * (k - 5) for k, batch in enumerate(batches))  # what is remembered
    assert all(len(set(batch.indices)) == 6 for batch in batches[2:])
    counts = Counter(index for batch in batches for index in batch.indices)
    assert sum(counts[index] for index in range(100, 1900)) / 1800 == pytest.approx(3, abs=0.05)


def test_echo_continues_anywhere(squares, tiny):
    whole = echo_of(squares, tiny)
    batches = [next(whole) for _ in range(20)]
    for start in (1, 3, 11):
        echo = echo_of(squares, tiny, start)
        assert [next(echo).indices for _ in range(start, 20)] == [b.indices for b in batches[start:]]


def test_buckets_are_drawn_by_weight_and_cost_the_same(tiny):
    stage = tiny().stages[0]
    share = sum(bucket_at(stage, 0, step) for step in range(2000)) / 2000
    assert share == pytest.approx(0.3, abs=0.04)
    assert [stage.clips(bucket) for bucket in (0, 1)] == [4, 4]
    assert recipes.get("nano").stages[-1].clips(1) == 4 * recipes.get("nano").stages[-1].clips(0)


def world_recipe(tiny, workers: int):
    return tiny(
        4, data=DataConfig(workers=workers, reuse=2, reuse_memory=1, heldout_clips=2, sample_prompts=2)
    )


def test_the_second_process_renders_the_same_clips(tiny):
    with open_feed(WorldData(), world_recipe(tiny, 1), 1, "cpu") as feed:
        ahead = list(feed)
    with open_feed(WorldData(), world_recipe(tiny, 0), 1, "cpu") as feed:
        here = list(feed)
    assert [item.step for item in ahead] == [1, 2, 3]
    for left, right in zip(ahead, here, strict=True):
        assert left.batch.captions == right.batch.captions
        assert torch.equal(left.batch.pixels, right.batch.pixels)


def test_makers_make_the_same_batches_ahead(tiny):
    recipe, data = world_recipe(tiny, 0), WorldData()
    read = Annotator(Tokenizer.from_words(data.words()), taught=True)
    with makers(2, "cpu") as opened:
        made = list(servings(data, recipe, 1, read, opened))
    here = list(servings(data, recipe, 1, read))
    assert [item.step for item in made] == [1, 2, 3]
    for left, right in zip(made, here, strict=True):
        assert left.batch.captions == right.batch.captions
        assert torch.equal(left.batch.pixels, right.batch.pixels)
        wanted = read(left.batch.captions, recipe.stages[0].text_length)
        assert left.batch.words.keys() == wanted.keys()
        assert all(torch.equal(left.batch.words[name], rows) for name, rows in wanted.items())


def test_a_maker_that_dies_or_fails_is_told(tiny, tmp_path):
    recipe = world_recipe(tiny, 0)
    with makers(1, "cpu") as opened:
        feed = servings(WorldData(), recipe, 0, opened=opened)
        next(feed)
        for process in active_children():
            process.kill()
        with pytest.raises(DataError, match=r"was killed.*--resume"):
            list(feed)
    missing = Footage(str(tmp_path / "missing"))
    with makers(1, "cpu") as opened, pytest.raises(DataError, match="is no folder"):
        next(servings(missing, recipe, 0, opened=opened))


LEFT = """
import os, signal, sys, time
from multiprocessing import active_children
sys.path.insert(0, sys.argv[1])
from conftest import Squares, tiny
from reelworld.core.errors import DataError
from reelworld.train.data import servings
from reelworld.train.makers import makers
if __name__ == "__main__":
    with makers(2, "cpu") as opened:
        feed = servings(Squares(), tiny(400), 0, opened=opened)
        next(feed)
        print(*(process.pid for process in active_children()), flush=True)
        if sys.argv[2] == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        active_children()[0].kill()
        list(feed)
"""


@pytest.mark.parametrize("how", ["killed", "left"])
def test_makers_end_with_their_trainer(tmp_path, how):
    """A trainer that is killed takes them along; one that lost a maker does not wait for the others."""
    script = tmp_path / "left.py"
    script.write_text(LEFT)
    done = subprocess.run(
        [sys.executable, str(script), str(Path(__file__).parent), how],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == (-signal.SIGKILL if how == "killed" else 1), done.stderr
    made = [Path(f"/proc/{number}") for number in done.stdout.split()]
    assert made
    until = time.monotonic() + 30
    while any(path.exists() for path in made) and time.monotonic() < until:
        time.sleep(0.1)
    assert not [path for path in made if path.exists()]


def test_signals_wait_while_helpers_start():
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *told: heard.append(told))
    try:
        with runtime.starting_helpers():
            process = get_context("spawn").Process(target=time.sleep, args=(30,))
            process.start()
            signal.raise_signal(signal.SIGTERM)
            process.terminate()
            process.join(2)
            assert process.exitcode is None
            assert heard == []
        assert len(heard) == 1
    finally:
        signal.signal(signal.SIGTERM, before)
        process.kill()
        process.join()


def test_a_parser_sees_combinations_that_are_held_out_of_a_generator_s_training(tiny):
    class Opened(WorldData):
        def stream(self, *args, **kwargs):
            stream = super().stream(*args, **kwargs)
            configs.append(stream.config)
            return stream

    configs = []

    def shows_heldout(split: str) -> bool:
        recipe = tiny(4, data=DataConfig(workers=0, split=split))
        next(servings(Opened(), recipe, 0))
        return any(is_heldout(clip.scene) for clip in plan(configs[-1], range(16)))

    assert not shows_heldout("train")
    assert shows_heldout("all")
    assert recipes.get("perception").data.split == "all"
    assert {recipes.get(name).data.split for name in ("nano", "small")} == {"train"}


def test_characters_reach_the_step_with_their_clips(tiny):
    recipe = world_recipe(tiny, 1)
    named = [replace(bucket, references=1) for bucket in recipe.stages[0].buckets]
    recipe = replace(recipe, stages=(replace(recipe.stages[0], steps=2, buckets=tuple(named)),))
    with open_feed(WorldData(), recipe, 0, "cpu") as feed:
        ahead = list(feed)
    for item, same in zip(ahead, servings(WorldData(), recipe, 0), strict=True):
        pixels, seen = item.batch.references
        assert pixels.shape == (len(item.batch.captions), 1, 16, 16, 3)
        assert [("alpha" in caption.lower()) for caption in item.batch.captions] == seen[:, 0].tolist()
        assert torch.equal(pixels, same.batch.references.pixels)


def test_a_clip_with_characters_costs_as_much_as_it_has_tokens(tiny):
    stage = tiny().stages[0]
    more = replace(stage, batch=8, buckets=(*stage.buckets, replace(stage.buckets[0], references=1)))
    assert [more.clips(bucket) for bucket in range(3)] == [8, 8, 4]
    assert more.of(2).references == 1
    assert more.of(0).references == 0


def test_the_second_process_ends_when_the_feed_is_left_early(tiny):
    recipe = world_recipe(tiny, 1)
    with open_feed(
        WorldData(), replace(recipe, stages=(replace(recipe.stages[0], steps=10_000),)), 0, "cpu"
    ) as feed:
        assert next(feed).step == 0


def test_an_error_in_the_second_process_reaches_the_trainer(tiny, tmp_path):
    missing = Footage(str(tmp_path / "missing"))
    with (
        open_feed(missing, world_recipe(tiny, 1), 0, "cpu") as feed,
        pytest.raises(DataError, match="is no folder"),
    ):
        next(feed)


def test_reuse_must_divide_the_batch(tiny):
    with pytest.raises(ConfigError, match=r"no multiple of\s+data.reuse=3"):
        tiny(data=DataConfig(reuse=3))


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'nano'"):
        recipes.get("nanno")
