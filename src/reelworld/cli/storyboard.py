"""Several shots with the same cast: `reel storyboard`, and the characters that stay: `reel character`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from reelworld.cli.app import Json, app, kind, say, told
from reelworld.cli.results import (
    Guidance,
    Output,
    Steps,
    Upsample,
    Weights,
    check_outputs,
    load_for,
    save,
    warn_unknown,
)
from reelworld.core.errors import ConfigError


@app.command()
@told
def storyboard(
    file: Annotated[Path, typer.Argument(help="A TOML file with cards and characters.")],
    output: Output = Path("out/storyboard.mp4"),
    num_inference_steps: Steps = 20,
    guidance_scale: Guidance = 3.0,
    weights: Weights = None,
    upsample: Upsample = True,
    as_json: Json = False,
) -> None:
    """Make a video of cards on a timeline; what did not change is not made again."""
    from reelworld.core import runtime
    from reelworld.generate.enlarge import Enlarger
    from reelworld.generate.storyboard import Storyboard, render
    from reelworld.generate.windows import MOST_KEPT, forget_oldest

    board = Storyboard.load(file)
    check_outputs(output, made_of=[file, *(file.parent / name for name in board.files)])
    runtime.set_threads()
    texts = [card.text for card in board.cards]
    texts += [role.text for role in board.characters if role.text is not None]
    pipeline = load_for(weights, as_json, *texts)
    for text in texts:
        warn_unknown(pipeline, text, as_json, [role.name for role in board.characters])
    sampling: dict[str, Any] = {"num_inference_steps": num_inference_steps, "guidance_scale": guidance_scale}
    kept = output.with_name(f"{output.stem}_windows")
    video = render(pipeline, board, kept=kept, progress=kind(as_json), **sampling)
    forget_oldest(kept, MOST_KEPT)
    save(Enlarger.load()(video) if upsample else video, output, as_json)


@app.command()
@told
def character(
    name: Annotated[str, typer.Argument(help="One word, by which prompts call the character.")],
    source: Annotated[Path | None, typer.Option("--from", help="An image or a video that shows it.")] = None,
    at: Annotated[float, typer.Option(help="Seconds of the video after which it is seen well.")] = 0.0,
    remove: Annotated[bool, typer.Option("--remove", help="Forget the character.")] = False,
    as_json: Json = False,
) -> None:
    """Store how a character looks; without --from, tell where its picture is."""
    from reelworld.core.storage import file_hash
    from reelworld.core.types import Video
    from reelworld.core.video import read
    from reelworld.generate.shelf import Shelf

    shelf = Shelf()
    if remove:
        if source is not None:
            raise ConfigError("--remove and --from contradict each other; give one of them")
        shelf.remove(name)
        say(as_json, f"forgot {name}", removed=name)
        return
    if source is not None:
        shown = read(source, start=at, num_frames=1)
        about = {**shown.metadata, "file": source.name, "hash": file_hash(source), "at": at}
        shelf.put(name, Video(shown.frames, shown.fps, about))
    (picture,) = shelf.take([name]).values()
    path = shelf.folder / str(picture.metadata["file"])
    say(as_json, str(path), character=name, file=str(path))


@app.command()
@told
def characters(as_json: Json = False) -> None:
    """List the characters that are stored."""
    from reelworld.generate.shelf import Shelf

    names = Shelf().names()
    say(as_json, " ".join(names) if names else "none yet: reel character NAME --from FILE", characters=names)
