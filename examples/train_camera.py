"""Train the parser's camera alone: its network is small and sees only frame pairs, so clips are all it costs.

    python examples/train_camera.py WEIGHTS -o OUT --minutes 12

Two batches of three are glances of levels 1 and 2, of which most move; the third holds whole films, for their
cuts. A camera that stands still counts a fifth of one that moves: what a parser is unsure of it would else
call still, and whether a camera moves at all is decided by what changes in the picture
(`evaluate/perceive.py`). In the world whoever looks down flies; a parser would learn that from the horizon
alone, so some cameras move otherwise than the world lets them.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from reelworld.core import checkpoint, runtime
from reelworld.models.perception import PATCH, Perception, PerceptionConfig
from reelworld.models.released import network_to_checkpoint, packaged
from reelworld.recipes import DegradeConfig, OptimConfig
from reelworld.train import optim
from reelworld.train.degrade import Degrader
from reelworld.train.perceiving import camera_losses
from reelworld.world.framing import camera
from reelworld.world.labels import camera_motion, cuts
from reelworld.world.stage import scene_camera
from reelworld.world.stream import Clip, WorldConfig, film, plan

OTHERWISE, HIGH = 0.5, 0.6  # shares of glances whose camera is drawn anew, and of those that look down
STILL_KEPT = 0.25  # share of the glances under a still camera that are filmed
CLIPS = {"glances": 32, "films": 8}
CUT_WEIGHT = {"glances": 0.3, "films": 2.0}


def drawn(kind: str, seed: int) -> Iterator[list[Clip]]:
    """Yield clips, 16 at a time; of glances mostly such as move."""
    rng = np.random.default_rng(seed)
    levels = (1, 2, 2) if kind == "glances" else (3,)
    num_frames = 4 if kind == "glances" else 16
    for block in range(1_000_000):
        config = WorldConfig(level=levels[block % len(levels)], num_frames=num_frames, seed=seed)
        clips = plan(config, range(16 * block, 16 * block + 16))
        if kind == "glances":
            clips = [_otherwise(clip, rng) if rng.random() < OTHERWISE else clip for clip in clips]
            clips = [clip for clip in clips if _moves(clip) or rng.random() < STILL_KEPT]
        yield clips


def _otherwise(clip: Clip, rng: np.random.Generator) -> Clip:
    """Film a clip by another camera: any move from any height."""
    (shot,) = clip.scene.shots
    view = camera(rng, 2, shot.camera.target[2], 1.0)
    if rng.random() < HIGH:
        view = replace(view, position=(0.0, -5.5, round(float(rng.uniform(2.5, 8.5)), 3)))
    shots = (replace(shot, camera=view),)
    return replace(clip, scene=replace(clip.scene, shots=shots))


def _moves(clip: Clip) -> bool:
    return any(shot.camera.move != "still" for shot in clip.scene.shots)


def serve(queue: Queue[tuple[np.ndarray, ...]], kind: str, seed: int) -> None:
    """Film clips into the queue: frames, the camera's motion, cuts."""
    runtime.set_threads(1)
    held: list[tuple[Tensor, Tensor, Tensor]] = []
    for clips in drawn(kind, seed):
        for clip in clips:
            frames = film([clip], WorldConfig(num_frames=len(clip.frames)))[0]
            times = np.array(clip.frames) / 8.0
            table = torch.from_numpy(scene_camera(clip.scene, times)).float()[None]
            shots = torch.tensor([[clip.scene.shots.index(clip.scene.shot_at(t)) for t in times]])
            held.append((frames, camera_motion(table)[0], cuts(shots)[0]))
        while len(held) >= CLIPS[kind]:
            batch, held = held[: CLIPS[kind]], held[CLIPS[kind] :]
            queue.put(tuple(torch.stack(part).numpy() for part in zip(*batch, strict=True)))


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("weights", type=Path)
    options.add_argument("-o", "--output", type=Path, required=True)
    options.add_argument("--minutes", type=float, default=12.0)
    options.add_argument("--seed", type=int, default=92_000)
    asked = options.parse_args()
    runtime.set_threads(1)
    network, _ = packaged(Perception, PerceptionConfig, "perception", asked.weights)
    eye = network.camera.requires_grad_(True).train()
    average, degrade = copy.deepcopy(eye), Degrader(DegradeConfig(), asked.seed, torch.device("cpu"))
    optimizers = optim.build(eye, OptimConfig(muon_lr=2.5e-3, adamw_lr=1.2e-3))
    context, queues = get_context("spawn"), {}
    for number, kind in enumerate(CLIPS):
        queues[kind] = context.Queue(maxsize=6)
        context.Process(target=serve, args=(queues[kind], kind, asked.seed + number), daemon=True).start()
    began, step = time.monotonic(), 0
    while (share := (time.monotonic() - began) / (60 * asked.minutes)) < 1.0:
        kind = "films" if step % 3 == 2 else "glances"
        pixels, motion, cut = (torch.from_numpy(part) for part in queues[kind].get())
        video = degrade(pixels.float() / 127.5 - 1)
        patches = F.pixel_unshuffle(video.flatten(0, 1).permute(0, 3, 1, 2), PATCH)
        losses = camera_losses(eye(patches, video.shape[1]), motion, cut)
        loss = losses["camera"] + CUT_WEIGHT[kind] * losses["cut"]
        optim.set_lr(optimizers, min(1.0, (step + 1) / 30, 1.25 * (1.0 - share)))
        eye.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(eye.parameters(), 1.0)
        for optimizer in optimizers.values():
            optimizer.step()
        optim.update_ema(list(average.parameters()), list(eye.parameters()), step, 0.995)
        step += 1
        if step % 50 == 0:
            print(f"step {step}: {kind} camera {losses['camera']:.3f}, cut {losses['cut']:.4f}", flush=True)
    network.camera.load_state_dict(average.state_dict())
    card = {
        k: v for k, v in checkpoint.read_card(asked.weights).items() if k not in ("format", "model", "dtype")
    }
    print(network_to_checkpoint(asked.output, network, {**card, "camera_steps": step}))


if __name__ == "__main__":
    main()
