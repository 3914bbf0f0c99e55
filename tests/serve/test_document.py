"""The OpenAPI document against the server: whatever it allows is answered as it says, and nothing breaks."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import Engine, delete
from sqlalchemy.orm import Session

from reelworld.serve.app import build
from reelworld.serve.desk import Desk
from reelworld.serve.gate import Keys, Rules
from reelworld.serve.jobs import Jobs
from reelworld.serve.making import Studio
from reelworld.serve.objects import EVENTS
from reelworld.serve.storage import Storage
from reelworld.serve.tables import Character, Job, open_database, upgrade
from reelworld.serve.uploads import WALL_SECONDS
from reelworld.serve.webhooks import Webhooks
from reelworld.serve.worker import serve_jobs

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "8"))  # `make fuzz` asks for more
DATABASE = os.environ.get("FUZZ_DATABASE", "sqlite")  # or postgresql
SHARDS = 6  # that can run side by side
PATIENCE = 10 * WALL_SECONDS  # of the client, who would else wait 10 s, also where the machine was stopped
EMPTIED = 40  # cases after which what they queued is taken away: a full queue answers nothing else
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
OPEN = {"GET /healthz"}  # asks for no key
ASKING = ("ours",) * 5 + ("theirs", "guessed", "nobody")  # whose key a case comes with


NEW: dict[str, tuple[str, dict[str, Any]]] = {
    "video_id": ("/v1/videos", {"prompt": "a red ball", "num_inference_steps": 2}),
    "character_id": ("/v1/videos/characters", {"name": "Bo"}),
}


@dataclass
class Fuzzed:
    """A server without workers, with a finished video, one that waits, and a character that stay.

    They are of the owner of the key "ours"; the owner of "theirs" has nothing.
    """

    client: TestClient
    engine: Engine
    real: dict[str, list[str]]
    keys: dict[str, dict[str, str]]  # headers
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    numbers: Iterator[int] = field(default_factory=count)

    def clear(self) -> None:
        """Take away what cases left."""
        with Session(self.engine) as session, session.begin():
            for table, name in ((Job, "video_id"), (Character, "character_id")):
                session.execute(delete(table).where(table.id.not_in(self.real[name])))

    def ask(self, case: Any, real: int | None, asking: str) -> None:
        """Call, and check the answer; with `real` for one of what is there instead of what never was."""
        pointed = real is not None and self.point(case, real)
        case.headers = {**(case.headers or {}), **self.keys[asking]}
        answer = case.call_and_validate(checks=CHECKS, timeout=PATIENCE)
        label, status = case.operation.label, answer.status_code
        assert (status == 401) == (asking in ("guessed", "nobody") and label not in OPEN)
        assert not (pointed and asking == "theirs" and status < 400)  # what is another's is not there
        self.answers[label, status] += 1
        if self.answers.total() % EMPTIED == 0:
            self.clear()

    def point(self, case: Any, which: int) -> bool:
        """Put ids of what is there into a case, if it has any; what it may end is made for it."""
        named = set(case.path_parameters or {}) & {"video_id", "character_id"}
        for name in set(case.path_parameters or {}) & set(self.real):
            case.path_parameters[name] = self.real[name][which % len(self.real[name])]
            if case.method.upper() == "DELETE" or case.path.endswith("/cancel"):
                case.path_parameters[name] = self.made(*NEW[name])
            elif case.path.endswith("/events"):  # of what waits they go on for ever
                case.path_parameters[name] = self.real[name][0]
        body = case.body if isinstance(case.body, dict) else {}
        videos = {"video", "first", "second"} & set(body)
        for name in videos:
            body[name] = {"id": self.real["video_id"][which]}
        return bool(named | videos)

    def made(self, path: str, body: dict[str, Any]) -> str:
        """Make something and return its id; a character has a name of its own."""
        if "name" in body:
            body = {**body, "name": f"Bo{next(self.numbers)}"}
        found: str = self.client.post(path, json=body, headers=self.keys["ours"]).json()["id"]
        return found


@pytest.fixture(scope="module")
def fuzzed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, weights: Path
) -> Iterator[Fuzzed]:
    """Hosts of the test client are let in."""
    folder = tmp_path_factory.mktemp("fuzz")
    url = f"sqlite:///{folder / 'jobs.db'}"
    engine = open_database(request.getfixturevalue("postgres") if DATABASE == "postgresql" else url)
    upgrade(engine)
    jobs, storage = Jobs(engine), Storage(str(folder / "files"))
    keys = Keys(engine)
    rules = Rules(("testserver",), need_key=True, rate=1e6, burst=1_000_000)
    app = build(Desk(jobs, storage, {"tiny": weights}), keys, rules)
    told = {"ours": keys.create("us"), "theirs": keys.create("them"), "guessed": "rw-guessed"}
    headers = {who: {"Authorization": f"Bearer {key}"} for who, key in told.items()}
    fuzzed = Fuzzed(TestClient(app), engine, {"model": ["tiny"]}, {**headers, "nobody": {}})
    done = fuzzed.made(*NEW["video_id"])
    serve_jobs(jobs, storage, Studio({"tiny": weights}), threading.Event(), idle=lambda: True)
    fuzzed.real["video_id"] = [done, fuzzed.made(*NEW["video_id"])]
    NEW["character_id"][1]["video"] = {"id": done}
    fuzzed.real["character_id"] = [fuzzed.made(*NEW["character_id"])]
    yield fuzzed
    engine.dispose()


def test_the_document_tells_what_webhooks_say(fuzzed: Fuzzed) -> None:
    document = fuzzed.client.app.openapi()
    hooks = Webhooks(("https://example.org/hook",), "whsec_" + base64.b64encode(bytes(24)).decode())
    for status, name in EVENTS.items():
        body, headers = hooks.signed(Job(id="video_1", status=status), 0.0)
        call = document["webhooks"][name]["post"]
        assert {told["name"] for told in call["parameters"]} == headers.keys() - {"content-type"}
        schema = {"components": document["components"], "$ref": "#/components/schemas/Event"}
        jsonschema_rs.validate(schema, json.loads(body))
        assert json.loads(body)["type"] == name


def cases(call: Any) -> st.SearchStrategy[Any]:
    """Draw what the document allows, and where it forbids anything, every other time what it forbids."""
    allowed = call.as_strategy()
    forbids = call.body or call.query or call.path_parameters
    wrong = call.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)
    return st.one_of(allowed, wrong) if forbids else allowed


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_call_answers_as_the_document_says(fuzzed: Fuzzed, shard: int) -> None:
    """Hypothesis draws what the document allows and forbids, for each call; two of three ids are real."""
    limits = settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    calls = [
        result.ok()
        for result in schemathesis.openapi.from_asgi(
            "/openapi.json", fuzzed.client.app, headers=fuzzed.keys["ours"]
        ).get_all_operations()
    ]
    assert len(calls) >= 24
    for call in calls[shard::SHARDS]:
        real, asking = st.sampled_from((None, 0, 1)), st.sampled_from(ASKING)
        limits(given(case=cases(call), real=real, asking=asking)(fuzzed.ask))()
        fuzzed.clear()
        if call.label == "GET /v1/videos/{video_id}":
            assert {status for label, status in fuzzed.answers if label == call.label} >= {200, 404}
        for (label, status), number in sorted(fuzzed.answers.items()):
            if label == call.label:
                print(f"{label}: {number} x {status}")  # `make fuzz` shows it
