"""A server of one's own on a free port, with its workers: what is measured, killed and photographed.

with tempfile.TemporaryDirectory() as folder, serving(Path(folder), rate=1000) as server:
    server.get("/healthz")
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx


class Server:
    """`reel serve` in a process that can be killed and started again; databases and files lie in a folder.

    `settings` are those of `serve.serving.Settings`.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.http = httpx.Client(base_url=self.url, timeout=20.0)
        own = {"database": f"sqlite:///{folder / 'jobs.db'}", "storage": str(folder / "files"), "port": port}
        code = f"from reelworld.serve.serving import Settings, run; run(Settings(**{own | settings!r}))"
        self.command = [sys.executable, "-c", code]
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.process = subprocess.Popen(self.command, env={**os.environ, "OMP_NUM_THREADS": "1"})
        self.get("/healthz")

    def get(self, path: str) -> httpx.Response:
        """Ask until there is an answer; a server that is gone is started again."""
        while True:
            try:
                return self.http.get(path)
            except httpx.TransportError:
                self.revive()

    def revive(self) -> None:
        """Start it if it is gone; else give it a moment."""
        if self.process.poll() is not None:
            self.start()
        time.sleep(0.1)

    def workers(self) -> list[int]:
        """Return the processes that it started, from whichever thread."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(pid) for children in tasks for pid in children.read_text().split()]

    def kill(self) -> None:
        """Kill -9 the server; its workers notice and end."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Let it end what it does, and go."""
        self.http.close()
        self.process.terminate()
        self.process.wait()


@contextmanager
def serving(folder: Path, **settings: Any) -> Iterator[Server]:
    """Serve while the block runs."""
    server = Server(folder, **settings)
    try:
        yield server
    finally:
        server.stop()
