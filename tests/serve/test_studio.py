"""The studio in a real browser: create, watch, cancel, remix, storyboard; reloads, hostile prompts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.serve.conftest import Served, serve

from reelworld.serve.gate import LOCAL, Rules

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


def test_a_storyboard_is_laid_out_by_keys_and_rendered(page: Page, worker: None) -> None:
    page.get_by_role("navigation", name="Views").get_by_role("button", name="Storyboard").click()
    page.get_by_label("What card 1 shows").fill("a red ball")
    page.get_by_role("button", name="Add a card").click()
    page.get_by_label("What card 2 shows").fill("a blue box")
    card = page.get_by_role("button", name="Card 2 at 2 seconds")
    card.press("ArrowLeft")
    expect(page.get_by_role("button", name="Card 2 at 1.875 seconds")).to_be_visible()
    check(page)
    page.get_by_role("button", name="Render").click()
    expect(page.locator(".tile.completed")).to_be_visible(timeout=60_000)
    expect(page.locator(".tile")).to_contain_text("a red ball a blue box")


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


def test_copies_ask_for_what_was_asked(page: Page, worker: None) -> None:
    ask(page, "a red ball")
    page.get_by_role("button", name="Open: a red ball").click(timeout=60_000)
    copies = page.get_by_role("button", name="Copy as")
    expect(copies).to_have_count(3)
    told = [button.get_attribute("title") or "" for button in copies.all()]
    assert [text.split()[0] for text in told] == ["reel", "import", "curl"]
    page.get_by_role("button", name="Extend").click()
    before = page.get_by_label("what came before it")
    before.focus()
    page.keyboard.press("Space")  # ticks the box, and does not pause the film behind it
    expect(before).to_be_checked()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("What the new video shows").fill("it rolls")
    dialog.get_by_role("button", name="Generate").click()
    page.get_by_role("button", name="Open: it rolls").click(timeout=60_000)
    expect(copies).to_have_count(2)
    command, curl = (button.get_attribute("title") or "" for button in copies.all())
    assert command.startswith("reel extend video_")
    assert "--before" in command
    assert "/v1/videos/extensions" in curl
    assert '"video":{"id":"video_' in curl
    page.get_by_role("button", name="Recut").click()
    dialog.get_by_label("Keep from").fill("0")
    dialog.get_by_label("to second").fill("0.5")
    dialog.get_by_label("What the new video shows").fill("it stops")
    dialog.get_by_role("button", name="Generate", exact=True).click()
    page.get_by_role("button", name="Open: it stops").click(timeout=60_000)
    expect(copies).to_have_count(2)
    assert "--keep 0:0.5" in (copies.first.get_attribute("title") or "")


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
        served.jobs.add(owner=LOCAL, operation="generate", request={"prompt": f"n{n}", "seconds": 2}).id
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
