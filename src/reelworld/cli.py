"""The `reel` command: thin commands that import what they need when they run.

    reel generate "a large red ball bounces in a meadow" -o ball.mp4
    reel train nano --out runs/nano
    reel world sample --count 16 --level 2 --seed 7 --out clips

Bad input ends with one clear line on standard error and exit code 2; Ctrl-C with 130.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reelworld import __version__
from reelworld.core.errors import ConfigError, Interrupted, PromptError, ReelWorldError

if TYPE_CHECKING:
    from reelworld.core.progress import Kind
    from reelworld.core.types import Video
    from reelworld.generate.pipeline import Pipeline, Previews

app = typer.Typer(
    help="ReelWorld: text to video, open from end to end.", no_args_is_help=True,
    pretty_exceptions_enable=False, rich_markup_mode=None, add_completion=False,
)  # fmt: skip
world = typer.Typer(
    help="The simulated world: footage with exact captions and ground truth.", no_args_is_help=True
)
app.add_typer(world, name="world")

_UsageError: Any = typer.BadParameter.__base__  # of the click that typer carries, which has no public name
Json = Annotated[bool, typer.Option("--json", help="Report progress and results as JSON lines.")]


def _told(command: Callable[..., None]) -> Callable[..., None]:
    """Turn our errors into one line on standard error and an exit code."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (Interrupted, KeyboardInterrupt) as error:
            print(f"interrupted: {error}" if str(error) else "interrupted", file=sys.stderr)
            raise typer.Exit(130) from None
        except ReelWorldError as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(2) from None

    return run


def _need(module: str, extra: str) -> None:
    """Raise ConfigError where the package of an extra is not installed."""
    if find_spec(module) is None:
        raise ConfigError(f"this command needs {module}: pip install 'reelworld[{extra}]'")


def _kind(as_json: bool) -> Kind:
    return "json" if as_json else "auto"


def _say(as_json: bool, text: str, **facts: Any) -> None:
    """Report a result: a line for people, or an object for programs."""
    print(json.dumps({"event": "result", **facts}) if as_json else text, flush=True)


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Text to video, open from end to end."""


@app.command()
@_told
def generate(
    prompt: Annotated[str, typer.Argument(help="What the video shows; - reads it from standard input.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help=".mp4, .gif, .png, or a folder of frames.")
    ] = Path("out/video.mp4"),
    num_frames: Annotated[int | None, typer.Option(help="Frames; 1 makes an image.")] = None,
    width: Annotated[int | None, typer.Option(help="Pixels.")] = None,
    height: Annotated[int | None, typer.Option(help="Pixels.")] = None,
    fps: Annotated[float | None, typer.Option(help="Frames a second.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same frames.")] = 0,
    num_inference_steps: Annotated[int, typer.Option(help="Denoising steps.")] = 20,
    guidance_scale: Annotated[float, typer.Option(help="How strongly the text counts.")] = 3.0,
    negative_prompt: Annotated[str | None, typer.Option(help="What it should not show.")] = None,
    num_videos: Annotated[
        int, typer.Option(min=1, max=1000, help="Videos, of seeds SEED, SEED + 1, ...")
    ] = 1,
    sampler: Annotated[str, typer.Option(help="euler, heun or multistep.")] = "multistep",
    weights: Annotated[Path | None, typer.Option(help="Weights file; default: the packaged ones.")] = None,
    upsample: Annotated[
        bool, typer.Option(help="Enlarge the picture four times by the trained upsampler.")
    ] = True,
    scale: Annotated[
        int, typer.Option(min=1, max=32, help="Enlarge the picture this many times, smoothly, for viewing.")
    ] = 1,
    preview: Annotated[bool, typer.Option(help="Also write the way from noise to video as a strip.")] = False,
    as_json: Json = False,
) -> None:
    """Make a video from a sentence or a paragraph."""
    from reelworld.core import runtime
    from reelworld.generate.enlarge import Enlarger
    from reelworld.generate.pipeline import Pipeline, Previews
    from reelworld.generate.request import MAX_PROMPT_BYTES

    text = _read_prompt(MAX_PROMPT_BYTES) if prompt == "-" else prompt
    _check_outputs(output, num_videos, preview)
    runtime.set_threads()
    pipeline, enlarge = Pipeline.load(weights), Enlarger.load() if upsample else None
    _warn_unknown(pipeline, text, as_json)
    for number in range(num_videos):
        previews = Previews() if preview and number == 0 else None
        (video,) = pipeline(
            text, num_frames=num_frames, width=width, height=height, fps=fps, seed=seed + number,
            num_inference_steps=num_inference_steps, guidance_scale=guidance_scale,
            negative_prompt=negative_prompt, sampler=sampler, progress=_kind(as_json), callback=previews,
        )  # fmt: skip
        video = enlarge(video) if enlarge else video
        _save(video, _numbered(output, number, num_videos), scale, as_json)
        if previews is not None:
            _save_preview(previews, output, as_json)


def _read_prompt(most: int) -> str:
    """Read a prompt of at most `most` bytes, and one more so that a longer one is noticed."""
    return sys.stdin.buffer.read(most + 1).decode("utf-8", "replace")


def _check_outputs(output: Path, num_videos: int, preview: bool) -> None:
    """Find out before the work, not after it, that a result could not be written."""
    from reelworld.core.errors import StorageError
    from reelworld.core.storage import check_target

    if not output.name or output.suffix.lower() not in (".mp4", ".gif", ".png", ""):
        raise StorageError(f"cannot write {output}: give a file that ends in .mp4, .gif or .png, or a folder")
    targets = [_numbered(output, number, num_videos) for number in range(num_videos)]
    targets += [_beside(target, "poster") for target in targets if _has_poster(target)]
    for target in [*targets, *([_beside(output, "preview")] if preview else [])]:
        check_target(target)


def _has_poster(target: Path) -> bool:
    return target.suffix.lower() in (".mp4", ".gif")


def _beside(output: Path, what: str) -> Path:
    return output.with_name(f"{output.stem}_{what}.png")


def _numbered(output: Path, number: int, count: int) -> Path:
    return output if count == 1 else output.with_name(f"{output.stem}_{number:03d}{output.suffix}")


def _warn_unknown(pipeline: Pipeline, prompt: str, as_json: bool) -> None:
    """Name the words that the model has never seen, with the nearest that it has; tell of a long prompt."""
    unknown = pipeline.unknown_words(prompt)
    if unknown and {word for word, _ in unknown} >= set(re.findall(r"\w+", prompt.lower())):
        words = ", ".join(word for word, _ in unknown[:8])
        raise PromptError(f"the model knows none of these words: {words}; `reel words` lists what it knows")
    count, most = len(re.findall(r"\w+|[^\w\s]", prompt)), pipeline.trained_length
    if most is not None and count > most:
        _hint(
            as_json, {"event": "long_prompt", "words": count, "trained": most},
            f"the prompt has {count} words and marks; the model learned from captions of at most {most}",
        )  # fmt: skip
    for word, near in unknown:
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        facts = {"event": "unknown_word", "word": word, "nearest": near}
        _hint(as_json, facts, f"the model has never seen the word '{word}'{hint}")


def _hint(as_json: bool, facts: dict[str, Any], text: str) -> None:
    """Say what may make the result less than hoped for."""
    if as_json:
        print(json.dumps(facts), flush=True)
    else:
        print(f"note: {text}", file=sys.stderr)


def _save(video: Video, path: Path, scale: int, as_json: bool) -> None:
    """Write a video and its poster."""
    from reelworld.core.storage import make_folder
    from reelworld.core.video import write

    make_folder(path.parent)
    files = [write(video, path, scale=scale, enlarge="lanczos")]
    if _has_poster(path):
        files.append(write(video, _beside(path, "poster"), scale=scale, enlarge="lanczos"))
    _say(
        as_json, str(path), files=[str(f) for f in files], seed=video.metadata["seed"], shape=str(video.shape)
    )


def _save_preview(previews: Previews, output: Path, as_json: bool) -> None:
    """Write one picture: the first video's middle frame on its way from static noise."""
    import numpy as np

    from reelworld.core.types import Video
    from reelworld.core.video import strip, write

    picture = strip(previews.film(len(previews.noisy[0]) // 2), 9, height=128)
    path = write(Video(np.asarray(picture)[None]), _beside(output, "preview"))
    _say(as_json, str(path), preview=str(path))


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)
def train(context: typer.Context) -> None:
    """Train a recipe on the world or on footage; `reel train --help` lists the options."""
    from reelworld.train.__main__ import main as train_main

    raise typer.Exit(train_main(context.args, prog="reel train", checker=_quick_checks))


def _quick_checks(weights: Path, prompts: int) -> dict[str, float]:
    """Score the weights of a training on a few prompts of every check."""
    from reelworld.evaluate.run import quick_shares
    from reelworld.generate.pipeline import Pipeline

    pipeline = Pipeline.load(weights)
    return quick_shares(pipeline, pipeline.weights_hash, prompts)


@app.command()
@_told
def words(
    weights: Annotated[Path | None, typer.Option(help="Weights file; default: the packaged ones.")] = None,
) -> None:
    """List the words that the model has learnt."""
    from reelworld.generate.pipeline import Pipeline

    print(" ".join(sorted(word for word in Pipeline.load(weights).tokenizer.known_words() if word.isalpha())))


@app.command()
@_told
def evaluate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the report.")] = Path("report"),
    model: Annotated[Path | None, typer.Option(help="Weights file; default: the packaged ones.")] = None,
    split: Annotated[str, typer.Option(help="train, heldout or extrapolate.")] = "heldout",
    level: Annotated[int, typer.Option(help="Prompts of this level of the world.")] = 1,
    prompts: Annotated[
        str, typer.Option(help="Prompts of each check and group; with --videos, a JSON file of prompts.")
    ] = "25",
    seeds: Annotated[int, typer.Option(min=1, help="Videos of each prompt.")] = 4,
    videos: Annotated[
        Path | None, typer.Option(help="Score the videos of this folder instead of a model.")
    ] = None,
    validate: Annotated[bool, typer.Option(help="Test the checks themselves instead of a model.")] = False,
    plausibility: Annotated[
        bool, typer.Option(help="Ask the model which of two clips is likelier: true or broken physics.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Score a model on the world checks; stopped, the same command goes on."""
    _need("scipy", "evaluate")
    from reelworld.core import runtime

    runtime.set_threads()
    if validate:
        _validate(split, level, output, as_json)
    elif plausibility:
        _plausibility(output, model, split, level, _number(prompts), as_json)
    elif videos is not None:
        from reelworld.evaluate.folder import score_folder

        page, figures = score_folder(videos, prompts, output, _kind(as_json))
        _say(as_json, str(page), report=str(page), figures=str(figures))
    else:
        _score(output, model, split, level, _number(prompts), seeds, as_json)


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"--prompts is {text!r}; give a number, or --videos FOLDER with a file of prompts")
    return int(text)


def _score(
    output: Path, model: Path | None, split: str, level: int, prompts: int, seeds: int, as_json: bool
) -> None:
    from reelworld.evaluate.report import write_report
    from reelworld.evaluate.run import Evaluation, Settings
    from reelworld.generate.pipeline import Pipeline

    settings, pipeline = Settings(split=split, level=level, each=prompts, seeds=seeds), Pipeline.load(model)
    evaluation = Evaluation(output, settings, pipeline.weights_hash, _kind(as_json))
    evaluation.run(pipeline)
    page, figures = write_report(evaluation)
    _say(as_json, str(page), report=str(page), figures=str(figures))


def _plausibility(
    output: Path, model: Path | None, split: str, level: int, pairs: int, as_json: bool
) -> None:
    from reelworld.evaluate.plausibility import plausibility, write_plausibility
    from reelworld.generate.pipeline import Pipeline

    pipeline, rows = Pipeline.load(model), []
    for row in plausibility(pipeline, split=split, each=pairs, level=level, progress=_kind(as_json)):
        _say(as_json, row.line(), **row.facts())
        rows.append(row)
    path = write_plausibility(output, pipeline.weights_hash, rows)
    _say(as_json, str(path), figures=str(path))


def _validate(split: str, level: int, output: Path, as_json: bool) -> None:
    """Test the checks; exit code 1 where a gate fails."""
    from reelworld.evaluate.run import Settings
    from reelworld.evaluate.validate import validate

    path, failed = validate(
        output, split, Settings().truth, level, lambda g: _say(as_json, g.line(), **g.facts()), _kind(as_json)
    )
    _say(as_json, f"{failed} gates fail; {path}", failed=failed, gates=str(path))
    if failed:
        raise typer.Exit(1)


@app.command()
@_told
def compare(
    before: Annotated[Path, typer.Argument(help="Folder of an evaluation (`reel evaluate -o FOLDER`).")],
    after: Annotated[Path, typer.Argument(help="Another, of the same prompts and seeds.")],
    as_json: Json = False,
) -> None:
    """Say on which checks two models differ: paired by prompt and seed, p-values corrected by Holm."""
    _need("scipy", "evaluate")
    from reelworld.evaluate.compare import compare as compare_evaluations
    from reelworld.evaluate.run import Evaluation

    for change in compare_evaluations(Evaluation.read(before), Evaluation.read(after)):
        _say(as_json, change.line(), **change.facts())


@world.command("sample")
@_told
def world_sample(
    out: Annotated[Path, typer.Option(help="Folder for NAME.mp4 and NAME.json.")],
    count: Annotated[int, typer.Option(min=1, help="Clips.")] = 16,
    level: Annotated[
        int, typer.Option(help="1: primitives; 2: all things; 3: also styles, event order, several shots.")
    ] = 2,
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 0,
    split: Annotated[str, typer.Option(help="train, heldout or extrapolate.")] = "train",
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
    paths = write_clips(out, config, count, arrays=arrays, progress=_kind(as_json))
    _say(as_json, f"{len(paths)} clips in {out}", files=[str(p) for p in paths])


@world.command("show")
@_told
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


def run() -> None:
    """Run the command; what cannot be understood is told in one line, like every other error."""
    try:
        code = app(standalone_mode=False)
    except _UsageError as error:
        message = " ".join(error.format_message().split())
        path = error.ctx.command_path if error.ctx else "reel"
        print(f"error: {message} See {path} --help.", file=sys.stderr)
        sys.exit(2)
    except typer.Abort:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    run()
