"""The packaged weights: they load, they fit their card, and the main command works with them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from reelworld.cli.results import ready
from reelworld.core.checkpoint import read_card
from reelworld.core.storage import file_hash
from reelworld.core.video import read
from reelworld.generate.packaged import PACKAGED, packaged_with, reads_best, weights_file

ROOT = Path(__file__).parents[2]


def test_the_main_command_with_the_packaged_weights(tmp_path: Path) -> None:
    out = tmp_path / "ball.mp4"
    command = [sys.executable, "-m", "reelworld.cli", "generate", "a large red ball", "-o", str(out)]
    done = subprocess.run(
        [*command, "--num-inference-steps", "2"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert read(out).frames.shape == (16, 256, 256, 3)


@pytest.mark.parametrize("name", PACKAGED)
def test_weights_say_what_they_are(name: str) -> None:
    card = read_card(weights_file(name))
    assert card["shape"] == {"width": 64, "height": 64, "num_frames": 16, "fps": 8.0}
    assert card["trained"]["steps"] > 0
    assert "ball" in card["tokenizer"]["learnt"]
    assert ("dog" in card["tokenizer"]["learnt"]) == (name == "small")  # of the second level
    assert weights_file(name).with_suffix(".md").is_file()


def test_the_cheapest_model_that_knows_the_words_makes_the_video() -> None:
    assert reads_best("a red ball rolls in a meadow") == "nano"
    assert reads_best("a dog runs in the snow") == "small"
    assert reads_best("a red ball rolls", "then a dog runs") == "small"
    assert reads_best("a red griffin") == reads_best("") == "nano"  # neither knows more
    assert reads_best("a red ball rolls. " * 20) == "small"  # longer than any caption of nano


def test_a_packaged_model_is_found_by_its_name_and_hash(tmp_path: Path) -> None:
    assert all(packaged_with(file_hash(weights_file(name))) == name for name in PACKAGED)
    assert packaged_with("of nobody") == packaged_with(None) == PACKAGED[0]
    assert weights_file(tmp_path / "small") == tmp_path / "small"


def test_a_video_is_gone_on_with_by_the_model_that_reads_its_prompt(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text, pipeline, _ = ready(None, None, False, False, said="a dog runs in the snow")
    assert text is None
    assert pipeline.weights_hash == file_hash(weights_file("small"))
    assert "made by small" in capsys.readouterr().err
    _, pipeline, _ = ready("a red ball", None, False, False, said="a dog runs in the snow")
    assert pipeline.weights_hash == file_hash(weights_file("nano"))
    assert capsys.readouterr().err == ""


def test_what_is_tracked_stays_small() -> None:
    """All tracked files together stay below 55 MiB."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert sum(f.stat().st_size for f in files if f.is_file()) < 55 * 2**20


def test_links_of_the_documents_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
