"""Results of long work, kept one by one: stopped or killed, the same call goes on.

    journal = Journal("report/videos.jsonl", {"prompts": "4f1c8a"})
    for name in names:
        verdict = journal.once((name,), lambda: judge(name))      # found before: read, not worked out again

The file holds JSON lines: what the work is about, then a key and a value a line, each forced to the disk.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reelworld.core.errors import ConfigError
from reelworld.core.storage import storage_errors, write_bytes

Key = tuple[str | int, ...]


class Journal:
    """Values by key, as JSON has them, in the order in which they were found."""

    def __init__(self, path: str | Path | None, about: Mapping[str, Any]) -> None:
        """Open or begin a file of work that is `about` something; without a path, nothing is written.

        Raises: ConfigError where it holds other work, or is damaged; StorageError.
        """
        self.path = None if path is None else Path(path)
        self.found: dict[Key, Any] = {}
        if self.path is None:
            return
        lines = _whole_lines(self.path)
        if not lines:
            self._append({"about": about})
            return
        _same_work(self.path, _about(self.path, lines[0]), about)
        self.found = dict([_entry(self.path, line) for line in lines[1:]])

    @staticmethod
    def about(path: str | Path) -> dict[str, Any]:
        """Read what the work of a file is about. Raises: ConfigError where it holds none."""
        lines = _whole_lines(Path(path))
        if not lines:
            raise ConfigError(f"{path} holds no work that was begun")
        return _about(Path(path), lines[0])

    def keep(self, key: Key, value: Any) -> None:
        """Write a value, and force it to the disk. Raises: StorageError."""
        self._append({"key": key, "value": value})
        self.found[key] = value

    def once(self, key: Key, find: Callable[[], Any]) -> Any:
        """Return the value of a key; where there is none, find it and keep it. Raises: StorageError."""
        if key not in self.found:
            self.keep(key, find())
        return self.found[key]

    def _append(self, record: Mapping[str, Any]) -> None:
        if self.path is None:
            return
        with storage_errors(self.path), self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")
            file.flush()
            os.fsync(file.fileno())


def _whole_lines(path: Path) -> list[bytes]:
    """Return the whole lines of a file; drop what a crash left behind the last of them."""
    if not path.is_file():
        return []
    with storage_errors(path):
        data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        write_bytes(path, whole)
    return whole.splitlines()


def _about(path: Path, line: bytes) -> dict[str, Any]:
    found = _object(path, line).get("about")
    if not isinstance(found, dict):
        raise _damaged(path)
    return found


def _entry(path: Path, line: bytes) -> tuple[Key, Any]:
    found = _object(path, line)
    if not isinstance(found.get("key"), list) or "value" not in found:
        raise _damaged(path)
    return tuple(found["key"]), found["value"]


def _object(path: Path, line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise _damaged(path) from error
    if not isinstance(found, dict):
        raise _damaged(path)
    return found


def _damaged(path: Path) -> ConfigError:
    return ConfigError(f"{path} is damaged; delete it, and what it held is worked out again")


def _same_work(path: Path, begun: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Make sure that a file holds the work that is wanted. Raises: ConfigError, with the first difference."""
    wanted = json.loads(json.dumps(about))
    for name in {**begun, **wanted}:
        if begun.get(name) != wanted.get(name):
            raise ConfigError(
                f"{path} holds work with {name} {begun.get(name)!r}, not {wanted.get(name)!r}; "
                "choose another folder or delete this file"
            )
