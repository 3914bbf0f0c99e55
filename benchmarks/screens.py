"""Pictures of the studio at three widths for the docs: python benchmarks/screens.py

Starts a server of its own with the packaged weights, makes a few videos, and takes the pictures in Chromium.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from server import serving

OUT = Path(__file__).parents[1] / "docs" / "pictures"
COLORS = 128  # of the palette: flat surfaces need no more
PROMPTS = (
    "A large red ball falls. The camera stays still. A grassy meadow in daylight.",
    "A large blue cube slides to the left. The camera stays still. A studio by day. The floor is chequered.",
    "A large green cone stands still. The camera moves closer. A grassy meadow in daylight.",
    "A large red ball stands still. The camera stays still. A grassy meadow in daylight.",
)


def create(page: Page) -> None:
    """Ask for videos, and wait until they are there."""
    for n, prompt in enumerate(PROMPTS, 1):
        page.get_by_label("What the video shows").fill(prompt)
        page.get_by_role("button", name="Generate").click()
        expect(page.locator(".tile.completed")).to_have_count(n, timeout=120_000)


def details(page: Page) -> None:
    """Open the newest video."""
    page.get_by_role("navigation", name="Views").get_by_role("button", name="Create").click()
    page.locator(".tile.completed").first.get_by_role("button", name="Open").click()
    page.wait_for_timeout(800)


def board(page: Page) -> None:
    """Lay two cards on the timeline, in the light."""
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Switch to the light theme").click()
    page.get_by_role("navigation", name="Views").get_by_role("button", name="Storyboard").click()
    for n, prompt in enumerate(PROMPTS[:2], 1):
        if n > 1:
            page.get_by_role("button", name="Add a card").click()
        page.get_by_label(f"What card {n} shows").fill(prompt)
    page.wait_for_timeout(500)


def again(page: Page) -> None:
    """Go back to where videos are asked for."""
    page.get_by_role("button", name="Switch to the dark theme").click()
    page.get_by_role("navigation", name="Views").get_by_role("button", name="Create").click()
    page.wait_for_timeout(500)


VIEWS: tuple[tuple[str, int, Callable[[Page], None]], ...] = (
    ("1600", 900, details), ("768", 900, board), ("360", 740, again)
)  # fmt: skip


def shoot(page: Page, name: str) -> None:
    """Take a picture of what is on the screen, and keep it small."""
    path = OUT / f"studio_{name}.png"
    page.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(COLORS).save(path, optimize=True)
    print(path)


def shoot_all(page: Page) -> None:
    """Take the pictures, each in its own width."""
    for name, height, step in VIEWS:
        page.set_viewport_size({"width": int(name), "height": height})
        step(page)
        shoot(page, name)


def main() -> None:
    """Serve, work, take pictures."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 1600, "height": 900}, color_scheme="dark").new_page()
        page.goto(server.url)
        create(page)
        shoot_all(page)
        browser.close()


if __name__ == "__main__":
    main()
