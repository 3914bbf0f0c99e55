"""The OpenAPI document against the server: whatever it allows is answered as it says, and nothing breaks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from reelworld.serve.app import build
from reelworld.serve.desk import Desk
from reelworld.serve.gate import Keys, Rules
from reelworld.serve.jobs import Jobs
from reelworld.serve.storage import Storage
from reelworld.serve.tables import open_database, upgrade

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "8"))  # `make fuzz` asks for more
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory, weights: Path):
    """The document of a server without workers; hosts of the test client are let in."""
    folder = tmp_path_factory.mktemp("fuzz")
    engine = open_database(f"sqlite:///{folder / 'jobs.db'}")
    upgrade(engine)
    desk = Desk(Jobs(engine), Storage(str(folder / "files")), {"tiny": weights})
    app = build(desk, Keys(engine), Rules(hosts=("testserver",), rate=1e6, burst=1_000_000))
    yield schemathesis.openapi.from_asgi("/openapi.json", app)
    engine.dispose()


def test_every_call_answers_as_the_document_says(schema) -> None:
    """Hypothesis draws what the document allows, for each call in turn."""
    limits = settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    calls = [result.ok() for result in schema.get_all_operations()]
    assert len(calls) >= 24
    for call in calls:
        if call.path.endswith("/events"):  # goes on until a video is over
            continue

        @limits
        @given(case=call.as_strategy())
        def answered(case) -> None:
            case.call_and_validate(checks=CHECKS)

        answered()
