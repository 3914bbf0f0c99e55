"""Who may come in: hosts, origins, keys, sizes and rates; and what strangers' files can do."""

from __future__ import annotations

import asyncio
import io
import select
import signal
import socket
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool
from tests.serve.conftest import Served, serve

from reelworld.core.encode import encode_mp4, encode_png
from reelworld.core.errors import ConfigError
from reelworld.core.types import Frames, Video, VideoShape
from reelworld.serve import uploads
from reelworld.serve.app import build
from reelworld.serve.decode import FULL, UNSAFE, UNUSABLE
from reelworld.serve.desk import Desk
from reelworld.serve.errors import ApiError
from reelworld.serve.gate import Keys, Rules
from reelworld.serve.jobs import Jobs
from reelworld.serve.tables import open_database

PICTURE = encode_png(Video(np.full((1, 16, 16, 3), 90, np.uint8), 8.0))


@pytest.fixture
def locked(tmp_path: Path, weights: Path) -> Iterator[Served]:
    """A server that needs keys, reads little and lets little in."""
    yield from serve(tmp_path, weights, Rules(need_key=True, most_bytes=50_000, rate=2.0, burst=12))


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::1", "a" * 300])
def test_other_hosts_are_not_served(http: httpx.Client, host: str) -> None:
    answer = http.get("/v1/videos", headers={"host": host})
    assert answer.status_code in (400, 421)


@pytest.mark.parametrize("origin", ["null", "https://evil.example", "http://localhost:1", "http://127.0.0.1"])
def test_other_sites_are_not_answered(http: httpx.Client, origin: str) -> None:
    answer = http.post("/v1/videos", json={"prompt": "a ball"}, headers={"origin": origin})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "foreign_origin"
    assert "access-control-allow-origin" not in answer.headers


def test_our_own_pages_are_answered_with_secure_headers(http: httpx.Client) -> None:
    own = f"http://{http.base_url.host}:{http.base_url.port}"
    answer = http.post("/v1/videos", json={"prompt": "a ball"}, headers={"origin": own})
    assert answer.status_code == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_keys_are_needed_and_owners_see_their_own_only(locked: Served) -> None:
    one, two = (locked.keys.create(name) for name in ("one", "two"))
    with pytest.raises(ConfigError, match="has a key already"):
        locked.keys.create("one")
    with httpx.Client(base_url=locked.url) as http:

        def call(method, path, key, **more):
            return http.request(
                method, path, headers={"authorization": f"Bearer {key}"} if key else {}, **more
            )

        assert http.get("/healthz").status_code == 200
        for key in (None, "", "rw-wrong", one[:-1]):
            answer = call("GET", "/v1/videos", key)
            assert answer.status_code == 401
            assert answer.json()["error"]["type"] == "authentication_error"
        made = call("POST", "/v1/videos", one, json={"prompt": "a ball"}).json()["id"]
        assert call("GET", f"/v1/videos/{made}", one).status_code == 200
        for method, path in (
            ("GET", ""),
            ("DELETE", ""),
            ("POST", "/cancel"),
            ("GET", "/content"),
            ("GET", "/events"),
        ):
            assert call(method, f"/v1/videos/{made}{path}", two).status_code == 404
        assert call("GET", "/v1/videos", two).json()["data"] == []
        locked.keys.revoke("one")
        time.sleep(2.1)  # as long as a key is remembered
        assert call("GET", "/v1/videos", one).status_code == 401


def test_large_bodies_are_not_read(locked: Served) -> None:
    head = {"authorization": f"Bearer {locked.keys.create('one')}"}
    with httpx.Client(base_url=locked.url, headers=head) as http:
        assert http.post("/v1/videos", json={"prompt": "x" * 60_000}).status_code == 413

        def endless() -> Iterator[bytes]:
            for _ in range(100):
                yield b"x" * 1000

        answer = http.post("/v1/videos", content=endless(), headers={"content-type": "application/json"})
        assert answer.status_code == 413


def test_too_many_requests_have_to_wait(locked: Served) -> None:
    head = {"authorization": f"Bearer {locked.keys.create('one')}"}
    with httpx.Client(base_url=locked.url, headers=head) as http:
        answers = [http.get("/v1/videos") for _ in range(20)]
    late = [answer for answer in answers if answer.status_code == 429]
    assert len(answers) - len(late) >= 12
    assert late
    assert int(late[-1].headers["retry-after"]) >= 1


def png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "missing_required_parameter"),
        (b"MZ\x90\x00", "unsupported_file"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 64, "invalid_file"),
        (png(9000, 10), "invalid_file"),
        (b"\x00\x00\x00\x20ftypisom" + b"\xff" * 500, "invalid_file"),
    ],
)
def test_files_that_cannot_be_used_are_refused(http: httpx.Client, data: bytes, code: str) -> None:
    answer = http.post("/v1/videos/edits", data={"prompt": "a ball"}, files={"video": ("x", data)})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert "/" not in answer.json()["error"]["message"]


def test_a_file_that_refers_to_others_shows_none_of_them(http: httpx.Client, tmp_path: Path) -> None:
    """A playlist that names a file of this machine is no film."""
    (tmp_path / "secret.txt").write_text("secret")
    playlist = f"#EXTM3U\n#EXTINF:1,\nfile://{tmp_path}/secret.txt\n".encode()
    answer = http.post("/v1/videos/edits", data={"prompt": "a ball"}, files={"video": ("x.m3u8", playlist)})
    assert answer.json()["error"]["code"] == "unsupported_file"


def test_urls_are_never_fetched(http: httpx.Client) -> None:
    for url in ("http://127.0.0.1:1/x.png", "file:///etc/passwd", "data:text/html,x"):
        body = {"prompt": "a ball", "input_reference": {"image_url": url}}
        answer = http.post("/v1/videos", json=body)
        assert answer.status_code == 400


def test_a_long_film_is_cut_and_a_good_one_is_taken(http: httpx.Client) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    film = encode_mp4(Video(frames, 8.0))
    answer = http.post("/v1/videos/edits", data={"prompt": "a ball"}, files={"video": ("x.mp4", film)})
    assert answer.status_code == 200, answer.text


def child(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, as uploads are decoded."""
    told = f"from pathlib import Path\nfrom reelworld.serve import confine\n{code}"
    return subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("how", ["confine(Path())", "forbid_calls()", "leave_network()"])
def test_what_decodes_uploads_has_no_network(how: str) -> None:
    """Each way alone: inside containers only the filter of calls is allowed."""
    listener = socket.create_server(("127.0.0.1", 0))
    code = f"""
import socket
assert confine.{how}
try:
    socket.create_connection(("127.0.0.1", {listener.getsockname()[1]}), 2)
except OSError as error:
    print(type(error).__name__)
"""
    done = child(code)
    listener.close()
    if how == "leave_network()" and done.returncode != 0:
        pytest.skip("this kernel gives no namespaces")
    assert done.stdout.strip() in ("PermissionError", "OSError", "ConnectionRefusedError"), done.stderr
    if how == "forbid_calls()":
        assert done.stdout.strip() == "PermissionError"


def test_what_decodes_uploads_reaches_no_socket_of_this_machine(tmp_path: Path) -> None:
    """A network namespace alone leaves those that are files: databases, container engines."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        done = child(
            "import socket\nconfine.confine(Path())\n"
            f"try:\n    socket.socket(socket.AF_UNIX).connect({path!r})\n"
            "except OSError as error:\n    print(type(error).__name__)"
        )
    assert done.stdout.strip() == "PermissionError", done.stderr


def test_what_decodes_uploads_starts_no_program() -> None:
    done = child(
        "import os, subprocess, sys\nconfine.confine(Path())\n"
        "try:\n    subprocess.run([sys.executable, '-V'])\n"
        "except OSError as error:\n    print(type(error).__name__)\n"
        "if os.fork() == 0:\n    os.execv('/bin/true', ['true'])"
    )
    assert done.stdout.splitlines()[:1] == ["PermissionError"], done.stderr
    assert "PermissionError" in done.stderr  # the fork's exec


def test_what_decodes_uploads_reaches_no_other_process_and_few_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    done = child(f"""
import os
def tried(call):
    try:
        call()
    except OSError as error:
        return type(error).__name__
folder = Path({str(tmp_path)!r}) / "own"
folder.mkdir()
confine.confine(folder)
(folder / "frames").write_text("written")
print(tried(lambda: os.kill(os.getppid(), 0)))
print(tried(lambda: open(f"/proc/{{os.getppid()}}/environ")))
print(tried(lambda: open(folder.parent / "secret")))
print(tried(lambda: open(folder.parent / "other", "w")))
import numpy, av
""")
    if done.stdout.split()[1:2] == ["None"]:
        pytest.skip("this kernel has no Landlock")
    assert done.stdout.split() == ["PermissionError"] * 4, done.stderr
    assert (done.returncode, (tmp_path / "own" / "frames").read_text()) == (0, "written"), done.stderr


def test_long_films_are_decoded_by_few_threads(tmp_path: Path) -> None:
    """Conversion of colours had threads of its own for each frame; they filled the little memory."""
    frames = np.zeros((400, 16, 16, 3), np.uint8)
    (tmp_path / "film.mp4").write_bytes(encode_mp4(Video(frames, 8.0)))
    done = child(f"""
import os
from reelworld.core.video import read
print(len(read({str(tmp_path / "film.mp4")!r})), len(os.listdir("/proc/self/task")) < 32)
""")
    assert done.stdout.split() == ["400", "True"], done.stderr


def test_what_decodes_uploads_has_little_of_everything() -> None:
    done = child(
        "confine.confine(Path())\ntry:\n    bytearray(4 << 30)\nexcept MemoryError:\n    print('no memory')"
    )
    assert done.stdout.strip() == "no memory"
    done = child("confine.SECONDS = 1\nconfine.confine(Path())\nwhile True: pass")
    assert done.returncode == -signal.SIGXCPU or done.returncode == -signal.SIGKILL


def test_what_decodes_uploads_makes_files_and_threads_alone(tmp_path: Path) -> None:
    """A link would lead the server elsewhere; a process would outlive the request."""
    done = child(f"""
import os, threading
def tried(call, *given):
    try:
        call(*given)
    except OSError as error:
        return type(error).__name__
folder = Path({str(tmp_path)!r})
confine.confine(folder)
(folder / "frames").write_text("written")
print(tried(open, "/etc/passwd"))
print(tried(os.fork), tried(os.symlink, "a", folder / "b"), tried(os.mkfifo, folder / "c"))
thread = threading.Thread(target=print, args=("a thread",))
thread.start()
thread.join()
""")
    if done.stdout.startswith("None"):
        pytest.skip("this kernel has no Landlock")
    assert done.stdout.split("\n")[1:] == [" ".join(["PermissionError"] * 3), "a thread", ""], done.stderr


FRAME = 16 * 16 * 3  # bytes of the tiny model's
LEFT = {
    "link": f"open(out + '2', 'wb').write(bytes({FRAME})); os.symlink(out + '2', out)",
    "pipe": "os.mkfifo(out)",
    "folder": "os.mkdir(out)",
    "too much": f"open(out, 'wb').write(bytes(8000 * {FRAME}))",
    "part of a frame": f"open(out, 'wb').write(bytes({FRAME} + 1))",
    "nothing": "open(out, 'wb')",
    "a frame": f"open(out, 'wb').write(bytes({FRAME}))",
}


@pytest.mark.parametrize("left", LEFT)
def test_what_a_decoder_leaves_is_not_trusted(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    monkeypatch.setattr(uploads, "COMMAND", ("-c", f"import os, sys; out = sys.argv[2]; {LEFT[left]}"))
    answer = http.post("/v1/videos/edits", data={"prompt": "a ball"}, files={"video": ("a.png", PICTURE)})
    assert answer.status_code == (200 if left == "a frame" else 400), answer.text
    assert left == "a frame" or answer.json()["error"]["code"] == "invalid_file"


def decode() -> Frames:
    """Decode as a server does, whose loop goes on until it sees that the pipe is closed."""

    async def decoded() -> Frames:
        try:
            return await uploads.Decoder().decode("me", PICTURE, VideoShape(width=16, height=16), 1)
        finally:
            await asyncio.sleep(0.1)

    return asyncio.run(decoded())


def test_of_a_decoder_that_talks_on_and_on_the_last_words_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = "import sys; [sys.stderr.write('x' * (1 << 20)) for _ in range(32)]; sys.stderr.write('end')"
    monkeypatch.setattr(uploads, "COMMAND", ("-c", f"{talk}; sys.exit({UNUSABLE})"))
    tracemalloc.start()
    try:
        with pytest.raises(ApiError, match=r"x{397}end$") as told:
            decode()
        assert len(told.value.message) == uploads.MOST_TOLD
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("after", ["os._exit(0)", "time.sleep(60)"])
def test_nothing_that_a_decoder_started_outlives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    """As where the kernel cannot forbid it to start anything."""
    note = tmp_path / "child"
    tell = f"open({str(note)!r}, 'w').write(str(os.getpid()))"
    fork = f"if os.fork():\n    {after}\n{tell}\ntime.sleep(60)"
    monkeypatch.setattr(uploads, "COMMAND", ("-c", f"import os, time\n{fork}"))
    monkeypatch.setattr(uploads, "WALL_SECONDS", 1.5)
    with pytest.raises(ApiError, match="too long"):
        decode()
    started = int(note.read_text())
    for _ in range(100):
        if not alive(started):
            break
        time.sleep(0.01)
    assert not alive(started)


def alive(process: int) -> bool:
    """Tell whether a process runs; one that ended may wait for its parent to see it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_where_uploads_cannot_be_decoded_safely_none_is(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where neither namespaces nor filters of calls are allowed: the decoder says so, and ends."""
    monkeypatch.setattr(uploads, "COMMAND", ("-c", f"raise SystemExit({UNSAFE})"))
    form = {"data": {"prompt": "a ball"}, "files": {"input_reference": ("a.png", PICTURE)}}
    answer = http.post("/v1/videos", **form)
    assert (answer.status_code, answer.json()["error"]["code"]) == (501, "not_supported")


def test_a_full_disk_is_not_the_senders_fault(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    form = {"data": {"prompt": "a ball"}, "files": {"input_reference": ("a.png", PICTURE)}}
    monkeypatch.setattr(uploads, "COMMAND", ("-c", f"raise SystemExit({FULL})"))
    answer = http.post("/v1/videos", **form)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_error")

    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(uploads.tempfile, "TemporaryDirectory", full)
    answer = http.post("/v1/videos", **form)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_error")


def test_a_database_that_cannot_write_is_not_the_senders_fault(
    http: httpx.Client, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    monkeypatch.setattr(served.app.state.desk.jobs, "add_all", full)
    answer = http.post("/v1/videos", json={"prompt": "a ball"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_error")


def test_a_file_that_is_decoded_for_too_long_is_refused(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "WALL_SECONDS", 0.01)
    form = {"data": {"prompt": "a ball"}, "files": {"input_reference": ("a.png", PICTURE)}}
    answer = http.post("/v1/videos", **form)
    assert (answer.status_code, "too long" in answer.json()["error"]["message"]) == (400, True)


def test_requests_are_counted_by_route(http: httpx.Client) -> None:
    for path in ("/v1/models", "/v1/models", "/v1/videos/video_0", "/nowhere/at/all"):
        http.get(path)
    said = http.get("/metrics").text
    assert 'reelworld_requests_total{method="GET",route="/v1/models",status="200"} 2.0' in said
    assert 'route="/v1/videos/{video_id}",status="404"' in said
    assert "nowhere" not in said
    assert "reelworld_oldest_queued_seconds 0.0" in said
    assert 'reelworld_request_seconds_count{route="/v1/models"} 2.0' in said


def test_who_guesses_keys_has_to_wait(locked: Served) -> None:
    """And asks the database nothing meanwhile; whose key was known before is let in."""
    good, asked = {"authorization": f"Bearer {locked.keys.create('one')}"}, []
    event.listen(locked.keys.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    with httpx.Client(base_url=locked.url) as http:
        assert http.get("/v1/models", headers=good).status_code == 200  # as a guess, until it is known
        guesses = [http.get("/v1/models", headers={"authorization": f"Bearer no{n}"}) for n in range(20)]
        told = [answer.status_code for answer in guesses]
        assert (told[:11], told[-1]) == ([401] * 11, 429)
        assert int(guesses[-1].headers["retry-after"]) >= 1
        assert sum("keys.hash" in statement for statement in asked) == 1 + told.count(401)
        assert http.get("/v1/models", headers=good).status_code == 200


def test_a_body_that_never_ends_is_not_waited_for(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reelworld.serve.gate.BODY_SECONDS", 0.5)
    with socket.create_connection(("127.0.0.1", served.port), 10) as slow:
        head = (
            f"POST /v1/videos HTTP/1.1\r\nhost: localhost:{served.port}\r\ncontent-type: application/json\r\n"
        )
        slow.sendall(f'{head}content-length: 1000\r\n\r\n{{"prompt": '.encode())
        assert slow.recv(4096).startswith(b"HTTP/1.1 408")


def claims(served: Served, count: int, head: str = "") -> list[socket.socket]:
    """Begin so many requests that say they will send 900 bytes, and send none."""
    told = f"POST /v1/videos HTTP/1.1\r\nhost: localhost:{served.port}\r\n{head}content-length: 900\r\n\r\n"
    begun = [socket.create_connection(("127.0.0.1", served.port), 10) for _ in range(count)]
    for one in begun:
        one.sendall(told.encode())
    return begun


def test_bodies_together_have_a_limit(tmp_path: Path, weights: Path) -> None:
    """Those that are being sent leave no room for another, until one is over."""
    for served in serve(tmp_path, weights, Rules(most_bytes=1000, most_open_bytes=0)):
        with httpx.Client() as http, ExitStack() as stack:
            slow = [stack.enter_context(one) for one in claims(served, 5)]
            body = {"prompt": "a ball" + " " * 850}
            answers = []
            for _ in range(50):
                answers.append(http.post(f"{served.url}/v1/videos", json=body).status_code)
                if answers[-1] == 429:
                    break
                time.sleep(0.02)
            assert answers[-1] == 429
            assert http.get(f"{served.url}/v1/models").status_code == 200
            slow[0].sendall(b" " * 900)
            assert slow[0].recv(4096).startswith(b"HTTP/1.1 400")
            assert http.post(f"{served.url}/v1/videos", json=body).status_code == 200


def test_one_owner_leaves_room_for_others(tmp_path: Path, weights: Path) -> None:
    """Ten that claim all there is: half of them are refused, and others are let in."""
    rules = Rules(need_key=True, most_bytes=1000, most_open_bytes=0)
    for served in serve(tmp_path, weights, rules):
        one, two = (f"authorization: Bearer {served.keys.create(name)}\r\n" for name in ("one", "two"))
        with ExitStack() as stack:
            waiting = [stack.enter_context(claim) for claim in claims(served, 10, one)]
            for _ in range(5):
                (answered, *_), _, _ = select.select(waiting, [], [], 10)
                assert answered.recv(4096).startswith(b"HTTP/1.1 429")
                waiting.remove(answered)
            other = stack.enter_context(claims(served, 1, two)[0])
            other.sendall(b'{"prompt": "a ball"}'.ljust(900))
            assert other.recv(4096).startswith(b"HTTP/1.1 200")
            assert select.select(waiting, [], [], 0)[0] == []


def test_a_decoder_is_shared_too(served: Served) -> None:
    """One owner's files leave room for those of others."""
    room = served.app.state.desk.decoder.room
    with ExitStack() as stack:
        for _ in range(uploads.MOST_WAITING // 2):
            stack.enter_context(room.taken("one", 1))
        with pytest.raises(ApiError) as refused, room.taken("one", 1):
            pass
        assert (refused.value.status, refused.value.code) == (429, "rate_limit")
        with room.taken("two", 1):
            assert room.held.total() == uploads.MOST_WAITING // 2 + 1
    assert room.held.total() == 0


def test_what_reads_no_body_takes_no_room(tmp_path: Path, weights: Path) -> None:
    for served in serve(tmp_path, weights, Rules(most_bytes=1000, most_open_bytes=0)):
        with httpx.Client(base_url=served.url) as http, ExitStack() as stack:
            video = http.post("/v1/videos", json={"prompt": "a ball"}).json()["id"]
            head = f"GET /v1/videos/{video}/events HTTP/1.1\r\nhost: localhost:{served.port}\r\n"
            for _ in range(10):
                stream = stack.enter_context(socket.create_connection(("127.0.0.1", served.port), 10))
                stream.sendall(f"{head}transfer-encoding: chunked\r\n\r\n0\r\n\r\n".encode())
                assert stream.recv(4096).startswith(b"HTTP/1.1 200")
            assert http.post("/v1/videos", json={"prompt": "a ball"}).status_code == 200


def test_however_much_one_request_may_be_it_finds_room(tmp_path: Path, weights: Path) -> None:
    for served in serve(tmp_path, weights, Rules(most_bytes=1 << 30)):
        answer = httpx.post(f"{served.url}/v1/videos", content=iter([b'{"prompt": ', b'"a ball"}']))
        assert answer.status_code == 200


@pytest.fixture
def desk(served: Served) -> Desk:
    return served.app.state.desk


def test_a_database_that_is_away_is_told_before_any_key_is_known(desk: Desk) -> None:
    away = Keys(open_database("sqlite:////proc/none/jobs.db"))
    client = TestClient(build(desk, away, Rules(need_key=True)), base_url="http://localhost")
    answer = client.get("/v1/videos", headers={"authorization": "Bearer rw-any"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_error")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_database_that_is_too_busy_is_not_the_senders_fault(desk: Desk, tmp_path: Path) -> None:
    narrow = create_engine(
        f"sqlite:///{tmp_path / 'jobs.db'}", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0
    )
    client = TestClient(build(desk, Keys(narrow), Rules()), base_url="http://localhost")
    with pytest.MonkeyPatch.context() as patch, narrow.connect():
        patch.setattr(desk, "jobs", Jobs(narrow))
        answer = client.get("/v1/videos")
    narrow.dispose()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_error")
