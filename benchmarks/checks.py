"""What the classical parser says of renders, of cheats, and of what the weights make of the same prompts.

    python benchmarks/checks.py [--weights FILE] [--split heldout] [--prompts 48] [--seeds 1]

C is the share of ground-truth renders that pass a check, F the largest of three floors (each video judged
by another prompt of the set; its first frame, repeated; grey), M the share of generated clips that pass, and
S = (M - F) / (C - F). The number of prompts that ask for a check is printed beside it. This parser knows
colours and silhouettes only: what it says of kinds is rough, and of white things on bright floors too.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from heldout import single_things
from record import record
from reelworld.core import runtime
from reelworld.evaluate.checks import CHECKS, judge
from reelworld.evaluate.track import Parser, Track
from reelworld.generate.pipeline import Pipeline
from reelworld.world.stream import Clip, WorldConfig, film

Tracks = Sequence[Track]


def shares(clips: Sequence[Clip], tracks: Sequence[Tracks]) -> dict[str, tuple[float, int]]:
    """Return of each check the share of clips that pass, and the number that ask for it."""
    verdicts = [judge(clip.told, seen) for clip, seen in zip(clips, tracks, strict=True)]
    asked = {name: [v[name] for v in verdicts if v[name] is not None] for name in CHECKS}
    return {name: (float(np.mean(v)) if v else float("nan"), len(v)) for name, v in asked.items()}


def main() -> None:
    """Judge renders, floors and the weights, and print the table."""
    options = argparse.ArgumentParser()
    options.add_argument("--weights", type=Path)
    options.add_argument("--split", default="heldout")
    options.add_argument("--prompts", type=int, default=48)
    options.add_argument("--seeds", type=int, default=1)
    given = options.parse_args()
    runtime.set_threads()
    config = WorldConfig(level=1, split=given.split, seed=2024, caption_mix=(0.0, 0.0, 1.0))
    clips = single_things(config, given.prompts)
    parser, pipeline = Parser.fit(), Pipeline.load(given.weights)
    renders = film(clips, config).numpy()
    seen = [parser.tracks(frames) for frames in renders]
    still = [parser.tracks(np.repeat(frames[:1], len(frames), axis=0)) for frames in renders]
    ceiling = shares(clips, seen)
    floors = [shares(clips, seen[1:] + seen[:1]), shares(clips, still), shares(clips, [()] * len(clips))]
    made = [
        parser.tracks(video.frames)
        for number, clip in enumerate(clips)
        for video in pipeline(clip.caption, seed=number * given.seeds, num_videos=given.seeds)
    ]
    model = shares([clip for clip in clips for _ in range(given.seeds)], made)
    with record("checks") as say:
        say("weights", pipeline.weights_hash)
        say("prompts", f"{given.prompts} of one thing, level 1, {given.split}; {given.seeds} seeds each")
        for name in CHECKS:
            top, asked = ceiling[name]
            floor, score = max(f[name][0] for f in floors), model[name][0]
            if not asked or not top > floor:
                say(f"{name:12s}", f"not measured: {asked} prompts ask for it, C {top:.2f}, F {floor:.2f}")
                continue
            share = (score - floor) / (top - floor)
            say(f"{name:12s}", f"M {score:.2f}  F {floor:.2f}  C {top:.2f}  S {share:.2f}  ({asked} prompts)")


if __name__ == "__main__":
    main()
