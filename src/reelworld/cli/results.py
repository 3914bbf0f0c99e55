"""What commands that make videos share: their options, prompts, warnings, and the files they write."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reelworld.cli.app import say
from reelworld.core.errors import PromptError

if TYPE_CHECKING:
    from reelworld.core.types import Video
    from reelworld.generate.enlarge import Enlarger
    from reelworld.generate.pipeline import Pipeline

Prompt = Annotated[str, typer.Argument(help="What the video shows; - reads it from standard input.")]
Output = Annotated[Path, typer.Option("--output", "-o", help=".mp4, .gif, .png, or a folder of frames.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same frames.")]
Steps = Annotated[int, typer.Option(help="Denoising steps.")]
Guidance = Annotated[float, typer.Option(help="How strongly the text counts.")]
Negative = Annotated[str | None, typer.Option(help="What it should not show.")]
Sampler = Annotated[str, typer.Option(help="euler, heun or multistep.")]
Weights = Annotated[
    Path | None, typer.Option(help="nano, small or a file; default: what reads the prompt best.")
]
Characters = Annotated[
    list[str] | None,
    typer.Option(
        "--character", help="A name in the prompt whose looks are stored (`reel character`); often."
    ),
]
Expand = Annotated[bool, typer.Option(help="Tell a short prompt in full, as the model learnt captions.")]
Upsample = Annotated[bool, typer.Option(help="Enlarge the picture four times by the trained upsampler.")]


def ready(
    prompt: str | None,
    weights: Path | None,
    upsample: bool,
    as_json: bool,
    names: Sequence[str] = (),
    said: str = "",
) -> tuple[Any, Pipeline, Enlarger | None]:
    """Read the prompt, load what makes videos, and tell what the model cannot read, but for these names.

    A prompt that is left out stays None; what is edited has `said` one. Without weights, those are taken
    that read the prompt best.
    """
    from reelworld.core import runtime
    from reelworld.generate.enlarge import Enlarger
    from reelworld.generate.request import MAX_PROMPT_BYTES

    text = read_prompt(MAX_PROMPT_BYTES) if prompt == "-" else prompt
    runtime.set_threads()
    pipeline, enlarge = load_for(weights, as_json, text or said), Enlarger.load() if upsample else None
    if text is not None:
        warn_unknown(pipeline, text, as_json, names)
    return text, pipeline, enlarge


def load_for(weights: Path | None, as_json: bool, *texts: str) -> Pipeline:
    """Load weights, or else the packaged ones that read texts best; say so where it is not the first."""
    from reelworld.generate.packaged import PACKAGED, reads_best
    from reelworld.generate.pipeline import Pipeline

    if weights is not None:
        return Pipeline.load(weights)
    if (name := reads_best(*texts)) != PACKAGED[0]:
        line = f"made by {name}, which knows more words than {PACKAGED[0]} (--weights chooses)"
        hint(as_json, {"event": "model", "model": name}, line)
    return Pipeline.load(name)


def told_in_full(pipeline: Pipeline, prompt: str, seed: int, as_json: bool) -> str:
    """Expand a prompt, and say so."""
    text, why = pipeline.expand(prompt, seed=seed)
    if not why:
        hint(as_json, {"event": "expanded", "prompt": text}, f"told in full: {text}")
    return text


def read_prompt(most: int) -> str:
    """Read a prompt of at most `most` bytes, and one more so that a longer one is noticed."""
    return sys.stdin.buffer.read(most + 1).decode("utf-8", "replace")


def check_outputs(
    output: Path, num_videos: int = 1, preview: bool = False, made_of: Sequence[Path] = ()
) -> None:
    """Find out before the work, not after it, that a result could not be written.

    Nor may it take the place of a file that it is made of, nor its account that of another file.
    Raises: StorageError.
    """
    from reelworld.core.errors import StorageError
    from reelworld.core.media import account_file
    from reelworld.core.storage import check_target
    from reelworld.core.video import check_account_place

    if not output.name or output.suffix.lower() not in (".mp4", ".gif", ".png", ""):
        raise StorageError(f"cannot write {output}: give a file that ends in .mp4, .gif or .png, or a folder")
    targets = [numbered(output, number, num_videos) for number in range(num_videos)]
    places = [*targets, *map(account_file, targets), *([beside(output, "preview")] if preview else [])]
    places += [beside(target, "poster") for target in targets if has_poster(target)]
    sources = {path.resolve() for source in made_of for path in (source, *_accounts(source))}
    for place in places:
        check_target(place)
        if place.resolve() in sources and place.resolve().exists():
            raise StorageError(
                f"{place} would take the place of what it is made of, or of what tells how that was made; "
                "name another with -o"
            )
    for target in targets:
        check_account_place(target)


def _accounts(source: Path) -> list[Path]:
    """Return the account of a source where one lies beside it."""
    from reelworld.core.media import account_beside, account_file

    return [account_file(source)] if account_beside(source) else []


@contextmanager
def keeping(output: Path) -> Iterator[Path]:
    """Yield a folder for finished windows beside a result; what is interrupted finds them there again."""
    from reelworld.generate.windows import forget_oldest

    folder = output.with_name(f".{output.name}.windows")
    yield folder
    forget_oldest(folder, 0)
    with suppress(OSError):  # it holds something that is not ours, or was never made
        folder.rmdir()


def has_poster(target: Path) -> bool:
    """Tell whether a poster is written beside a file."""
    return target.suffix.lower() in (".mp4", ".gif")


def beside(output: Path, what: str) -> Path:
    """Return the path of a picture beside a file."""
    return output.with_name(f"{output.stem}_{what}.png")


def numbered(output: Path, number: int, count: int) -> Path:
    """Return the path of one of many videos."""
    return output if count == 1 else output.with_name(f"{output.stem}_{number:03d}{output.suffix}")


def stored(names: Sequence[str] | None) -> dict[str, Video] | None:
    """Return the pictures of characters, or None where nobody is named. Raises: ConfigError."""
    from reelworld.generate.shelf import Shelf

    return Shelf().take(names) if names else None


def warn_unknown(pipeline: Pipeline, prompt: str, as_json: bool, names: Sequence[str] = ()) -> None:
    """Name the words that the model has never seen, with the nearest that it has; tell of a long prompt."""
    called = {name.lower() for name in names}
    unknown = [(word, near) for word, near in pipeline.unknown_words(prompt) if word not in called]
    if unknown and {word for word, _ in unknown} >= set(re.findall(r"\w+", prompt.lower())):
        words = ", ".join(word for word, _ in unknown[:8])
        raise PromptError(f"the model knows none of these words: {words}; `reel words` lists what it knows")
    count, most = len(re.findall(r"\w+|[^\w\s]", prompt)), pipeline.trained_length
    if most is not None and count > most:
        hint(
            as_json, {"event": "long_prompt", "words": count, "trained": most},
            f"the prompt has {count} words and marks; the model learned from captions of at most {most}",
        )  # fmt: skip
    for word, near in unknown:
        mean = f"; did you mean {' or '.join(near)}?" if near else ""
        facts = {"event": "unknown_word", "word": word, "nearest": near}
        hint(as_json, facts, f"the model has never seen the word '{word}'{mean}")


def hint(as_json: bool, facts: dict[str, Any], text: str) -> None:
    """Say what may make the result less than hoped for."""
    if as_json:
        print(json.dumps(facts), flush=True)
    else:
        print(f"note: {text}", file=sys.stderr)


def save(video: Video, path: Path, as_json: bool, scale: int = 1) -> None:
    """Write a video, its poster, and beside it how it was made, as `reel train --data` also reads it."""
    from reelworld.core.storage import make_folder
    from reelworld.core.video import write, write_account

    make_folder(path.parent)
    if scale != 1:
        video.metadata["scale"] = scale
    files = [write(video, path, scale=scale, enlarge="lanczos")]
    if has_poster(path):
        files.append(write(video, beside(path, "poster"), scale=scale, enlarge="lanczos"))
    files.append(write_account(video, path))
    say(
        as_json, str(path), files=[str(f) for f in files], seed=video.metadata["seed"], shape=str(video.shape)
    )
