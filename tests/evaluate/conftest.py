"""The parsers, fitted and loaded once, for all tests of this room."""

import pytest

from reelworld.evaluate.perceive import Perceiver
from reelworld.evaluate.track import Parser


@pytest.fixture(scope="session")
def classical() -> Parser:
    return Parser.fit()


@pytest.fixture(scope="session")
def parser() -> Perceiver:
    return Perceiver.load()
