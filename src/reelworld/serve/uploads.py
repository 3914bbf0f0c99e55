"""Files that strangers send: checked by their first bytes, decoded elsewhere, kept as plain frames.

    frames = await Decoder().decode("anna", data, shape, most_frames=160)

The decoder is a process of its own (`decode.py`), which ends with the request whatever the file does to it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import signal
import stat
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np

from reelworld.core.errors import StorageError
from reelworld.core.storage import storage_errors
from reelworld.core.types import Frames, VideoShape
from reelworld.serve.decode import FULL, UNSAFE, UNUSABLE
from reelworld.serve.errors import ApiError
from reelworld.serve.gate import Room

WALL_SECONDS = 40.0
CAREFUL = os.O_NOFOLLOW | os.O_NONBLOCK  # opens no link, and waits for nobody at the other end of a pipe
SIGNATURES = {  # offset and first bytes -> ending
    (0, b"\x89PNG\r\n\x1a\n"): ".png", (0, b"\xff\xd8\xff"): ".jpg", (0, b"GIF87a"): ".gif",
    (0, b"GIF89a"): ".gif", (8, b"WEBP"): ".webp", (4, b"ftyp"): ".mp4", (0, b"\x1aE\xdf\xa3"): ".webm",
    (8, b"AVI "): ".avi",
}  # fmt: skip
COMMAND = ("-P", "-m", "reelworld.serve.decode")  # without the folder where the server was started
TOGETHER, MOST_WAITING = 2, 16  # decoders at once, and files that are decoded or may wait for it
MOST_TOLD = 400  # characters that a decoder says of a file
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}  # and no secrets


def ending(data: bytes) -> str:
    """Return the ending of a format that is allowed, by its first bytes. Raises: ApiError."""
    for (offset, mark), suffix in SIGNATURES.items():
        if data[offset : offset + len(mark)] == mark:
            return suffix
    raise ApiError(
        400, "the file is none of png, jpeg, gif, webp, mp4, mov, webm, avi", code="unsupported_file"
    )


def from_data_url(url: str) -> bytes:
    """Read a data URL; other URLs are never fetched. Raises: ApiError."""
    head, comma, body = url.partition(",")
    if not (comma and head.startswith("data:") and head.endswith(";base64")):
        raise ApiError(
            400, "only base64 data URLs are read here; send the file itself", code="unsupported_url"
        )
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ApiError(400, "the data URL is broken", code="unsupported_url") from error


class Decoder:
    """Decodes uploads, a few at once; some may wait."""

    def __init__(self) -> None:
        self.together = asyncio.Semaphore(TOGETHER)
        self.room = Room(MOST_WAITING, "too many files are being read")

    async def decode(self, owner: str, data: bytes, shape: VideoShape, most_frames: int) -> Frames:
        """Return the frames [T, H, W, 3] of a file, resized and cropped to a shape, at its frame rate.

        Raises: ApiError for a file that cannot be used, or takes too long, or where too many wait;
        StorageError where there is no room for it.
        """
        suffix = ending(data)
        with self.room.taken(owner, 1):
            async with self.together:
                return await self._decoded(data, suffix, shape, most_frames)

    async def _decoded(self, data: bytes, suffix: str, shape: VideoShape, most_frames: int) -> Frames:
        with ExitStack() as stack:
            with storage_errors("an upload"):
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="reel-upload-"))
                source, out = Path(folder) / f"upload{suffix}", Path(folder) / "frames"
                await asyncio.to_thread(source.write_bytes, data)
            size = ("--width", str(shape.width), "--height", str(shape.height), "--fps", f"{shape.fps:g}")
            await _run(str(source), str(out), *size, "--frames", str(most_frames))
            one = shape.height * shape.width * 3
            plain = await asyncio.to_thread(_read_plain, out, most_frames * one)
        if not plain or len(plain) % one:
            raise ApiError(400, "the file cannot be decoded", code="invalid_file")
        return np.frombuffer(plain, np.uint8).reshape(-1, shape.height, shape.width, 3)


async def _run(*options: str) -> None:
    """Decode in a process of its own, of which nothing is left. Raises: ApiError, StorageError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *COMMAND, *options, env=ENVIRONMENT, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        told = await asyncio.wait_for(_last_words(process), WALL_SECONDS)
    except TimeoutError as error:
        raise ApiError(400, "the file takes too long to decode", code="invalid_file") from error
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # and what it started
        await process.wait()
    _check(process.returncode, told)


def _check(code: int | None, told: str) -> None:
    """Raise what a decoder that ended in this way means: ApiError, StorageError."""
    if code == UNUSABLE:
        raise ApiError(400, told, code="invalid_file")
    if code == FULL:
        raise StorageError(f"cannot write an upload: {told}")
    if code == UNSAFE:
        print("no upload is decoded: this kernel cannot take the network away from it", file=sys.stderr)
        raise ApiError(501, "this server cannot decode files safely", code="not_supported",
                       headers={"x-should-retry": "false"})  # fmt: skip
    if code != 0:
        raise ApiError(400, "the file cannot be decoded", code="invalid_file")


async def _last_words(process: asyncio.subprocess.Process) -> str:
    """Wait for a process to end; return the end of what it said, however much that was."""
    assert process.stderr is not None
    told = b""
    while part := await process.stderr.read(1 << 16):
        told = (told + part)[-4 * MOST_TOLD :]
    await process.wait()
    return told.decode(errors="replace").strip()[-MOST_TOLD:]


def _read_plain(path: Path, most: int) -> bytes:
    """Return what a file holds that a stranger may have made; b"" for a link, a pipe, or one too large."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | CAREFUL)) as file:
            about = os.fstat(file.fileno())
            return file.read(most) if stat.S_ISREG(about.st_mode) and about.st_size <= most else b""
    except OSError:
        return b""
