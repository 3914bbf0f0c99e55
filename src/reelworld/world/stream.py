"""Endless, seeded, resumable batches of clips with captions, on any device.

    stream = WorldStream(WorldConfig(level=1, seed=7), batch_size=32)
    batch = next(stream)         # pixels uint8 [32, 16, 64, 64, 3], 32 captions
    stream.seek(stream.position) # restarts exactly

Clip number i of a seed is always the same clip with the same caption, whatever the batch size.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from reelworld.core.errors import ConfigError
from reelworld.core.types import References
from reelworld.world import caption, grammar
from reelworld.world.acceptance import from_near
from reelworld.world.excerpt import any_stretch, excerpt, stretch
from reelworld.world.framing import close_up
from reelworld.world.labels import film_labelled
from reelworld.world.portrait import characters, portrait
from reelworld.world.render import render
from reelworld.world.scene import LONGEST, Scene
from reelworld.world.simulate import LogEntry, Trajectory, simulate
from reelworld.world.stage import build, look
from reelworld.world.words import CHARACTERS


@dataclass(frozen=True, kw_only=True)
class WorldConfig:
    """Which clips: level, split, shape, seed, and the shares of raw, short and descriptive captions.

    A clip shorter than a scene (2 s) is a random stretch of it, an image a random frame (see `excerpt`).
    `raw_errors` is the share of raw captions with a mistake. As many as `references` of a clip's cast have
    portraits, and in captions names instead of looks (see `portrait`). A share of clips are filmed from
    `near`, by a still camera that shows all of the cast. A share are `close_ups`, for parsers: from nearer
    still, at any moment; no caption tells what their border cuts off, nor what came before. All scenes are
    about the `themes` (see `grammar.THEMES`), if there are any.
    """

    level: int = 1
    split: str = "train"
    width: int = 64
    height: int = 64
    num_frames: int = 16
    fps: float = 8.0
    seed: int = 0
    caption_mix: tuple[float, float, float] = (0.0, 0.05, 0.95)
    raw_errors: float = 0.1
    references: int = 0
    near: float = 0.0
    close_ups: float = 0.0
    themes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.references <= len(CHARACTERS):
            raise ConfigError(f"references is {self.references}; give 0 to {len(CHARACTERS)}")
        if self.references and self.caption_mix[0] > 0:
            raise ConfigError("raw captions know no characters; set their share, or references, to 0")
        if min(self.width, self.height, self.num_frames) < 1 or self.fps <= 0:
            raise ConfigError("width, height, num_frames and fps of a world clip must be positive")
        if self.seed < 0 or min(self.caption_mix) < 0 or sum(self.caption_mix) <= 0:
            raise ConfigError("seed and the shares of captions must not be negative, nor all shares zero")
        if not all(0.0 <= share <= 1.0 for share in (self.raw_errors, self.near, self.close_ups)):
            raise ConfigError("raw_errors, near and close_ups are shares between 0 and 1")
        if self.num_frames > LONGEST * self.fps:
            raise ConfigError(f"a world clip lasts {LONGEST:g} s at most; give fewer frames")
        grammar.check(self.level, self.split, self.themes)
        if self.num_frames > self.scene_frames:
            raise ConfigError(
                f"{self.num_frames} frames at {self.fps:g} fps exceed a scene of {SCENE_SECONDS:g} s; "
                f"take at most {self.scene_frames} frames, more frames a second, or level 3 (longer scenes)"
            )

    @property
    def aspect(self) -> float:
        """Return width over height."""
        return self.width / self.height

    @property
    def scene_frames(self) -> int:
        """Return the frames of a whole scene: two seconds, or at level 3 as long as the clip."""
        shortest = round(SCENE_SECONDS * self.fps)
        return max(shortest, self.num_frames) if self.level >= 3 else shortest


SCENE_SECONDS = 2.0
NEAR = (0.4, 0.85)  # of its distance, from which a close-up is filmed
MOST_AT_ONCE = 256  # scenes written together


@dataclass(frozen=True)
class Batch:
    """Clips with their captions: pixels uint8 [B, T, H, W, 3], and which clips of the stream they are.

    `labels` say what the pixels show (see `labels`), where that is asked for; `words`, what a training makes
    of the captions, a row each.
    """

    pixels: Tensor
    captions: list[str]
    indices: list[int]
    labels: dict[str, Tensor] = field(default_factory=dict)
    references: References | None = None
    words: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Clip:
    """One simulated scene, the stretch of it that is filmed, and what that stretch shows, for captions.

    `portraits` are clips of a frame of members of the cast, by the names that the caption gives them.
    """

    scene: Scene
    trajectory: Trajectory
    frames: range
    told: Scene
    log: tuple[LogEntry, ...]
    caption: str = ""
    portraits: Mapping[str, Clip] = field(default_factory=dict)


def plan(config: WorldConfig, indices: Sequence[int]) -> list[Clip]:
    """Write the clips with these indices: scene, motion and caption, without pixels."""
    scenes = grammar.sample(
        config.level, config.split, config.seed, indices,
        num_frames=config.scene_frames, fps=config.fps, aspect=config.aspect, themes=config.themes,
    )  # fmt: skip
    clips, portraits = [], {}
    for n, (index, (scene, trajectory)) in enumerate(zip(indices, scenes, strict=True)):
        rng = np.random.default_rng([config.seed, index, 1])
        if np.random.default_rng([config.seed, index, 6]).random() < config.near:
            scene = from_near(scene, trajectory, config.fps, config.aspect)
        frames = stretch(scene, trajectory, config.num_frames, config.fps, rng, config.aspect)
        aside = np.random.default_rng([config.seed, index, 5])
        if aside.random() < config.close_ups:
            scene = close_up(scene, float(aside.uniform(*NEAR)))
            frames = any_stretch(scene, config.num_frames, config.fps, aside)
        clip = Clip(scene, trajectory, frames, *excerpt(scene, trajectory, frames, config.fps))
        casting = np.random.default_rng([config.seed, index, 4])
        names = characters(clip.told, config.references, casting)
        for member, name in names.items():
            portraits[n, name] = portrait(clip.told, member, casting, config.aspect)
        clips.append(replace(clip, caption=write_caption(clip, rng, config, names)))
    return _with_portraits(clips, portraits, config.fps)


def _with_portraits(
    clips: Sequence[Clip], portraits: Mapping[tuple[int, str], Scene], fps: float
) -> list[Clip]:
    """Add portraits to clips, by the number of the clip and the name; they are simulated together."""
    paths = simulate(list(portraits.values()), 1, fps) if portraits else []
    own: list[dict[str, Clip]] = [{} for _ in clips]
    for ((n, name), scene), path in zip(portraits.items(), paths, strict=True):
        own[n][name] = Clip(scene, path, range(1), scene, ())
    return [replace(clip, portraits=shown) for clip, shown in zip(clips, own, strict=True)]


def write_caption(
    clip: Clip, rng: np.random.Generator, config: WorldConfig, names: Mapping[int, str] | None = None
) -> str:
    """Draw a kind of caption (raw, short, descriptive) by the shares of the mix and write it."""
    share = np.asarray(config.caption_mix) / sum(config.caption_mix)
    kind = int(rng.choice(3, p=share))
    if kind == 0:
        return caption.raw(clip.told, clip.log, rng, config.raw_errors).text
    return (caption.short, caption.descriptive)[kind - 1](clip.told, clip.log, rng, names).text


def film(clips: Sequence[Clip], config: WorldConfig, device: str | torch.device = "cpu") -> Tensor:
    """Render clips: uint8 [B, T, H, W, 3] on `device`.

    Clips of one look are rendered together on a GPU; on a CPU one at a time, which stays in its caches.
    """
    device = torch.device(device)
    shape = (len(clips), config.num_frames, config.height, config.width, 3)
    pixels = torch.empty(shape, dtype=torch.uint8, device=device)
    for group in _groups(clips, 1 if device.type == "cpu" else 64):
        members = [clips[i] for i in group]
        tables = [build([c.scene], [c.trajectory], c.frames, config.fps) for c in members]
        geometry = tables[0].join(tables[1:]).to(device)
        color = render(geometry, config.width, config.height).color
        pixels[group] = (color * 255.0).round_().to(torch.uint8).view(len(group), *shape[1:])
    return pixels


def film_portraits(
    clips: Sequence[Clip], config: WorldConfig, device: str | torch.device = "cpu"
) -> References | None:
    """Render the portraits of clips, in the order of `words.CHARACTERS`; None where none are asked for."""
    if not config.references:
        return None
    names = CHARACTERS[: config.references]
    seen = torch.tensor([[name in clip.portraits for name in names] for clip in clips], device=device)
    shape = (*seen.shape, config.height, config.width, 3)
    pixels = torch.zeros(shape, dtype=torch.uint8, device=device)
    shown = [clip.portraits[name] for clip in clips for name in names if name in clip.portraits]
    if shown:
        pixels[seen] = film(shown, replace(config, num_frames=1), device)[:, 0]
    return References(pixels, seen)


def _groups(clips: Sequence[Clip], most: int) -> list[list[int]]:
    """Group indices of clips by look, at most `most` together."""
    by_look = defaultdict(list)
    for i, clip in enumerate(clips):
        by_look[look(clip.scene)].append(i)
    return [g[i : i + most] for g in by_look.values() for i in range(0, len(g), most)]


class WorldStream:
    """Endless batches of the world. `position` counts clips; `seek` continues anywhere.

    Scenes are written on the CPU wherever they are rendered, many in the time of one. With `labelled`,
    batches have labels.
    """

    def __init__(
        self,
        config: WorldConfig,
        batch_size: int,
        device: str | torch.device = "cpu",
        labelled: bool = False,
    ) -> None:
        self.labelled = labelled
        self.config, self.batch_size, self.device = config, batch_size, torch.device(device)
        self.seek(0)

    def seek(self, count: int) -> None:
        """Continue as if `count` clips had been taken."""
        self.position, self._ahead, self._since = count, deque[Clip](), count

    def __iter__(self) -> WorldStream:
        return self

    def __next__(self) -> Batch:
        while len(self._ahead) < self.batch_size:
            self._ahead += self._next_block()
        clips = [self._ahead.popleft() for _ in range(self.batch_size)]
        indices = list(range(self.position, self.position + self.batch_size))
        self.position += self.batch_size
        captions = [c.caption for c in clips]
        references = film_portraits(clips, self.config, self.device)
        if not self.labelled:
            return Batch(film(clips, self.config, self.device), captions, indices, {}, references)
        pixels, labels = film_labelled(clips, self.config, self.device)
        return Batch(pixels, captions, indices, labels, references)

    def _next_block(self) -> list[Clip]:
        """Write the next clips; as many again as so far: the first come soon, the many at half the cost.

        What fails leaves the stream where it was.
        """
        first = self.position + len(self._ahead)
        more = min(MOST_AT_ONCE, max(self.batch_size, first - self._since))
        return plan(self.config, range(first, first + more))
