"""Kills workers and the server at random moments while they work, and counts what was lost or done twice.

python benchmarks/kill.py --rounds 50 --database sqlite --weights tiny.safetensors
python benchmarks/kill.py --rounds 50 --database postgresql

Each round asks for videos of several kinds, under idempotency keys that it repeats until it gets an answer,
and then kills -9 a worker, the server, or both.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from record import record
from reelworld.core.video import read
from server import Server

LEASE, WORKERS, FAST = 4.0, 2, {"num_inference_steps": 5, "guidance_scale": 1.0}


def ask(server: Server, path: str, body: dict[str, Any], key: str) -> str:
    """Ask for a video until there is an answer; return its id."""
    while True:
        try:
            answer = server.http.post(path, json=body, headers={"idempotency-key": key})
            if answer.status_code == 200:
                found: str = answer.json()["id"]
                return found
            if answer.status_code < 500:
                raise SystemExit(f"{path}: {answer.text}")
        except httpx.TransportError:
            server.revive()
        time.sleep(0.1)


def told(server: Server, video: str) -> dict[str, Any]:
    """Return a video object."""
    found: dict[str, Any] = server.get(f"/v1/videos/{video}").json()
    return found


def wait(server: Server, status: str, least: int, most: int, seconds: float = 10.0) -> None:
    """Wait until so many jobs have a status, at most so long."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        found = re.search(rf'reelworld_jobs{{status="{status}"}} (\d+)', server.get("/metrics").text)
        if found is not None and least <= int(found[1]) <= most:
            return
        time.sleep(0.1)


def work(server: Server, rounds: int, rng: random.Random) -> dict[str, int]:
    """Ask and kill; return the videos asked for with their numbers of frames."""
    body = {"prompt": "a red ball", **FAST}
    begun = ask(server, "/v1/videos", {**body, "seconds": 2.0}, "begun")  # what all can be made of
    while told(server, begun)["status"] != "completed":
        time.sleep(0.2)
    asked: dict[str, int] = {begun: 16}
    for n in range(rounds):
        wait(server, "queued", 0, 4, seconds=120.0)
        first = ask(server, "/v1/videos", {**body, "seconds": 2.0}, f"{n}/create")
        asked[first] = 16
        asked[ask(server, "/v1/videos", {**body, "num_frames": 1}, f"{n}/image")] = 1
        source = rng.choice([v for v in asked if asked[v] == 16 and told(server, v)["status"] == "completed"])
        asked[ask(server, f"/v1/videos/{source}/remix", body, f"{n}/remix")] = 16
        more = {**body, "seconds": 1.0, "video": {"id": source}}
        asked[ask(server, "/v1/videos/extensions", more, f"{n}/extend")] = 24
        wait(server, "in_progress", 1, WORKERS)  # a worker that only starts has nothing to lose
        time.sleep(rng.uniform(0.0, 2.0))
        what = rng.choice(("worker", "worker", "server", "both"))
        if what != "server":
            os.kill(rng.choice(server.workers()), signal.SIGKILL)
        if what != "worker":
            server.kill()
            server.start()
    return asked


def end(server: Server, asked: dict[str, int], seconds: float) -> dict[str, dict[str, Any]]:
    """Wait until everything is made, at most so long; return what became of the videos."""
    ends = time.monotonic() + seconds
    while True:
        found = {video: told(server, video) for video in asked}
        if time.monotonic() > ends or all(v["status"] in ("completed", "failed") for v in found.values()):
            return found
        time.sleep(0.5)


def census(files: Path, asked: dict[str, int], found: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Count what became of the videos."""
    completed = [video for video, of in found.items() if of["status"] == "completed"]
    died = [v for v, of in found.items() if (of.get("error") or {}).get("code") == "worker_died"]
    films = {video: sorted((files / video).glob("*/video.mp4")) for video in completed}
    broken = [v for v in completed if len(films[v]) != 1 or len(read(films[v][0])) != asked[v]]
    return {
        "videos asked for": len(asked),
        "completed": len(completed),
        "failed because their workers were killed three times": len(died),
        "lost or unfinished": len(asked) - len(completed) - len(died),
        "with two outputs": sum(len(film) > 1 for film in films.values()),
        "completed without a playable file": len(broken),
        "made in more than one attempt": sum(of["reelworld"]["attempts"] > 1 for of in found.values()),
    }


def survive(
    folder: Path, url: str, *, rounds: int, seed: int, weights: Path | None, seconds: float = 600.0
) -> dict[str, int]:
    """Work and kill in a folder and a database for some rounds, then let it end; count."""
    named = [f"tiny={weights}"] if weights else []
    server = Server(folder, database=url, workers=WORKERS, weights=named, lease_seconds=LEASE, rate=10**6)
    try:
        asked = work(server, rounds, random.Random(seed))
        return census(folder / "files", asked, end(server, asked, seconds))
    finally:
        server.stop()


def main() -> None:
    """Work, kill, wait for the end, and count."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=50)
    options.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    options.add_argument("--weights", type=Path, help="small weights, so that there is more to kill")
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, url = Path(name), f"sqlite:///{name}/jobs.db"
        if given.database == "postgresql":
            import pgserver

            plain = pgserver.get_server(folder / "postgres").get_uri()
            url = plain.replace("postgresql:", "postgresql+psycopg:", 1)
        found = survive(folder, url, rounds=given.rounds, seed=given.seed, weights=given.weights)
    with record(f"kill-{given.database}") as say:
        say("rounds", str(given.rounds))
        for what, count in found.items():
            say(what, str(count))


if __name__ == "__main__":
    main()
