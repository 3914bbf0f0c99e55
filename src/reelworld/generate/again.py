"""Making a video again from the account that it carries, with changes where they are asked for.

    made = Video.load("ball.mp4").metadata
    twin = again(pipeline, made)
    other = again(pipeline, made, seed=8)

The account of a video names the operation, its arguments, the hash of the weights, and its parents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from reelworld.core.errors import ConfigError
from reelworld.core.types import Video
from reelworld.generate import edit
from reelworld.generate.pipeline import Pipeline

_EDITS = (
    edit.film, edit.animate, edit.extend, edit.fill, edit.loop, edit.recut, edit.remix, edit.blend
)  # fmt: skip
OPERATIONS: dict[str, Callable[..., Video]] = {operation.__name__: operation for operation in _EDITS}
# What an account says beside the arguments.
ABOUT = (
    "operation", "weights", "parents", "shape", "reelworld", "upsampler", "file", "hash", "given", "asked",
)  # fmt: skip


def again(
    pipeline: Pipeline,
    made: Mapping[str, Any],
    parents: Sequence[Video] = (),
    characters: Mapping[str, Video] | None = None,
    **changes: Any,
) -> Video:
    """Make the video of an account again; `parents` are the videos that it was made of, in their order.

    `characters` are the pictures of those whom its prompt names.

    Raises: ConfigError where the account is none, names other weights or an argument that the operation does
    not take, or its parents are not given; and what the operation raises.
    """
    if "prompt" not in made:
        raise ConfigError("this account does not say how a video was made")
    if made.get("weights") not in (None, pipeline.weights_hash):
        raise ConfigError(
            f"it was made by the weights {made['weights']}, not {pipeline.weights_hash}; load those"
        )
    if made.get("operation") == "storyboard":
        raise ConfigError("a storyboard is made again from its file, by `reel storyboard`")
    arguments = {name: value for name, value in made.items() if name not in ABOUT}
    if missing := set(arguments.get("characters") or ()) - set(characters or ()):
        raise ConfigError(f"it was made with the character {min(missing)}; give their picture")
    if arguments.get("characters"):
        arguments["characters"] = characters
    settable = {*arguments, *made.get("shape", {}), "progress"}
    if unknown := [name for name in changes if name not in settable]:
        known = ", ".join(arguments)
        raise ConfigError(f"there is no '{unknown[0]}' to change; there is {known}")
    video = _made_again(pipeline, made, parents, arguments, changes)
    if "asked" in made and "prompt" not in changes:
        video.metadata["asked"] = made["asked"]
    return video


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
        return _repeated(
            lambda **all_: pipeline(**all_)[0], {**made.get("shape", {}), **arguments, **changes}
        )
    if name not in OPERATIONS:
        raise ConfigError(f"no operation '{name}' is known here; the file was made by another version")
    if len(parents) != len(made["parents"]):
        raise ConfigError(
            f"{name} needs {len(made['parents'])} videos that it was made of, not {len(parents)}"
        )
    operation = partial(OPERATIONS[name], pipeline, *parents)
    return _repeated(operation, {**arguments, **changes})


def _repeated(operation: Callable[..., Video], arguments: Mapping[str, Any]) -> Video:
    """Call an operation with what an account says. Raises: ConfigError where that is of the wrong kind."""
    try:
        return operation(**arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the account holds a value that cannot be used: {error}") from error
