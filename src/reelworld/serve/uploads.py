"""Files that strangers send: checked by their first bytes, decoded elsewhere, kept as plain frames.

    frames = await Decoder().decode(data, shape, most_frames=160)

The decoder is a process of its own (`decode.py`), which ends with the request whatever the file does to it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from reelworld.core.encode import decode_frames
from reelworld.core.errors import StorageError
from reelworld.core.storage import storage_errors
from reelworld.core.types import Frames, VideoShape
from reelworld.serve.decode import FULL, UNSAFE, UNUSABLE
from reelworld.serve.errors import ApiError

WALL_SECONDS = 40.0
SIGNATURES = {  # offset and first bytes -> ending
    (0, b"\x89PNG\r\n\x1a\n"): ".png", (0, b"\xff\xd8\xff"): ".jpg", (0, b"GIF87a"): ".gif",
    (0, b"GIF89a"): ".gif", (8, b"WEBP"): ".webp", (4, b"ftyp"): ".mp4", (0, b"\x1aE\xdf\xa3"): ".webm",
    (8, b"AVI "): ".avi",
}  # fmt: skip
COMMAND = ("-P", "-m", "reelworld.serve.decode")  # without the folder where the server was started
TOGETHER, MOST_WAITING = 2, 16  # decoders at once, and files that may wait for one
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
        self.together, self.waiting = asyncio.Semaphore(TOGETHER), 0

    async def decode(self, data: bytes, shape: VideoShape, most_frames: int) -> Frames:
        """Return the frames [T, H, W, 3] of a file, resized and cropped to a shape, at its frame rate.

        Raises: ApiError for a file that cannot be used, or takes too long, or where too many wait;
        StorageError where there is no room for it.
        """
        suffix = ending(data)
        if self.waiting >= MOST_WAITING:
            raise ApiError(429, "too many files are being read; wait a little", code="rate_limit",
                           headers={"retry-after": "5"})  # fmt: skip
        self.waiting += 1
        try:
            async with self.together:
                return await self._decoded(data, suffix, shape, most_frames)
        finally:
            self.waiting -= 1

    async def _decoded(self, data: bytes, suffix: str, shape: VideoShape, most_frames: int) -> Frames:
        with ExitStack() as stack:
            with storage_errors("an upload"):
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="reel-upload-"))
                source, out = Path(folder) / f"upload{suffix}", Path(folder) / "frames.npy"
                await asyncio.to_thread(source.write_bytes, data)
            size = ("--width", str(shape.width), "--height", str(shape.height), "--fps", f"{shape.fps:g}")
            process = await asyncio.create_subprocess_exec(
                sys.executable, *COMMAND, str(source), str(out), *size,
                "--frames", str(most_frames), env=ENVIRONMENT, stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            try:
                _, told = await asyncio.wait_for(process.communicate(), WALL_SECONDS)
            except TimeoutError as error:
                raise ApiError(400, "the file takes too long to decode", code="invalid_file") from error
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            if process.returncode == UNUSABLE:
                raise ApiError(400, told.decode(errors="replace").strip()[-400:], code="invalid_file")
            if process.returncode == FULL:
                raise StorageError(f"cannot write an upload: {told.decode(errors='replace').strip()}")
            if process.returncode == UNSAFE:
                print(
                    "no upload is decoded: this kernel cannot take the network away from it", file=sys.stderr
                )
                raise ApiError(501, "this server cannot decode files safely", code="not_supported",
                               headers={"x-should-retry": "false"})  # fmt: skip
            if process.returncode != 0 or not out.is_file():
                raise ApiError(400, "the file cannot be decoded", code="invalid_file")
            return decode_frames(await asyncio.to_thread(out.read_bytes))
