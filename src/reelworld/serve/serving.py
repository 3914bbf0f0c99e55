"""The server with all that belongs to it: the API, its workers, and what must be done now and then.

    run(Settings(database="sqlite:///out/serve/jobs.db", storage="out/serve/files"))

Workers are processes of their own; one that dies is started again, and its job comes back by its lease.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from reelworld.core.errors import ConfigError, ReelWorldError, StorageError
from reelworld.core.storage import make_folder
from reelworld.serve.app import build
from reelworld.serve.desk import Desk
from reelworld.serve.gate import LOOPBACK, Keys, Rules
from reelworld.serve.jobs import KEPT_SECONDS, LEASE_SECONDS, Jobs
from reelworld.serve.storage import Storage, folders_of
from reelworld.serve.tables import Character, open_database, upgrade
from reelworld.serve.webhooks import Webhooks
from reelworld.serve.worker import DEADLINE_SECONDS, parse_weights

HOUSEKEEPING_SECONDS, SWEEP_SECONDS = 2.0, 3600.0
OWN = re.compile(r"(input|video|char)_[0-9a-f]{32}$")  # folders that the server makes
SLOWEST_WEBHOOK = 3600.0  # seconds before one that does not listen is called again
MOST_TOLD = 100  # jobs that a webhook is told of at once
SLOWEST_RESTART = 30.0  # seconds before a worker that dies again and again is started again
GRACE_SECONDS = 10  # that a worker gets to give its job back


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to serve."""

    database: str
    storage: str
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    weights: Sequence[str] = ()
    host_names: Sequence[str] = ()
    webhooks: Sequence[str] = ()
    webhook_secret: str = ""
    lease_seconds: float = LEASE_SECONDS
    deadline_seconds: float = DEADLINE_SECONDS
    kept_seconds: float = KEPT_SECONDS
    need_key: bool = False
    rate: float = 50.0
    most_bytes: int = 20 << 20


def run(settings: Settings) -> None:
    """Serve until told to stop.

    Raises: ConfigError for what cannot be, and where strangers could come in without keys; CheckpointError.
    """
    _make_folders(settings)
    engine = open_database(settings.database)
    upgrade(engine)
    jobs = Jobs(engine, lease_seconds=settings.lease_seconds, kept=settings.kept_seconds)
    storage, keys = Storage(settings.storage), Keys(engine)
    names = {name.lower() for name in (*settings.host_names, settings.host)} - {"0.0.0.0", "::"}
    others = settings.host not in LOOPBACK or not names <= set(LOOPBACK)
    need_key = settings.need_key or others
    if need_key and not keys.owners():
        raise ConfigError("others can reach this server, and nobody has a key yet; `reel key NAME` makes one")
    hooks = Webhooks(settings.webhooks, settings.webhook_secret)
    desk = Desk(jobs, storage, parse_weights(list(settings.weights)))
    rules = Rules(hosts=tuple(names), need_key=need_key, rate=settings.rate, most_bytes=settings.most_bytes)
    app = build(desk, keys, rules)
    stop = threading.Event()
    crew = Crew(settings)
    keeper = threading.Thread(target=_keep_house, args=(jobs, storage, crew, stop), daemon=True)
    for thread in (keeper, *announcers(jobs, hooks, stop)):
        thread.start()
    where = f"http://{settings.host}:{settings.port}"
    print(f"ReelWorld serves at {where} (API: /v1/videos); Ctrl-C stops", flush=True)
    try:
        uvicorn.run(
            app, host=settings.host, port=settings.port, log_level="warning", ws="none", server_header=False,
            timeout_graceful_shutdown=5, proxy_headers=False,
        )  # fmt: skip
    finally:
        stop.set()
        keeper.join()
        crew.dismiss()


def _make_folders(settings: Settings) -> None:
    if "://" not in settings.storage:
        make_folder(settings.storage)
    prefix = "sqlite:///"
    if settings.database.startswith(prefix):
        make_folder(Path(settings.database.removeprefix(prefix)).parent)


@dataclass
class Crew:
    """The worker processes."""

    settings: Settings
    places: list[_Place] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.places = [_Place() for _ in range(self.settings.workers)]

    def check(self) -> None:
        """Start who is not there; who died soon after the start has to wait."""
        for place in self.places:
            if place.process is not None and place.process.poll() is None:
                continue
            now = time.monotonic()
            if place.process is not None and now >= place.again and place.started > 0:
                lived = now - place.started
                place.wait = 0.0 if lived > SLOWEST_RESTART else min(SLOWEST_RESTART, 2 * place.wait + 1)
                place.again, place.started = now + place.wait, 0.0
            if now >= place.again:
                place.process, place.started = self._begun(), now

    def dismiss(self) -> None:
        """Ask all to stop, and end who does not."""
        there = [place.process for place in self.places if place.process is not None]
        for process in there:
            process.terminate()
        ends = time.monotonic() + GRACE_SECONDS
        for process in there:
            try:
                process.wait(max(0.1, ends - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _begun(self) -> subprocess.Popen[bytes]:
        """Start a worker; the database's URL, which may hold a password, is not for the list of processes."""
        process = subprocess.Popen(self._command(), stdin=subprocess.PIPE)
        assert process.stdin is not None
        with suppress(BrokenPipeError), process.stdin:  # one that is dead already is found out by `check`
            process.stdin.write(f"{self.settings.database}\n".encode())
        return process

    def _command(self) -> list[str]:
        s = self.settings
        named = [part for text in s.weights for part in ("--weights", text)]
        return [
            sys.executable, "-m", "reelworld.serve.worker", "--database", "-", "--storage", s.storage,
            "--lease", str(s.lease_seconds), "--deadline", str(s.deadline_seconds),
            "--kept", str(s.kept_seconds), "--parent", str(os.getpid()), *named,
        ]  # fmt: skip


@dataclass
class _Place:
    """A worker's place: who works there, since when, and when the next may begin."""

    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    again: float = 0.0
    wait: float = 0.0


def _keep_house(jobs: Jobs, storage: Storage, crew: Crew, stop: threading.Event) -> None:
    """Start workers, give back lost jobs, remove what expired; one that fails harms no other."""
    nameless: set[str] = set()
    swept = time.monotonic()

    def sweep_now_and_then() -> None:
        nonlocal nameless, swept
        if time.monotonic() - swept > SWEEP_SECONDS:
            swept = time.monotonic()
            nameless = sweep(jobs, storage, nameless)

    tasks = (crew.check, jobs.reclaim, lambda: _expire(jobs, storage), sweep_now_and_then)
    while not stop.is_set():
        for task in tasks:
            try:
                task()
            except (ReelWorldError, SQLAlchemyError, OSError) as error:
                print(f"housekeeping: {error.__class__.__name__}: {error}", file=sys.stderr)
        stop.wait(HOUSEKEEPING_SECONDS)


@dataclass(frozen=True)
class Wait:
    """Until when an address is not called about a job, and how long it waits after that."""

    until: float = 0.0
    seconds: float = HOUSEKEEPING_SECONDS


TAKEN = Wait(math.inf)
Line = dict[str, Wait]  # of one address, by job


def announcers(jobs: Jobs, hooks: Webhooks, stop: threading.Event) -> list[threading.Thread]:
    """Return a thread for each address, which tells it of what is over: some answer slowly, or never."""
    lines: dict[str, Line] = {url: {} for url in hooks.urls}
    return [
        threading.Thread(target=_announce_all, args=(jobs, hooks, url, lines, stop), daemon=True)
        for url in lines
    ]


def _announce_all(
    jobs: Jobs, hooks: Webhooks, url: str, lines: dict[str, Line], stop: threading.Event
) -> None:
    while not stop.is_set():
        try:
            announce(jobs, hooks, url, lines, stop)
        except SQLAlchemyError as error:
            print(f"webhooks: {error.__class__.__name__}", file=sys.stderr)
        stop.wait(HOUSEKEEPING_SECONDS)


def announce(jobs: Jobs, hooks: Webhooks, url: str, lines: dict[str, Line], stop: threading.Event) -> None:
    """Tell an address of each job that is over; one that it does not take waits, each time twice as long."""
    line, over, now = lines[url], jobs.unannounced(), time.monotonic()
    for gone in line.keys() - {job.id for job in over}:  # all took it, or it was deleted
        del line[gone]
    due = [(job, wait) for job in over if (wait := line.get(job.id, Wait())).until <= now]
    for job, wait in due[:MOST_TOLD]:
        if stop.is_set():
            return
        longer = min(2 * wait.seconds, SLOWEST_WEBHOOK)
        line[job.id] = TAKEN if hooks.tell(job, url) else Wait(time.monotonic() + wait.seconds, longer)
    for job in over:
        if all(other.get(job.id) is TAKEN for other in lines.values()):
            jobs.announce(job.id)


def sweep(jobs: Jobs, storage: Storage, before: set[str]) -> set[str]:
    """Remove folders that nobody needs now nor needed at the last sweep; return those that nobody needs.

    A server that was killed between storing what a job begins from and queueing it leaves such a folder, or
    one that could not remove a deleted job's files. A job that is over needs its own folder alone.
    """
    with Session(jobs.reading) as session:
        owned = set(session.scalars(select(Character.id)))
    there = {name for name in storage.folders() if OWN.match(name)}
    for job_id, over, request in jobs.named():
        owned.update([job_id] if over else folders_of(job_id, request))
    left = set()
    for folder in (there - owned) & before:
        try:
            storage.remove(folder)
        except StorageError as error:
            left.add(folder)
            print(f"housekeeping: {error}", file=sys.stderr)
    return (there - owned - before) | left


def _expire(jobs: Jobs, storage: Storage) -> None:
    """Remove finished jobs whose time is over, then their files; what resists, a later sweep removes."""
    for job in jobs.expired():
        jobs.delete(job.id)
        storage.let_go(folders_of(job.id, job.request))
