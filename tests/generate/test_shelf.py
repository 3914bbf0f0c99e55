"""The shelf of characters: pictures come back as they were, with where they are from; or one clear error."""

import numpy as np
import pytest

from reelworld.core.errors import ConfigError, VideoError
from reelworld.core.types import Video
from reelworld.generate.shelf import Shelf


def picture(level: int) -> Video:
    return Video(np.full((3, 8, 8, 3), level, np.uint8), 8.0, {"prompt": "a ball", "seed": 3})


def test_a_picture_comes_back_with_its_origin(tmp_path):
    shelf = Shelf(tmp_path / "deep" / "shelf")
    assert shelf.names() == []
    shelf.put("Bo", picture(7))
    shelf.put("li", picture(9))
    assert shelf.names() == ["bo", "li"]
    taken = shelf.take(["BO"])
    assert list(taken) == ["BO"]
    assert taken["BO"].frames.shape == (1, 8, 8, 3)
    assert (taken["BO"].frames == 7).all()
    assert taken["BO"].metadata["parents"] == [{"prompt": "a ball", "seed": 3}]
    before = taken["BO"].metadata["hash"]
    shelf.put("bo", picture(8))
    assert shelf.take(["bo"])["bo"].metadata["hash"] != before
    shelf.remove("Bo")
    assert shelf.names() == ["li"]


@pytest.mark.parametrize("name", ["../bo", "", "a b", "x" * 50, "7"])
def test_names_that_are_no_words_are_refused(tmp_path, name):
    shelf = Shelf(tmp_path)
    for ask in (lambda: shelf.put(name, picture(1)), lambda: shelf.take([name]), lambda: shelf.remove(name)):
        with pytest.raises(ConfigError, match="no name of a character"):
            ask()
    assert not list(tmp_path.iterdir())


def test_who_is_not_there_is_told_with_who_is_meant(tmp_path):
    shelf = Shelf(tmp_path)
    shelf.put("Bobby", picture(1))
    with pytest.raises(ConfigError, match="did you mean bobby"):
        shelf.take(["Boby"])
    with pytest.raises(ConfigError, match="reel character Zed --from"):
        shelf.remove("Zed")


def test_the_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("REELWORLD_CHARACTERS", str(tmp_path / "own"))
    assert Shelf().folder == tmp_path / "own"
    monkeypatch.delenv("REELWORLD_CHARACTERS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Shelf().folder == tmp_path / "reelworld" / "characters"


def test_a_broken_picture_can_be_forgotten(tmp_path):
    shelf = Shelf(tmp_path)
    shelf.put("Bo", picture(1)).write_bytes(b"broken")
    with pytest.raises(VideoError):
        shelf.take(["Bo"])
    shelf.remove("Bo")
    assert shelf.names() == []
