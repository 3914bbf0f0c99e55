"""One parser, fitted once, for all tests of this room."""

import pytest

from reelworld.evaluate.track import Parser


@pytest.fixture(scope="session")
def parser() -> Parser:
    return Parser.fit()
