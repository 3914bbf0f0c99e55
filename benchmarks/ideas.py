"""What ideas for the training are worth: equal operations for each, from nothing, scored by the checks.

python benchmarks/ideas.py runs/ideas                               # all ideas, an hour or two a core
python benchmarks/ideas.py runs/ideas --only narrow wide --petaflop 0.1
python benchmarks/ideas.py runs/ideas --only plain "plain optim.muon_lr=0.004"

Every idea is the plain trial with some settings changed, and as many steps as its operations buy
(`models/cost.py`; optimisers are not counted). Then every model makes videos of the same prompts from the
same noise, which the released parser judges: S = (M - F) / (C - F), and each idea's difference from the plain
trial with its 95 % interval by prompt. Stopped, the same command goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from record import record
from reelworld import recipes
from reelworld.core import runtime
from reelworld.core.config import override
from reelworld.core.types import Frames
from reelworld.evaluate.checks import judge
from reelworld.evaluate.perceive import Perceiver
from reelworld.evaluate.score import difference
from reelworld.generate.pipeline import Pipeline
from reelworld.models.cost import Cost
from reelworld.recipes import Bucket, DataConfig, LossConfig, Recipe, Stage
from reelworld.recipes.nano import GLANCE
from reelworld.train.loop import train
from reelworld.world.scene import Scene
from reelworld.world.stream import Clip, WorldConfig, film, plan

Array = np.ndarray
CHECKS = ("binding", "kind", "size")  # every clip has one thing: its count says nothing
ONE = "stages.0.buckets.0.themes"
IDEAS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "wider grammar": (f"{ONE}=",),
    "wide": ("model.dim=384", "model.num_heads=6"),
    "narrow": ("model.dim=128", "model.num_heads=2"),
    "shallow": ("model.depth=4",),
    "a quarter of the tokens": ("model.patch.height=16", "model.patch.width=16"),
    "four times the tokens": ("model.patch.height=4", "model.patch.width=4"),
    "no margins": ("model.patch.overlap=0,0,0",),
    "AdamW": ("optim.matrices=adamw",),
    "AdamW, twice the rate": ("optim.matrices=adamw", "optim.adamw_lr=0.002"),
    "Muon, twice the rate": ("optim.muon_lr=0.004",),
    "pictures first": ("pictures first",),
    "labels for tokens": ("loss.label_weight=0.05",),
    "taught to read": ("loss.reading_weight=0.02",),
    "narrow timesteps": ("noise.timestep_mean=0.8", "noise.timestep_std=0.8"),
    "longer": ("longer",),
}


def plain() -> Recipe:
    """Return the trial: nano's model, clips of half a second of one thing, told in full."""
    recipe = recipes.get("nano")
    bucket = Bucket(shape=GLANCE, themes=("one thing",))
    return replace(
        recipe,
        stages=(Stage(name="clips", steps=1, batch=32, buckets=(bucket,), level=1),),
        optim=replace(recipe.optim, warmup_steps=20, decay_share=0.5, ema_decay=0.98),
        loss=LossConfig(),
        data=DataConfig(reuse=4, workers=0),
        report=replace(recipe.report, checkpoint_minutes=3.0, heldout_minutes=600.0, sample_minutes=600.0),
    )


def recipe_of(idea: str, operations: float) -> Recipe:
    """Return the recipe of an idea ("NAME SETTING=VALUE ...") with as many steps as the operations buy."""
    name = max((n for n in IDEAS if idea.startswith(n)), key=len, default=None)
    if name is None:
        raise SystemExit(f"there is no idea {idea!r}; there are {', '.join(IDEAS)}")
    settings = [*IDEAS[name], *idea[len(name) :].split()]
    if "longer" in settings:
        operations *= 2
    recipe = override(plain(), [s for s in settings if "=" in s])
    if "pictures first" not in settings:
        return _filled(recipe, 0, operations)
    (stage,) = recipe.stages
    picture = replace(stage.buckets[0], shape=replace(GLANCE, num_frames=1))
    recipe = replace(recipe, stages=(replace(stage, name="pictures", buckets=(picture,)), stage))
    return _filled(_filled(recipe, 0, operations / 2), 1, operations / 2)


def _filled(recipe: Recipe, index: int, operations: float) -> Recipe:
    stages, stage = list(recipe.stages), recipe.stages[index]
    cost = Cost.of(recipe.model, stage.buckets[0].shape, stage.text_length).training_flops
    stages[index] = replace(stage, steps=max(1, round(operations / (cost * stage.batch))))
    return replace(recipe, stages=tuple(stages))


def prompts(count: int) -> tuple[list[Clip], Frames]:
    """Return clips of one thing, half a second long, of no seed that trains, and their true renders."""
    config = WorldConfig(
        level=1, seed=6_000_000, num_frames=4, themes=("one thing",), caption_mix=(0.0, 0.0, 1.0)
    )
    clips = list(plan(config, range(count)))
    return clips, film(clips, config).numpy()


def passed(told: Scene, frames: Frames, parser: Perceiver) -> list[bool]:
    """Return which of the checks a video passes."""
    verdict = judge(told, parser.look(frames))
    return [verdict[check] is True for check in CHECKS]


def verdicts(weights: Path, clips: Sequence[Clip], seeds: int, parser: Perceiver) -> Array:
    """Make the videos of a model and judge them: bool [clips, seeds, checks]."""
    pipeline = Pipeline.load(weights)
    return np.array(
        [
            [
                passed(clip.told, pipeline(clip.caption, seed=n, num_frames=4)[0].frames, parser)
                for n in range(seeds)
            ]
            for clip in clips
        ]
    )


def references(clips: Sequence[Clip], true: Frames, parser: Perceiver) -> tuple[Array, Array]:
    """Return bool [clips, checks] which true renders pass, of their own prompt and of the next one."""
    own = [passed(c.told, frames, parser) for c, frames in zip(clips, true, strict=True)]
    other = [passed(c.told, frames, parser) for c, frames in zip(clips, np.roll(true, 1, 0), strict=True)]
    return np.array(own), np.array(other)


def told(mine: Array, base: Array, own: Array, other: Array) -> str:
    """Say S of each check, and its difference from the plain trial in points, with its 95 % interval.

    A check is asked of the prompts whose true render passes it, so that C is 1.
    """
    parts = []
    for n, check in enumerate(CHECKS):
        asked = own[:, n]
        a, b, floor = base[asked, :, n], mine[asked, :, n], other[asked, n].mean()
        off = difference(a.ravel().tolist(), b.ravel().tolist(), np.arange(a.size) // a.shape[1])
        mean, low, high = (100 * value / (1 - floor) for value in (off.mean, *off.interval))
        score = (b.mean() - floor) / (1 - floor)
        parts.append(f"{check} {score:.2f} ({mean:+.0f} [{low:+.0f}, {high:+.0f}])")
    return ", ".join(parts)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--only", nargs="*", default=list(IDEAS), metavar="IDEA")
    options.add_argument("--petaflop", type=float, default=0.04, help="operations of each idea, in 1e15")
    options.add_argument("--prompts", type=int, default=100)
    options.add_argument("--seeds", type=int, default=2)
    options.add_argument("--threads", type=int)
    arguments = options.parse_args()
    runtime.set_threads(arguments.threads)
    found: dict[str, Array] = {}
    clips, true = prompts(arguments.prompts)
    parser = Perceiver.load()
    own, other = references(clips, true, parser)
    with record("ideas") as say:
        say("each", f"{arguments.petaflop} PFLOP, {arguments.prompts} prompts, {arguments.seeds} seeds")
        for n, check in enumerate(CHECKS):
            say(check, f"asked of {own[:, n].sum()} prompts, F {other[own[:, n], n].mean():.2f}")
        for idea in dict.fromkeys(["plain", *arguments.only]):
            folder = arguments.folder / idea.replace(" ", "_")
            recipe = recipe_of(idea, 1e15 * arguments.petaflop)
            weights = train(recipe, folder, resume=(folder / "state").exists(), progress="silent")
            kept = folder / f"verdicts-{arguments.prompts}x{arguments.seeds}.npy"
            if not kept.exists():
                np.save(kept, verdicts(weights, clips, arguments.seeds, parser))
            found[idea] = np.load(kept)
            say(f"{idea} ({recipe.total_steps} steps)", told(found[idea], found["plain"], own, other))


if __name__ == "__main__":
    main()
