"""The studio in a real browser: create, watch, cancel, remix, storyboard; reloads, hostile prompts."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.serve.conftest import Served, serve

from reelworld.core.encode import decode_frames, encode_mp4
from reelworld.core.progress import progress
from reelworld.core.types import Video
from reelworld.core.video import write
from reelworld.models.released import checkpoint_to_denoiser, denoiser_to_checkpoint
from reelworld.serve.gate import LOCAL, Rules
from reelworld.serve.jobs import Ask
from reelworld.serve.making import Studio
from reelworld.serve.tables import Job

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (apt-get install chromium)")
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """The studio, empty; whatever the page complains of fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.goto(served.url)
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    yield page
    context.close()
    assert wrong == []


def ask(page: Page, text: str) -> None:
    page.get_by_label("What the video shows").fill(text)
    page.get_by_role("button", name="Generate").click()


def check(page: Page) -> None:
    """Find no serious barrier for anybody."""
    found = Axe().run(page).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in SERIOUS] == []


def test_from_nothing_to_a_playing_video(page: Page, worker: None) -> None:
    check(page)
    ask(page, "a red ball")
    tile = page.locator(".tile.completed")
    expect(tile).to_be_visible(timeout=60_000)
    tile.get_by_role("button", name="Open").click()
    film = page.locator("dialog video")
    expect(film).to_be_visible()
    while film.evaluate("film => film.currentTime") < 0.1:
        page.wait_for_timeout(50)
    page.keyboard.press("k")
    assert film.evaluate("film => film.paused")
    check(page)
    page.get_by_role("button", name="Remix").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("What the new video shows").fill("a blue ball")
    dialog.get_by_role("button", name="Generate").click()
    expect(page.locator(".tile.completed")).to_have_count(2, timeout=60_000)
    page.get_by_role("button", name="Open: a blue ball").click()
    expect(page.get_by_role("navigation", name="Lineage")).to_contain_text("generate: a red ball")
    page.once("dialog", lambda asking: asking.accept())
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".tile")).to_have_count(1)


def test_waiting_can_be_cancelled_and_survives_a_reload(page: Page, served: Served) -> None:
    ask(page, "a red ball")
    expect(page.get_by_text("waiting for its turn")).to_be_visible()
    page.reload()
    expect(page.get_by_text("waiting for its turn")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled")).to_be_visible()
    assert served.jobs.counts() == {"failed": 1}
    page.once("dialog", lambda asking: asking.accept())
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Nothing here yet")).to_be_visible()


def test_a_server_that_goes_and_comes_back_is_found_again(
    browser: Browser, served: Served, request: pytest.FixtureRequest
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(served.url)
    ask(page, "a red ball")
    expect(page.get_by_text("waiting for its turn")).to_be_visible()
    served.stop()
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    served.start()
    request.getfixturevalue("worker")
    expect(page.locator(".tile.completed")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("alert")).to_have_count(0)
    context.close()


def test_what_is_being_made_outlives_a_reload_and_a_restart_and_can_be_cancelled(
    browser: Browser, served: Served, worker: None
) -> None:
    long = {"prompt": "a red ball", "num_inference_steps": 200, "seconds": 30}
    httpx.post(f"{served.url}/v1/videos", json=long).raise_for_status()
    page = browser.new_page()
    page.goto(served.url)
    tile, preview = page.locator(".tile.in_progress"), page.get_by_alt_text("What can be seen so far")
    for again in (page.reload, served.stop, None):
        expect(tile).to_be_visible(timeout=30_000)
        expect(preview).to_be_visible(timeout=30_000)
        if again is not None:
            again()
        if again == served.stop:
            expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
            served.start()
            expect(page.get_by_role("alert")).to_have_count(0)
    tile.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled")).to_be_visible()
    assert (newest(served).status, newest(served).error_code) == ("failed", "cancelled")
    page.close()


def test_no_script_of_a_prompt_runs(page: Page, worker: None) -> None:
    hostile = '<img src=x onerror="window.hurt=1"> ball'
    ask(page, hostile)
    expect(page.locator(".tile.completed")).to_be_visible(timeout=60_000)
    page.locator(".tile .open").click()
    expect(page.get_by_role("heading", name="window.hurt")).to_be_visible()
    assert page.evaluate("window.hurt") is None
    assert page.locator("#studio img[src='x']").count() == 0


def test_unknown_words_are_marked_as_one_types(page: Page) -> None:
    page.get_by_label("What the video shows").fill("a red zorp")
    expect(page.locator(".prompt .hint")).to_contain_text("never learnt zorp")
    expect(page.locator(".shade mark")).to_have_text("zorp")


def test_a_word_that_is_offered_takes_the_place_of_that_word_alone(page: Page) -> None:
    prompt = page.get_by_label("What the video shows")
    prompt.fill("a ballxy a ballx")
    expect(page.locator(".shade mark")).to_have_count(2)
    page.locator(".prompt .hint").get_by_role("button", name="ball", exact=True).last.click()
    expect(prompt).to_have_value("a ballxy a ball")


def test_a_storyboard_is_laid_out_by_keys_and_rendered(page: Page, worker: None) -> None:
    page.get_by_role("navigation", name="Views").get_by_role("button", name="Storyboard").click()
    page.get_by_label("What card 1 shows").fill("a red ball")
    page.get_by_role("button", name="Add a card").click()
    page.get_by_label("What card 2 shows").fill("a blue box")
    card = page.get_by_role("button", name="Card 2 at 3 seconds, goes on")  # a window of these weights is 1 s
    card.press("ArrowLeft")
    expect(page.get_by_role("button", name="Card 2 at 2.875 seconds")).to_be_visible()
    check(page)
    page.get_by_role("button", name="Render").click()
    expect(page.locator(".tile.completed")).to_be_visible(timeout=60_000)
    expect(page.locator(".tile")).to_contain_text("a red ball a blue box")


def test_a_card_shows_a_film_from_a_file(page: Page, served: Served, worker: None, tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    (tmp_path / "mine.mp4").write_bytes(encode_mp4(Video(frames, 8.0)))
    (tmp_path / "long.mp4").write_bytes(bytes(9 << 20))
    page.get_by_role("navigation", name="Views").get_by_role("button", name="Storyboard").click()
    given = page.get_by_label("Picture or film of the card")
    given.set_input_files(tmp_path / "long.mp4")
    expect(page.locator(".toasts")).to_contain_text("long.mp4 is too large")
    expect(page.get_by_role("button", name="Render")).to_be_disabled()
    given.set_input_files(tmp_path / "mine.mp4")
    expect(page.get_by_role("button", name="Card 1 at 0 seconds")).to_contain_text("mine.mp4")
    check(page)
    page.get_by_role("button", name="Render").click()
    expect(page.locator(".tile.completed")).to_be_visible(timeout=60_000)
    assert len(newest(served).request["sources"]) == 1
    page.get_by_role("navigation", name="Views").get_by_role("button", name="Storyboard").click()
    page.get_by_role("button", name="Without it").click()
    expect(page.get_by_role("button", name="Render")).to_be_disabled()


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (360, "light"), (768, "light"), (1600, "dark")])
def test_nothing_is_cut_off_at_any_width(browser: Browser, served: Served, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto(served.url)
    for view in ("Storyboard", "Create"):
        page.get_by_role("navigation", name="Views").get_by_role("button", name=view).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        check(page)
    context.close()


def copied(page: Page, kind: str) -> str:
    """Return the text of a request that is offered to be copied."""
    copies = page.locator(".copies")
    if not copies.evaluate("box => box.open"):
        copies.locator("summary").click()
    copies.get_by_text(kind, exact=True).click()
    return page.get_by_label(f"The request as {kind}").input_value()


def newest(served: Served) -> Job:
    """Return the job that was asked for last."""
    (job,), _ = served.jobs.page(LOCAL, limit=1)
    return job


def asked(job: Job) -> dict[str, object]:
    """Return what a job's request says, but for the copies of files and how it was told of."""
    passing = ("sources", "image", "characters", "told", "rates")
    return {name: value for name, value in job.request.items() if name not in passing}


def test_copies_ask_for_what_was_asked(page: Page, served: Served, worker: None, tmp_path: Path) -> None:
    """Run as they are, the Python and the curl queue the same job again."""
    ask(page, "a red ball")
    page.get_by_role("button", name="Open: a red ball").click(timeout=60_000)
    page.locator(".copies summary").click()
    expect(page.locator(".copies").get_by_text("Command line")).to_have_count(0)  # none crops to this size
    dialog = page.get_by_role("dialog")
    for action, text, fill in (
        ("Extend", "it rolls", lambda: page.get_by_label("what came before it").check()),
        ("Recut", "it stops", lambda: dialog.get_by_label("to second").fill("1")),
        ("Remix", "a blue ball", lambda: dialog.get_by_text("strong", exact=True).click()),
    ):
        dialog.get_by_role("button", name=action, exact=True).click()
        fill()
        dialog.get_by_label("What the new video shows").fill(text)
        dialog.get_by_role("button", name="Generate", exact=True).click()
        page.get_by_role("button", name=f"Open: {text}").click(timeout=60_000)
        for kind in ("Python", "curl"):
            told, before = copied(page, kind), newest(served)
            command = [sys.executable, "-c", told] if kind == "Python" else ["sh", "-c", told]
            if kind == "curl" and shutil.which("curl") is None:
                continue
            subprocess.run(command, check=True, cwd=tmp_path, timeout=120, capture_output=True)
            again = newest(served)
            assert again.id != before.id
            assert (again.operation, asked(again)) == (before.operation, asked(before))
            if kind == "Python":
                assert (tmp_path / "video.mp4").stat().st_size > 1000


def test_keys_play_and_the_page_says_all_that_was_asked(page: Page, worker: None) -> None:
    ask(page, "a red ball")
    page.get_by_role("button", name="Open: a red ball").click(timeout=60_000)
    dialog, film = page.get_by_role("dialog"), page.locator("video.player")
    expect(film).to_be_visible()
    expect(film).to_have_js_property("paused", False)
    page.keyboard.press("Space")
    assert film.evaluate("film => film.paused")
    page.keyboard.press("Space")
    assert not film.evaluate("film => film.paused")
    expect(dialog).to_contain_text("kept until")
    with page.expect_download() as download:
        dialog.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename.endswith(".mp4")
    dialog.get_by_role("button", name="Loop").click()
    check(page)
    dialog.get_by_label("What the new video shows").fill("it comes back")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("button", name="Open: it comes back")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Open: it comes back").click()
    page.once("dialog", lambda asking: asking.dismiss())
    page.keyboard.press("Delete")
    expect(dialog).to_be_visible()
    page.once("dialog", lambda asking: asking.accept())
    page.keyboard.press("Delete")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Open: it comes back")).to_have_count(0)


def test_the_gallery_plays_what_has_the_focus_or_the_pointer(page: Page, worker: None) -> None:
    ask(page, "a red ball")
    tile, film = page.get_by_role("button", name="Open: a red ball"), page.locator(".tile video")
    expect(tile).to_be_visible(timeout=60_000)
    for begin, end in (
        (tile.focus, tile.blur),
        (tile.hover, lambda: page.mouse.move(1, 1)),
    ):
        expect(film).to_have_count(0)
        begin()
        expect(film).to_have_js_property("paused", False)
        end()
    expect(film).to_have_count(0)


def test_a_failed_video_can_be_looked_at_and_asked_for_again(page: Page, served: Served) -> None:
    ask(page, "a red ball")
    expect(page.locator(".tile.queued")).to_be_visible()
    page.locator(".tile").get_by_role("button", name="Cancel").click()
    tile = page.locator(".tile.failed")
    tile.get_by_role("button", name="Details").click()
    check(page)
    page.get_by_role("button", name="Reuse settings").click()
    expect(page.get_by_label("What the video shows")).to_have_value("a red ball")
    assert newest(served).status == "failed"


def test_a_blend_is_told_of_as_a_tree_of_both(page: Page, worker: None) -> None:
    for text in ("a red ball", "a blue box"):
        ask(page, text)
        expect(page.get_by_role("button", name=f"Open: {text}")).to_be_visible(timeout=60_000)
    for box in page.get_by_label("compare").all():
        box.check()
    check(page)
    page.get_by_label("Text of the blend").fill("a red box")
    page.get_by_role("button", name="Blend first into second").click()
    page.get_by_role("button", name="Open: a red box").click(timeout=60_000)
    lineage = page.get_by_role("navigation", name="Lineage")
    check(page)
    for text in ("generate: a red ball", "generate: a blue box"):
        expect(lineage.get_by_role("button", name=text)).to_be_visible()
    lineage.get_by_role("button", name="generate: a blue box").click()
    expect(lineage.get_by_role("button", name="blend: a red box")).to_be_visible()


def test_a_storyboard_is_edited_and_only_what_changed_is_made_anew(
    page: Page, served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REELWORLD_CACHE", str(tmp_path / "cache"))
    page.get_by_role("navigation", name="Views").get_by_role("button", name="Storyboard").click()
    page.get_by_label("What card 1 shows").fill("a red ball")
    page.get_by_role("button", name="Add a card").click()
    page.get_by_label("What card 2 shows").fill("a blue box")
    page.get_by_label("with a cut").check(force=True)
    made = []
    for text in (None, "a red box"):
        if text is not None:
            page.get_by_role("button", name="Open: a red ball a blue box").click(timeout=60_000)
            page.get_by_role("button", name="Edit the storyboard").click()
            page.get_by_role("button", name="Card 2 at").click()
            page.get_by_label("What card 2 shows").fill(text)
        page.get_by_role("button", name="Render").click()
        expect(page.locator(".tile").first).to_be_visible()
        turn = served.jobs.lease("w")
        assert turn is not None
        steps: list[int] = []
        studio = Studio({"tiny": served.weights})
        with progress("silent", 1, "") as watch:
            made.append(
                studio.make(
                    turn.operation, turn.request, lambda name: decode_frames(served.storage.get(name)), watch,
                    lambda *step, seen=steps: seen.append(step[0]),
                )
            )  # fmt: skip
        for name, data in made[-1].files.items():
            served.storage.put(f"{turn.id}/1/{name}", data)
        served.jobs.complete(turn, {"folder": f"{turn.id}/1", **made[-1].about})
        made[-1].about["windows"] = steps.count(0)
    assert made[1].about["windows"] < made[0].about["windows"]
    one, two = (decode_frames(part.files["base.npy"]) for part in made)
    cut = made[0].about["made"]["cuts"][0]
    assert (one[:cut] == two[:cut]).all()
    assert (one[cut:] != two[cut:]).any()


def test_a_character_is_made_of_a_file_and_forgotten(page: Page, tmp_path: Path) -> None:
    page.get_by_role("navigation", name="Views").get_by_role("button", name="Storyboard").click()
    write(Video(np.full((1, 16, 16, 3), 90, np.uint8)), tmp_path / "bo.png")
    shelf = page.get_by_role("region", name="Characters")
    shelf.get_by_label("Name").fill("Bo")
    shelf.get_by_label("Picture or video").set_input_files(tmp_path / "bo.png")
    shelf.get_by_role("button", name="Add").click()
    shelf.get_by_role("button", name="Bo", exact=True).click()
    expect(page.get_by_label("What card 1 shows")).to_have_value("Bo ")
    page.once("dialog", lambda asking: asking.accept())
    shelf.get_by_role("button", name="Forget Bo").click()
    expect(shelf).to_contain_text("None yet")


@pytest.fixture
def guarded(tmp_path: Path, weights: Path) -> Iterator[Served]:
    yield from serve(tmp_path, weights, Rules(need_key=True))


def test_a_wrong_key_is_told_and_can_be_mended(browser: Browser, guarded: Served) -> None:
    page = browser.new_context().new_page()
    page.goto(guarded.url)
    for key in ("rw_wrong", "rw_wrong_too"):
        page.get_by_label("Key", exact=True).fill(key)
        page.get_by_role("button", name="Enter", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("does not take the key")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Enter a key").click()
    page.get_by_label("Key", exact=True).fill(guarded.keys.create("me"))
    page.get_by_role("button", name="Enter", exact=True).click()
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    page.context.close()


def test_what_is_deleted_elsewhere_does_not_stop_the_gallery(browser: Browser, served: Served) -> None:
    ids = [
        served.jobs.add(Ask(owner=LOCAL, operation="generate", request={"prompt": f"n{n}", "seconds": 2})).id
        for n in range(30)
    ]
    page = browser.new_context().new_page()
    page.goto(served.url)
    expect(page.locator(".tile").first).to_be_visible()
    served.jobs.delete(ids[6])  # the last of the first page
    page.mouse.wheel(0, 20_000)
    page.wait_for_timeout(1500)
    page.mouse.wheel(0, 20_000)
    expect(page.locator(".toasts .error")).to_have_count(0)
    expect(page.locator(".tile")).to_have_count(29, timeout=15_000)
    page.context.close()


def test_of_two_models_one_can_be_chosen(browser: Browser, tmp_path: Path, weights: Path) -> None:
    denoiser, tokenizer, card = checkpoint_to_denoiser(weights)
    tokenizer.learnt = {"a", "red"}
    few = denoiser_to_checkpoint(tmp_path / "few.safetensors", denoiser, tokenizer, card)
    for served in serve(tmp_path, weights, Rules(), few=few):
        page = browser.new_page()
        page.goto(served.url)
        page.locator("summary", has_text="More").click()
        check(page)
        page.get_by_label("What the video shows").fill("a red ball")
        page.get_by_text("few", exact=True).click()
        expect(page.locator(".composer mark")).to_have_text("ball")  # which that model never learnt
        page.get_by_role("button", name="Generate").click()
        expect(page.locator(".tile.queued")).to_be_visible()
        page.get_by_text("whichever knows the words").click()
        expect(page.locator(".composer mark")).to_have_count(0)
        page.get_by_role("button", name="Generate").click()
        expect(page.locator(".tile.queued")).to_have_count(2)
        asked = [job.request["model"] for job in served.jobs.page(LOCAL, limit=9)[0]]
        assert sorted(asked) == ["few", "tiny"]
        page.close()
