"""Held-out prompts, unselected: what the weights make of them, beside the ground truth, on one page.

    python benchmarks/heldout.py [--weights FILE] [--count 24] [--out docs/pictures/heldout.png]

Scenes of one thing from the world's held-out split (combinations that training never saw), in the order of
the seed; nothing is chosen. Also writes the captions as a numbered list, for a person to judge by.
"""

from __future__ import annotations

import argparse
from itertools import count as numbers
from pathlib import Path

from reelworld.core.sheet import contact_sheet
from reelworld.core.types import Video
from reelworld.generate.pipeline import Pipeline
from reelworld.world.stream import Clip, WorldConfig, film, plan


def with_things(config: WorldConfig, count: int, things: int) -> list[Clip]:
    """Return the first `count` clips of the split that show so many things."""
    clips: list[Clip] = []
    for block in numbers():
        clips += [c for c in plan(config, range(block * 32, block * 32 + 32)) if len(c.scene.cast) == things]
        if len(clips) >= count:
            return clips[:count]
    raise AssertionError("unreachable")


def main() -> None:
    """Make the page."""
    options = argparse.ArgumentParser()
    options.add_argument("--weights", type=Path)
    options.add_argument("--count", type=int, default=24)
    options.add_argument("--split", default="heldout")
    options.add_argument("--out", type=Path, default=Path("docs/pictures/heldout.png"))
    options.add_argument("--guidance-scale", type=float, default=3.0)
    options.add_argument("--steps", type=int, default=20)
    given = options.parse_args()
    config = WorldConfig(level=1, split=given.split, seed=2024, caption_mix=(0.0, 0.0, 1.0))
    clips = with_things(config, given.count, 1)
    pipeline = Pipeline.load(given.weights)
    truth = [Video(pixels.numpy(), config.fps) for pixels in film(clips, config)]
    made = [
        pipeline(
            c.caption, seed=number, num_inference_steps=given.steps, guidance_scale=given.guidance_scale
        )[0]
        for number, c in enumerate(clips)
    ]
    labels = [f"{number + 1}. {clip.caption}" for number, clip in enumerate(clips)]
    title = f"{given.count} held-out prompts, unselected; weights {pipeline.weights_hash}"
    page = contact_sheet(
        list(zip(truth, made, strict=True)), labels, columns=2, frames_per=5, frame_height=64,
        headings=["ground truth", "generated"], title=title,
    )  # fmt: skip
    page.save(given.out, optimize=True)
    print("\n".join(labels))


if __name__ == "__main__":
    main()
