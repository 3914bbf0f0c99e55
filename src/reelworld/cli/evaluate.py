"""`reel evaluate`, `reel compare`: scores of models, of folders of videos, of the checks themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reelworld.cli.app import Json, app, kind, need, say, told
from reelworld.core.errors import ConfigError

if TYPE_CHECKING:
    from reelworld.evaluate.gate import Gate
    from reelworld.evaluate.run import Settings


TAKES = {  # what is evaluated, if not a model: with which other options
    "validate": {"split", "level"},
    "plausibility": {"model", "split", "level", "prompts"},
    "videos": {"prompts"},
}
MODEL_TAKES = {"split", "level", "prompts", "seeds", "workers"}


@app.command()
@told
def evaluate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the report.")] = Path("report"),
    model: Annotated[Path | None, typer.Option(help="nano, small or a weights file; default: nano.")] = None,
    split: Annotated[
        str | None, typer.Option(help="train, heldout or extrapolate; default: heldout, to validate: train.")
    ] = None,
    level: Annotated[
        int | None, typer.Option(help="Prompts of this level of the world; default: 1, to validate: all.")
    ] = None,
    prompts: Annotated[
        str | None,
        typer.Option(help="Prompts of each check and group (25); with --videos, a JSON file of prompts."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Videos of each prompt (4).")] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Processes that make the videos on the CPU, of a thread each; default: none."
        ),
    ] = None,
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
    given = {
        "model": model, "split": split, "level": level, "prompts": prompts, "seeds": seeds,
        "workers": workers, "videos": videos, "validate": validate or None,
        "plausibility": plausibility or None,
    }  # fmt: skip
    what = _what({name for name, value in given.items() if value is not None})
    need("scipy", "evaluate")
    from reelworld.core import runtime
    from reelworld.evaluate.run import Settings

    runtime.set_threads()
    asked, of = split or "heldout", 1 if level is None else level
    if what == "validate":
        _validate(split or "train", level, output, as_json)
    elif what == "plausibility":
        _plausibility(output, model, asked, of, _number(prompts), as_json)
    elif videos is not None:
        from reelworld.evaluate.folder import score_folder

        page, figures = score_folder(videos, prompts or "", output, kind(as_json))
        say(as_json, str(page), report=str(page), figures=str(figures))
    else:
        settings = Settings(split=asked, level=of, each=_number(prompts))
        settings = settings if seeds is None else replace(settings, seeds=seeds)
        _score(output, model, settings, workers, as_json)


def _what(given: set[str]) -> str:
    """Return what is evaluated; no option is left unused. Raises: ConfigError."""
    what = next((name for name in TAKES if name in given), "model")
    if unused := sorted(given - {what} - TAKES.get(what, MODEL_TAKES)):
        raise ConfigError(f"--{what} takes no --{unused[0]}; leave it out")
    if what == "videos" and "prompts" not in given:
        raise ConfigError("--videos needs --prompts FILE, a JSON file of what each video should show")
    return what


def _number(text: str | None) -> int:
    from reelworld.evaluate.run import Settings

    if text is None:
        return Settings().each
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"--prompts is {text!r}; give a number, or --videos FOLDER with a file of prompts")
    return int(text)


def _score(output: Path, model: Path | None, settings: Settings, workers: int | None, as_json: bool) -> None:
    """Make and judge the videos of a model, here or in processes beside this one."""
    from reelworld.core import runtime
    from reelworld.evaluate.report import write_report
    from reelworld.evaluate.run import Evaluation
    from reelworld.generate.ahead import made_ahead
    from reelworld.generate.pipeline import Pipeline

    pipeline = Pipeline.load(model)
    evaluation = Evaluation(output, settings, pipeline.weights_hash, kind(as_json))
    if workers is None:
        evaluation.run(pipeline)
    else:
        runtime.set_threads(1)  # the other cores are the workers'
        asked = [(case.clip.caption, evaluation.seed(case, n)) for case, n in evaluation.missing()]
        with made_ahead(model, asked, workers) as make:
            evaluation.run(make)
        runtime.set_threads()
    page, figures = write_report(evaluation)
    say(as_json, str(page), report=str(page), figures=str(figures))


def _plausibility(
    output: Path, model: Path | None, split: str, level: int, pairs: int, as_json: bool
) -> None:
    from reelworld.evaluate.plausibility import journal_of, plausibility, write_plausibility
    from reelworld.generate.pipeline import Pipeline

    pipeline, rows = Pipeline.load(model), []
    asked: Any = {"split": split, "each": pairs, "level": level}
    journal = journal_of(output, pipeline.weights_hash, **asked)
    for row in plausibility(pipeline, **asked, journal=journal, progress=kind(as_json)):
        say(as_json, row.line(), **row.facts())
        rows.append(row)
    path = write_plausibility(output, pipeline.weights_hash, rows)
    say(as_json, str(path), figures=str(path))


def _validate(split: str, level: int | None, output: Path, as_json: bool) -> None:
    """Test the checks, of all levels in a folder each or of one; exit code 1 where a gate fails."""
    from reelworld.evaluate.run import Settings
    from reelworld.evaluate.validate import validate
    from reelworld.world.grammar import LEVELS

    def tell(gate: Gate) -> None:
        say(as_json, gate.line(), **gate.facts())

    failing = 0
    for one in LEVELS if level is None else (level,):
        folder = output / f"level{one}" if level is None else output
        path, failed = validate(folder, split, Settings().truth, one, tell, kind(as_json))
        say(as_json, f"{failed} gates of level {one} fail; {path}", failed=failed, gates=str(path))
        failing += failed
    if failing:
        raise typer.Exit(1)


@app.command()
@told
def compare(
    before: Annotated[Path, typer.Argument(help="Folder of an evaluation (`reel evaluate -o FOLDER`).")],
    after: Annotated[Path, typer.Argument(help="Another, of the same prompts and seeds.")],
    as_json: Json = False,
) -> None:
    """Say on which checks two models differ: paired by prompt and seed, p-values corrected by Holm."""
    need("scipy", "evaluate")
    from reelworld.evaluate.compare import compare as compare_evaluations
    from reelworld.evaluate.run import Evaluation

    for change in compare_evaluations(Evaluation.read(before), Evaluation.read(after)):
        say(as_json, change.line(), **change.facts())
