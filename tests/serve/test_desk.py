"""What requests leave behind and depend on: copies of their inputs, nothing where they fail."""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.serve.conftest import Served, serve

from reelworld.core.encode import encode_png
from reelworld.core.errors import ConfigError, StorageError
from reelworld.core.types import Video
from reelworld.models.released import checkpoint_to_denoiser, denoiser_to_checkpoint
from reelworld.serve.asked import Create
from reelworld.serve.desk import MOST_OPEN, Desk
from reelworld.serve.gate import Rules
from reelworld.serve.jobs import Jobs
from reelworld.serve.making import Studio
from reelworld.serve.serving import Settings, run, sweep
from reelworld.serve.storage import Storage
from reelworld.serve.tables import open_database, upgrade
from reelworld.serve.worker import serve_jobs

FAST = {"num_inference_steps": 2, "guidance_scale": 1.0, "seconds": 1}
PICTURE = encode_png(Video(np.full((1, 16, 16, 3), 90, np.uint8), 8.0))


def folders(served: Served) -> list[str]:
    """Return the kinds of folders in the storage."""
    return sorted(path.name.split("_")[0] for path in Path(served.storage.root).iterdir())


def made(http: httpx.Client, served: Served, **more: object) -> str:
    """Make a video; return its id."""
    video = http.post("/v1/videos", json={"prompt": "a red ball", **FAST, **more}).json()["id"]
    served.work()
    return str(video)


def test_jobs_and_characters_outlive_what_they_began_from(http: httpx.Client, served: Served) -> None:
    first = made(http, served)
    character = http.post("/v1/videos/characters", json={"name": "Bo", "video": {"id": first}}).json()["id"]
    remix = http.post(f"/v1/videos/{first}/remix", json={"prompt": "a blue ball", **FAST}).json()["id"]
    http.delete(f"/v1/videos/{first}")
    played = http.post("/v1/videos", json={"prompt": "Bo rolls", "characters": [character], **FAST}).json()[
        "id"
    ]
    served.work()
    for video in (remix, played):
        assert http.get(f"/v1/videos/{video}").json()["status"] == "completed"
    assert http.delete(f"/v1/videos/characters/{character}").json()["deleted"]
    for video in (remix, played):
        http.delete(f"/v1/videos/{video}")
    assert folders(served) == []


def test_what_is_not_queued_leaves_nothing(http: httpx.Client, served: Served) -> None:
    Path(served.storage.root).mkdir(parents=True, exist_ok=True)
    form = {"data": {"prompt": "a ball"}, "files": {"input_reference": ("a.png", PICTURE)}}
    key = {"headers": {"idempotency-key": "k"}}
    assert http.post("/v1/videos", **form, **key).status_code == 200
    assert http.post("/v1/videos", **form, **key).status_code == 200
    form["data"] = {"prompt": "a box"}
    assert http.post("/v1/videos", **form, **key).json()["error"]["code"] == "idempotency_key_reused"
    assert folders(served) == ["input"]


def test_variations_are_queued_all_or_none(http: httpx.Client, served: Served) -> None:
    body = {"prompt": "a ball", "count": 16}
    seeds = []
    for _ in range(MOST_OPEN // 16):
        seeds += [
            video["reelworld"]["seed"]
            for video in http.post("/v1/videos/variations", json=body).json()["data"]
        ]
    assert len(set(seeds)) == 16 * (MOST_OPEN // 16)  # other ones each time
    refused = http.post("/v1/videos/variations", json=body)
    assert refused.status_code == 429
    assert refused.headers["retry-after"]
    assert served.jobs.counts() == {"queued": 16 * (MOST_OPEN // 16)}


def test_variations_asked_for_twice_are_the_same(http: httpx.Client, served: Served) -> None:
    body, key = {"prompt": "a ball", "count": 16}, {"headers": {"idempotency-key": "k"}}
    once, twice = (http.post("/v1/videos/variations", json=body, **key).json()["data"] for _ in range(2))
    assert [video["id"] for video in once] == [video["id"] for video in twice]
    assert len({video["reelworld"]["seed"] for video in once}) == 16
    for n in range((MOST_OPEN - 16) // 16):
        http.post("/v1/videos/variations", json=body, headers={"idempotency-key": f"more {n}"})
    there = served.jobs.counts()
    refused = http.post("/v1/videos/variations", json=body, headers={"idempotency-key": "too many"})
    assert refused.status_code == 429
    assert served.jobs.counts() == there  # all or none


def test_a_storyboard_says_the_seed_that_it_was_made_with(http: httpx.Client, served: Served) -> None:
    body = {"cards": [{"time": 0, "text": "a ball"}], "duration": 1, "num_inference_steps": 2}
    video = http.post("/v1/videos/storyboards", json=body).json()["id"]
    served.work()
    told = http.get(f"/v1/videos/{video}").json()
    job = served.jobs.get(video)
    assert job is not None
    assert job.result is not None
    assert told["status"] == "completed"
    assert job.result["made"]["seed"] == told["reelworld"]["seed"]
    bad = {"cards": [{"time": 1, "text": "a ball"}]}
    assert "put it at 0" in http.post("/v1/videos/storyboards", json=bad).json()["error"]["message"]


def test_a_video_that_would_fill_the_memory_is_refused(http: httpx.Client, served: Served) -> None:
    long = made(http, served, seconds=20)
    body = {"prompt": "a ball", "video": {"id": long}, "seconds": 1, "size": "2048x2048", "fps": 50}
    assert http.post("/v1/videos/extensions", json=body).json()["error"]["code"] == "too_large"


def test_no_video_grows_without_end(http: httpx.Client, served: Served) -> None:
    """Each edit of another one is measured as a whole."""
    first = made(http, served, seconds=8)
    body = {"video": {"id": first}, "keep": [[0, 8]] * 16, "gap": 0, "prompt": "a ball", "size": "16x16"}
    assert http.post("/v1/videos/recuts", json=body).json()["error"]["code"] == "too_large"
    assert http.post("/v1/videos/recuts", json={**body, "keep": [[0, 8]] * 15}).json()["seconds"] == "120"


def test_a_video_is_held_as_the_weights_make_it_too(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reelworld.serve.asked.MOST_PIXELS", 16 * 16 * 8 - 1)
    body = {"prompt": "a ball", "seconds": 1, "size": "16x16", "fps": 1}
    assert http.post("/v1/videos", json=body).json()["error"]["code"] == "too_large"


def test_json_is_read_beside_what_others_ask(
    http: httpx.Client, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so is JSON within it: what is long would stop the server for all."""
    read, where = json.loads, []

    def loads(*given: Any, **more: Any) -> Any:
        where.append(threading.current_thread())
        return read(*given, **more)

    monkeypatch.setattr("reelworld.serve.bodies.json.loads", loads)
    body = {"prompt": "a ball", "characters": "[]", "input_reference": "{}"}
    for path in ("", "/variations", "/storyboards", "/edits", "/characters"):
        http.post(f"/v1/videos{path}", json=body)
    assert len(where) >= 5 + 2
    assert served.thread not in where


def test_long_json_is_long_by_its_strings(http: httpx.Client) -> None:
    """Also that of a form's field."""
    head, many = {"content-type": "application/json"}, "{}," * 500_000

    def ask(more: str) -> httpx.Response:
        return http.post("/v1/videos", content=f'{{"prompt": "a ball", "x": [{more}]}}', headers=head)

    assert ask(f"{many}{{}}").json()["error"]["code"] == "invalid_json"
    assert ask('"{}"'.format("x" * 1_500_000)).status_code == 200
    fields = {"prompt": (None, "a ball"), "characters": (None, f"[{many}{{}}]")}
    assert "a valid list" in http.post("/v1/videos", files=fields).json()["error"]["message"]


def test_what_is_shown_often_is_stored_once(http: httpx.Client, served: Served) -> None:
    first = made(http, served)
    other = made(http, served)
    cards = [{"time": n, "video": video} for n, video in enumerate((first, other, first))]
    body = {"cards": cards, "duration": 3.0, "num_inference_steps": 1}
    board = http.post("/v1/videos/storyboards", json=body).json()
    blend = {"prompt": "a ball", "first": first, "second": first, "num_inference_steps": 1}
    both = http.post("/v1/videos/blends", json=blend).json()
    counts = sorted(len(list(path.iterdir())) for path in Path(served.storage.root).glob("input_*"))
    assert counts == [1, 2]
    served.work()
    for video in (board, both):
        done = http.get(f"/v1/videos/{video['id']}").json()
        assert (done["status"], done["remixed_from_video_id"]) == ("completed", first)
    shown = http.get(f"/v1/videos/{board['id']}").json()["reelworld"]["request"]["board"]["cards"]
    assert [card["video"] for card in shown] == [first, other, first]


def test_what_is_cancelled_before_it_begins_leaves_nothing(http: httpx.Client, served: Served) -> None:
    first = made(http, served)
    remix = http.post(f"/v1/videos/{first}/remix", json={"prompt": "a blue ball"}).json()["id"]
    assert folders(served) == ["input", "video"]
    assert http.post(f"/v1/videos/{remix}/cancel").json()["error"]["code"] == "cancelled"
    assert folders(served) == ["video"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/videos/blends", '{"prompt": "a", "first": "x", "second": "y", "curve": [[NaN, 0], [1, 1]]}'),
        ("/v1/videos", '{"prompt": "a", "characters": "' + "[" * 50_000 + '"}'),
        ("/v1/videos", '{"prompt": "a", "input_reference": "' + '{\\"a\\":' * 50_000 + '"}'),
        ("/v1/videos", "[" * 100_000),
        ("/v1/videos", '{"prompt": "a", "seconds": 1e999}'),
    ],
)
def test_hostile_bodies_are_wrong_and_no_more(http: httpx.Client, path: str, body: str) -> None:
    answer = http.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert http.get("/v1/videos").status_code == 200


def test_forms_that_contradict_themselves(http: httpx.Client) -> None:
    for form in ({"a[b]": "1", "a[][c]": "2"}, {"prompt": "x", "prompt[a]": "y"}, {"a" + "[b]" * 9: "1"}):
        assert http.post("/v1/videos", data=form).json()["error"]["code"] == "invalid_form"


def test_a_field_whose_name_is_no_text_is_wrong_and_no_more(http: httpx.Client) -> None:
    name = "\\ud800" + "[a]" * 9
    body = f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n1\r\n--x--\r\n'
    kind = "multipart/form-data; boundary=x; charset=unicode_escape"
    answer = http.post("/v1/videos", content=body.encode(), headers={"content-type": kind})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_form")


def test_ranges_that_cannot_be(http: httpx.Client, served: Served) -> None:
    video = made(http, served)
    for asked, status in (("bytes=" + "9" * 4400 + "-", 200), ("bytes=999999999-", 416), ("bytes=-5", 206)):
        answer = http.get(f"/v1/videos/{video}/content", headers={"range": asked})
        assert answer.status_code == status


def test_behind_another_name_keys_are_needed(tmp_path: Path) -> None:
    settings = Settings(
        database=f"sqlite:///{tmp_path}/jobs.db", storage=str(tmp_path / "files"),
        host_names=("videos.example.org",), workers=0,
    )  # fmt: skip
    with pytest.raises(ConfigError, match="nobody has a key"):
        run(settings)


def test_what_a_model_cannot_is_said_and_not_asked_again(uncast: Served) -> None:
    with httpx.Client(base_url=uncast.url, timeout=30.0) as http:
        listed = http.get("/v1/models").json()
        assert listed["data"][0]["characters"] is False
        for alias in listed["aliases"]:
            assert http.get(f"/v1/models/{alias}").json()["id"] == listed["data"][0]["id"]
        form = {"data": {"name": "Bo"}, "files": {"video": ("bo.png", PICTURE)}}
        character = http.post("/v1/videos/characters", **form).json()["id"]
        answer = http.post("/v1/videos", json={"prompt": "Bo rolls", "characters": [character]})
    assert answer.status_code == 501
    assert answer.json()["error"]["code"] == "not_supported"
    assert answer.headers["x-should-retry"] == "false"


def test_what_is_made_of_a_video_is_like_it(http: httpx.Client, served: Served) -> None:
    """The hosted client's remix, edit and extend name neither size nor rate."""
    first = made(http, served, size="96x48", fps=12)
    remix = http.post(f"/v1/videos/{first}/remix", json={"prompt": "a blue ball"}).json()
    assert (remix["size"], remix["seconds"]) == ("96x48", "1")
    longer = {"prompt": "a blue ball", "video": {"id": first}, "seconds": "1.5"}
    extended = http.post("/v1/videos/extensions", json=longer).json()
    assert (extended["size"], extended["seconds"]) == ("96x48", "2.5")
    other = http.post("/v1/videos/extensions", json={**longer, "size": "32x32"}).json()
    assert other["size"] == "32x32"
    served.work()
    for video, length in ((remix, "1"), (extended, "2.5"), (other, "2.5")):
        done = http.get(f"/v1/videos/{video['id']}").json()
        assert (done["status"], done["size"], done["seconds"]) == ("completed", video["size"], length)
        assert done["reelworld"]["fps"] == 12


@pytest.mark.parametrize(
    ("call", "more", "seconds"),
    [
        ("loops", {"length": "short"}, "1.5"),
        ("fills", {"start": 0.25, "end": 0.75}, "1"),
        ("recuts", {"keep": [[0, 0.5], [0.5, 1]], "gap": 0.25}, "1.25"),
        ("edits", {}, "1"),
    ],
)
def test_how_long_it_will_be_is_told_before_it_is_made(
    http: httpx.Client, served: Served, call: str, more: dict[str, object], seconds: str
) -> None:
    body = {"prompt": "a red ball", "video": {"id": made(http, served)}, "num_inference_steps": 2, **more}
    queued = http.post(f"/v1/videos/{call}", json=body).json()
    assert queued["seconds"] == seconds
    served.work()
    assert http.get(f"/v1/videos/{queued['id']}").json()["seconds"] == seconds


def test_what_was_not_made_is_not_waited_for(http: httpx.Client) -> None:
    video = http.post("/v1/videos", json={"prompt": "a ball"}).json()["id"]
    assert http.get(f"/v1/videos/{video}/content").json()["error"]["code"] == "video_not_ready"
    http.post(f"/v1/videos/{video}/cancel")
    error = http.get(f"/v1/videos/{video}/content").json()["error"]
    assert (error["code"], "wait" in error["message"]) == ("video_failed", False)


def test_what_is_made_of_a_video_is_made_by_its_model(tmp_path: Path, weights: Path) -> None:
    """And says the name that its source was asked by."""
    denoiser, tokenizer, card = checkpoint_to_denoiser(weights)
    for name, learnt in (("few", {"a", "red", "ball"}), ("many", {"a", "red", "ball", "blue", "box"})):
        tokenizer.learnt = learnt
        denoiser_to_checkpoint(tmp_path / name, denoiser, tokenizer, card)
    few, many = tmp_path / "few", tmp_path / "many"
    for served in serve(tmp_path, few, Rules(), many=many):
        with httpx.Client(base_url=served.url) as http:
            asked = {"prompt": "a blue box", "model": "sora-2", **FAST}
            first = http.post("/v1/videos", json=asked).json()
            studio = Studio({"tiny": few, "many": many})
            serve_jobs(served.jobs, served.storage, studio, threading.Event(), idle=lambda: True)
            remix = http.post(f"/v1/videos/{first['id']}/remix", json={"prompt": "a red ball"}).json()
    for video in (first, remix):
        assert (video["model"], video["reelworld"]["model"]) == ("sora-2", "many")


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": "a \x00ball"},
        {"prompt": "a ball", "negative_prompt": "\x00"},
        {"prompt": "a ball", "num_frames": 480, "fps": 1},
    ],
)
def test_what_no_database_or_worker_can_take_is_refused(http: httpx.Client, body: dict[str, object]) -> None:
    assert http.post("/v1/videos", json=body).status_code == 400


def test_small_things_that_clients_do(http: httpx.Client, served: Served) -> None:
    first = made(http, served, size="33x17")
    assert http.get(f"/v1/videos/{first}").json()["size"] == "34x18"  # films have even sides
    assert http.head(f"/v1/videos/{first}/content").headers["content-type"] == "video/mp4"
    assert http.head("/healthz").status_code == 200
    for given in (first, {"id": first}, {"file_id": first}):
        body = {"prompt": "a ball", "input_reference": given, "seconds": None}
        assert http.post("/v1/videos", json=body).status_code == 200


@pytest.mark.parametrize(
    ("call", "more"),
    [
        ("loops", {"length": "short"}),
        ("recuts", {"keep": [[0, 0.5]]}),
        ("fills", {"start": 0.25, "end": 0.5}),
        ("blends", {}),
    ],
)
def test_without_a_prompt_that_of_the_video_is_taken(
    http: httpx.Client, served: Served, call: str, more: dict[str, object]
) -> None:
    first = made(http, served, prompt="a blue ball rolls", expand=False)
    of_it = {"first": first, "second": made(http, served)} if call == "blends" else {"video": first}
    asked = http.post(f"/v1/videos/{call}", json={"num_inference_steps": 2, **of_it, **more}).json()
    assert asked["prompt"] == "a blue ball rolls"
    served.work()
    assert http.get(f"/v1/videos/{asked['id']}").json()["status"] == "completed"


def test_of_a_file_that_tells_nothing_a_prompt_is_not_needed_either(
    http: httpx.Client, served: Served
) -> None:
    files = {"video": ("film.png", PICTURE, "image/png")}
    asked = http.post("/v1/videos/loops", data={"num_inference_steps": "2"}, files=files).json()
    served.work()
    done = http.get(f"/v1/videos/{asked['id']}").json()
    assert (done["status"], done["prompt"]) == ("completed", "")


@pytest.mark.parametrize(
    ("call", "more", "param"),
    [
        ("fills", {"start": 5, "end": 1}, "start"),
        ("fills", {"start": 0.5, "end": 9}, "start"),
        ("recuts", {"keep": [[0, 5]]}, "keep"),
        ("edits", {"prompt": "a red ball " * 200}, "prompt"),
        ("edits", {"negative_prompt": "a red ball " * 200}, "negative_prompt"),
        ("recuts", {"keep": [[0, 1]] * 16, "gap": 8}, "seconds"),
    ],
)
def test_what_cannot_be_made_is_not_queued(
    http: httpx.Client, served: Served, call: str, more: dict[str, object], param: str
) -> None:
    answer = http.post(f"/v1/videos/{call}", json={"prompt": "a ball", "video": made(http, served), **more})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_request_is_known_again_after_its_source_is_gone(http: httpx.Client, served: Served) -> None:
    first, headers = made(http, served), {"idempotency-key": "k"}
    asks = (
        (f"/v1/videos/{first}/remix", {"prompt": "a blue ball"}),
        ("/v1/videos/edits", {"prompt": "a blue ball", "video": {"id": first}}),
        ("/v1/videos/blends", {"prompt": "a ball", "first": first, "second": first}),
        ("/v1/videos/storyboards", {"cards": [{"time": 0, "text": "a ball", "video": first}]}),
        ("/v1/videos/variations", {"prompt": "a ball", "count": 2, "input_reference": {"file_id": first}}),
    )

    def all_of(answer: httpx.Response) -> list[str]:
        body = answer.json()
        return [video["id"] for video in body.get("data", [body])]

    before = [
        all_of(http.post(url, json=body, headers={"idempotency-key": f"k{n}"}))
        for n, (url, body) in enumerate(asks)
    ]
    http.delete(f"/v1/videos/{first}")
    for n, (url, body) in enumerate(asks):
        assert all_of(http.post(url, json=body, headers={"idempotency-key": f"k{n}"})) == before[n]
        assert http.post(url, json=body, headers=headers).status_code == 404
    other = http.post("/v1/videos", json={"prompt": "a ball"}, headers={"idempotency-key": "k4"})
    assert other.json()["error"]["code"] == "idempotency_key_reused"


def test_a_video_may_be_named_in_a_form_as_json(http: httpx.Client, served: Served) -> None:
    form = {"prompt": "a blue ball", "video": json.dumps({"id": made(http, served)})}
    assert http.post("/v1/videos/edits", data=form).json()["status"] == "queued"


def test_a_large_picture_may_come_as_a_data_url_in_a_form(http: httpx.Client, served: Served) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1, 700, 700, 3), np.uint8)
    url = f"data:image/png;base64,{base64.b64encode(encode_png(Video(noise, 8.0))).decode()}"
    assert len(url) > 1 << 20
    asked = {"prompt": (None, "a ball"), "input_reference": (None, url), "seconds": (None, "1")}
    queued = http.post("/v1/videos", files=asked).json()
    served.work()
    assert http.get(f"/v1/videos/{queued['id']}").json()["status"] == "completed"


def test_parents_are_told_of_without_end_of_room(http: httpx.Client, served: Served) -> None:
    video = made(http, served)
    sizes = []
    for _ in range(6):
        body = {"prompt": "a ball", "first": video, "second": video, "num_inference_steps": 1}
        blend = http.post("/v1/videos/blends", json=body).json()["id"]
        assert [child["id"] for child in http.get(f"/v1/videos/{video}/children").json()["data"]] == [blend]
        served.work()
        video = blend
        job = served.jobs.get(video)
        assert job is not None
        sizes.append(len(json.dumps([job.request, job.result])))
    assert sizes[-1] - sizes[-2] < 2 * sizes[0]


def test_of_many_who_ask_for_a_name_at_once_one_gets_it(http: httpx.Client, served: Served) -> None:
    video = made(http, served)

    def ask(_: int) -> int:
        body = {"name": "Bo", "video": {"id": video}}
        return httpx.post(f"{served.url}/v1/videos/characters", json=body).status_code

    with ThreadPoolExecutor(6) as threads:
        answers = sorted(threads.map(ask, range(6)))
        assert answers == [200, 400, 400, 400, 400, 400]
        identity = http.get("/v1/videos/characters").json()["data"][0]["id"]
        address = f"{served.url}/v1/videos/characters/{identity}"
        gone = set(threads.map(lambda _: httpx.delete(address).status_code, range(6)))
    assert gone <= {200, 404}
    assert [name for name in folders(served) if name.startswith("char")] == []


def test_a_characters_name_is_taken_once(http: httpx.Client, served: Served) -> None:
    video = made(http, served)
    assert http.post("/v1/videos/characters", json={"name": "Bo", "video": {"id": video}}).status_code == 200
    again = http.post("/v1/videos/characters", json={"name": "bo", "video": {"id": video}})
    assert (again.status_code, again.json()["error"]["param"]) == (400, "name")


@pytest.mark.parametrize("name", ["sora-2-2025-10-06", "sora-2-pro-2025-10-06", "sora-2", "sora-2-pro"])
def test_every_name_of_the_hosted_models_is_served(http: httpx.Client, name: str) -> None:
    video = http.post("/v1/videos", json={"prompt": "a red ball", "model": name}).json()
    assert (video["model"], video["reelworld"]["model"]) == (name, "tiny")
    assert video["reelworld"]["notes"]


def test_a_prompt_of_thousands_of_words_is_told_as_it_is(http: httpx.Client) -> None:
    long = ("a red ball and " * 500)[:7900]
    answer = http.get("/v1/models/tiny/expansion", params={"text": long})
    assert (answer.status_code, answer.json()["text"]) == (200, long)


def test_files_that_resist_hold_up_no_deletion(
    http: httpx.Client, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row goes first: no completed video without its file, whatever the storage does."""
    first, root = made(http, served), Path(served.storage.root)

    def refuse(folder: str) -> None:
        raise StorageError(f"{folder} cannot be removed: OSError")

    with monkeypatch.context() as broken:
        broken.setattr(served.storage, "remove", refuse)
        assert http.delete(f"/v1/videos/{first}").json()["deleted"]
        assert http.get(f"/v1/videos/{first}").status_code == 404
        nameless = sweep(served.jobs, served.storage, sweep(served.jobs, served.storage, set()))
    assert nameless == {first}
    assert (root / first).is_dir()
    assert sweep(served.jobs, served.storage, nameless) == set()
    assert not (root / first).exists()


def test_what_nobody_names_is_swept_away(http: httpx.Client, served: Served) -> None:
    """Twice looked at: between storing and queueing there is a moment where nobody names a folder."""
    first = made(http, served)
    character = http.post("/v1/videos/characters", json={"name": "Bo", "video": {"id": first}}).json()["id"]
    remix = http.post(f"/v1/videos/{first}/remix", json={"prompt": "a blue ball", **FAST}).json()["id"]
    lost, root = "input_" + "0" * 32, Path(served.storage.root)
    served.storage.put(f"{lost}/0.npy", b"left by a server that was killed")
    (root / "my films").mkdir()
    nameless = sweep(served.jobs, served.storage, set())
    assert nameless == {lost}
    assert (root / lost).is_dir()
    assert sweep(served.jobs, served.storage, nameless) == set()
    assert not (root / lost).exists()
    served.work()
    assert http.get(f"/v1/videos/{remix}").json()["status"] == "completed"
    assert {first, remix, character, "my films"} <= {path.name for path in root.iterdir()}


def test_what_a_job_that_is_over_began_from_is_swept_away(http: httpx.Client, served: Served) -> None:
    """As where its worker died, or could not remove it."""
    first = made(http, served)
    remix = http.post(f"/v1/videos/{first}/remix", json={"prompt": "a blue ball", **FAST}).json()["id"]
    assert sweep(served.jobs, served.storage, set()) == set()
    assert served.jobs.cancel(remix, "local")
    nameless = sweep(served.jobs, served.storage, set())
    assert len(nameless) == 1
    sweep(served.jobs, served.storage, nameless)
    assert folders(served) == ["video"]


def test_what_nobody_foresaw_is_counted(
    http: httpx.Client, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **more: object) -> None:
        raise RuntimeError("unforeseen")

    with monkeypatch.context() as patch:
        patch.setattr(served.jobs, "page", broken)
        answer = http.get("/v1/videos")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "unforeseen" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    told = 'reelworld_requests_total{method="GET",route="/v1/videos",status="500"} 1.0'
    assert told in http.get("/metrics").text


@pytest.mark.parametrize(("count", "fps"), [(5, None), (24, 24), (10, 24), (3, 4), (7, 12)])
def test_frames_are_counted_at_the_rate_that_is_asked_for(
    http: httpx.Client, served: Served, count: int, fps: int | None
) -> None:
    video = made(http, served, num_frames=count, **({} if fps is None else {"fps": fps}))
    told = http.get(f"/v1/videos/{video}").json()
    assert told["reelworld"]["num_frames"] == count
    assert float(told["seconds"]) == pytest.approx(count / (fps or 8), abs=1e-4)


def test_who_names_no_model_gets_the_first_that_knows_the_words(tmp_path: Path, weights: Path) -> None:
    denoiser, tokenizer, card = checkpoint_to_denoiser(weights)
    for name, learnt in (("few", {"a", "red", "ball"}), ("many", {"a", "red", "ball", "blue", "box"})):
        tokenizer.learnt = learnt
        denoiser_to_checkpoint(tmp_path / name, denoiser, tokenizer, card)
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    upgrade(engine)
    served = {"few": tmp_path / "few", "many": tmp_path / "many"}
    desk = Desk(Jobs(engine), Storage(str(tmp_path / "files")), served)
    assert desk.model(None, "a red ball") == desk.model("auto", "a red zorp") == ("few", [])
    assert desk.model("auto", "a red ball", "a blue box") == ("many", [])
    assert desk.model("few", "a blue box") == ("few", [])
    name, notes = desk.model("sora-2", "a blue box")
    assert name == "many"
    assert "many made this video" in notes[0]
    job = desk.queue("owner", "generate", Create(prompt="a blue box"))
    assert job.request["model"] == "many"
    engine.dispose()
