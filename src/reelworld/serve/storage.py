"""Where files of jobs lie: a local folder, or any place that fsspec reaches.

    storage = Storage("out/serve")               # or "s3://bucket/videos"
    storage.put("video_1/1/video.mp4", data)     # whole or not at all
    storage.get("video_1/1/video.mp4")

A file is written under another name, flushed to the disk, and renamed: who sees it, sees all of it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from reelworld.core.errors import ConfigError, StorageError
from reelworld.core.storage import make_folder, write_bytes

NAME = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*(\.[a-z0-9]+)?")


class Storage:
    """Files by name; names are relative and hold no dots but that of the ending."""

    def __init__(self, url: str) -> None:
        """Raises: ConfigError for a URL that fsspec does not know."""
        try:
            self.files, root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise ConfigError(f"the storage {url} cannot be used: {error}") from error
        self.url, self.root = url, str(root).rstrip("/")
        self.local = isinstance(self.files, LocalFileSystem)

    def put(self, name: str, data: bytes) -> None:
        """Store a file. Raises: StorageError, and nothing is left of it."""
        path = self._path(name)
        if self.local:
            make_folder(Path(path).parent)
            write_bytes(path, data)
            return
        temporary = f"{path}.{secrets.token_hex(4)}.part"
        with _refused(f"{name} cannot be stored"):
            self.files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self.files.pipe_file(temporary, data)
            self.files.mv(temporary, path)

    def get(self, name: str) -> bytes:
        """Return a file. Raises: StorageError where it is not there."""
        path = self._path(name)
        with _refused(f"{name} cannot be read"):
            data: bytes = self.files.cat_file(path)
        return data

    def has(self, name: str) -> bool:
        """Tell whether there is such a file. Raises: StorageError where that cannot be told."""
        path = self._path(name)
        with _refused(f"{name} cannot be looked for"):
            return bool(self.files.isfile(path))

    def folders(self) -> set[str]:
        """Return the names of the folders at the top. Raises: StorageError."""
        with _refused("the storage cannot be listed"):
            try:
                found = self.files.ls(self.root, detail=False)
            except FileNotFoundError:
                return set()
        return {str(path).rstrip("/").rpartition("/")[2] for path in found}

    def remove(self, folder: str) -> None:
        """Remove a folder with all that is in it, if it is there. Raises: StorageError where that fails."""
        path = self._path(folder)
        for attempt in range(3):  # somebody may be writing into it
            try:
                with _refused(f"{folder} cannot be removed"):
                    self._remove(path)
                return
            except StorageError:
                if attempt == 2:
                    raise

    def let_go(self, folders: Iterable[str]) -> None:
        """Remove folders that nobody needs any more; what resists is left to `serving.sweep`."""
        for folder in folders:
            with suppress(StorageError):
                self.remove(folder)

    def _remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self.files.rm(path, recursive=True)

    def _path(self, name: str) -> str:
        if not NAME.fullmatch(name):
            raise StorageError(f"{name!r} is no name of a stored file")
        return f"{self.root}/{name}"


def folders_of(job_id: str, request: Mapping[str, Any]) -> list[str]:
    """Return the folders that belong to a job alone: its files, and the copies of what it began from."""
    return [job_id, *inputs_of(request)]


def inputs_of(request: Mapping[str, Any]) -> set[str]:
    """Return the folders of the copies of what a job begins from, which only its making reads."""
    given = [*request.get("sources", ()), request.get("image"), *(request.get("characters") or {}).values()]
    return {str(name).split("/")[0] for name in given if name}


@contextmanager
def _refused(what: str) -> Iterator[None]:
    """Say of whatever a place's driver raises what could not be done; each driver has errors of its own."""
    try:
        yield
    except Exception as error:
        raise StorageError(f"{what}: {error.__class__.__name__}") from error
