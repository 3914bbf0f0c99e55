"""Pictures of the studio at three widths for the docs: python docs/screens.py

Starts a server of its own with the packaged weights, makes a few videos, and takes the pictures in Chromium.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import httpx
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

OUT = Path(__file__).parent / "pictures"
COLORS = 128  # of the palette: flat surfaces need no more
PROMPTS = (
    "a large red ball bounces in a meadow", "a small blue cube slides to the left",
    "a large yellow cone spins. the camera moves closer", "a large green cylinder jumps",
)  # fmt: skip


def create(page: Page) -> None:
    """Ask for videos, and wait until they are there."""
    for n, prompt in enumerate(PROMPTS, 1):
        page.get_by_label("What the video shows").fill(prompt)
        page.get_by_role("button", name="Generate").click()
        expect(page.locator(".tile.completed")).to_have_count(n, timeout=120_000)


def details(page: Page) -> None:
    """Open the newest video."""
    page.get_by_role("tab", name="Create").click()
    page.locator(".tile.completed").first.get_by_role("button", name="Open").click()
    page.wait_for_timeout(800)


def board(page: Page) -> None:
    """Lay two cards on the timeline."""
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Storyboard").click()
    for _ in range(2):
        page.get_by_role("button", name="Add a card").click()
    page.wait_for_timeout(500)


def again(page: Page) -> None:
    """Go back to where videos are asked for."""
    page.get_by_role("tab", name="Create").click()
    page.wait_for_timeout(500)


VIEWS: tuple[tuple[str, int, Literal["dark", "light"], Callable[[Page], None]], ...] = (
    ("1600", 900, "dark", details), ("768", 900, "light", board), ("360", 740, "dark", again)
)  # fmt: skip


def shoot(page: Page, name: str) -> None:
    """Take a picture of what is on the screen, and keep it small."""
    path = OUT / f"studio_{name}.png"
    page.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(COLORS).save(path, optimize=True)
    print(path)


def main() -> None:
    """Serve, work, take pictures."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        code = (
            "from reelworld.serve.serving import Settings, run; "
            f"run(Settings(database='sqlite:///{folder}/jobs.db', storage='{folder}/files', port={port}))"
        )
        server = subprocess.Popen([sys.executable, "-c", code])
        url = f"http://127.0.0.1:{port}"
        while True:
            try:
                httpx.get(f"{url}/healthz")
                break
            except httpx.TransportError:
                time.sleep(0.2)
        with sync_playwright() as playwright:
            chromium = shutil.which("chromium") or shutil.which("google-chrome")
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_context(
                viewport={"width": 1600, "height": 900}, color_scheme="dark"
            ).new_page()
            page.goto(url)
            create(page)
            for name, height, theme, step in VIEWS:
                page.set_viewport_size({"width": int(name), "height": height})
                page.emulate_media(color_scheme=theme)
                step(page)
                shoot(page, name)
            browser.close()
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
