"""Writes clips of the world to a folder: NAME.mp4 beside NAME.json, as training reads footage.

    write_clips("footage", WorldConfig(level=2, seed=7), count=16)

The JSON holds the three captions, the scene program and the ground truth: for each frame the camera and, for
each member of the cast, its place, its screen box and how many of its pixels are seen; the event log; and
with `arrays` a NAME.npz with thing and part ids, depth and flow of every pixel. The folder's `world.json`
says how it was made; the same call continues an interrupted one, and the same seed writes the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from reelworld.core.config import to_json
from reelworld.core.errors import DataError
from reelworld.core.progress import Kind
from reelworld.core.progress import progress as open_progress
from reelworld.core.storage import make_folder, write_bytes
from reelworld.core.types import Video
from reelworld.core.video import write
from reelworld.world import caption
from reelworld.world.acceptance import with_view_events
from reelworld.world.flow import optical_flow
from reelworld.world.render import Geometry, Rendered, render
from reelworld.world.scene import Scene
from reelworld.world.simulate import simulate
from reelworld.world.stage import build
from reelworld.world.stream import Clip, WorldConfig, plan

BLOCK = 32  # scenes simulated together


def write_clips(
    folder: str | Path,
    config: WorldConfig,
    count: int,
    *,
    first: int = 0,
    arrays: bool = False,
    progress: Kind = "silent",
) -> list[Path]:
    """Write clips first ... first + count - 1 and return their mp4 paths; what is there already is kept.

    Raises: DataError where the folder holds clips of other settings; StorageError where the disk refuses.
    """
    folder = Path(folder)
    _claim(folder, config)
    names = {index: folder / f"clip_{index:06d}" for index in range(first, first + count)}
    ends = (".mp4", ".json", ".npz") if arrays else (".mp4", ".json")
    missing = [k for k, name in names.items() if not all(name.with_suffix(end).is_file() for end in ends)]
    with open_progress(progress, len(missing), "filming") as bar:
        for start in range(0, len(missing), BLOCK):
            block = missing[start : start + BLOCK]
            for index, clip in zip(block, plan(config, block), strict=True):
                _write_clip(names[index], clip, config, index, arrays)
                bar.advance()
    return [name.with_suffix(".mp4") for name in names.values()]


def _claim(folder: Path, config: WorldConfig) -> None:
    """Write the folder's world.json, or make sure that it says the same."""
    wanted, path = to_json(config), folder / "world.json"
    if path.is_file():
        try:
            there = json.loads(path.read_text())
        except (OSError, ValueError) as error:  # unreadable, not UTF-8, or no JSON
            raise DataError(f"{path} is damaged; choose a new folder, or delete this one") from error
        if there != wanted:
            raise DataError(f"{folder} holds clips of other settings ({there}); choose another folder")
        return
    make_folder(folder)
    write_bytes(path, (json.dumps(wanted, indent=1) + "\n").encode())


def film_scene(clip: Clip, config: WorldConfig) -> tuple[Geometry, Rendered, Video]:
    """Render one clip with its ground truth."""
    geometry = build([clip.scene], [clip.trajectory], clip.frames, config.fps)
    rendered = render(geometry, config.width, config.height)
    frames = (rendered.color * 255.0).round().byte().numpy()
    return geometry, rendered, Video(frames, config.fps, {"caption": clip.caption})


def replay(scene: Scene, *, width: int, height: int, fps: float = 8.0) -> tuple[Clip, Rendered, Video]:
    """Simulate and film a whole scene program as it stands."""
    config = WorldConfig(width=width, height=height, num_frames=round(scene.duration * fps), fps=fps)
    (trajectory,) = simulate([scene], config.num_frames, fps)
    trajectory = with_view_events(scene, trajectory, fps, config.aspect)
    text = caption.descriptive(scene, trajectory.log, np.random.default_rng(scene.seed)).text
    clip = Clip(scene, trajectory, range(config.num_frames), scene, trajectory.log, text)
    _, rendered, video = film_scene(clip, config)
    return clip, rendered, video


def read_scene(path: str | Path) -> Scene:
    """Read a scene program from its own file or from the JSON of a sampled clip.

    Raises: DataError where the file is missing or holds no scene.
    """
    try:
        values = json.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(
            f"{path} is no scene ({error}); give the JSON that `reel world sample` writes"
        ) from error
    return Scene.from_json(json.dumps(values.get("scene", values) if isinstance(values, dict) else values))


def _write_clip(name: Path, clip: Clip, config: WorldConfig, index: int, arrays: bool) -> None:
    """Write pixels first and the JSON last: a clip whose JSON is there is whole."""
    geometry, rendered, video = film_scene(clip, config)
    write(video, name.with_suffix(".mp4"))
    if arrays:
        write_bytes(name.with_suffix(".npz"), _arrays(geometry, rendered))
    about = {
        "index": index,
        "captions": dict(captions(clip, index, config.raw_errors)),
        "scene": asdict(clip.scene),
        "truth": truth(clip, geometry, rendered, config.fps),
    }
    write_bytes(name.with_suffix(".json"), (json.dumps(about, indent=1) + "\n").encode())


def captions(clip: Clip, seed: int, raw_errors: float = 0.1) -> Iterator[tuple[str, Any]]:
    """Yield the three captions of a clip by name, and whether the raw one is true."""
    rng = np.random.default_rng([clip.scene.seed, seed, 2])
    raw = caption.raw(clip.told, clip.log, rng, raw_errors)
    yield "raw", raw.text
    yield "raw_is_true", raw.correct
    yield "short", caption.short(clip.told, clip.log, rng).text
    yield "descriptive", caption.descriptive(clip.told, clip.log, rng).text


def truth(clip: Clip, geometry: Geometry, rendered: Rendered, fps: float) -> dict[str, Any]:
    """Return what is known of each frame, as JSON: camera, cast, events. Units: metres, seconds, pixels."""
    first = clip.frames[0] / fps
    camera = geometry.camera.double().numpy().round(5)
    return {
        "seconds": [round(frame / fps, 4) for frame in clip.frames],
        "camera": [
            {"position": row[:3].tolist(), "forward": row[9:12].tolist(), "focal": float(row[12])}
            for row in camera
        ],
        "cast": [_track(clip, rendered, n) for n in range(len(clip.scene.cast))],
        "events": [
            {**entry._asdict(), "seconds_in_clip": round(entry.time - first, 4)}
            for entry in clip.trajectory.log
        ],
    }


def _track(clip: Clip, rendered: Rendered, n: int) -> dict[str, Any]:
    """Where member n is in the world and on the screen, frame by frame."""
    seen = (rendered.thing == n + 1).numpy()
    places = clip.trajectory.position[list(clip.frames), n]
    return {
        "kind": clip.scene.cast[n].kind,
        "position": places.round(4).tolist(),
        "velocity": clip.trajectory.velocity[list(clip.frames), n].round(4).tolist(),
        "pixels": seen.sum((1, 2)).tolist(),
        "box": [_box(mask) for mask in seen],
    }


def _box(mask: np.ndarray) -> list[int] | None:
    """Left, top, right, bottom of a mask (inclusive), or None where nothing is seen."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return None
    return [int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())]


def _arrays(geometry: Geometry, rendered: Rendered) -> bytes:
    """Ids, depth and flow as a compressed .npz."""
    buffer = BytesIO()
    np.savez_compressed(
        buffer,
        thing=rendered.thing.numpy().astype(np.int8),
        part=rendered.part.numpy().astype(np.uint8),
        depth=rendered.depth.numpy().astype(np.float32),
        flow=optical_flow(geometry, rendered).numpy().astype(np.float32),
    )
    return buffer.getvalue()
