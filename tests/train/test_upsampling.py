"""Training the upsampler: what a run leaves, an exact resume, crops, the distance that is learned by."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from reelworld import recipes
from reelworld.core import checkpoint
from reelworld.core.config import from_json
from reelworld.core.errors import ConfigError
from reelworld.core.types import VideoShape
from reelworld.models.released import checkpoint_to_network
from reelworld.models.upsampler import Upsampler, UpsamplerConfig, bicubic
from reelworld.recipes import DataConfig, DegradeConfig, OptimConfig, Recipe, ReportConfig
from reelworld.train.data import servings, world_data
from reelworld.train.degrade import blur
from reelworld.train.loop import train
from reelworld.train.objectives import to_float
from reelworld.train.report import read_log
from reelworld.train.snapshot import Run
from reelworld.train.step import train_step
from reelworld.train.upsampling import CROP, Upsampling, distance, smaller
from reelworld.world.stream import Batch

QUIET = {"compile": False, "progress": "silent"}
EVERY_STEP = ReportConfig(checkpoint_minutes=0.0, keep_checkpoints=10)
CPU = torch.device("cpu")


def tiny(steps=6, **changes):
    """Return the upsampler's recipe at a tiny size: 8 x 8 pixels become 32 x 32."""
    base = recipes.get("upsampler")
    shape = VideoShape(width=32, height=32, num_frames=4, fps=8.0)
    (stage,) = base.stages
    buckets = tuple(replace(bucket, shape=shape) for bucket in stage.buckets)
    settings = {
        "model": UpsamplerConfig(width=8, num_blocks=1),
        "stages": (replace(stage, steps=steps, batch=2, buckets=buckets),),
        "optim": OptimConfig(warmup_steps=2, adamw_lr=5e-3),
        "data": DataConfig(workers=0, reuse=1, heldout_clips=1, sample_prompts=1),
    }
    return replace(base, **(settings | changes))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the folder of a run that was never stopped and left its state after every step."""
    threads, folder = torch.get_num_threads(), tmp_path_factory.mktemp("whole")
    torch.set_num_threads(1)
    train(tiny(report=EVERY_STEP), folder, **QUIET)
    torch.set_num_threads(threads)
    return folder


def test_a_run_leaves_all_that_is_promised(whole):
    log = read_log(whole / "log.jsonl")
    steps = [record for record in log if record["kind"] == "step"]
    assert [record["step"] for record in steps] == [1, 2, 3, 4, 5, 6]
    assert all(record["applied"] and record["flops"] > 0 and record["clips"] == 2 for record in steps)
    heldout = [record for record in log if record["kind"] == "heldout"]
    assert set(heldout[-1]) == {"kind", "step", "t=clean", "t=degraded", "mean"}
    assert heldout[-1]["mean"] == pytest.approx((heldout[-1]["t=clean"] + heldout[-1]["t=degraded"]) / 2)
    assert (whole / "samples" / "step_00000006.png").is_file()
    assert (whole / "curves.png").is_file()
    assert len(checkpoint.states(whole / "state")) == 6
    assert from_json(Recipe, json.loads((whole / "recipe.json").read_text())) == tiny(report=EVERY_STEP)


def test_its_weights_are_the_averages_and_say_where_they_come_from(whole):
    model, card = checkpoint_to_network(whole / "weights.safetensors", Upsampler, UpsamplerConfig)
    assert (card["trained"]["steps"], card["shape"]["width"]) == (6, 32)
    averages = checkpoint.latest(whole / "state").tree["ema"]
    torch.testing.assert_close(dict(model.state_dict()), averages, rtol=0, atol=0)


def test_resuming_ends_with_the_same_weights_bit_for_bit(whole, tmp_path):
    stopped = tmp_path / "stopped"
    shutil.copytree(whole, stopped)
    for path in checkpoint.states(stopped / "state")[3:]:
        path.unlink()
    (stopped / "weights.safetensors").unlink()
    notes = []
    train(tiny(report=EVERY_STEP), stopped, resume=True, note=notes.append, **QUIET)
    assert notes == []
    there, here = (checkpoint.load(folder / "weights.safetensors")[0] for folder in (stopped, whole))
    torch.testing.assert_close(there, here, rtol=0, atol=0)


def test_init_starts_from_released_weights_of_the_same_width_only(whole, tmp_path):
    path = whole / "weights.safetensors"
    train(tiny(), tmp_path / "same", init=path, minutes=0.0, **QUIET)
    there, here = (checkpoint.load(p)[0] for p in (tmp_path / "same" / "weights.safetensors", path))
    torch.testing.assert_close(there, here, rtol=0, atol=0)
    wider = tiny(model=UpsamplerConfig(width=16, num_blocks=1))
    with pytest.raises(ConfigError, match="another model than the recipe 'upsampler'"):
        train(wider, tmp_path / "wider", init=path, minutes=0.0, **QUIET)


def test_a_tiny_model_learns_a_batch_that_it_sees_again():
    recipe = tiny(20, degrade=DegradeConfig(clean=1.0), optim=OptimConfig(warmup_steps=2, adamw_lr=1e-2))
    objective = Upsampling.build(recipe, None, CPU)
    run = Run(objective, recipe)
    serving = next(servings(world_data(recipe), recipe, 0))
    found = [train_step(run, serving, objective.loss)["loss"] for _ in range(20)]
    assert found[-1] < 0.9 * found[0]


def test_before_training_it_is_as_far_off_as_bicubic():
    recipe = tiny(degrade=DegradeConfig(clean=1.0))
    objective = Upsampling.build(recipe, None, CPU)
    batch = next(servings(world_data(recipe), recipe, 0)).batch
    inputs = objective.inputs(batch, 64, 8.0)
    large = to_float(batch.pixels)
    assert torch.equal(inputs["large"], large)
    plain = bicubic(smaller(large, 4).flatten(0, 1).permute(0, 3, 1, 2), 4).permute(0, 2, 3, 1)
    with torch.no_grad():
        torch.testing.assert_close(objective.loss(**inputs), distance(plain.reshape(large.shape), large))


def places(count=4, frames=3, size=160):
    """Return clips whose pixels say where they are: row, column, and number of the clip."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    clips = [torch.stack([y, x, torch.full_like(x, n)], -1).expand(frames, -1, -1, -1) for n in range(count)]
    return Batch(torch.stack(clips).to(torch.uint8), ["a place"] * count, list(range(count)))


def test_each_clip_is_cropped_to_one_window_of_all_frames():
    objective = Upsampling.build(tiny(degrade=DegradeConfig(clean=1.0)), None, CPU)
    inputs, size = objective.inputs(places(), 64, 8.0), 4 * CROP
    cropped = ((inputs["large"] + 1) * 127.5).round().int()
    assert cropped.shape == (4, 3, size, size, 3)
    corners = cropped[:, 0, 0, 0]
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    for n, (clip, corner) in enumerate(zip(cropped, corners, strict=True)):
        window = torch.stack([y, x, torch.full_like(x, n)], -1) + torch.tensor([*corner[:2].tolist(), 0])
        assert torch.equal(clip.long(), window.expand_as(clip))
    assert len({tuple(corner[:2].tolist()) for corner in corners}) > 1
    assert not torch.equal(corners[:, 0], corners[:, 1]), "rows and columns are drawn apart"
    torch.testing.assert_close(inputs["video"], smaller(inputs["large"], 4), rtol=0, atol=0)


def test_crops_and_degradation_are_drawn_again_in_each_step_but_alike_in_each_run():
    one, same = (Upsampling.build(tiny(), None, CPU) for _ in range(2))
    first = one.inputs(places(), 64, 8.0)
    torch.testing.assert_close(first, same.inputs(places(), 64, 8.0), rtol=0, atol=0)
    assert not torch.equal(first["large"], one.inputs(places(), 64, 8.0)["large"])
    assert not torch.equal(first["video"], smaller(first["large"], 4))


def test_its_generators_hold_all_that_is_drawn():
    one, other = (Upsampling.build(tiny(seed=seed), None, CPU) for seed in (1, 2))
    one.inputs(places(), 64, 8.0)
    for name, generator in one.generators.items():
        other.generators[name].set_state(generator.get_state())
    torch.testing.assert_close(one.inputs(places(), 64, 8.0), other.inputs(places(), 64, 8.0), rtol=0, atol=0)


# ---------------------------------------------------------------- distance


def checks():
    """Return a video [1, 2, 32, 32, 3] of squares: edges and nothing else."""
    y, x = torch.meshgrid(torch.arange(32) // 8, torch.arange(32) // 8, indexing="ij")
    return (((x + y) % 2).float() - 0.5)[None, None, :, :, None].expand(1, 2, -1, -1, 3)


def test_equal_videos_are_not_apart():
    assert float(distance(checks(), checks().clone())) == 0


def test_a_blurred_video_is_further_the_more_it_is_blurred():
    found = [float(distance(blur(checks(), torch.tensor([sigma])), checks())) for sigma in (0.0, 0.6, 1.5)]
    assert found[0] == 0
    assert found[0] < found[1] < found[2]


def test_blurred_edges_cost_more_than_another_shade():
    blurred = blur(checks(), torch.tensor([1.5]))
    shade = checks() + (blurred - checks()).abs().mean()
    assert float(distance(shade, checks())) == pytest.approx(float((shade - checks()).abs().mean()), rel=1e-4)
    assert float(distance(blurred, checks())) > 1.5 * float(distance(shade, checks()))


def test_making_smaller_averages_each_frame_alone():
    small = smaller(checks(), 8)
    assert small.shape == (1, 2, 4, 4, 3)
    torch.testing.assert_close(small, checks()[:, :, ::8, ::8])
    clip = torch.stack([torch.zeros(8, 8, 3), torch.ones(8, 8, 3)])[None]
    assert smaller(clip, 4).flatten(2).mean(-1).tolist() == [[0, 1]]
