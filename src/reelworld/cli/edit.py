"""Images and videos as prompts: `reel animate`, `extend`, `fill`, `loop`, `blend`, `remix`, `recut`.

`reel show` tells how a file was made, `reel again` makes it again.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from reelworld.cli.app import Json, app, kind, say, told
from reelworld.cli.results import (
    Characters,
    Guidance,
    Negative,
    Output,
    Prompt,
    Sampler,
    Seed,
    Steps,
    Upsample,
    Weights,
    check_outputs,
    keeping,
    ready,
    save,
    stored,
)
from reelworld.core.errors import ConfigError

if TYPE_CHECKING:
    from reelworld.core.types import Video, VideoShape
    from reelworld.generate.enlarge import Enlarger

VideoFile = Annotated[Path, typer.Argument(help="A video file.")]
Strength = Annotated[
    str, typer.Option(help="subtle, mild, strong, or the share from 0 to 1 that is made anew.")
]
TELLING = {"prompt", "character"}  # one of which every account says
Taken = Annotated[
    str | None, typer.Option(help="START:END in seconds: of what is given this part alone is used.")
]
PAIRS = ("curve", "keep")  # arguments that are pairs of numbers, as their options are written
SAMPLING = ("num_inference_steps", "guidance_scale", "negative_prompt", "sampler")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What every editing command is asked besides its own: the text, the result, and the sampling."""

    prompt: Prompt
    output: Output  # by default named after the command
    take: Taken = None
    seed: Seed = 0
    num_inference_steps: Steps = 20
    guidance_scale: Guidance = 3.0
    negative_prompt: Negative = None
    sampler: Sampler = "multistep"
    character: Characters = None
    weights: Weights = None
    upsample: Upsample = True
    as_json: Json = False

    def make(self, operation: str, parents: list[Path], **arguments: Any) -> None:
        """Read the parents, run an operation of `generate.edit` on them, and write the result."""
        from reelworld.generate import edit

        check_outputs(self.output, made_of=parents)
        cast, names = stored(self.character), self.character or ()
        said = " ".join(map(_said, parents)) if self.prompt is None else ""
        text, pipeline, enlarge = ready(self.prompt, self.weights, self.upsample, self.as_json, names, said)
        if cast:
            arguments["characters"] = cast
        part = None if self.take is None else _pair(self.take, "--take")
        videos = [_read(path, pipeline.shape, operation, part) for path in parents]
        with keeping(self.output) as kept:
            video = getattr(edit, operation)(
                pipeline, *videos, text, **arguments, seed=self.seed, progress=kind(self.as_json), kept=kept,
                **{name: getattr(self, name) for name in SAMPLING},
            )  # fmt: skip
            save(enlarge(video) if enlarge else video, self.output, self.as_json)


OwnPrompt = Annotated[
    str | None, typer.Argument(help="What the result shows; left out: what the video says of itself.")
]


def editing(command: Callable[..., None], *, told_anew: bool = True) -> Callable[..., None]:
    """Add a command whose own parameters are followed by those of `Asked`, which it is handed first.

    Where a video may speak for itself (not `told_anew`), the prompt can be left out.
    """
    own = list(inspect.signature(command).parameters.values())[1:]
    shared = list(inspect.signature(Asked).parameters.values())
    hints = get_type_hints(command, include_extras=True) | get_type_hints(Asked, include_extras=True)
    defaults: dict[str, Any] = {"output": Path(f"out/{command.__name__}.mp4")}
    if not told_anew:
        defaults["prompt"], hints["prompt"] = None, OwnPrompt
    shared = [p.replace(default=defaults.get(p.name, p.default)) for p in shared]

    @wraps(command)
    def run(**arguments: Any) -> None:
        asked = Asked(**{field.name: arguments.pop(field.name) for field in fields(Asked)})
        command(asked, **arguments)

    del run.__wrapped__  # whose signature is another one
    needed = [p for p in [*own, *shared] if p.default is p.empty]
    ordered = [*needed, *(p for p in [*own, *shared] if p.default is not p.empty)]
    keyword = [p.replace(kind=p.KEYWORD_ONLY, annotation=hints[p.name]) for p in ordered]
    run.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: hints[p.name] for p in keyword}
    return app.command()(told(run))


editing_itself = partial(editing, told_anew=False)


@editing
def animate(
    asked: Asked,
    image: Annotated[Path, typer.Argument(help="An image; of a video, its first frame.")],
    seconds: Annotated[
        float | None,
        typer.Option(help="How long the video is; left out: as long as the model makes at once."),
    ] = None,
) -> None:
    """Make a video that begins with an image."""
    asked.make("animate", [image], seconds=seconds)


@editing
def extend(
    asked: Asked,
    video: VideoFile,
    seconds: Annotated[float, typer.Option(help="How long to go on.")] = 2.0,
    before: Annotated[bool, typer.Option("--before", help="Make what came before it instead.")] = False,
) -> None:
    """Go on with a video, or make what came before it."""
    asked.make("extend", [video], seconds=seconds, before=before)


@editing_itself
def fill(
    asked: Asked,
    video: VideoFile,
    start: Annotated[float, typer.Option(help="Seconds from which frames are missing.")],
    end: Annotated[float, typer.Option(help="Seconds at which they are there again.")],
) -> None:
    """Make anew what lies between two times, so that it fits to both sides."""
    asked.make("fill", [video], start=start, end=end)


@editing_itself
def loop(
    asked: Asked,
    video: VideoFile,
    length: Annotated[str, typer.Option(help="short, normal, long, or seconds.")] = "normal",
) -> None:
    """Add what leads from a video's end back to its beginning."""
    asked.make("loop", [video], length=_number_or_name(length))


@editing_itself
def blend(
    asked: Asked,
    one: Annotated[Path, typer.Argument(help="The video it begins with.")],
    other: Annotated[Path, typer.Argument(help="The video it ends with.")],
    curve: Annotated[
        str | None,
        typer.Option(help="How much of the other when: TIME:SHARE,... from 0 to 1, as 0:0,0.3:0.1,1:1."),
    ] = None,
    strength: Strength = "0.7",
) -> None:
    """Go from one video over into another."""
    points = None if curve is None else [_pair(part, "--curve") for part in curve.split(",")]
    asked.make("blend", [one, other], curve=points, strength=_number_or_name(strength))


@editing
def remix(
    asked: Asked,
    video: VideoFile,
    strength: Strength = "mild",
) -> None:
    """Make a video anew after a text, near to what it was."""
    asked.make("remix", [video], strength=_number_or_name(strength))


@editing_itself
def recut(
    asked: Asked,
    video: VideoFile,
    keep: Annotated[list[str], typer.Option(help="START:END in seconds; once for each part.")],
    gap: Annotated[float, typer.Option(help="Seconds that are made between two parts; 0: a cut.")] = 0.5,
    seconds: Annotated[float, typer.Option(help="Seconds that are made after the last part.")] = 0.0,
) -> None:
    """Keep parts of a video and make what leads from each to the next, and what comes after them."""
    asked.make("recut", [video], keep=[_pair(part, "--keep") for part in keep], gap=gap, seconds=seconds)


@app.command()
@told
def show(
    file: Annotated[Path, typer.Argument(help="A video or image that ReelWorld made.")], as_json: Json = False
) -> None:
    """Tell how a file was made, and what it was made of; also by the .json beside it."""
    made = _account(file)
    say(as_json, "\n".join(printable(line) for line in _lines(made)), made=made)


@app.command()
@told
def again(
    file: Annotated[Path, typer.Argument(help="A video or image that ReelWorld made.")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE instead of what it was, as seed=3; often.")
    ] = None,
    made_of: Annotated[
        list[Path] | None,
        typer.Option(
            help="A file that it was made of, or a folder that holds it; often. Beside it is looked too."
        ),
    ] = None,
    output: Output = Path("out/again.mp4"),
    weights: Weights = None,
    as_json: Json = False,
) -> None:
    """Make a video again, with changes, of the files that it was made of."""
    from reelworld.core import runtime
    from reelworld.generate.again import again as make_again
    from reelworld.generate.again import board_files, check_account, storyboard_again
    from reelworld.generate.lineage import find
    from reelworld.generate.packaged import packaged_with
    from reelworld.generate.pipeline import Pipeline

    made = _account(file)
    check_account(made)
    changed = dict(_change(text) for text in changes or [])
    places, parents = [file.parent, *(made_of or [])], made.get("parents", [])
    operation = made.get("operation")
    board = board_files(made, places) if operation == "storyboard" else {}
    paths = [] if board else [find(parent, places) for parent in parents]
    check_outputs(output, made_of=[file, *paths, *board.values()])
    runtime.set_threads()
    pipeline, enlarge = Pipeline.load(weights or packaged_with(made.get("weights"))), _same_enlarger(made)
    with keeping(output) as kept:
        watching = {"progress": kind(as_json), "kept": kept}
        if operation == "storyboard":
            video = storyboard_again(pipeline, made, board, **changed, **watching)
        else:
            shape, pairs = pipeline.shape, zip(paths, parents, strict=True)
            given = [_read_again(path, shape, str(operation), parent) for path, parent in pairs]
            cast = _same_cast(made.get("characters") or {})
            video = make_again(pipeline, made, given, cast, **changed, **watching)
        save(enlarge(video) if enlarge else video, output, as_json, made.get("scale", 1))


def _same_enlarger(made: dict[str, Any]) -> Enlarger | None:
    """Return what enlarged a video, if anything did. Raises: ConfigError where it is not here."""
    from reelworld.generate.enlarge import Enlarger

    if made.get("upsampler") is None:
        return None
    enlarge = Enlarger.load()
    if enlarge.weights_hash != made["upsampler"]:
        raise ConfigError(
            f"it was enlarged by {made['upsampler']}, not by {enlarge.weights_hash}; package that"
        )
    return enlarge


def _same_cast(told: dict[str, Any]) -> dict[str, Video]:
    """Return the characters of an account. Raises: ConfigError where one looks different now."""
    cast = stored(list(told)) or {}
    for name, picture in cast.items():
        if not isinstance(told[name], dict) or picture.metadata["hash"] != told[name].get("hash"):
            raise ConfigError(f"the character {name} is another one now; store the picture that was used")
    return cast


def _part(told: dict[str, Any]) -> tuple[float, float] | None:
    """Return which part of a file was used, in seconds. Raises: ConfigError where the account is odd."""
    match told.get("take"):
        case None:
            return None
        case [int() | float() as start, int() | float() as end]:
            return start, end
        case other:
            raise ConfigError(f"the account's 'take' is {other!r}; ReelWorld does not write that")


def _change(text: str) -> tuple[str, Any]:
    """Read NAME=VALUE; the value as JSON, or as plain text. Raises: ConfigError."""
    from reelworld.generate.windows import WATCHING

    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ConfigError(f"--set is {text!r}; give NAME=VALUE, as seed=3")
    if name in WATCHING:
        raise ConfigError(f"there is no '{name}' to change")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, [list(_pair(one, name)) for one in value.split(",")] if name in PAIRS else value


def _account(file: Path) -> dict[str, Any]:
    """Return how a file, or else the .json beside it, says that it was made. Raises: ConfigError."""
    from reelworld.core.media import account_beside, account_file
    from reelworld.core.video import probe

    beside = account_file(file)
    made = probe(file).metadata if file.is_file() and file != beside else {}
    if not made.keys() & TELLING and (file.exists() or beside.is_file()):
        made = account_beside(file)
    if not made.keys() & TELLING:
        raise ConfigError(f"{file} does not say how it was made, nor is there a {beside.name} that does")
    return made


def _said(file: Path) -> str:
    """Return the prompt that a file says it was made of; of other files nothing."""
    from reelworld.core.errors import VideoError
    from reelworld.core.video import probe

    try:
        return str(probe(file).metadata.get("prompt") or "")
    except VideoError:  # who reads it tells more
        return ""


def printable(line: str) -> str:
    """Return a line without what would steer a terminal: accounts come with files of others."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)


def _lines(made: dict[str, Any], depth: int = 0) -> list[str]:
    """Write an account as indented lines, its parents last."""
    pad = "  " * depth
    own = {name: value for name, value in made.items() if name != "parents"}
    if "prompt" in made or "character" in made:
        lines = [pad + str(own.pop("operation", "generate" if "prompt" in made else "character"))]
        lines += [f"{pad}  {name:20s} {json.dumps(value)}" for name, value in own.items()]
    else:
        lines = [f"{pad}of {made.get('file') or made.get('id') or made.get('operation', '?')}"]
    parents = made.get("parents")
    for parent in parents if isinstance(parents, list) else []:
        if isinstance(parent, dict):
            lines += _lines(parent, depth + 1)
    return lines


def _read_again(path: Path, shape: VideoShape, operation: str, told: dict[str, Any]) -> Video:
    """Read a video as its account tells; older ones tell a part at most. Raises: ConfigError."""
    from reelworld.core.video import READING, read_named

    options = told.get("read")
    if options is None:
        return _read(path, shape, operation, _part(told))
    if not isinstance(options, dict) or any(type(options[o]) is not READING.get(o) for o in options):
        raise ConfigError(f"the account's 'read' is {options!r}; ReelWorld does not write that")
    return read_named(path, **options)


def _read(path: Path, shape: VideoShape, operation: str, part: tuple[float, float] | None) -> Video:
    """Read what an operation needs of a video, in the size and rate of a shape. Raises: ConfigError."""
    from reelworld.core.video import read_named

    start, end = part or (0.0, None)
    if end is not None and not 0 <= start < end < float("inf"):
        raise ConfigError(f"--take is {start:g}:{end:g}; give two times that follow each other, as 0.5:1.5")
    return read_named(
        path, width=shape.width, height=shape.height, fps=shape.fps, start=start,
        duration=None if end is None else end - start, num_frames=1 if operation == "animate" else None,
    )  # fmt: skip


def _number_or_name(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _pair(text: str, option: str) -> tuple[float, float]:
    """Read A:B. Raises: ConfigError."""
    try:
        one, other = (float(part) for part in text.split(":"))
    except ValueError as error:
        raise ConfigError(f"{option} is {text!r}; give two numbers, as 0.5:1.5") from error
    return one, other
