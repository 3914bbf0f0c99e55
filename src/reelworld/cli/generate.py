"""`reel generate` and `reel words`: a video from a sentence, and what the model can read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reelworld.cli.app import Json, app, kind, say, told
from reelworld.cli.results import (
    Characters,
    Expand,
    Guidance,
    Negative,
    Output,
    Prompt,
    Sampler,
    Seed,
    Steps,
    Upsample,
    Weights,
    beside,
    check_outputs,
    keeping,
    numbered,
    ready,
    save,
    stored,
    told_in_full,
)

if TYPE_CHECKING:
    from reelworld.generate.pipeline import Previews


@app.command()
@told
def generate(
    prompt: Prompt,
    output: Output = Path("out/video.mp4"),
    num_frames: Annotated[
        int | None, typer.Option(help="Frames; 1 makes an image, more than a window goes window by window.")
    ] = None,
    width: Annotated[int | None, typer.Option(help="Pixels.")] = None,
    height: Annotated[int | None, typer.Option(help="Pixels.")] = None,
    fps: Annotated[float | None, typer.Option(help="Frames a second.")] = None,
    seed: Seed = 0,
    num_inference_steps: Steps = 20,
    guidance_scale: Guidance = 3.0,
    negative_prompt: Negative = None,
    num_videos: Annotated[
        int, typer.Option(min=1, max=1000, help="Videos, of seeds SEED, SEED + 1, ...")
    ] = 1,
    sampler: Sampler = "multistep",
    character: Characters = None,
    weights: Weights = None,
    expand: Expand = True,
    upsample: Upsample = True,
    scale: Annotated[
        int, typer.Option(min=1, max=32, help="Enlarge the picture this many times, smoothly, for viewing.")
    ] = 1,
    preview: Annotated[bool, typer.Option(help="Also write the way from noise to video as a strip.")] = False,
    as_json: Json = False,
) -> None:
    """Make a video from a sentence or a paragraph."""
    from reelworld.core.media import Limits
    from reelworld.generate.pipeline import Previews
    from reelworld.generate.simple import of_text

    check_outputs(output, num_videos, preview)
    cast = stored(character)
    asked, pipeline, enlarge = ready(prompt, weights, upsample, as_json, character or ())
    larger = scale * (enlarge.network.config.scale if enlarge else 1)
    Limits().check_size(
        output, larger * (width or pipeline.shape.width), larger * (height or pipeline.shape.height)
    )
    for number in range(num_videos):
        text = told_in_full(pipeline, asked, seed + number, as_json) if expand and not cast else asked
        previews = Previews() if preview and number == 0 else None
        file = numbered(output, number, num_videos)
        with keeping(file) as kept:
            video = of_text(
                pipeline, text, num_frames=num_frames, width=width, height=height, fps=fps,
                kept=None if previews else kept,  # a window that is found again shows no steps
                seed=seed + number, num_inference_steps=num_inference_steps, guidance_scale=guidance_scale,
                negative_prompt=negative_prompt, sampler=sampler, characters=cast, progress=kind(as_json),
                callback=previews,
            )  # fmt: skip
            video = enlarge(video) if enlarge else video
            video.metadata["asked"] = asked
            save(video, file, as_json, scale)
        if previews is not None:
            _save_preview(previews, output, as_json)


def _save_preview(previews: Previews, output: Path, as_json: bool) -> None:
    """Write one picture: the first video's middle frame on its way from static noise."""
    import numpy as np

    from reelworld.core.types import Video
    from reelworld.core.video import strip, write

    picture = strip(previews.film(len(previews.noisy[0]) // 2), 9, height=128)
    path = write(Video(np.asarray(picture)[None]), beside(output, "preview"))
    say(as_json, str(path), preview=str(path))


@app.command()
@told
def variations(
    prompt: Prompt,
    count: Annotated[int, typer.Option(min=2, max=200, help="How many, of seeds SEED, SEED + 1, ...")] = 8,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder.")] = Path("out/variations"),
    seed: Seed = 0,
    num_inference_steps: Steps = 20,
    guidance_scale: Guidance = 3.0,
    character: Characters = None,
    weights: Weights = None,
    expand: Expand = True,
    upsample: Upsample = True,
    as_json: Json = False,
) -> None:
    """Make many videos of one prompt, and a sheet to choose from; those that are there already stay."""
    from reelworld.core.sheet import contact_sheet
    from reelworld.core.storage import atomic, make_folder
    from reelworld.core.video import read

    make_folder(output)
    files = [output / f"seed_{seed + number:05d}.mp4" for number in range(count)]
    for file in files:
        check_outputs(file)
    cast = stored(character)
    asked, pipeline, enlarge = ready(prompt, weights, upsample, as_json, character or ())
    sampling: dict[str, Any] = {"num_inference_steps": num_inference_steps, "guidance_scale": guidance_scale}
    about: dict[str, Any] = {"asked": asked, "weights": pipeline.weights_hash, **sampling}
    about["upsampler"] = enlarge.weights_hash if enlarge else None
    about["characters"] = {name: picture.metadata for name, picture in cast.items()} if cast else None
    for number, file in enumerate(files):
        text = told_in_full(pipeline, asked, seed + number, as_json) if expand and not cast else asked
        if _is_there(file, {**about, "prompt": text, "seed": seed + number}):
            continue
        (video,) = pipeline(text, seed=seed + number, characters=cast, progress=kind(as_json), **sampling)
        video = enlarge(video) if enlarge else video
        video.metadata["asked"] = asked
        save(video, file, as_json)
    shape = pipeline.shape
    made = [read(file, width=2 * shape.width, height=2 * shape.height) for file in files]
    sheet = contact_sheet(made, [f"seed {seed + n}" for n in range(count)])
    with atomic(output / "sheet.png") as temporary:
        sheet.save(temporary, "PNG")
    say(as_json, str(output / "sheet.png"), sheet=str(output / "sheet.png"), files=[str(f) for f in files])


def _is_there(file: Path, about: dict[str, Any]) -> bool:
    """Tell whether a file holds the video that was asked for, from an earlier run."""
    from reelworld.core.errors import VideoError
    from reelworld.core.video import probe

    try:
        made = probe(file).metadata if file.is_file() else {}
    except VideoError:  # a crash left a part of it
        return False
    return bool(made) and all(made.get(name) == value for name, value in about.items())


@app.command()
@told
def words(
    weights: Weights = None,
) -> None:
    """List the words that the model has learnt."""
    from reelworld.generate.pipeline import Pipeline

    print(" ".join(sorted(word for word in Pipeline.load(weights).tokenizer.known_words() if word.isalpha())))
