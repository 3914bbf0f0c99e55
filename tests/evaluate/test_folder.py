"""Scoring files that somebody else made, by a file of prompts."""

import json

import numpy as np
import pytest

from reelworld.core.errors import ConfigError, PromptError
from reelworld.core.types import Video
from reelworld.core.video import read, write
from reelworld.evaluate import folder
from reelworld.evaluate.folder import score_folder
from reelworld.evaluate.suite import suite, suite_config
from reelworld.world.stream import film


@pytest.fixture(scope="module")
def renders(tmp_path_factory):
    """A folder of true renders with their captions, and the same captions on still pictures."""
    path = tmp_path_factory.mktemp("videos")
    cases = suite("train", 1)
    films = film([case.clip for case in cases], suite_config("train", 1)).numpy()
    for n, frames in enumerate(films):
        write(Video(frames, 8.0), path / f"{n}.mp4")
        write(Video(np.repeat(frames[:1], len(frames), axis=0), 8.0), path / f"still{n}.mp4")
    prompts = {f"{n}.mp4": case.clip.caption for n, case in enumerate(cases)}
    (path / "prompts.json").write_text(json.dumps(prompts))
    (path / "still.json").write_text(json.dumps({f"still{name}": text for name, text in prompts.items()}))
    return path


def shares(figures) -> dict[tuple[str, str], float]:
    return {(row["group"], row["check"]): row["M"] for row in json.loads(figures.read_text())["checks"]}


def test_renders_do_what_their_captions_say_and_still_pictures_do_not(renders, tmp_path):
    page, figures = score_folder(renders, renders / "prompts.json", tmp_path / "true")
    true = shares(figures)
    assert np.mean(list(true.values())) > 0.9
    assert "data:image/webp;base64," in page.read_text()
    still = shares(score_folder(renders, renders / "still.json", tmp_path / "still")[1])
    moving = [share for (_, check), share in still.items() if check in ("direction", "gravity", "lift")]
    assert len(moving) >= 3
    assert set(moving) == {0.0}


def test_a_stopped_judging_goes_on(renders, tmp_path, monkeypatch):
    judged = []

    def read_three(path, **options):
        if len(judged) == 3:
            raise KeyboardInterrupt
        judged.append(path.name)
        return read(path, **options)

    monkeypatch.setattr(folder, "read", read_three)
    with pytest.raises(KeyboardInterrupt):
        score_folder(renders, renders / "prompts.json", tmp_path / "stopped")
    first, judged[:] = judged[:], []
    monkeypatch.setattr(folder, "read", lambda path, **o: judged.append(path.name) or read(path, **o))
    _, figures = score_folder(renders, renders / "prompts.json", tmp_path / "stopped")
    names = list(json.loads((renders / "prompts.json").read_text()))
    assert first + judged == names
    _, whole = score_folder(renders, renders / "prompts.json", tmp_path / "whole")
    assert json.loads(figures.read_text())["checks"] == json.loads(whole.read_text())["checks"]
    with pytest.raises(ConfigError, match="holds work with prompts"):
        score_folder(renders, renders / "still.json", tmp_path / "whole")


def test_missing_videos_and_bad_files_are_told(renders, tmp_path):
    (tmp_path / "prompts.json").write_text(json.dumps({"none.mp4": "a red ball"}))
    with pytest.raises(ConfigError, match="1 of 1 videos are missing"):
        score_folder(renders, tmp_path / "prompts.json", tmp_path)
    (tmp_path / "prompts.json").write_text("[1]")
    with pytest.raises(ConfigError, match="object of prompts"):
        score_folder(renders, tmp_path / "prompts.json", tmp_path)
    with pytest.raises(ConfigError, match="cannot read"):
        score_folder(renders, tmp_path / "nothing.json", tmp_path)


def test_prompts_in_which_nothing_is_read_are_named(renders, tmp_path):
    names = {path.name: "xyzzy" for path in sorted(renders.glob("*.mp4"))}
    (tmp_path / "prompts.json").write_text(json.dumps(names))
    with pytest.raises(PromptError, match=f"{next(iter(names))}.*leave them out"):
        score_folder(renders, tmp_path / "prompts.json", tmp_path)
