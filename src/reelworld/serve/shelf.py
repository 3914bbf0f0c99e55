"""The characters of each owner: a name, and the picture that prompts call by it.

shelf = Shelf(jobs, storage)
bo = shelf.add("anna", "Bo", source.frames)
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from reelworld.core.encode import encode_frames
from reelworld.core.errors import ConfigError, StorageError
from reelworld.core.types import Frames
from reelworld.generate.casting import check_name
from reelworld.serve.errors import ApiError, not_found
from reelworld.serve.jobs import Jobs, new_id
from reelworld.serve.storage import Storage
from reelworld.serve.tables import Character

MOST_CHARACTERS = 200  # of one owner
MOST_LISTED = 500


class Shelf:
    """Keeps characters: their names in the database, their pictures in the storage."""

    def __init__(self, jobs: Jobs, storage: Storage) -> None:
        self.jobs, self.storage = jobs, storage

    def add(self, owner: str, name: str, frames: Frames) -> Character:
        """Store a character by the first of its frames. Raises: ApiError."""
        try:
            check_name(name)
        except ConfigError as error:
            raise _wrong_name(str(error)) from error
        identity = new_id("char")
        file = f"{identity}/frames.npy"
        character = Character(id=identity, owner=owner, name=name, file=file, created_at=time.time())
        with ExitStack() as stack:
            stack.callback(self.storage.remove, identity)
            self.storage.put(file, encode_frames(frames[:1]))
            with Session(self.jobs.engine, expire_on_commit=False) as session, session.begin():
                self.jobs.alone(session, owner)
                taken = session.scalars(select(Character.name).where(Character.owner == owner)).all()
                _check_free(name, taken)
                session.add(character)
            stack.pop_all()
        return character

    def all_of(self, owner: str) -> list[Character]:
        """Return an owner's characters, the oldest first."""
        of_owner = select(Character).where(Character.owner == owner)
        with Session(self.jobs.reading, expire_on_commit=False) as session:
            return list(session.scalars(of_owner.order_by(Character.created_at).limit(MOST_LISTED)))

    def get(self, character_id: str, owner: str) -> Character:
        """Return a character. Raises: ApiError."""
        asked = select(Character).where(Character.id == character_id, Character.owner == owner)
        with Session(self.jobs.reading, expire_on_commit=False) as session:
            found = session.scalars(asked).first()
        if found is None:
            raise not_found("character")
        return found

    def forget(self, character: Character) -> None:
        """Delete a character; videos with it stay as they are."""
        with Session(self.jobs.engine) as session, session.begin():
            session.execute(delete(Character).where(Character.id == character.id))
        with suppress(StorageError):  # the sweep removes it later
            self.storage.remove(character.id)


def _check_free(name: str, taken: Sequence[str]) -> None:
    """Raise ApiError where a name is taken, or there are too many."""
    if name.lower() in (other.lower() for other in taken):
        raise _wrong_name(f"there is a character {name} already; delete it, or take another name")
    if len(taken) >= MOST_CHARACTERS:
        raise ApiError(400, f"{MOST_CHARACTERS} characters are stored; delete some", code="too_many")


def _wrong_name(why: str) -> ApiError:
    return ApiError(400, why, param="name", code="invalid_value")
