"""A server with tiny weights, as users meet it: over HTTP, with a worker of its own."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import torch
import uvicorn
from fastapi import FastAPI

from reelworld.models.denoiser import Denoiser, DenoiserConfig
from reelworld.models.patches import PatchConfig
from reelworld.models.released import checkpoint_to_denoiser, denoiser_to_checkpoint
from reelworld.models.text import TextConfig, Tokenizer
from reelworld.serve.app import build
from reelworld.serve.desk import Desk
from reelworld.serve.gate import Keys, Rules
from reelworld.serve.jobs import Jobs
from reelworld.serve.making import Studio
from reelworld.serve.storage import Storage
from reelworld.serve.tables import open_database, upgrade
from reelworld.serve.worker import serve_jobs

WORDS = ["a", "red", "blue", "ball", "box", "rolls", "alpha", "beta"]
CARD = {
    "shape": {"width": 16, "height": 16, "num_frames": 8, "fps": 8.0},
    "data": {"kind": "world"},
    "recipe": {"name": "tiny", "stages": [{"level": 1, "text_length": 64, "buckets": [{"level": None}]}]},
    "trained": {},
}


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that make noise of 16x16, fast."""
    text = TextConfig(vocabulary_size=64, dim=32, depth=1, num_heads=2, max_length=96)
    patch = PatchConfig(frames=4, height=8, width=8)
    config = DenoiserConfig(dim=32, depth=2, num_heads=2, patch=patch, text=text)
    denoiser = Denoiser(config, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    return denoiser_to_checkpoint(path, denoiser, Tokenizer.from_words(WORDS, size=64), CARD)


@dataclass
class Served:
    """A running server."""

    app: FastAPI
    port: int
    jobs: Jobs
    storage: Storage
    keys: Keys
    weights: Path
    url: str = ""

    def start(self) -> None:
        """Listen, and wait until it answers."""
        self.url = f"http://127.0.0.1:{self.port}"
        self.server = uvicorn.Server(
            uvicorn.Config(
                self.app, port=self.port, log_level="error", ws="none", timeout_graceful_shutdown=1
            )
        )
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        """Go away."""
        self.server.should_exit = True
        self.thread.join()

    def work(self) -> None:
        """Make all that is queued, here."""
        studio = Studio({"tiny": self.weights})
        serve_jobs(self.jobs, self.storage, studio, threading.Event(), idle=lambda: True)


def serve(folder: Path, weights: Path, rules: Rules, **others: Path) -> Iterator[Served]:
    """Serve at a free port of this machine; `others` are more models, by name."""
    engine = open_database(f"sqlite:///{folder / 'jobs.db'}")
    upgrade(engine)
    jobs, storage, keys = Jobs(engine), Storage(str(folder / "files")), Keys(engine)
    app = build(Desk(jobs, storage, {"tiny": weights, **others}), keys, rules)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    served = Served(app, port, jobs, storage, keys, weights)
    served.start()
    yield served
    served.stop()
    engine.dispose()


@pytest.fixture
def served(tmp_path: Path, weights: Path) -> Iterator[Served]:
    """A server of one's own, without keys."""
    yield from serve(tmp_path, weights, Rules())


@pytest.fixture
def worker(served: Served) -> Iterator[None]:
    """A worker that makes what is asked for."""
    stop = threading.Event()
    studio = Studio({"tiny": served.weights})
    thread = threading.Thread(target=serve_jobs, args=(served.jobs, served.storage, studio, stop))
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.fixture
def uncast(tmp_path: Path, weights: Path) -> Iterator[Served]:
    """A server whose weights were trained without characters."""
    denoiser, tokenizer, card = checkpoint_to_denoiser(weights)
    tokenizer.learnt = {"red", "ball"}
    plain = denoiser_to_checkpoint(tmp_path / "plain.safetensors", denoiser, tokenizer, card)
    yield from serve(tmp_path, plain, Rules())


@pytest.fixture
def http(served: Served) -> Iterator[httpx.Client]:
    """A plain client."""
    with httpx.Client(base_url=served.url, timeout=30.0) as client:
        yield client


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL of the tests' own, from the wheel that carries it.

    Started by root it runs as another user, to whom every new session of pytest shuts pytest's own folder.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it minds that this machine has no desktop
        import pgserver
    with tempfile.TemporaryDirectory(prefix="reelworld-postgres-") as folder:
        server = pgserver.get_server(Path(folder) / "data")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        server.cleanup()
