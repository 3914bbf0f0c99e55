"""`reel world`: footage with exact captions and ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reelworld.cli.app import Json, app, kind, say, told

world = typer.Typer(
    help="The simulated world: footage with exact captions and ground truth.", no_args_is_help=True
)
app.add_typer(world, name="world")


@world.command("sample")
@told
def world_sample(
    out: Annotated[Path, typer.Option(help="Folder for NAME.mp4 and NAME.json.")],
    count: Annotated[int, typer.Option(min=1, help="Clips.")] = 16,
    level: Annotated[
        int, typer.Option(help="1: primitives; 2: all things; 3: also styles, event order, several shots.")
    ] = 2,
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 0,
    split: Annotated[str, typer.Option(help="train, heldout, extrapolate or all.")] = "train",
    width: Annotated[int, typer.Option(help="Pixels.")] = 64,
    height: Annotated[int, typer.Option(help="Pixels.")] = 64,
    num_frames: Annotated[int, typer.Option(help="Frames.")] = 16,
    fps: Annotated[float, typer.Option(help="Frames a second.")] = 8.0,
    arrays: Annotated[
        bool, typer.Option(help="Also write ids, depth and flow of every pixel (.npz).")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write clips with captions, scene programs and ground truth; `reel train --data` reads the folder."""
    from reelworld.world.dataset import write_clips
    from reelworld.world.stream import WorldConfig

    config = WorldConfig(
        level=level, split=split, width=width, height=height, num_frames=num_frames, fps=fps, seed=seed
    )
    paths = write_clips(out, config, count, arrays=arrays, progress=kind(as_json))
    say(as_json, f"{len(paths)} clips in {out}", files=[str(p) for p in paths])


@world.command("show")
@told
def world_show(
    scene: Annotated[Path, typer.Argument(help="A scene program, or the JSON of a sampled clip.")],
    out: Annotated[Path | None, typer.Option(help="Where to write the film; default: out/.")] = None,
    size: Annotated[int, typer.Option(min=16, max=1024, help="Pixels of each side.")] = 256,
    fps: Annotated[float, typer.Option(help="Frames a second.")] = 8.0,
) -> None:
    """Film a scene program and print its captions and events."""
    from reelworld.core.storage import make_folder
    from reelworld.core.video import write
    from reelworld.world.dataset import captions, read_scene, replay

    program = read_scene(scene)
    clip, _, video = replay(program, width=size, height=size, fps=fps)
    target = out or Path("out") / f"{scene.stem}.mp4"
    make_folder(target.parent)
    write(video, target)
    for name, text in captions(clip, 0):
        print(f"{name}: {text}")
    for entry in clip.trajectory.log:
        print(f"{entry.time:5.2f} s  {entry.kind}  {entry.agent} -> {entry.patient}")
    print(target)
