"""Making a video again from the account that it carries, with changes where they are asked for.

    made = Video.load("ball.mp4").metadata
    twin = again(pipeline, made)
    other = again(pipeline, made, seed=8)

The account of a video names the operation, its arguments, the hash of the weights, and its parents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from reelworld.core.config import from_json
from reelworld.core.errors import ConfigError
from reelworld.core.types import Video
from reelworld.core.video import read_named
from reelworld.generate import edit
from reelworld.generate.lineage import find
from reelworld.generate.pipeline import Pipeline
from reelworld.generate.shelf import Shelf
from reelworld.generate.simple import of_text
from reelworld.generate.storyboard import Storyboard, render
from reelworld.generate.windows import OPTIONS, WATCHING

_EDITS = (
    edit.film, edit.animate, edit.extend, edit.fill, edit.loop, edit.recut, edit.remix, edit.blend
)  # fmt: skip
OPERATIONS: dict[str, Callable[..., Video]] = {operation.__name__: operation for operation in _EDITS}
FORMER = {"guidance_interval": (0.0, 1.0)}  # what accounts that do not say so were made with
HELD = ("noise", "known", "mask", "init", "num_videos", *WATCHING)  # what no account can hold
MOST_SCALE = 32  # by which a small picture is enlarged for viewing
# What an account says beside the arguments.
ABOUT = (
    "operation", "weights", "parents", "shape", "reelworld", "upsampler", "file", "hash", "read", "take",
    "given", "asked", "scale", "cuts",
)  # fmt: skip


def again(
    pipeline: Pipeline,
    made: Mapping[str, Any],
    parents: Sequence[Video] = (),
    characters: Mapping[str, Video] | None = None,
    /,
    **changes: Any,
) -> Video:
    """Make the video of an account again; `parents` are the videos that it was made of, in their order.

    `characters` are the pictures of those whom its prompt names.

    Raises: ConfigError where the account is none, names other weights or an argument that the operation does
    not take, or its parents are not given; and what the operation raises.
    """
    _check_weights(pipeline, made)
    if made.get("operation") == "storyboard":
        raise ConfigError("a storyboard is made again by `storyboard_again`, which finds its cards' files")
    arguments = FORMER | {name: value for name, value in made.items() if name not in ABOUT}
    if missing := set(arguments.get("characters") or ()) - set(characters or ()):
        raise ConfigError(f"it was made with the character {min(missing)}; give their picture")
    if arguments.get("characters"):
        arguments["characters"] = characters
    _check_changes(changes, {*arguments, *(made.get("shape") or {})} - {"characters"})
    video = _made_again(pipeline, made, parents, arguments, changes)
    if "asked" in made and "prompt" not in changes:
        video.metadata["asked"] = made["asked"]
    return video


def board_files(made: Mapping[str, Any], places: Sequence[Path]) -> dict[str, Path]:
    """Return where the files of a storyboard's cards and characters are, each by the name in its board.

    Raises: ConfigError where the account is no storyboard's, or a file is in none of the places.
    """
    board = _board(made)
    shown = [name for card in board.cards if (name := card.image or card.video) is not None]
    told = dict(zip(shown, made.get("parents") or [], strict=False))
    told |= {role.image: _played(made, role.name) for role in board.characters if role.image is not None}
    return {name: find({**account, "file": name}, places) for name, account in told.items()}


def storyboard_again(
    pipeline: Pipeline,
    made: Mapping[str, Any],
    files: Mapping[str, Path],
    cast: Mapping[str, Video] | None = None,
    /,
    **changes: Any,
) -> Video:
    """Make a storyboard again of its files (`board_files`), its stored characters from the shelf.

    `cast` are the pictures of characters that were given beside the board.
    Raises: ConfigError as `again` does, and for characters that are not as they were.
    """
    _check_weights(pipeline, made)
    board = _board(made)
    sampling = FORMER | {name: made[name] for name in OPTIONS - {"characters"} if name in made}
    _check_changes(changes, {*sampling, "seed"})
    there = {role.name for role in board.characters} | set(cast or ())
    if missing := set(made.get("characters") or ()) - there:
        raise ConfigError(f"it was made with the character {min(missing)}; give their picture")
    stored = [role.name for role in board.characters if role.image is None and role.text is None]
    for name, picture in Shelf().take(stored).items():
        if picture.metadata["hash"] != _played(made, name).get("hash"):
            raise ConfigError(f"the character {name} is another one now; store the picture that was used")

    def reader(name: str, **options: Any) -> Video:
        return read_named(files[name], **options)

    board = replace(board, seed=changes.pop("seed", board.seed))
    return _repeated(partial(render, pipeline, board, reader=reader, cast=cast), {**sampling, **changes})


def _board(made: Mapping[str, Any]) -> Storyboard:
    return from_json(Storyboard, made.get("board"))


def _played(made: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the account of a character's picture; empty where there is none."""
    told = (made.get("characters") or {}).get(name)
    return told if isinstance(told, Mapping) else {}


def _check_weights(pipeline: Pipeline, made: Mapping[str, Any]) -> None:
    check_account(made)
    if made.get("weights") not in (None, pipeline.weights_hash):
        raise ConfigError(
            f"it was made by the weights {made['weights']}, not {pipeline.weights_hash}; load those"
        )


def _check_changes(changes: Mapping[str, Any], settable: set[str]) -> None:
    if unknown := [name for name in changes if name not in {*settable, *WATCHING}]:
        raise ConfigError(f"there is no '{unknown[0]}' to change; there is {', '.join(sorted(settable))}")


def check_account(made: Mapping[str, Any]) -> None:
    """Raise ConfigError for what does not say how a video was made, or was written by somebody else."""
    if "prompt" not in made:
        raise ConfigError("this account does not say how a video was made")
    kinds: dict[str, Any] = {
        "parents": list, "shape": Mapping, "given": list, "operation": str,
        "characters": (Mapping, type(None)),
    }  # fmt: skip
    for name, wanted in kinds.items():
        if name in made and not isinstance(made[name], wanted):
            raise ConfigError(f"the account's '{name}' is {made[name]!r}; ReelWorld does not write that")
    if held := [name for name in HELD if name in made]:
        raise ConfigError(f"the account has '{held[0]}'; ReelWorld does not write that")
    if not all(isinstance(name, str) for name in made.get("given", [])):
        raise ConfigError(f"the account's 'given' is {made['given']!r}; ReelWorld does not write that")
    scale = made.get("scale", 1)
    if type(scale) is not int or not 1 <= scale <= MOST_SCALE:
        raise ConfigError(f"the account's 'scale' is {made['scale']!r}; ReelWorld writes 1 to {MOST_SCALE}")
    if not all(isinstance(parent, Mapping) for parent in made.get("parents") or []):
        raise ConfigError("the account tells of what it was made of in a way that is not understood")


def _made_again(
    pipeline: Pipeline,
    made: Mapping[str, Any],
    parents: Sequence[Video],
    arguments: Mapping[str, Any],
    changes: Mapping[str, Any],
) -> Video:
    """Call the operation of an account anew. Raises: as `again`."""
    if (name := made.get("operation", "generate")) == "generate":
        if given := made.get("given"):
            raise ConfigError(f"it was made with frames ({', '.join(given)}) that its account does not hold")
        was = {**made.get("shape", {}), **arguments}
        return _repeated(partial(of_text, pipeline), _of_length(pipeline, was, {**was, **changes}))
    if name not in OPERATIONS:
        raise ConfigError(f"no operation '{name}' is known here; the file was made by another version")
    if len(parents) != (needed := len(made.get("parents", []))):
        raise ConfigError(f"{name} needs {needed} videos that it was made of, not {len(parents)}")
    operation = partial(OPERATIONS[name], pipeline, *parents)
    return _repeated(operation, {**arguments, **changes})


def _of_length(pipeline: Pipeline, was: Mapping[str, Any], asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return arguments without the model's own sizes where another length is asked for.

    So that is made as it would be now, perhaps window by window; what has a size is made at once, as it was.
    """
    if asked.get("num_frames") == was.get("num_frames"):
        return asked
    own = pipeline.shape
    sizes = {"width": own.width, "height": own.height, "fps": own.fps}
    return {name: value for name, value in asked.items() if sizes.get(name) != value}


def _repeated(operation: Callable[..., Video], arguments: Mapping[str, Any]) -> Video:
    """Call an operation with what an account says. Raises: ConfigError where that is of the wrong kind."""
    try:
        return operation(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the account holds a value that cannot be used: {error}") from error
