"""The packaged weights: they load, they fit their card, and the main command works with them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from reelworld.core.checkpoint import read_card
from reelworld.core.video import read
from reelworld.generate.pipeline import default_weights

ROOT = Path(__file__).parents[2]


def test_the_main_command_with_the_packaged_weights(tmp_path: Path) -> None:
    out = tmp_path / "ball.mp4"
    command = [sys.executable, "-m", "reelworld.cli", "generate", "a large red ball", "-o", str(out)]
    done = subprocess.run(
        [*command, "--num-inference-steps", "2"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert read(out).frames.shape == (16, 256, 256, 3)


def test_weights_say_what_they_are() -> None:
    card = read_card(default_weights())
    assert card["shape"] == {"width": 64, "height": 64, "num_frames": 16, "fps": 8.0}
    assert card["trained"]["steps"] > 0
    assert "ball" in card["tokenizer"]["learnt"]
    assert "dog" not in card["tokenizer"]["learnt"]  # of the second level, which these never saw
    assert default_weights().with_suffix(".md").is_file()


def test_what_is_tracked_stays_small() -> None:
    """All tracked files together stay below 55 MiB."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert sum(f.stat().st_size for f in files if f.is_file()) < 55 * 2**20


def test_links_of_the_documents_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
