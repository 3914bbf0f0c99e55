"""Speed of training: a few steps of a recipe beside the matrix product that the machine manages.

    python benchmarks/train.py [--recipe nano] [--steps 4] [--threads 2]

Figures per stage: clips and operations per second, their ratio to a float32 product of 2048 x 2048 matrices
measured before and after, and the shares of the time that rendering took and that the steps waited for clips.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch

from record import gemm_flops, record
from reelworld import recipes
from reelworld.core import runtime
from reelworld.recipes import Recipe
from reelworld.train.loop import train
from reelworld.train.report import Record, read_log


def one_stage(recipe: Recipe, index: int, steps: int) -> Recipe:
    """Return the recipe reduced to a few steps of one stage's first bucket."""
    stage = recipe.stages[index]
    short = replace(stage, steps=steps, buckets=stage.buckets[:1])
    data = replace(recipe.data, heldout_clips=1, sample_prompts=1)
    return replace(recipe, stages=(short,), data=data, report=replace(recipe.report, sample_steps=1))


def measure(recipe: Recipe) -> list[Record]:
    """Train and return the records of the steps but the first, which allocates."""
    with tempfile.TemporaryDirectory() as folder:
        train(recipe, folder, progress="silent")
        records = read_log(Path(folder) / "log.jsonl")
    return [record for record in records if record["kind"] == "step"][1:]


def main() -> None:
    """Measure every stage of the recipe that differs from the one before."""
    options = argparse.ArgumentParser()
    options.add_argument("--recipe", default="nano")
    options.add_argument("--steps", type=int, default=4)
    options.add_argument("--threads", type=int)
    given = options.parse_args()
    runtime.set_threads(given.threads)
    recipe = recipes.get(given.recipe)
    with record("train") as say:
        for index, stage in enumerate(recipe.stages[:2]):
            probe = gemm_flops()
            began = time.perf_counter()
            steps = measure(one_stage(recipe, index, given.steps + 1))
            probe = (probe + gemm_flops()) / 2
            flops, clips = median(s["flops"] for s in steps), median(s["clips_per_second"] for s in steps)
            say(f"{recipe.name}, {stage.name}", f"{clips:.1f} clips/s, batch {stage.batch}")
            say("  GFLOP/s", f"{flops / 1e9:.0f}, product {probe / 1e9:.0f}, ratio {flops / probe:.2f}")
            say("  render share", f"{median(s['render_share'] for s in steps):.3f}")
            say("  wait share", f"{median(s['wait_share'] for s in steps):.3f}")
            say("  whole run, seconds", f"{time.perf_counter() - began:.0f} (torch {torch.__version__})")


if __name__ == "__main__":
    main()
