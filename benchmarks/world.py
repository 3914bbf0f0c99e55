"""The world: clips a second, true captions, clean splits, energy.

python benchmarks/world.py [--quick]
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch

from record import gemm_flops, record
from reelworld.core.runtime import num_cores
from reelworld.world import caption, grammar, splits
from reelworld.world.simulate import GRAVITY
from reelworld.world.stream import WorldConfig, WorldStream
from reelworld.world.things import mass


def _warm() -> None:
    torch.set_num_threads(1)
    next(WorldStream(WorldConfig(level=2, num_frames=1), 1))


def _film(job: tuple[int, int, int]) -> int:
    """Make `count` clips of a level, captions included; returns the count."""
    level, seed, count = job
    torch.set_num_threads(1)
    stream = WorldStream(WorldConfig(level=level, seed=seed), 32)
    for _ in range(count // 32):
        next(stream)
    return count


def clips_per_second(pool: ProcessPoolExecutor, level: int, count: int) -> float:
    """One single-threaded process for each core, as training's data worker is."""
    cores = num_cores()
    start = time.perf_counter()
    total = sum(pool.map(_film, [(level, seed, count) for seed in range(cores)]))
    return total / (time.perf_counter() - start)


def _check_captions(job: tuple[int, int, int]) -> tuple[int, int]:
    """Write and read back the captions of scenes; returns captions checked and contradictions."""
    level, first, count = job
    checked = wrong = 0
    for start in range(first, first + count, 100):
        for index, (scene, path) in enumerate(grammar.sample(level, "train", 1, range(start, start + 100))):
            rng = np.random.default_rng([start, index])
            for kind in (caption.raw, caption.short, caption.descriptive):
                written = kind(scene, path.log, rng)
                if written.correct:
                    checked += 1
                    wrong += bool(caption.contradictions(written.text, scene, path.log))
    return checked, wrong


def _check_split(job: tuple[int, int, int]) -> tuple[int, set[tuple[str, str, str]]]:
    """Count train programs with a held-out combination, and collect what atoms stand together."""
    level, first, count = job
    wrong, seen = 0, set()
    for index in range(first, first + count):
        scene = grammar.draw(2, level, "train", index)
        wrong += splits.is_heldout(scene)
        seen |= splits.combinations_of(scene)
    return wrong, seen


def _missing_atoms(seen: set[tuple[str, str, str]]) -> list[str]:
    """Name the atoms of held-out combinations that train does not have."""
    there = {(kind, place, atom) for kind, *atoms in seen for place, atom in enumerate(atoms)}
    wanted = {(kind, place, atom) for kind, *atoms in splits.HELDOUT for place, atom in enumerate(atoms)}
    return [str(atom) for atom in sorted(wanted - there)]


def _energy_rise(count: int) -> tuple[int, float]:
    """Free flights and bounces checked, and the largest rise of energy between frames, as a share."""
    checked, worst = 0, 0.0
    for scene, path in grammar.sample(1, "train", 5, range(count)):
        masses = np.array([mass(t) for t in scene.cast])
        energy = masses * (0.5 * (path.velocity**2).sum(-1) + GRAVITY * path.position[..., 2])
        for n, thing in enumerate(scene.cast):
            if thing.motion.action in ("fall", "bounce") and thing.motion.direction is None:
                checked += 1
                worst = max(worst, float(np.diff(energy[1:, n]).max() / energy[0, n]))
    return checked, worst


def main() -> None:
    """Run all figures."""
    options = argparse.ArgumentParser()
    options.add_argument("--quick", action="store_true", help="a tenth of everything")
    part = 10 if options.parse_args().quick else 1
    cores = num_cores()
    with record("world") as say, ProcessPoolExecutor(cores) as pool:
        list(pool.map(_film, [(1, 0, 0)] * cores))
        pool.submit(_warm).result()
        say("float32 GEMM", f"{gemm_flops() / 1e9:.0f} GFLOP/s")
        for level, goal in ((1, 60), (2, 20)):
            rate = clips_per_second(pool, level, 320 // part if part == 1 else 64)
            say(f"level {level}, 16 frames of 64x64, {cores} processes", f"{rate:.1f} clips/s (goal {goal})")
        for level in (1, 2):
            share = 5000 // part
            jobs = [(level, k * share // cores, share // cores // 100 * 100) for k in range(cores)]
            checked, wrong = (sum(x) for x in zip(*pool.map(_check_captions, jobs), strict=True))
            say(f"captions of level {level} read back", f"{checked} checked, {wrong} say what is not so")
        total, together = Counter(), set()
        for level in (1, 2):
            share = 50_000 // part
            for wrong, seen in pool.map(
                _check_split, [(level, k * share // cores, share // cores) for k in range(cores)]
            ):
                total[level] += wrong
                together |= seen
            say(f"train programs of level {level} with a held-out combination", f"{total[level]} of {share}")
        say("atoms of held-out combinations that train lacks", ", ".join(_missing_atoms(together)) or "none")
        checked, worst = _energy_rise(1000 // part)
        say(
            "energy in flights and bounces",
            f"{checked} checked, largest rise {max(worst, 0.0):.1e} of the whole",
        )


if __name__ == "__main__":
    main()
