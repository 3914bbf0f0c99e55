"""The official client of the hosted API, unchanged, against our server."""

from __future__ import annotations

import base64
import io

import httpx
import numpy as np
import openai
import pytest
from tests.serve.conftest import Served

from reelworld.core.types import Video
from reelworld.core.video import probe, read, write
from reelworld.world.facts import Fact
from reelworld.world.parse import parse

FAST = {"num_inference_steps": 2, "guidance_scale": 1.0}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def client(served: Served) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key="unused", max_retries=0)


def test_a_video_is_made_polled_and_downloaded(client, worker, tmp_path):
    video = client.videos.create_and_poll(
        prompt="a red ball",
        model="sora-2",
        seconds="4",
        size="1280x720",
        poll_interval_ms=50,
        extra_body=FAST,
    )
    assert (video.status, video.progress, video.seconds, video.size) == ("completed", 100, "4", "1280x720")
    assert video.model == "sora-2"
    assert "tiny made this" in video.model_extra["reelworld"]["notes"][0]
    path = tmp_path / "video.mp4"
    client.videos.download_content(video.id).write_to_file(path)
    info = probe(path)
    assert (info.width, info.height, info.num_frames) == (1280, 720, 32)
    thumbnail = client.videos.download_content(video.id, variant="thumbnail").read()
    assert thumbnail.startswith(b"\x89PNG")
    assert client.videos.download_content(video.id, variant="spritesheet").read().startswith(b"\x89PNG")


def test_images_and_videos_can_be_given(client, served, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (9, 48, 64, 3), dtype=np.uint8)
    write(Video(picture, 8.0), tmp_path / "film.mp4")
    write(Video(picture[:1], 8.0), tmp_path / "picture.png")
    with open(tmp_path / "picture.png", "rb") as image, open(tmp_path / "film.mp4", "rb") as film:
        animated = client.videos.create(
            prompt="a ball", input_reference=image, seconds="1", size="64x64", extra_body=FAST
        )
        edited = client.videos.edit(prompt="a box", video=film, extra_body=FAST)
    served.work()
    assert client.videos.retrieve(animated.id).status == "completed"
    assert client.videos.retrieve(edited.id).status == "completed"
    by_id = {"video": {"id": animated.id}}  # the client itself would take no id here
    longer = client.videos.extend(prompt="a ball", seconds="4", video=b"", extra_body={**FAST, **by_id})
    mixed = client.videos.remix(animated.id, prompt="a blue ball", extra_body=FAST)
    served.work()
    longer, mixed = client.videos.retrieve(longer.id), client.videos.retrieve(mixed.id)
    assert (longer.status, longer.seconds, longer.remixed_from_video_id) == ("completed", "5", animated.id)
    assert (mixed.status, mixed.remixed_from_video_id) == ("completed", animated.id)


def test_the_lineage_of_a_blend_of_an_extension_can_be_followed(client, served, tmp_path):
    one, two = (
        client.videos.create(prompt=f"a {color} ball", extra_body=FAST).id for color in ("red", "blue")
    )
    served.work()
    by_id = {"video": {"id": one}}
    longer = client.videos.extend(prompt="it rolls", seconds="4", video=b"", extra_body={**FAST, **by_id})
    served.work()
    body = {"prompt": "a box", "first": longer.id, "second": two, **FAST}
    blended = client.post("/videos/blends", body=body, cast_to=dict)
    served.work()
    now = client.get(f"/videos/{blended['id']}", cast_to=dict)
    assert now["reelworld"]["parents"] == [longer.id, two]
    path = tmp_path / "blend.mp4"
    client.videos.download_content(blended["id"]).write_to_file(path)
    first, second = probe(path).metadata["parents"]
    assert (first["operation"], first["id"], second["asked"]) == ("extend", longer.id, "a blue ball")
    assert first["parents"][0]["asked"] == "a red ball"
    assert first["parents"][0]["seed"] == client.get(f"/videos/{one}", cast_to=dict)["reelworld"]["seed"]


def test_a_recut_keeps_parts_and_goes_on(client, served, tmp_path):
    one = client.videos.create(prompt="a red ball", extra_body=FAST).id
    served.work()
    body = {"prompt": "it rolls", "video": {"id": one}, "keep": [[0.25, 0.5], [0, 0.25]], "gap": 0, **FAST}
    cut = client.post("/videos/recuts", body={**body, "seconds": 0.5}, cast_to=dict)
    served.work()
    now = client.get(f"/videos/{cut['id']}", cast_to=dict)
    assert (now["status"], now["reelworld"]["operation"], now["reelworld"]["num_frames"]) == (
        "completed",
        "recut",
        8,
    )
    films = {}
    for name in (one, cut["id"]):
        client.videos.download_content(name).write_to_file(tmp_path / f"{name}.mp4")
        films[name] = read(tmp_path / f"{name}.mp4").frames.astype(int)
    shown = np.abs(films[cut["id"]][:4] - films[one][[2, 3, 0, 1]]).mean()
    assert shown < 0.5 * np.abs(films[cut["id"]][:4] - films[one][:4]).mean()
    with pytest.raises(openai.BadRequestError, match="keep"):
        client.post("/videos/recuts", body={**body, "keep": []}, cast_to=dict)


def test_cards_show_pictures_that_are_sent(client, served, tmp_path):
    picture = np.full((1, 32, 32, 3), (200, 30, 30), np.uint8)
    data = base64.b64encode(write(Video(picture), tmp_path / "red.png").read_bytes()).decode()
    cards = [
        {"time": 0, "text": "a ball", "image": f"data:image/png;base64,{data}"},
        {"time": 1, "text": "a box", "cut": True},
    ]
    made = client.post("/videos/storyboards", body={"cards": cards, "duration": 2, **FAST}, cast_to=dict)
    served.work()
    path = tmp_path / "board.mp4"
    client.videos.download_content(made["id"]).write_to_file(path)
    first, *_, last = read(path).frames
    assert np.abs(first.astype(int) - [200, 30, 30]).mean() < 12
    assert np.abs(last.astype(int) - [200, 30, 30]).mean() > 12
    both = [{**cards[0], "video": made["id"]}]
    with pytest.raises(openai.BadRequestError, match="give one of them"):
        client.post("/videos/storyboards", body={"cards": both, **FAST}, cast_to=dict)
    with pytest.raises(openai.BadRequestError, match="data URL is broken"):
        client.post(
            "/videos/storyboards",
            body={"cards": [{**cards[0], "image": "data:image/png;base64,?"}]},
            cast_to=dict,
        )


def test_lists_page_and_videos_can_be_deleted(client):
    made = [client.videos.create(prompt=f"a ball {n}").id for n in range(5)]
    assert [video.id for video in client.videos.list(limit=2)] == made[::-1]
    assert [video.id for video in client.videos.list(limit=3, order="asc")] == made
    gone = client.videos.delete(made[2])
    assert (gone.id, gone.deleted, gone.object) == (made[2], True, "video.deleted")
    assert made[2] not in [video.id for video in client.videos.list()]
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve(made[2])
    for video in client.videos.list(limit=2):  # each page is asked for behind a video that is gone by then
        client.videos.delete(video.id)
    assert list(client.videos.list()) == []
    with pytest.raises(openai.NotFoundError):
        client.videos.list(after="video_" + "0" * 32)


def test_characters_are_stored_and_play(client, served, tmp_path):
    write(Video(np.full((1, 16, 16, 3), 200, np.uint8), 8.0), tmp_path / "bo.png")
    with open(tmp_path / "bo.png", "rb") as picture:
        character = client.videos.create_character(name="Bo", video=picture)
    assert client.videos.get_character(character.id).name == "Bo"
    video = client.videos.create(
        prompt="Bo rolls", seconds="1", extra_body={**FAST, "characters": [{"id": character.id}]}
    )
    served.work()
    assert client.videos.retrieve(video.id).status == "completed"
    with pytest.raises(openai.BadRequestError, match="does not mention Bo"):
        client.videos.create(prompt="a ball", extra_body={"characters": [character.id]})


def test_errors_are_those_that_the_client_knows(client, served):
    with pytest.raises(openai.BadRequestError, match="prompt") as caught:
        client.videos.create(prompt="")
    assert caught.value.param == "prompt"
    assert caught.value.type == "invalid_request_error"
    with pytest.raises(openai.BadRequestError, match="there is no model"):
        client.videos.create(prompt="a ball", model="sora-9")
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve("video_" + "0" * 32)
    waiting = client.videos.create(prompt="a ball")
    with pytest.raises(openai.BadRequestError, match="queued, not completed"):
        client.videos.download_content(waiting.id)
    with pytest.raises(openai.BadRequestError, match="none of png"):
        client.videos.edit(prompt="a ball", video=("x.mp4", io.BytesIO(b"not a film"), "video/mp4"))


def test_the_same_idempotency_key_gives_the_same_video(client):
    keyed = {"Idempotency-Key": "k1"}
    one = client.videos.create(prompt="a ball", extra_headers=keyed)
    assert client.videos.create(prompt="a ball", extra_headers=keyed).id == one.id
    with pytest.raises(openai.BadRequestError, match="another request"):
        client.videos.create(prompt="a box", extra_headers=keyed)
    assert len(list(client.videos.list())) == 1


def test_a_short_prompt_is_told_in_full_and_the_object_says_how(client, served):
    told = client.videos.create(prompt="a red ball rolls", seconds="1", extra_body={**FAST, "seed": 5})
    as_it_is = client.videos.create(prompt="a red ball rolls", extra_body={**FAST, "expand": False})
    served.work()
    told, as_it_is = (client.videos.retrieve(video.id) for video in (told, as_it_is))
    assert told.prompt == as_it_is.prompt == "a red ball rolls"
    text = told.model_extra["reelworld"]["expanded_prompt"]
    assert holds_of(text, Fact("color", (0, "red")))
    assert holds_of(text, Fact("action", (0, "roll")))
    assert as_it_is.model_extra["reelworld"]["expanded_prompt"] is None
    preview = httpx.get(
        f"{served.url}/v1/models/tiny/expansion", params={"text": "a red ball rolls", "seed": 5}
    )
    assert (preview.json()["text"], preview.json()["why"]) == (text, "")
    strange = httpx.get(f"{served.url}/v1/models/tiny/expansion", params={"text": "a zorp"}).json()
    assert httpx.get(f"{served.url}/v1/models/other").status_code == 404
    assert httpx.get(f"{served.url}/v1/models/auto/expansion", params={"text": "a zorp"}).json() == strange
    assert (strange["text"], strange["why"]) == ("a zorp", "the world does not know zorp")


def holds_of(text: str, fact: Fact) -> bool:
    """Tell whether a text states a fact."""
    return fact in parse(text).facts
