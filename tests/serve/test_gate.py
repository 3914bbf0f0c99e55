"""Who may come in: hosts, origins, keys, sizes and rates; and what strangers' files can do."""

from __future__ import annotations

import io
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from sqlalchemy.exc import OperationalError
from tests.serve.conftest import Served, serve

from reelworld.core.encode import encode_mp4, encode_png
from reelworld.core.errors import ConfigError
from reelworld.core.types import Video
from reelworld.serve import uploads
from reelworld.serve.decode import FULL, UNSAFE
from reelworld.serve.gate import Rules

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
    good = locked.keys.create("one")
    with httpx.Client(base_url=locked.url) as http:
        answers = [http.get("/v1/models", headers={"authorization": f"Bearer no{n}"}) for n in range(14)]
        assert [answer.status_code for answer in answers] == [401] * 12 + [429] * 2
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert http.get("/v1/models", headers={"authorization": f"Bearer {good}"}).status_code == 200


def test_a_body_that_never_ends_is_not_waited_for(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reelworld.serve.gate.BODY_SECONDS", 0.5)
    with socket.create_connection(("127.0.0.1", served.port), 10) as slow:
        head = (
            f"POST /v1/videos HTTP/1.1\r\nhost: localhost:{served.port}\r\ncontent-type: application/json\r\n"
        )
        slow.sendall(f'{head}content-length: 1000\r\n\r\n{{"prompt": '.encode())
        assert slow.recv(4096).startswith(b"HTTP/1.1 408")


def test_bodies_together_have_a_limit(tmp_path: Path, weights: Path) -> None:
    """One that is being sent leaves no room for another, until it is over."""
    for served in serve(tmp_path, weights, Rules(most_bytes=1000, most_open_bytes=1500)):
        with socket.create_connection(("127.0.0.1", served.port), 10) as slow, httpx.Client() as http:
            head = (
                f"POST /v1/videos HTTP/1.1\r\nhost: localhost:{served.port}\r\ncontent-length: 900\r\n\r\n{{"
            )
            slow.sendall(head.encode())
            body = {"prompt": "a ball" + " " * 700}
            answers = []
            for _ in range(50):
                answers.append(http.post(f"{served.url}/v1/videos", json=body).status_code)
                if answers[-1] == 429:
                    break
                time.sleep(0.02)
            assert answers[-1] == 429
            assert http.get(f"{served.url}/v1/models").status_code == 200
            slow.sendall(b" " * 899)
            assert slow.recv(4096).startswith(b"HTTP/1.1 400")
            assert http.post(f"{served.url}/v1/videos", json=body).status_code == 200
