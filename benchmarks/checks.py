"""What the classical parser says of renders, of cheats, and of what the weights make of the same prompts.

    python benchmarks/checks.py [--weights FILE] [--split heldout] [--prompts 48] [--seeds 1]
    python benchmarks/checks.py --breakages          # which check notices which breakage of renders

C is the share of ground-truth renders that pass a check, F its floor (each video judged by another prompt of
the set; for checks of motion also its first frame, repeated), M the share of generated clips that pass, and
S = (M - F) / (C - F). Prompts of one thing and of two are scored apart; the number that ask for a check is
printed. This parser knows colours and silhouettes only: what it says of kinds is rough.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from heldout import with_things
from record import record
from reelworld.core import runtime
from reelworld.evaluate.checks import CHECKS, judge
from reelworld.evaluate.controls import BREAKAGES, SEVERITIES, Breakage
from reelworld.evaluate.track import Parser, Track
from reelworld.generate.pipeline import Pipeline
from reelworld.world.stream import Clip, WorldConfig, film, plan

Tracks = Sequence[Track]


def shares(clips: Sequence[Clip], tracks: Sequence[Tracks]) -> dict[str, tuple[float, int]]:
    """Return of each check the share of clips that pass, and the number that ask for it."""
    verdicts = [judge(clip.told, seen) for clip, seen in zip(clips, tracks, strict=True)]
    asked = {name: [v[name] for v in verdicts if v[name] is not None] for name in CHECKS}
    return {name: (float(np.mean(v)) if v else float("nan"), len(v)) for name, v in asked.items()}


MOTION = ("direction", "gravity", "lift")  # what a still picture must not pass
EACH = 12  # clips of a breakage, all of which pass the check before they are broken


def break_matrix(parser: Parser) -> None:
    """Say how many clips each breakage makes fail its check, by severity, and what it does to the others."""
    config = WorldConfig(level=1, split="train", seed=2025)
    clips = plan(config, range(240))
    true = [judge(c.told, parser.tracks(f)) for c, f in zip(clips, film(clips, config).numpy(), strict=True)]
    with record("breakages") as say:
        say("clips", f"{len(clips)}, level 1, train; up to {EACH} of those that pass the named check")
        for name, breakage in BREAKAGES.items():
            chosen = [n for n, c in enumerate(clips) if breakage.applies(c) and true[n][breakage.check]]
            rows = [_broken(parser, config, breakage, clips, true, chosen[:EACH], s) for s in SEVERITIES]
            noticed = ", ".join(f"{hit:.2f}" for hit, _ in rows)
            others = sorted(set().union(*(others for _, others in rows))) or ["none"]
            say(
                f"{name:20s}",
                f"{breakage.check} fails in {noticed} of {len(chosen[:EACH])}; also: {', '.join(others)}",
            )


def _broken(
    parser: Parser,
    config: WorldConfig,
    breakage: Breakage,
    clips: Sequence[Clip],
    true: Sequence[dict[str, bool | None]],
    chosen: Sequence[int],
    severity: int,
) -> tuple[float, set[str]]:
    """Return the share of clips whose named check fails now, and the other checks that fail in over 5 %."""
    films = [breakage.film(clips[n], config, severity) for n in chosen]
    now = [judge(clips[n].told, parser.tracks(frames)) for n, frames in zip(chosen, films, strict=True)]
    lost = {
        check: float(
            np.mean([true[n][check] is True and v[check] is False for n, v in zip(chosen, now, strict=True)])
        )
        for check in CHECKS
    }
    return lost.pop(breakage.check), {check for check, share in lost.items() if share > 0.05}


def main() -> None:
    """Judge renders, floors and the weights, and print the table."""
    options = argparse.ArgumentParser()
    options.add_argument("--weights", type=Path)
    options.add_argument("--split", default="heldout")
    options.add_argument("--prompts", type=int, default=48)
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--breakages", action="store_true")
    given = options.parse_args()
    runtime.set_threads()
    if given.breakages:
        break_matrix(Parser.fit())
        return
    config = WorldConfig(level=1, split=given.split, seed=2024, caption_mix=(0.0, 0.0, 1.0))
    parser, pipeline = Parser.fit(), Pipeline.load(given.weights)
    with record("checks") as say:
        say("weights", pipeline.weights_hash)
        for things in (1, 2):
            clips = with_things(config, given.prompts, things)
            say(
                "prompts", f"{len(clips)}, things: {things}, level 1, {given.split}; {given.seeds} seeds each"
            )
            for name, line in score(parser, pipeline, config, clips, given.seeds):
                say(f"{name:12s}", line)


def score(
    parser: Parser, pipeline: Pipeline, config: WorldConfig, clips: Sequence[Clip], seeds: int
) -> Iterator[tuple[str, str]]:
    """Yield the figures of each check that the prompts ask for."""
    renders = film(clips, config).numpy()
    seen = [parser.tracks(frames) for frames in renders]
    still = [parser.tracks(np.repeat(frames[:1], len(frames), axis=0)) for frames in renders]
    made = [
        parser.tracks(video.frames)
        for number, clip in enumerate(clips)
        for video in pipeline(clip.caption, seed=number * seeds, num_videos=seeds)
    ]
    ceiling, others, frozen = (shares(clips, t) for t in (seen, seen[1:] + seen[:1], still))
    model = shares([clip for clip in clips for _ in range(seeds)], made)
    for name, (top, asked) in ceiling.items():
        floor = max(others[name][0], frozen[name][0] if name in MOTION else 0.0)
        if not asked or not top > floor:
            yield name, f"not measured: {asked} prompts ask for it, C {top:.2f}, F {floor:.2f}"
            continue
        share = (model[name][0] - floor) / (top - floor)
        yield name, f"M {model[name][0]:.2f}  F {floor:.2f}  C {top:.2f}  S {share:.2f}  ({asked} prompts)"


if __name__ == "__main__":
    main()
