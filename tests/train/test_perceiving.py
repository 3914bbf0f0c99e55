"""Training the parser: what a run leaves, what the losses look at, a model that learns, an exact resume."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from reelworld import recipes
from reelworld.core import checkpoint
from reelworld.core.config import from_json
from reelworld.core.errors import ConfigError
from reelworld.core.types import VideoShape
from reelworld.models.perception import PER_PIXEL, Perception, PerceptionConfig, Seen
from reelworld.models.released import checkpoint_to_network
from reelworld.recipes import DataConfig, DegradeConfig, OptimConfig, Recipe, ReportConfig
from reelworld.train import perceiving
from reelworld.train.data import servings, world_data
from reelworld.train.loop import train
from reelworld.train.objectives import to_float
from reelworld.train.perceiving import (
    DOG,
    LEG_WEIGHT,
    THING_WEIGHT,
    WALKERS,
    Perceiving,
    camera_losses,
    losses,
    mirrored,
)
from reelworld.train.report import read_log
from reelworld.train.snapshot import Run
from reelworld.train.step import train_step
from reelworld.world.labels import KINDS, LEFT, NO_LEG, RIGHT, camera_motion, cuts, offsets

QUIET = {"compile": False, "progress": "silent"}
FIELDS = ("kind", "color", "size", "side", "offset", "depth", "camera", "cut")
EVERY_STEP = ReportConfig(checkpoint_minutes=0.0, keep_checkpoints=10)


def tiny(steps=6, **changes):
    """Return the parser's recipe at a tiny size."""
    base = recipes.get("perception")
    shape = VideoShape(width=16, height=16, num_frames=4, fps=8.0)
    (stage,) = base.stages
    buckets = tuple(replace(bucket, shape=shape) for bucket in stage.buckets)
    settings = {
        "model": PerceptionConfig(widths=(8, 16, 16)),
        "stages": (replace(stage, steps=steps, batch=2, buckets=buckets),),
        "optim": OptimConfig(warmup_steps=2, adamw_lr=5e-3),
        "data": DataConfig(workers=0, reuse=1, heldout_clips=3, sample_prompts=1),
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
    assert set(heldout[-1]) == {"kind", "step", "mean", *(f"t={name}" for name in FIELDS)}
    assert heldout[-1]["mean"] == pytest.approx(sum(heldout[-1][f"t={name}"] for name in FIELDS))
    assert (whole / "samples" / "step_00000006.png").is_file()
    assert (whole / "curves.png").is_file()
    assert len(checkpoint.states(whole / "state")) == 6
    assert from_json(Recipe, json.loads((whole / "recipe.json").read_text())) == tiny(report=EVERY_STEP)


def test_its_weights_are_the_averages_and_say_where_they_come_from(whole):
    model, card = checkpoint_to_network(whole / "weights.safetensors", Perception, PerceptionConfig)
    assert (card["trained"]["steps"], card["data"]) == (6, {"kind": "world"})
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
    assert [r["step"] for r in read_log(stopped / "log.jsonl") if r["kind"] == "step"] == [1, 2, 3, 4, 5, 6]


def test_init_starts_from_released_weights_of_the_same_width_only(whole, tmp_path):
    path = whole / "weights.safetensors"
    train(tiny(), tmp_path / "same", init=path, minutes=0.0, **QUIET)
    there, here = (checkpoint.load(p)[0] for p in (tmp_path / "same" / "weights.safetensors", path))
    torch.testing.assert_close(there, here, rtol=0, atol=0)
    wider = tiny(model=PerceptionConfig(widths=(16, 16, 16)))
    with pytest.raises(ConfigError, match="another model than the recipe 'perception'"):
        train(wider, tmp_path / "wider", init=path, minutes=0.0, **QUIET)


def test_a_tiny_model_learns_a_batch_that_it_sees_again():
    recipe = tiny(20, degrade=DegradeConfig(clean=1.0), optim=OptimConfig(warmup_steps=2, adamw_lr=1e-2))
    objective = Perceiving.build(recipe, None, torch.device("cpu"))
    run = Run(objective, recipe)
    serving = next(servings(world_data(recipe), recipe, 0))
    found = [train_step(run, serving, objective.loss)["loss"] for _ in range(20)]
    assert found[-1] < 0.7 * found[0]


def test_inputs_are_degraded_pixels_and_the_targets_of_the_clean_ones(monkeypatch):
    monkeypatch.setattr(perceiving, "MIRRORED", 0.0)
    recipe = tiny()
    batch = next(servings(world_data(recipe), recipe, 0)).batch
    one, same = (Perceiving.build(recipe, None, torch.device("cpu")) for _ in range(2))
    inputs = one.inputs(batch, 64, 8.0)
    assert not torch.equal(inputs["video"], to_float(batch.pixels))
    torch.testing.assert_close(inputs, same.inputs(batch, 64, 8.0), rtol=0, atol=0)
    labels = batch.labels
    assert torch.equal(inputs["kind"], labels["kind"].long())
    assert torch.equal(inputs["offset"], offsets(labels["thing"].long()))
    assert torch.equal(inputs["motion"], camera_motion(labels["camera"]))
    assert torch.equal(inputs["cut"], cuts(labels["shot"]))


def test_a_clip_that_is_turned_about_has_left_for_right_in_all_that_is_said_of_it():
    recipe = tiny()
    batch = next(servings(world_data(recipe), recipe, 0)).batch
    labels = {"motion": camera_motion(batch.labels["camera"])}
    labels |= {name: batch.labels[name] for name in ("thing", "shot")}
    labels |= {name: example(shape=labels["thing"].shape)[name] for name in ("kind", "side")}
    video, which = to_float(batch.pixels), torch.tensor([True, False])
    turned, told = mirrored(video, labels, which)
    assert torch.equal(turned[0], video[0].flip(2))
    assert torch.equal(turned[1], video[1])
    assert torch.equal(told["kind"][0], labels["kind"][0].flip(2))
    dogs, sides = told["kind"][0] == DOG, labels["side"][0].flip(2)
    assert torch.equal((told["side"][0] == LEFT)[dogs], (sides == RIGHT)[dogs])
    assert torch.equal(told["side"][0][~dogs], sides[~dogs])  # whose trousers tell which leg is the left one
    assert torch.equal(told["side"][1], labels["side"][1])
    assert torch.equal(told["shot"], labels["shot"])
    before, after = (offsets(of["thing"].long())[0] for of in (labels, told))
    torch.testing.assert_close(after, before.flip(2) * torch.tensor([-1.0, 1.0]))
    left, right = labels["motion"][0], told["motion"][0]
    assert torch.equal(right[:, [0, 2]], -left[:, [0, 2]])
    assert torch.equal(right[:, [1, 3, 4, 5, 6]], left[:, [1, 3, 4, 5, 6]])
    again = mirrored(turned, told, which)
    torch.testing.assert_close(again, (video, labels), check_dtype=False)


# ---------------------------------------------------------------- losses


def example(seed=0, shape=(2, 4, 8, 8)):
    """Draw targets: some pixels show nothing, some a person, some a ball, some only sky."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda most, *size: torch.randint(most, size, generator=generator)  # noqa: E731
    kind = torch.tensor([0, WALKERS[0], 1, WALKERS[1]])[draw(4, *shape)]
    thing = (kind > 0).long()
    walker = (kind == WALKERS[0]) | (kind == WALKERS[1])
    return {
        "kind": kind,
        "color": thing * draw(PER_PIXEL["color"] + 1, *shape),  # 0 on some things: hidden
        "size": thing * (1 + draw(PER_PIXEL["size"], *shape)),
        "side": walker * draw(PER_PIXEL["side"], *shape),
        "offset": torch.randn(*shape, 2, generator=generator),
        "depth": 8.0 * draw(2, *shape) + thing,
        "motion": 0.1 * torch.randn(*shape[:2], 7, generator=generator),
        "cut": torch.tensor([[0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]),
    }


def perfect(targets):
    """Return what a parser sees that is sure of the targets."""

    def sure(name):
        offset = int(name in ("color", "size"))
        classes = (targets[name] - offset).clamp(min=0)
        return 50.0 * F.one_hot(classes, PER_PIXEL[name]).float()

    odds = 50.0 * (2.0 * targets["cut"] - 1.0)
    return Seen(
        **{name: sure(name) for name in ("kind", "color", "size", "side")},
        offset=targets["offset"].clone(),
        depth=targets["depth"].clamp(min=0.1).log(),
        camera=torch.cat([targets["motion"], odds[..., None]], -1),
    )


def test_who_sees_all_loses_nothing():
    targets = example()
    found = losses(perfect(targets), **targets)
    assert set(found) == set(FIELDS)
    assert all(float(value) == pytest.approx(0.0, abs=1e-5) for value in found.values())


@pytest.mark.parametrize("field", ["kind", "color", "size", "side", "offset", "depth", "camera"])
def test_each_loss_grows_with_its_own_error_alone(field):
    targets = example()
    seen = perfect(targets)
    wrong = seen._replace(**{field: -getattr(seen, field) + 0.5})
    found = {name for name, value in losses(wrong, **targets).items() if float(value) > 1e-3}
    assert found == ({"camera", "cut"} if field == "camera" else {field})


def assert_unseen(targets, field, where):
    """Check that what is said of a field at some places does not count, and that elsewhere it does."""
    seen = perfect(targets)
    noise = 9 * torch.randn(getattr(seen, field).shape, generator=torch.Generator().manual_seed(1))
    before = losses(seen, **targets)
    for place, same in ((where, True), (~where, False)):
        place = place.view(*place.shape, *[1] * (noise.ndim - place.ndim))
        changed = seen._replace(**{field: torch.where(place, noise, getattr(seen, field))})
        after = losses(changed, **targets)
        assert all(torch.equal(before[name], after[name]) for name in before if name != field)
        assert torch.equal(before[field], after[field]) == same


@pytest.mark.parametrize("field", ["color", "size", "offset"])
def test_what_nothing_looks_like_does_not_count(field):
    targets = example()
    nothing = targets["color"] == 0 if field == "color" else targets["kind"] == 0
    assert_unseen(targets, field, nothing)


def test_legs_of_what_has_none_and_depth_of_the_sky_do_not_count():
    targets = example()
    walker = (targets["kind"] == WALKERS[0]) | (targets["kind"] == WALKERS[1])
    assert_unseen(targets, "side", ~walker)
    assert_unseen(targets, "depth", targets["depth"] == 0)


def test_a_leg_taken_for_none_costs_more_than_the_reverse():
    targets = example()
    seen, walker = perfect(targets), sum(targets["kind"] == kind for kind in WALKERS) > 0
    found = []
    for there in (targets["side"] > 0, (targets["side"] == 0) & walker):
        side = torch.where(there[..., None], -seen.side, seen.side)
        found.append(float(losses(seen._replace(side=side), **targets)["side"]) / int(there.sum()))
    assert found[0] == pytest.approx((1.0 + LEG_WEIGHT) * found[1], rel=1e-4)


def test_a_hole_in_a_thing_costs_as_much_as_the_thing_and_more_than_what_is_far():
    targets = example(shape=(2, 4, 24, 24))
    kind = torch.zeros(2, 4, 24, 24, dtype=torch.long)
    kind[..., 2:9, 2:9] = 1
    kind[..., 4:6, 4:6] = 0  # a bite
    targets |= {"kind": kind}
    seen, found = perfect(targets), []
    for row, column in ((3, 3), (4, 4), (10, 10), (20, 20)):
        odds = seen.kind.clone()
        odds[..., row, column, :] *= -1
        found.append(float(losses(seen._replace(kind=odds), **targets)["kind"]))
    thing, hole, beside, far = found
    assert thing == pytest.approx(hole) == pytest.approx(beside) == pytest.approx(THING_WEIGHT * far)


def test_motion_across_a_cut_does_not_count_but_the_horizon_does():
    targets = example()
    seen = perfect(targets)
    camera = seen.camera.clone()
    camera[targets["cut"] == 1, :6] += 5.0
    assert float(losses(seen._replace(camera=camera), **targets)["camera"]) == 0
    camera[targets["cut"] == 1, 6] += 5.0
    assert float(losses(seen._replace(camera=camera), **targets)["camera"]) == pytest.approx(0.1 * 99.5 / 8)


def test_a_camera_that_moves_counts_more_than_one_that_stands():
    motion = torch.zeros(2, 4, 7)
    motion[0, :, 0] = 0.02  # the first clip pans
    off = []
    for clip in (0, 1):
        seen = torch.cat([motion, torch.full((2, 4, 1), -20.0)], -1)
        seen[clip, :, 4] += 0.05
        off.append(float(camera_losses(seen, motion, torch.zeros(2, 4))["camera"]))
    assert off[0] == pytest.approx(5.0 * off[1])


def test_pixels_of_nothing_still_count_as_kinds():
    targets = example()
    seen = perfect(targets)
    nothing = (targets["kind"] == 0)[..., None]
    wrong = seen._replace(kind=torch.where(nothing, -seen.kind, seen.kind))
    assert float(losses(wrong, **targets)["kind"]) > 1


def test_a_picture_alone_has_no_cut():
    targets = {name: value[:, :1] for name, value in example().items()}
    assert float(losses(perfect(targets), **targets)["cut"]) == 0


def test_a_batch_without_things_is_finite():
    targets = example()
    empty = {
        name: torch.zeros_like(value) if name in ("kind", "color", "size", "side") else value
        for name, value in targets.items()
    }
    found = losses(perfect(targets), **empty)
    assert [name for name in ("color", "size", "side", "offset") if float(found[name]) != 0] == []
    assert all(bool(torch.isfinite(value)) for value in found.values())


def test_walkers_are_people_and_dogs():
    assert [KINDS[kind - 1] for kind in WALKERS] == ["person", "dog"]
    assert NO_LEG == 0
