"""Many clients that poll and list while one worker makes videos: latencies of status calls, memory over time.

python benchmarks/load.py --clients 200 --minutes 10
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

from record import record
from server import serving


async def poll(http: httpx.AsyncClient, ids: list[str], times: dict[str, list[float]], ends: float) -> None:
    """Ask for a video or for a page, about once a second, and note how long each answer took."""
    rng = random.Random(len(times))
    while time.monotonic() < ends:
        kind = "list" if rng.random() < 0.2 else "status"
        path = "/v1/videos" if kind == "list" else f"/v1/videos/{rng.choice(ids)}"
        began = time.perf_counter()
        answer = await http.get(path)
        times[kind if answer.status_code == 200 else f"error {answer.status_code}"].append(
            time.perf_counter() - began
        )
        await asyncio.sleep(rng.uniform(0.5, 1.5))


def memory(pid: int) -> float:
    """Return the resident memory of a process, in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


async def crowd(
    url: str, clients: int, minutes: float, pid: int
) -> tuple[dict[str, list[float]], list[float]]:
    """Let clients ask for a time; return latencies and the server's memory every ten seconds."""
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    times: dict[str, list[float]] = {"status": [], "list": [], "error 429": [], "error 500": []}
    held: list[float] = []
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30.0) as http:
        body = {"prompt": "a red ball", "seconds": 2}
        ids = [(await http.post("/v1/videos", json={**body, "seed": n})).json()["id"] for n in range(40)]
        ends = time.monotonic() + 60 * minutes
        asking = [asyncio.create_task(poll(http, ids, times, ends)) for _ in range(clients)]
        while time.monotonic() < ends:
            held.append(memory(pid))
            await asyncio.sleep(10)
        await asyncio.gather(*asking)
    return times, held


def main() -> None:
    """Serve, ask, and write down."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--clients", type=int, default=200)
    options.add_argument("--minutes", type=float, default=10.0)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), rate=1000) as server:
        times, held = asyncio.run(crowd(server.url, given.clients, given.minutes, server.process.pid))
        done = server.get("/metrics").text
    with record("load") as say:
        say("clients, minutes", f"{given.clients}, {given.minutes:g}")
        for kind, found in times.items():
            if found:
                ms = 1000 * np.percentile(found, [50, 95, 99])
                say(kind, f"{len(found)} answers, p50 {ms[0]:.0f} ms, p95 {ms[1]:.0f} ms, p99 {ms[2]:.0f} ms")
        say(
            "memory of the server, MiB",
            f"{held[0]:.0f} at first, {max(held):.0f} at most, {held[-1]:.0f} at the end",
        )
        say("jobs", ", ".join(line for line in done.splitlines() if line.startswith("reelworld_jobs{")))


if __name__ == "__main__":
    main()
