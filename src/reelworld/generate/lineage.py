"""What a result was made of: the accounts of its parents within its own, and their files found again.

ancestry([video.metadata])              # for the account of what is made of the video
find(account, [Path("out"), Path("photos/cat.jpg")])
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reelworld.core.errors import ConfigError
from reelworld.core.storage import file_hash, storage_errors

MOST_BYTES = 64_000  # that an account tells of ancestors
MOST_NAME = 255  # characters of a file's name
NAMES = ("operation", "file", "hash", "id", "read", "take")  # which one it was, and no more


def ancestry(parents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return accounts of parents that fit into one of a child, however often and long they go back.

    An ancestor is told of once; where it comes again, and where there is no room for more, by its names.
    """
    seen: set[str] = set()
    room = MOST_BYTES

    def told(account: Mapping[str, Any]) -> dict[str, Any]:
        nonlocal room
        own = {name: value for name, value in account.items() if name != "parents"}
        text = json.dumps(own, sort_keys=True, default=str)
        if text in seen or len(text) > room:
            return {name: own[name] for name in NAMES if name in own}
        seen.add(text)
        room -= len(text)
        before = account.get("parents")
        if isinstance(before, list) and before:
            own["parents"] = [told(parent) for parent in before if isinstance(parent, Mapping)]
        return own

    return [told(parent) for parent in parents]


def find(told: Mapping[str, Any], places: Sequence[Path]) -> Path:
    """Return the file that an account names, with the same content: in a folder, or one of the files.

    Raises: ConfigError where it is in none of the places; StorageError where it cannot be read.
    """
    name = told.get("file")
    if not isinstance(name, str) or len(name) > MOST_NAME:
        raise ConfigError(
            "it was made of a video that was never saved; save that first, and make this of its file"
            if name is None
            else "the account names a file in a way that ReelWorld does not"
        )
    there = [path for place in places for path in _under(place, name) if path.is_file()]
    for path in there:
        with storage_errors(path):
            if file_hash(path) == told.get("hash"):
                return path
    if there:
        raise ConfigError(f"{there[0]} is not the file that it was made of; say by --made-of where that is")
    raise ConfigError(f"{name} is not beside it; say by --made-of where the file is that it was made of")


def _under(place: Path, name: str) -> list[Path]:
    return [place / name, place / Path(name).name] if place.is_dir() else [place]
