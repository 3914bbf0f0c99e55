"""The world: clips a second, true captions, clean splits, energy.

python benchmarks/world.py [--quick]
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from statistics import median

import numpy as np

from record import gemm_flops, record
from reelworld.core import runtime
from reelworld.world import caption, grammar, splits
from reelworld.world.facts import EVENT_KINDS
from reelworld.world.simulate import GRAVITY
from reelworld.world.stream import WorldConfig, WorldStream
from reelworld.world.things import mass


def _warm() -> None:
    runtime.set_threads(1)
    next(WorldStream(WorldConfig(level=2, num_frames=1), 1))


def _film(job: tuple[int, int, int]) -> int:
    """Make `count` clips of a level, captions included; returns the count."""
    level, seed, count = job
    runtime.set_threads(1)
    stream = WorldStream(WorldConfig(level=level, seed=seed), 32)
    for _ in range(count // 32):
        next(stream)
    return count


def clips_per_second(pool: ProcessPoolExecutor, level: int, count: int) -> float:
    """One single-threaded process for each core, as training's data worker is."""
    cores = runtime.num_cores()
    start = time.perf_counter()
    total = sum(pool.map(_film, [(level, seed, count) for seed in range(cores)]))
    return total / (time.perf_counter() - start)


def _round(pool: ProcessPoolExecutor, level: int, count: int) -> tuple[float, float]:
    """Return the clips a second, and those for each TFLOP/s of the product measured before and after."""
    before = gemm_flops()
    rate = clips_per_second(pool, level, count)
    return rate, rate / ((before + gemm_flops()) / 2e12)


QUIET_TFLOPS = 0.215  # the matrix product of the quiet machine for which the goals were set

Combination = tuple[str, str, str]


def _check_captions(job: tuple[int, range]) -> tuple[int, int, set[Combination]]:
    """Write and read back the captions of scenes.

    Returns the captions checked, those that say what is not so, and the combinations of atoms they state.
    """
    level, indices = job
    checked, wrong, stated = 0, 0, set()
    for index, (scene, path) in zip(indices, grammar.sample(level, "train", 1, indices), strict=True):
        rng = np.random.default_rng([1, index])
        for kind in (caption.raw, caption.short, caption.descriptive):
            written = kind(scene, path.log, rng)
            stated |= _stated(caption.parse(written.text))
            if written.correct:
                checked += 1
                wrong += bool(caption.contradictions(written.text, scene, path.log))
    return checked, wrong, stated


def _stated(parsed: caption.Parsed) -> set[Combination]:
    """Return the combinations that a text states, in the form of `splits.HELDOUT`."""
    of: dict[str, list[tuple[int, str]]] = {"kind": [], "color": [], "action": []}
    for fact in parsed.facts:
        if fact.name in of and isinstance(fact.args[0], int):
            of[fact.name].append((fact.args[0], str(fact.args[1])))
    moves = [str(f.args[0]) for f in parsed.facts if f.name == "camera"]
    events = [f.name for f in parsed.facts if f.name in EVENT_KINDS]
    found = {("color", kind, color) for i, kind in of["kind"] for j, color in of["color"] if i == j}
    found |= {("motion", kind, action) for i, kind in of["kind"] for j, action in of["action"] if i == j}
    found |= {("camera", move, action) for move in moves for _, action in of["action"]}
    return found | {("event", move, event) for move in moves for event in events}


def _check_split(job: tuple[int, range]) -> tuple[int, set[Combination]]:
    """Count train programs with a held-out combination, and collect what atoms stand together."""
    level, indices = job
    wrong, seen = 0, set()
    for index in indices:
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
    cores = runtime.num_cores()
    with record("world") as say, ProcessPoolExecutor(cores) as pool:
        list(pool.map(_film, [(1, 0, 0)] * cores))
        pool.submit(_warm).result()
        for level, goal in ((1, 60), (2, 20)):
            rounds = [_round(pool, level, 512 // part) for _ in range(1 if part > 1 else 7)]
            rates, ratios = zip(*rounds, strict=True)
            figure = f"{min(rates):.1f} to {max(rates):.1f} clips/s in {len(rounds)} rounds (goal {goal})"
            say(f"level {level}, 16 frames of 64x64, {cores} processes", figure)
            share = f"{median(ratios):.0f}, goal {goal / QUIET_TFLOPS:.0f} ({goal} at {QUIET_TFLOPS} TFLOP/s)"
            say("  for each TFLOP/s of float32 GEMM beside it", share)
        for level in (1, 2):
            jobs = [(level, range(k, k + 100)) for k in range(0, 5000 // part, 100)]
            checked, wrong, stated = zip(*pool.map(_check_captions, jobs), strict=True)
            say(
                f"captions of level {level} read back",
                f"{sum(checked)} checked, {sum(wrong)} say what is not so",
            )
            heldout = splits.HELDOUT & set().union(*stated)
            say(
                f"held-out combinations that captions of level {level} state",
                ", ".join(map(str, heldout)) or "none",
            )
        together: set[Combination] = set()
        for level, share in ((1, 50_000 // part), (2, 50_000 // part), (3, 20_000 // part)):
            jobs = [(level, range(k, k + 500)) for k in range(0, share, 500)]
            wrong, seen = zip(*pool.map(_check_split, jobs), strict=True)
            together = together.union(*seen)
            say(f"train programs of level {level} with a held-out combination", f"{sum(wrong)} of {share}")
        say("atoms of held-out combinations that train lacks", ", ".join(_missing_atoms(together)) or "none")
        checked, worst = _energy_rise(1000 // part)
        say(
            "energy in flights and bounces",
            f"{checked} checked, largest rise {max(worst, 0.0):.1e} of the whole",
        )


if __name__ == "__main__":
    main()
