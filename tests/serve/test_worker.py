"""Workers: whatever ends a job is told, nothing else is harmed, and others hear of it."""

from __future__ import annotations

import base64
import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import fsspec
import httpx
import openai
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from sqlalchemy.exc import OperationalError

from reelworld.core.errors import ConfigError, StorageError
from reelworld.generate import windows
from reelworld.serve.jobs import Ask, Cancelled, Jobs, Lost, Turn
from reelworld.serve.making import Studio
from reelworld.serve.serving import TAKEN, Crew, Settings, _expire, announce, announcers, run
from reelworld.serve.storage import Storage
from reelworld.serve.tables import Job, open_database, upgrade
from reelworld.serve.webhooks import Webhooks
from reelworld.serve.worker import Late, Stopped, Watch, parse_weights, serve_jobs
from reelworld.serve.worker import work as do

FAST = {"model": "tiny", "num_inference_steps": 2, "guidance_scale": 1.0, "seed": 1, "seconds": 1.0}


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    upgrade(engine)
    yield Jobs(engine)
    engine.dispose()


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(str(tmp_path / "files"))


@pytest.fixture
def studio(weights: Path) -> Studio:
    return Studio({"tiny": weights})


def add(jobs: Jobs, prompt: str = "a red ball", **more):
    return jobs.add(Ask(owner="me", operation="generate", request={"prompt": prompt, **FAST, **more}))


def work(jobs: Jobs, storage: Storage, studio: Studio, **options) -> None:
    serve_jobs(jobs, storage, studio, threading.Event(), idle=lambda: True, **options)


def watching(jobs: Jobs, storage: Storage, deadline: float = 60.0) -> tuple[Watch, Turn, threading.Event]:
    add(jobs)
    turn = jobs.lease("w")
    assert turn is not None
    stop = threading.Event()
    return Watch(jobs, turn, storage, deadline, stop), turn, stop


def test_whatever_should_stop_a_job_stops_it_at_the_next_step(jobs: Jobs, storage: Storage) -> None:
    watch, turn, stop = watching(jobs, storage)
    watch.start(10, "")
    watch.advance()
    jobs.cancel(turn.id, "me")
    with pytest.raises(Cancelled):
        watch.advance()
    stop.set()
    with pytest.raises(Stopped):
        watch.advance()
    late, _, _ = watching(jobs, storage, deadline=0.0)
    with pytest.raises(Late):
        late.advance()
    gone, turn, _ = watching(jobs, storage)
    jobs.delete(turn.id)
    with pytest.raises(Lost):
        gone.advance()


def test_a_worker_that_is_told_to_stop_gives_its_job_back(
    jobs: Jobs, storage: Storage, studio: Studio
) -> None:
    job = add(jobs, num_inference_steps=200)
    stop = threading.Event()
    worker = threading.Thread(target=serve_jobs, args=(jobs, storage, studio, stop))
    worker.start()
    while (held := jobs.get(job.id)) is None or held.status != "in_progress":
        time.sleep(0.01)
    stop.set()
    worker.join(30)
    assert not worker.is_alive()
    back = jobs.get(job.id)
    assert back is not None
    assert (back.status, back.attempts) == ("queued", 0)


def test_previews_are_shown_while_it_works(jobs: Jobs, storage: Storage, studio: Studio) -> None:
    job = add(jobs)
    work(jobs, storage, studio)
    done = jobs.get(job.id)
    assert done is not None
    assert done.preview >= 1
    assert storage.get(f"{job.id}/preview.png").startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("request_", "code", "why"),
    [
        ({"prompt": "a " * 100}, "invalid_request", "shorten it"),
        ({"characters": {"Bo": "input_0/none.npy"}}, "storage_error", "may be full"),
        ({"seconds": "many"}, "internal_error", "log says why"),
    ],
)
def test_what_cannot_be_made_fails_alone(jobs, storage, studio, request_, code, why, capfd) -> None:
    bad, good = (
        add(jobs, **request_) if "prompt" not in request_ else add(jobs, request_["prompt"]),
        add(jobs),
    )
    work(jobs, storage, studio)
    failed, done = jobs.get(bad.id), jobs.get(good.id)
    assert failed is not None
    assert done is not None
    assert (failed.status, failed.error_code) == ("failed", code)
    assert why in failed.error_message
    assert str(Path.cwd()) not in failed.error_message
    assert done.status == "completed"


def test_a_video_that_is_large_as_it_was_made_is_not_enlarged(jobs, storage, studio, monkeypatch) -> None:
    """However small it is asked for."""
    monkeypatch.setattr("reelworld.serve.making.MOST_PIXELS", 16 * 16 * 8 - 1)
    job = add(jobs, size=[16, 16], fps=1.0)
    work(jobs, storage, studio)
    failed = jobs.get(job.id)
    assert (failed.error_code, "too large" in failed.error_message) == ("invalid_request", True)


def test_a_full_disk_fails_the_job_and_nothing_else(jobs, storage, studio, tmp_path) -> None:
    bad, good = add(jobs), add(jobs)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / bad.id).write_text("no folder can be made here")
    work(jobs, storage, studio)
    failed, done = jobs.get(bad.id), jobs.get(good.id)
    assert (failed.status, failed.error_code) == ("failed", "storage_error")
    assert done.status == "completed"


def test_what_a_dead_worker_left_is_removed(jobs, storage, studio) -> None:
    jobs.lease_seconds = 0.05
    job = add(jobs)
    assert jobs.lease("dead") is not None
    storage.put(f"{job.id}/1/video.mp4", b"half of it")
    time.sleep(0.1)
    jobs.lease_seconds = 30.0
    work(jobs, storage, studio)
    done = jobs.get(job.id)
    assert (done.status, done.attempts, done.result["folder"]) == ("completed", 2, f"{job.id}/2")
    assert not storage.has(f"{job.id}/1/video.mp4")
    assert storage.has(f"{job.id}/2/video.mp4")


class Flaky(Jobs):
    """A database that goes away at a moment."""

    def __init__(self, jobs: Jobs, fails: str, after: bool) -> None:
        super().__init__(jobs.engine)
        self.fails, self.after, self.times = fails, after, 1

    def _meet(self, name: str, change, *given) -> None:
        failing = name == self.fails and self.times > 0
        self.times -= failing
        if not failing or self.after:
            change(*given)
        if failing:
            raise OperationalError("", {}, Exception("the server closed the connection"))

    def complete(self, turn, result) -> None:
        self._meet("complete", super().complete, turn, result)

    def fail(self, turn, code, message) -> None:
        self._meet("fail", super().fail, turn, code, message)


@pytest.mark.parametrize("after", [False, True])
def test_a_database_that_goes_away_loses_no_video(jobs, storage, studio, after, capfd) -> None:
    job = add(jobs)
    flaky = Flaky(jobs, "complete", after)
    flaky.lease_seconds = 0.0 if not after else flaky.lease_seconds
    work(
        flaky, storage, studio
    )  # the worker goes on; where nothing was written, the lease gives the job back
    flaky.lease_seconds = jobs.lease_seconds
    work(flaky, storage, studio)
    now = jobs.get(job.id)
    assert now is not None
    assert now.status == "completed"
    assert now.result is not None
    assert storage.get(f"{now.result['folder']}/video.mp4")
    assert "the database failed" in capfd.readouterr().err


def test_a_failure_that_cannot_be_told_ends_no_worker(jobs, storage, studio) -> None:
    bad, good = add(jobs, "a red ball", num_inference_steps=-1), add(jobs)
    work(Flaky(jobs, "fail", False), storage, studio)
    assert [jobs.get(job.id).status for job in (bad, good)] == ["in_progress", "completed"]


def test_what_an_earlier_attempt_left_harms_no_video(jobs, storage, studio, monkeypatch) -> None:
    job = add(jobs)
    turn = jobs.lease("one that dies")
    storage.put(f"{job.id}/{turn.attempt}/video.mp4", b"half")
    jobs._change(Job.id == job.id, lease_until=0.0)
    removed = Storage.remove

    def refuse(self, name: str) -> None:
        if name.endswith("/1"):
            raise StorageError("not yours")
        removed(self, name)

    monkeypatch.setattr(Storage, "remove", refuse)
    work(jobs, storage, studio)
    now = jobs.get(job.id)
    assert (now.status, now.result["folder"]) == ("completed", f"{job.id}/2")
    assert storage.get(f"{job.id}/2/video.mp4")


@pytest.mark.parametrize("how", ["completed", "failed", "cancelled", "deleted", "given back"])
def test_what_a_job_began_from_goes_with_its_end(jobs, storage, studio, how) -> None:
    """What is kept for a week is what was made."""
    storage.put("input_1/0.npy", b"x")
    job = add(jobs, sources=["input_1/0.npy"], **({"num_inference_steps": -1} if how == "failed" else {}))
    if how in ("completed", "failed"):
        work(jobs, storage, studio)
        assert jobs.get(job.id).status == how
    else:
        turn, stop = jobs.lease("w"), threading.Event()
        stop.set() if how == "given back" else None
        jobs.delete(job.id) if how == "deleted" else jobs.cancel(job.id, "me")
        do(jobs, storage, studio, turn, stop, 60.0)
    assert not storage.has("input_1/0.npy")


def test_what_a_job_that_goes_on_begins_from_stays(jobs, storage, studio) -> None:
    storage.put("input_1/0.npy", b"x")
    add(jobs, sources=["input_1/0.npy"])
    stop = threading.Event()
    stop.set()
    do(jobs, storage, studio, jobs.lease("w"), stop, 60.0)
    assert storage.has("input_1/0.npy")


def test_expired_videos_go_with_all_their_files(jobs, storage, studio) -> None:
    jobs.kept = 0.0
    storage.put("input_1/0.npy", b"x")
    job = add(jobs, image=None, sources=["input_1/0.npy"])
    work(jobs, storage, studio)
    assert storage.has(f"{job.id}/1/video.mp4")
    _expire(jobs, storage)
    assert jobs.get(job.id) is None
    assert not storage.files.exists(f"{storage.root}/{job.id}")
    assert not storage.has("input_1/0.npy")


SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
Heard = list[tuple[bytes, dict[str, str]]]


@pytest.fixture
def listen() -> Iterator[Callable[..., tuple[str, Heard]]]:
    """Makes addresses that write down what they are told, and answer a call by its number, else always."""
    servers = []

    def begin(answers: Mapping[int, int], always: int = 204) -> tuple[str, Heard]:
        heard: Heard = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                heard.append((self.rfile.read(int(self.headers["content-length"])), dict(self.headers)))
                self.send_response(answers.get(len(heard), always))
                self.send_header("location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/hook", heard

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


def ended(jobs: Jobs) -> Job:
    """Return a job that is over."""
    job = add(jobs)
    jobs.cancel(job.id, "me")
    return job


def ids(heard: Heard) -> list[str]:
    """Return the jobs that an address was told of."""
    return [json.loads(body)["data"]["id"] for body, _ in heard]


def test_webhooks_are_told_until_they_listen_and_the_client_verifies_them(
    jobs, storage, studio, listen
) -> None:
    url, heard = listen({1: 503, 2: 302})  # it refuses the first call, and sends the next elsewhere
    hooks, lines = Webhooks((url,), SECRET), {url: {}}
    job = add(jobs)
    announce(jobs, hooks, url, lines, threading.Event())
    assert heard == []
    work(jobs, storage, studio)
    for _ in range(3):
        announce(jobs, hooks, url, lines, threading.Event())
    assert len(heard) == 1  # it refused, and is given time
    for count in (2, 3, 3):  # what it sends elsewhere it has not taken
        lines[url].clear()
        announce(jobs, hooks, url, lines, threading.Event())
        assert len(heard) == count
    body, headers = heard[2]
    client = openai.OpenAI(api_key="unused", webhook_secret=SECRET)
    event = client.webhooks.unwrap(body, headers)
    assert (event.type, event.data.id) == ("video.completed", job.id)
    with pytest.raises(openai.InvalidWebhookSignatureError):
        client.webhooks.unwrap(body.replace(b"completed", b"failed"), headers)


def test_jobs_that_wait_hold_up_no_others(jobs, listen) -> None:
    """Who took the end of a job is not told of it again."""
    (refuses, _), (takes, heard) = listen({}, 503), listen(dict.fromkeys(range(1, 101), 503))
    hooks, lines = Webhooks((refuses, takes, takes), SECRET), {refuses: {}, takes: {}}
    last = [ended(jobs) for _ in range(101)][-1]
    for _ in range(2):
        announce(jobs, hooks, takes, lines, threading.Event())
    assert ids(heard)[-1] == last.id
    assert [name for name, wait in lines[takes].items() if wait is TAKEN] == [last.id]
    lines[takes] |= dict.fromkeys(lines[takes], TAKEN)
    announce(jobs, hooks, takes, lines, threading.Event())
    assert len(heard) == len(jobs.unannounced()) == 101
    lines[refuses] |= lines[takes]
    announce(jobs, hooks, takes, lines, threading.Event())
    assert jobs.unannounced() == []


def test_an_address_that_never_answers_holds_up_no_other(jobs, listen) -> None:
    made = [ended(jobs).id for _ in range(3)]
    url, heard = listen({})
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        hooks = Webhooks((f"http://127.0.0.1:{hangs.getsockname()[1]}/", url), SECRET)
        threads = announcers(jobs, hooks, stop)
        for thread in threads:
            thread.start()
        ends = time.monotonic() + 8.0  # the other is waited for 10 seconds, for each job
        while len(heard) < 3 and time.monotonic() < ends:
            time.sleep(0.01)
        stop.set()
    for thread in threads:
        thread.join()
    assert ids(heard) == made


def test_nothing_is_kept_of_what_was_deleted_before_webhooks_took_it(jobs, listen) -> None:
    url, _ = listen({}, 503)
    hooks, lines = Webhooks((url,), SECRET), {url: {}}
    first, second = ended(jobs), ended(jobs)
    announce(jobs, hooks, url, lines, threading.Event())
    assert lines[url].keys() == {first.id, second.id}
    jobs.delete(first.id)
    announce(jobs, hooks, url, lines, threading.Event())
    assert lines[url].keys() == {second.id}


@pytest.mark.parametrize(
    ("urls", "secret"), [(("ftp://x",), "whsec_"), (("http://x",), "whsec_c2hvcnQ="), (("http://x",), "!")]
)
def test_webhooks_that_cannot_be(urls, secret) -> None:
    with pytest.raises(ConfigError):
        Webhooks(urls, secret)


def test_no_weights_are_served_under_the_name_of_others(weights: Path) -> None:
    assert parse_weights([]) == {"nano": None, "small": None}
    assert parse_weights(["nano", f"small={weights}"]) == {"nano": None, "small": weights}
    for given in ("large", str(weights), "small="):
        with pytest.raises(ConfigError, match="NAME=FILE"):
            parse_weights([given])


def test_nobody_serves_the_world_without_keys(tmp_path: Path) -> None:
    settings = Settings(
        database=f"sqlite:///{tmp_path}/a/jobs.db", storage=str(tmp_path / "files"), host="0.0.0.0", workers=0
    )
    with pytest.raises(ConfigError, match="nobody has a key"):
        run(settings)


def test_storage_takes_no_foreign_names(storage: Storage) -> None:
    for name in ("../x", "/etc/passwd", "a/../b", "", "a//b", "a\x00b"):
        with pytest.raises(Exception, match="no name of a stored file"):
            storage.get(name)


def test_memory_is_a_storage_too() -> None:
    storage = Storage("memory://videos")
    storage.put("a/1/x.bin", b"data")
    assert storage.get("a/1/x.bin") == b"data"
    assert storage.has("a/1/x.bin")
    storage.remove("a")
    assert not storage.has("a/1/x.bin")


def test_events_tell_the_way_to_the_end(served) -> None:
    with httpx.Client(base_url=served.url, timeout=30.0) as http:
        job = http.post(
            "/v1/videos", json={"prompt": "a red ball", "seconds": 1, "num_inference_steps": 2}
        ).json()
        worker = threading.Thread(target=lambda: (time.sleep(0.7), served.work()))
        worker.start()
        with http.stream("GET", f"/v1/videos/{job['id']}/events") as stream:
            lines = [line for line in stream.iter_lines() if line.startswith("event: ")]
        worker.join()
        part = http.get(f"/v1/videos/{job['id']}/content", headers={"range": "bytes=0-99"})
    assert lines[0] == "event: video.progress"
    assert lines[-1] == "event: video.completed"
    assert (part.status_code, len(part.content)) == (206, 100)
    assert part.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in part.headers["content-security-policy"]


def test_a_cache_that_cannot_be_written_loses_no_video(jobs, storage, studio, monkeypatch, tmp_path, capfd):
    """As in containers whose disk is read-only."""
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("REELWORLD_CACHE", str(tmp_path / "file" / "cache"))
    job = add(jobs)
    work(jobs, storage, studio)
    done = jobs.get(job.id)
    assert done is not None
    assert done.status == "completed"
    assert "windows are not kept" in capfd.readouterr().err


def test_a_window_that_finds_no_room_loses_no_video(jobs, storage, studio, monkeypatch, tmp_path, caplog):
    def full(path: Path, data: bytes) -> None:
        raise StorageError(f"cannot write {path}: the disk is full")

    monkeypatch.setenv("REELWORLD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(windows, "write_bytes", full)
    job = add(jobs, num_frames=12)
    work(jobs, storage, studio)
    done = jobs.get(job.id)
    assert done is not None
    assert done.status == "completed"
    assert "a window is not kept" in caplog.text


def test_no_password_stands_in_the_list_of_processes(tmp_path: Path) -> None:
    url = "postgresql+psycopg://me:secret@host/videos"
    crew = Crew(Settings(database=url, storage=str(tmp_path), workers=1))
    assert "secret" not in " ".join(crew._command())
    process = crew._begun()  # it reads the URL from what it is sent, and finds no such host
    try:
        assert process.wait(60) != 0
    finally:
        process.kill()
        process.wait()


class DriverError(Exception):
    """What a place's driver raises: no OSError, as those of clouds."""


class BrokenFiles(MemoryFileSystem):
    """A place whose driver fails with errors of its own."""

    protocol = "broken"

    def _fail(self, *args: Any, **options: Any) -> Any:
        raise DriverError("the network is gone")

    pipe_file = cat_file = isfile = ls = rm = _fail


def test_whatever_a_driver_raises_is_told_as_an_error_of_storage() -> None:
    fsspec.register_implementation("broken", BrokenFiles, clobber=True)
    storage = Storage("broken://videos")
    for use in (
        lambda: storage.put("v/video.mp4", b"1"),
        lambda: storage.get("v/video.mp4"),
        lambda: storage.has("v/video.mp4"),
        lambda: storage.folders(),
        lambda: storage.remove("v"),
    ):
        with pytest.raises(StorageError, match="DriverError"):
            use()
