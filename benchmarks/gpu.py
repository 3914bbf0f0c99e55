"""What keeps a GPU busy: steps of each bucket of a recipe, and the clips that the other cores make for it.

    python benchmarks/gpu.py [--recipe small] [--steps 8] [--seconds 3] [--eager]

Per bucket: the step on clips that lie ready (the median of some, and the first, which compiles), its
operations per second beside a bfloat16 product, and how many new clips a second the makers make. A recipe
keeps the GPU busy where the makers' clips, times its `data.reuse`, are as many as the steps take.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from statistics import median

import torch

from record import record
from reelworld import recipes
from reelworld.core import runtime
from reelworld.recipes import Recipe
from reelworld.train import objectives
from reelworld.train.data import Serving, world_data
from reelworld.train.loop import _compiled
from reelworld.train.makers import SPARE_CORES, Here, Source, makers
from reelworld.train.objectives import Objective
from reelworld.train.snapshot import Run
from reelworld.train.step import LossFunction, train_step


def source_of(recipe: Recipe, bucket: int, objective: Objective, batch: int) -> Source:
    """Return where a bucket's clips come from, `batch` at a time."""
    stage = recipe.stages[-1].of(bucket)
    return Source(
        data=world_data(recipe), stage=stage, shape=stage.buckets[bucket].shape, batch=batch, split="train",
        seed=5, annotate=objective.annotate,
    )  # fmt: skip


def step_seconds(run: Run, bucket: int, loss: LossFunction, steps: int, device: torch.device) -> list[float]:
    """Time steps of a bucket; a few clips, repeated to a whole batch, lie ready."""
    stage = run.recipe.stages[-1]
    few = next(Here(source_of(run.recipe, bucket, run.objective, 4)))
    times = -(-stage.clips(bucket) // 4)
    many = replace(
        few, pixels=few.pixels.repeat(times, 1, 1, 1, 1).to(device), captions=few.captions * times,
        words={name: rows.repeat(times, 1) for name, rows in few.words.items()},
        references=few.references and type(few.references)(*(
            part.repeat(times, *[1] * (part.ndim - 1)).to(device) for part in few.references
        )),
    )  # fmt: skip
    serving, seconds = Serving(step=0, bucket=bucket, batch=many, seconds=0.0), []
    for _ in range(steps + 2):
        began = time.perf_counter()
        train_step(run, serving, loss)  # reads the loss, so it waits for the device
        seconds.append(time.perf_counter() - began)
    return seconds


def made_per_second(recipe: Recipe, bucket: int, objective: Objective, seconds: float) -> float:
    """Count the new clips a second that the makers make of a bucket, once all of them are at work."""
    group = max(1, recipe.stages[-1].clips(bucket) // recipe.data.reuse)
    with makers(max(1, runtime.num_cores() - SPARE_CORES), "cpu") as opened:
        stream = opened(source_of(recipe, bucket, objective, group))
        next(stream)
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            next(stream)
            count += group
        return count / (time.perf_counter() - began)


def product_flops(device: torch.device) -> float:
    """Time a product of 8192 x 8192 matrices in the type that trainings compute in."""
    size = 8192 if device.type == "cuda" else 1024
    a = torch.randn(size, size, device=device, dtype=runtime.compute_dtype(device))
    float((a @ a)[0, 0])
    began = time.perf_counter()
    for _ in range(10):
        product = a @ a
    float(product[0, 0])
    return 20 * size**3 / (time.perf_counter() - began)


def main() -> None:
    """Measure every bucket of a recipe's last stage."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--recipe", default="small")
    options.add_argument("--steps", type=int, default=8)
    options.add_argument("--seconds", type=float, default=3.0)
    options.add_argument("--batch", type=int, help="clips of the first bucket, if not the recipe's")
    options.add_argument("--eager", action="store_true", help="do not compile")
    given, device = options.parse_args(), runtime.device("auto")
    recipe = recipes.get(given.recipe)
    if given.batch:
        last = replace(recipe.stages[-1], batch=given.batch)
        recipe = replace(recipe, stages=(last,), data=replace(recipe.data, reuse=1))
    with record("gpu") as say:
        objective = objectives.build(recipe, world_data(recipe), None, None, device)
        run, probe = Run(objective, replace(recipe, stages=recipe.stages[-1:])), product_flops(device)
        loss = objective.loss if given.eager else _compiled(objective)
        say("product, TFLOP/s", f"{probe / 1e12:.1f}")
        stage = run.recipe.stages[-1]
        for n, bucket in enumerate(stage.buckets):
            first, _, *rest = step_seconds(run, n, loss, given.steps, device)
            each, clips = median(rest), stage.clips(n)
            flops = objective.flops(bucket, stage.text_length) * clips / each
            name = f"level {stage.of(n).level}, {bucket.shape}, {bucket.references} characters, batch {clips}"
            say(name, f"step {1e3 * each:.0f} ms (first {first:.1f} s), {clips / each:.0f} clips/s")
            say("  ratio to the product", f"{flops / probe:.3f}")
            if given.seconds > 0:
                made = made_per_second(run.recipe, n, objective, given.seconds)
                taken = clips / each / recipe.data.reuse
                say("  new clips made", f"{made:.0f} a second; the steps take {taken:.0f}")


if __name__ == "__main__":
    main()
