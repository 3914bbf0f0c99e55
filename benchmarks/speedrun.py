"""How long from nothing to a model that binds colours: binding S = 0.7 on prompts of one thing.

python benchmarks/speedrun.py runs/speedrun                        # hours on two cores
python benchmarks/speedrun.py runs/speedrun --recipe nano_gpu --every 1   # minutes on a GPU
python benchmarks/speedrun.py runs/speedrun --set optim.muon_lr=0.003

Trains a recipe (nano) from its seed and scores the average weights every few minutes; the time of scoring
does not count. Prints wall time, clips and operations on the way; stopped, the same command goes on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from record import gemm_flops, record
from reelworld import recipes
from reelworld.core import runtime
from reelworld.core.config import override
from reelworld.evaluate.run import Evaluation, Settings
from reelworld.generate.pipeline import Pipeline
from reelworld.train.loop import train

GOAL, GROUP, CHECK = 0.7, "one thing", "binding"


def score(weights: Path, folder: Path, prompts: int) -> float:
    """Return S of the goal's check: one video of each prompt."""
    settings = Settings(split="train", each=prompts, seeds=1, truth=max(prompts, 60))
    pipeline = Pipeline.load(weights)
    evaluation = Evaluation(folder / f"score-{pipeline.weights_hash}", settings, pipeline.weights_hash)
    evaluation.run(pipeline, only=(GROUP, CHECK))
    rows = {(row.group, row.check): row.score for row in evaluation.table()}
    return rows[GROUP, CHECK].value


def totals(folder: Path) -> tuple[float, int, float]:
    """Return seconds, clips and operations of all steps in a run's log."""
    steps = [r for line in (folder / "log.jsonl").open() if (r := json.loads(line))["kind"] == "step"]
    seconds = sum(r["seconds"] for r in steps)
    return seconds, sum(r["clips"] for r in steps), sum(r["flops"] * r["seconds"] for r in steps)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("folder", type=Path)
    options.add_argument("--recipe", default="nano")
    options.add_argument("--every", type=float, default=15.0, help="minutes of training between scores")
    options.add_argument("--prompts", type=int, default=25)
    options.add_argument("--most", type=float, default=600.0, help="minutes after which to give up")
    options.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = options.parse_args()
    runtime.set_threads()
    recipe = override(recipes.get(arguments.recipe), arguments.set)
    with record("speedrun") as say:
        say("settings", ", ".join(arguments.set) or f"the recipe {arguments.recipe}")
        say("GEMM", f"{gemm_flops() / 1e9:.0f} GFLOP/s")
        reached, minutes = 0.0, 0.0
        while reached < GOAL and minutes < arguments.most:
            resume = (arguments.folder / "state").exists()
            weights = train(recipe, arguments.folder, minutes=arguments.every, resume=resume, progress="auto")
            reached = score(weights, arguments.folder, arguments.prompts)
            seconds, clips, operations = totals(arguments.folder)
            minutes = seconds / 60
            say(
                f"{minutes:.0f} min, {clips} clips, {operations / 1e15:.2f} PFLOP", f"{CHECK} S {reached:.2f}"
            )
        say("goal", f"{'reached' if reached >= GOAL else 'not reached'}: S {reached:.2f} of {GOAL}")


if __name__ == "__main__":
    main()
