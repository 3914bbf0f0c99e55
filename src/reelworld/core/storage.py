"""Files that are written whole or not at all: temporary file, fsync, rename. Used for every file we write.

    write_bytes("clip.mp4", data)
    with atomic("weights.safetensors") as temporary: ...   # fill the temporary path; renamed on success

A crash, a full disk or an exception leaves the old file as it was and no temporary file behind (a killed
process may leave a `.reel-*.tmp`; `remove_leftovers` deletes those).
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reelworld.core.errors import StorageError

_MENDS = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "your disk quota is used up; free some space or choose another folder",
    errno.EFBIG: "the file is larger than the system allows; raise the limit (ulimit -f)",
    errno.ENOENT: "its folder does not exist; create the folder first",
    errno.ENOTDIR: "part of the path is a file, not a folder; choose another path",
    errno.EACCES: "permission denied; choose a folder you may write to",
    errno.EPERM: "permission denied; choose a folder you may write to",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.EISDIR: "it is a folder; add a file name",
    errno.ENAMETOOLONG: "the name is too long; shorten it",
}


def write_bytes(path: str | Path, data: bytes) -> Path:
    """Write `data` to `path`, whole or not at all.

    Raises: StorageError, in one line, where the file cannot be written.
    """
    with atomic(path) as temporary:
        temporary.write_bytes(data)
    return Path(path)


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` to fill (a file or a folder); rename it to `path` on success.

    Raises: StorageError where it cannot be written; the temporary is removed whatever happens.
    """
    with storage_errors(path):
        target = _checked_target(path)
        temporary = target.parent / f".reel-{secrets.token_hex(6)}.tmp"
        try:
            yield temporary
            _sync(temporary)
            os.replace(temporary, target)
            _sync(target.parent)
        finally:
            _remove(temporary)


@contextmanager
def storage_errors(path: str | Path) -> Iterator[None]:
    """Turn an OSError inside the block into a StorageError that names `path` and the mend."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot write {path}: {_mend(error)}") from error


def remove_leftovers(directory: str | Path) -> None:
    """Delete the temporary files that a killed process left in `directory`."""
    for leftover in Path(directory).glob(".reel-*.tmp"):
        _remove(leftover)


def check_target(path: str | Path) -> None:
    """Make sure, before long work, that `path` could be written.

    Raises: StorageError, in one line, where it could not.
    """
    with storage_errors(path):
        folder = Path(path).absolute().parent
        while not folder.exists():  # `make_folder` will make what is missing
            folder = folder.parent
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, str(path))
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, str(path))
        if Path(path).exists():
            _checked_target(path)


def make_folder(path: str | Path) -> Path:
    """Make a folder with its parents, if it is not there.

    Raises: StorageError, in one line, where it cannot be made.
    """
    with storage_errors(path):
        Path(path).mkdir(parents=True, exist_ok=True)
    return Path(path)


def _checked_target(path: str | Path) -> Path:
    """Return the real path to replace; a missing path, a plain file or an empty folder."""
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise NotADirectoryError(errno.ENOENT if not target.parent.exists() else errno.ENOTDIR, str(path))
    if target.is_dir() and any(target.iterdir()):
        raise StorageError(
            f"cannot write {path}: the folder exists and is not empty; remove it or choose another name"
        )
    if target.exists() and not (target.is_file() or target.is_dir()):
        raise StorageError(
            f"cannot write {path}: it is a device or a pipe, not a plain file; choose another path"
        )
    return target


def _sync(path: Path) -> None:
    """Force a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _mend(error: OSError) -> str:
    return _MENDS.get(error.errno or 0, error.strerror or str(error))


def file_hash(path: str | Path) -> str:
    """Return the first 16 hexadecimal digits of a file's SHA-256: `sha256sum` shows the same."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
