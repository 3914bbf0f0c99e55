"""Workers and the server are killed while they work: nothing is lost, nothing is made twice.

`benchmarks/kill.py` does the same for fifty rounds.
"""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_kills_lose_nothing(
    database: str, tmp_path: Path, weights: Path, request: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import kill

    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    if database == "postgresql":
        url = _empty(request.getfixturevalue("postgres"))
    found = kill.survive(tmp_path, url, rounds=2, seed=1, weights=weights, seconds=120.0)
    assert found["videos asked for"] == 1 + 2 * 8
    for never in (
        "lost or unfinished",
        "deleted, but still there",
        "with two outputs",
        "completed without a playable file",
    ):
        assert found[never] == 0, never
    assert found["deleted, with their files"] >= 1  # of the first round, on a slow machine, none is finished
    assert found["completed"] >= 10


def _empty(url: str) -> str:
    """Add a database to a PostgreSQL; return its URL."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE kills")
    engine.dispose()
    return make_url(url).set(database="kills").render_as_string(hide_password=False)
