"""Kills workers and the server at random moments while they work, and counts what was lost or done twice.

python benchmarks/kill.py --rounds 50 --database sqlite --weights tiny.safetensors
python benchmarks/kill.py --rounds 50 --database postgresql

Each round asks for videos of every kind (of a text, a picture, variations, a remix, extensions of one of ours
and of a film that is sent, a storyboard), under idempotency keys that it repeats until it gets an answer;
kills -9 a worker, the server, or both; then cancels one and deletes one.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from record import record
from reelworld.core.video import read
from server import Server

LEASE, WORKERS, FAST = 4.0, 2, {"num_inference_steps": 5, "guidance_scale": 1.0}


def ask(server: Server, path: str, body: dict[str, Any], key: str, film: bytes | None = None) -> list[str]:
    """Ask for a video until there is an answer, sending a film where there is one; return the new ids."""
    form: dict[str, Any] = {"json": body} if film is None else {"data": body, "files": {"video": film}}
    while True:
        try:
            answer = server.http.post(path, headers={"idempotency-key": key}, **form)
            if answer.status_code == 200:
                found = answer.json()
                return [each["id"] for each in found.get("data", [found])]
            if answer.status_code < 500:
                raise SystemExit(f"{path}: {answer.text}")
        except httpx.TransportError:
            server.revive()
        time.sleep(0.1)


def end_one(server: Server, video: str, how: str) -> None:
    """Cancel or delete a video, until that is answered; a deletion that was answered in vain is one too."""
    method, path = (
        ("POST", f"/v1/videos/{video}/cancel") if how == "cancel" else ("DELETE", f"/v1/videos/{video}")
    )
    while True:
        try:
            if server.http.request(method, path).status_code in (200, 404):
                return
        except httpx.TransportError:
            server.revive()
        time.sleep(0.1)


def told(server: Server, video: str) -> dict[str, Any]:
    """Return a video object, or the error where there is none."""
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


@dataclass
class Asked:
    """What was asked for: numbers of frames by video, and the videos that were cancelled or deleted since."""

    frames: dict[str, int] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)

    def add(self, videos: list[str], frames: int) -> None:
        """Remember new videos."""
        self.frames |= dict.fromkeys(videos, frames)

    def finished(self, server: Server) -> list[str]:
        """Return the videos of 16 frames that are there and completed."""
        kept = [v for v, n in self.frames.items() if n == 16 and v not in self.ended]
        return [v for v in kept if told(server, v).get("status") == "completed"]


def work(server: Server, rounds: int, rng: random.Random) -> Asked:
    """Ask, cancel, delete and kill; return what was asked for."""
    asked, body = Asked(), {"prompt": "a red ball", **FAST}
    (begun,) = ask(server, "/v1/videos", {**body, "seconds": 2.0}, "begun")  # what all can be made of
    while told(server, begun)["status"] != "completed":
        time.sleep(0.2)
    asked.add([begun], 16)
    film = server.get(f"/v1/videos/{begun}/content").content
    for n in range(rounds):
        wait(server, "queued", 0, 4, seconds=120.0)
        _ask_for_all(server, asked, body, film, n, rng)
        wait(server, "in_progress", 1, WORKERS)  # a worker that only starts has nothing to lose
        time.sleep(rng.uniform(0.0, 2.0))
        what = rng.choice(("worker", "worker", "server", "both"))
        if what != "server":
            os.kill(rng.choice(server.workers()), signal.SIGKILL)
        if what != "worker":
            server.kill()
            server.start()
        for how, of in (("cancel", [*asked.frames]), ("delete", asked.finished(server))):
            if of := [video for video in of if video != begun and video not in asked.ended]:
                asked.ended[(video := rng.choice(of[-12:]))] = how
                end_one(server, video, how)
    return asked


def _ask_for_all(
    server: Server, asked: Asked, body: dict[str, Any], film: bytes, n: int, rng: random.Random
) -> None:
    """Ask for a video of each kind."""
    source = rng.choice(asked.finished(server))
    cards = [{"time": 0.0, "text": "a red ball"}, {"time": 1.0, "text": "a blue box", "cut": True}]
    kinds: tuple[tuple[str, dict[str, Any], int], ...] = (
        ("", {**body, "seconds": 2.0}, 16),
        ("", {**body, "num_frames": 1}, 1),
        ("/variations", {**body, "count": 2, "seconds": 2.0}, 16),
        (f"/{source}/remix", body, 16),
        ("/extensions", {**body, "seconds": 1.0, "video": {"id": source}}, 24),
        ("/storyboards", {"cards": cards, "duration": 2.0, **FAST}, 16),
    )
    for number, (path, about, frames) in enumerate(kinds):
        asked.add(ask(server, f"/v1/videos{path}", about, f"{n}/{number}"), frames)
    sent = {**body, "seconds": 1.0}
    asked.add(ask(server, "/v1/videos/extensions", sent, f"{n}/sent", film), 24)


def end(server: Server, asked: Asked, seconds: float) -> dict[str, dict[str, Any]]:
    """Wait until everything is made, at most so long; return what became of the videos."""
    ends = time.monotonic() + seconds
    while True:
        found = {video: told(server, video) for video in asked.frames}
        over = all(v.get("status") in ("completed", "failed", None) for v in found.values())
        if time.monotonic() > ends or over:
            return found
        time.sleep(0.5)


def census(files: Path, asked: Asked, found: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Count what became of the videos."""
    completed = [video for video, of in found.items() if of.get("status") == "completed"]
    codes = {video: (of.get("error") or {}).get("code") for video, of in found.items()}
    died = [video for video, code in codes.items() if code == "worker_died"]
    cancelled = [v for v, code in codes.items() if code == "cancelled" and asked.ended.get(v) == "cancel"]
    deleted = [v for v, how in asked.ended.items() if how == "delete"]
    gone = [v for v in deleted if codes[v] == "not_found" and not (files / v).exists()]
    films = {video: sorted((files / video).glob("*/video.mp4")) for video in completed}
    broken = [v for v in completed if len(films[v]) != 1 or len(read(films[v][0])) != asked.frames[v]]
    accounted = {*completed, *died, *cancelled, *gone}
    return {
        "videos asked for": len(asked.frames),
        "completed": len(completed),
        "cancelled before they were": len(cancelled),
        "deleted, with their files": len(gone),
        "failed because their workers were killed three times": len(died),
        "lost or unfinished": len(asked.frames) - len(accounted),
        "deleted, but still there": len(deleted) - len(gone),
        "with two outputs": sum(len(film) > 1 for film in films.values()),
        "completed without a playable file": len(broken),
        "made in more than one attempt": sum(
            of.get("reelworld", {}).get("attempts", 0) > 1 for of in found.values()
        ),
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
