"""The shelf of characters: one picture each, in a folder, under a name.

    shelf = Shelf()
    shelf.put("Bo", Video.load("ball.mp4", start=0.5))
    pipeline("Bo rolls to the left", characters=shelf.take(["Bo"]))

The folder is `runtime.characters_dir()`, unless told otherwise. A picture's metadata tell of the
video that it was taken from.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from reelworld.core.errors import ConfigError
from reelworld.core.runtime import characters_dir
from reelworld.core.storage import file_hash, make_folder, storage_errors
from reelworld.core.types import Video
from reelworld.core.video import read_image, write
from reelworld.generate.casting import check_name
from reelworld.generate.lineage import ancestry


class Shelf:
    """Characters in a folder; names are the same in small and large letters."""

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = characters_dir() if folder is None else Path(folder)

    def names(self) -> list[str]:
        """Return who is there."""
        return sorted(path.stem for path in self.folder.glob("*.png"))

    def put(self, name: str, picture: Video) -> Path:
        """Keep the first frame of a video; who had the name before is replaced.

        Raises: ConfigError for a name that is no word; StorageError.
        """
        check_name(name)
        make_folder(self.folder)
        about = {"character": name, "parents": ancestry([picture.metadata]) if picture.metadata else []}
        return write(Video(picture.frames[:1], picture.fps, about), self._path(name))

    def take(self, names: Iterable[str]) -> dict[str, Video]:
        """Return pictures of characters; each says its file and hash.

        Raises: ConfigError for one who is not there; VideoError where a file is broken.
        """
        return {name: self._take(name) for name in names}

    def remove(self, name: str) -> None:
        """Forget a character. Raises: ConfigError where there is none of that name."""
        path = self._there(name)
        with storage_errors(path):
            path.unlink()

    def _path(self, name: str) -> Path:
        return self.folder / f"{name.lower()}.png"

    def _take(self, name: str) -> Video:
        path = self._there(name)
        picture = read_image(path)
        about = {**picture.metadata, "file": path.name, "hash": file_hash(path)}
        return Video(picture.frames, picture.fps, about)

    def _there(self, name: str) -> Path:
        """Return the file of a character. Raises: ConfigError where there is none."""
        check_name(name)
        path = self._path(name)
        if not path.is_file():
            near = get_close_matches(name.lower(), self.names(), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(
                f"there is no character {name} in {self.folder}{hint}; `reel character {name} --from FILE`"
            )
        return path
