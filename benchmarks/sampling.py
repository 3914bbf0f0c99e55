"""What the sampler's settings are worth in shares that pass: the same prompts and noise under each of them.

python benchmarks/sampling.py --prompts 30 guidance_scale=2 guidance_interval=0.3:1,guidance_scale=4

Prompts of the training split with seeds of their own, so that choosing here does not choose on the prompts
and noise of the held-out figures.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from record import record
from reelworld.core import runtime
from reelworld.evaluate.checks import judge
from reelworld.evaluate.perceive import Perceiver
from reelworld.evaluate.suite import Case, suite
from reelworld.generate.pipeline import Pipeline

GROUPS = ("one thing", "two things", "something crosses", "something falls")
SEED = 5_000_000


def settings(text: str) -> dict[str, Any]:
    """Read `guidance_scale=2,guidance_interval=0.3:1` as keyword arguments of a pipeline's call."""
    return {name: _value(value) for name, _, value in (part.partition("=") for part in text.split(","))}


def _value(text: str) -> Any:
    if ":" in text:
        return tuple(float(part) for part in text.split(":"))
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text


def cases(prompts: int) -> list[Case]:
    """Return the first prompts of each group."""
    chosen: dict[str, list[Case]] = defaultdict(list)
    for case in suite("train", prompts, 1):
        if case.group in GROUPS and len(chosen[case.group]) < prompts:
            chosen[case.group].append(case)
    return [case for group in GROUPS for case in chosen[group]]


def shares(
    pipeline: Pipeline, parser: Perceiver, asked: Iterable[Case], how: dict[str, Any]
) -> dict[str, str]:
    """Return for each group what share passes each check that is asked of it."""
    passed: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for case in asked:
        (video,) = pipeline(case.clip.caption, seed=SEED + case.index, **how)
        verdict = judge(case.clip.told, parser.look(video.frames))
        for check in case.asks:
            passed[case.group][check].append(verdict[check] is True)
    return {
        group: ", ".join(f"{check} {sum(p)}/{len(p)}" for check, p in checks.items())
        for group, checks in passed.items()
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("settings", nargs="+", type=settings, metavar="NAME=VALUE,...")
    options.add_argument("--prompts", type=int, default=25, help="of each group")
    options.add_argument("--weights", type=Path)
    options.add_argument("--threads", type=int)
    arguments = options.parse_args()
    runtime.set_threads(arguments.threads)
    pipeline, parser, asked = Pipeline.load(arguments.weights), Perceiver.load(), cases(arguments.prompts)
    with record("sampling") as say:
        say("weights", f"{pipeline.weights_hash}, {len(asked)} prompts of train, one seed each")
        for how in arguments.settings:
            name = ", ".join(f"{key} {value}" for key, value in how.items())
            for group, told in shares(pipeline, parser, asked, how).items():
                say(f"{name}; {group}", told)


if __name__ == "__main__":
    main()
