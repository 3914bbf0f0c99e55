"""Jobs are never lost and never done twice: leases, deaths, turns, cancelling, keys; on both databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine

from reelworld.core.errors import ConfigError
from reelworld.serve.gate import Keys
from reelworld.serve.jobs import Ask, Cancelled, Jobs, KeyReused, Lost, QueueFull
from reelworld.serve.tables import Base, open_database, upgrade


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database of each kind."""
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres")
    engine = open_database(url)
    upgrade(engine)
    yield engine
    Base.metadata.drop_all(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
    engine.dispose()


@pytest.fixture
def jobs(engine: Engine) -> Jobs:
    return Jobs(engine, lease_seconds=0.3)


def ask(owner: str = "me", prompt: str = "a ball", **more) -> Ask:
    return Ask(owner=owner, operation="generate", request={"prompt": prompt}, **more)


def add(jobs: Jobs, owner: str = "me", prompt: str = "a ball", most_open: int | None = None, **more):
    return jobs.add(ask(owner, prompt, **more), most_open=most_open)


def test_a_job_goes_from_queue_to_completion(jobs: Jobs) -> None:
    job = add(jobs)
    turn = jobs.lease("w")
    assert turn is not None
    assert (turn.id, turn.request, turn.attempt) == (job.id, {"prompt": "a ball"}, 1)
    assert jobs.lease("other") is None
    jobs.heartbeat(turn, progress=40, preview=2)
    held = jobs.get(job.id)
    assert held is not None
    assert (held.status, held.progress, held.preview) == ("in_progress", 40, 2)
    jobs.complete(turn, {"folder": "x"})
    done = jobs.get(job.id)
    assert done is not None
    assert (done.status, done.progress, done.result) == ("completed", 100, {"folder": "x"})
    assert done.expires_at is not None
    assert done.completed_at is not None
    with pytest.raises(Lost):
        jobs.complete(turn, {"folder": "y"})


def test_the_job_of_a_dead_worker_comes_back_and_its_worker_finds_out(jobs: Jobs) -> None:
    job = add(jobs)
    dead = jobs.lease("dead")
    assert dead is not None
    time.sleep(0.4)
    turn = jobs.lease("alive")
    assert turn is not None
    assert (turn.id, turn.attempt) == (job.id, 2)
    for change in (
        jobs.heartbeat,
        jobs.check,
        lambda t: jobs.complete(t, {}),
        lambda t: jobs.fail(t, "x", "y"),
    ):
        with pytest.raises(Lost):
            change(dead)
    jobs.complete(turn, {})


def test_a_job_that_kills_its_workers_is_failed(jobs: Jobs) -> None:
    job = add(jobs)
    for attempt in (1, 2, 3):
        turn = jobs.lease(f"w{attempt}")
        assert turn is not None
        assert turn.attempt == attempt
        time.sleep(0.35)
    assert jobs.lease("w4") is None
    failed = jobs.get(job.id)
    assert failed is not None
    assert (failed.status, failed.error_code) == ("failed", "worker_died")


def test_a_job_given_back_has_lost_no_attempt(jobs: Jobs) -> None:
    add(jobs)
    for _ in range(5):
        turn = jobs.lease("w")
        assert turn is not None
        assert turn.attempt == 1
        jobs.release(turn)


def test_turns_go_round_among_owners_by_priority_and_age(engine: Engine) -> None:
    jobs = Jobs(engine)
    for n in range(3):
        add(jobs, "a", f"a{n}")
    add(jobs, "b", "b0")
    add(jobs, "b", "b1", priority=5)
    add(jobs, "c", "c0")
    order = []
    while (turn := jobs.lease("w")) is not None:
        order.append(turn.request["prompt"])
    assert order[0] == "b1"
    assert set(order[1:3]) == {"a0", "c0"}
    assert order[3] == "b0"
    assert order[4:] == ["a1", "a2"]


def test_the_jobs_of_a_key_have_its_priority(engine: Engine) -> None:
    keys, jobs = Keys(engine), Jobs(engine)
    keys.create("slow")
    keys.create("fast", priority=3)
    slow, fast, own = add(jobs, "slow"), add(jobs, "fast"), add(jobs, "slow", priority=7)
    assert [job.priority for job in (slow, fast, own)] == [0, 3, 7]
    assert [jobs.lease("w").id for _ in range(3)] == [own.id, fast.id, slow.id]


def test_a_database_of_the_first_version_is_upgraded(engine: Engine) -> None:
    jobs = Jobs(engine)
    first = add(jobs, "old")
    child = add(jobs, "old", parents=[first.id])
    assert jobs.lease("w") is not None
    with engine.begin() as connection:
        for table in ("turns", "parents"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        connection.exec_driver_sql("ALTER TABLE keys DROP COLUMN priority")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
        connection.exec_driver_sql("INSERT INTO keys (hash, owner, created_at) VALUES ('h', 'old', 1.0)")
    upgrade(engine)
    assert add(jobs, "old").priority == 0
    assert [job.id for job in jobs.children(first.id, "old")[0]] == [child.id]
    other = add(jobs, "new")
    turn = jobs.lease("w")
    assert turn is not None
    assert turn.id == other.id  # the old one had a turn before the upgrade
    assert Keys(engine).owners() == ["old"]


def test_turns_go_round_also_among_owners_who_delete_what_they_have(jobs: Jobs) -> None:
    for owner in ("a", "b"):
        for _ in range(3):
            add(jobs, owner)
    order = []
    for _ in range(6):
        turn = jobs.lease("w")
        assert turn is not None
        order.append(turn.owner)
        jobs.complete(turn, {})
        if turn.owner == "a":
            assert jobs.delete(turn.id, "a")
    assert sorted(order[:2]) == sorted(order[2:4]) == sorted(order[4:]) == ["a", "b"]


def test_a_worker_takes_only_jobs_of_models_that_it_has(jobs: Jobs) -> None:
    big = jobs.add(Ask(owner="me", operation="generate", request={"model": "big"}))
    small = jobs.add(Ask(owner="me", operation="generate", request={"model": "nano"}))
    turn = jobs.lease("w", ["nano"])
    assert turn is not None
    assert turn.id == small.id
    assert jobs.lease("w", ["nano"]) is None
    turn = jobs.lease("w", ["nano", "big"])
    assert turn is not None
    assert turn.id == big.id


def test_a_job_is_the_child_of_all_that_it_was_made_of(jobs: Jobs) -> None:
    one, other = add(jobs), add(jobs)
    blends = [add(jobs, parents=[one.id, other.id, one.id]) for _ in range(3)]
    for parent in (one, other):
        assert [child.id for child in jobs.children(parent.id, "me")[0]] == [blend.id for blend in blends]
    assert jobs.children(one.id, "me", limit=2)[1]
    assert jobs.children(one.id, "somebody else") == ([], False)
    jobs.delete(one.id, "me")
    assert jobs.children(one.id, "me") == ([], False)
    assert blends[0].parent == one.id


def test_leases_go_by_the_clock_of_the_database(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two machines whose clocks differ by a minute, where the database has a clock of its own."""
    if jobs.engine.dialect.name == "sqlite":
        pytest.skip("SQLite serves one machine")
    slow = Jobs(jobs.engine, lease_seconds=30.0)
    real = time.time
    monkeypatch.setattr("reelworld.serve.jobs.time.time", lambda: real() - 60.0)
    add(slow)
    assert slow.lease("slow clock") is not None
    monkeypatch.undo()
    assert Jobs(jobs.engine, lease_seconds=30.0).reclaim() == 0


def test_an_expired_clock_needs_no_second_connection(engine: Engine) -> None:
    """Else as many requests as there are connections each wait for one that another of them holds."""
    narrow = create_engine(engine.url, pool_size=1, max_overflow=0, pool_timeout=0.5)
    jobs = Jobs(narrow)
    for _ in range(2):
        jobs.known_until = 0.0
        assert add(jobs).status == "queued"
    narrow.dispose()


def test_jobs_are_queued_together_or_not_at_all(jobs: Jobs) -> None:
    with pytest.raises(QueueFull):
        jobs.add_all([ask(prompt=f"{n}") for n in range(4)], most_open=3)
    assert jobs.counts() == {}
    keyed = [ask(prompt=f"{n}", idempotency_key=f"k{n}") for n in range(3)]
    made = jobs.add_all(keyed, most_open=3)
    assert [job.id for job in jobs.add_all(keyed, most_open=3)] == [job.id for job in made]
    with pytest.raises(KeyReused):
        jobs.add_all([ask(prompt="other", idempotency_key="k1")])
    assert jobs.counts() == {"queued": 3}


def test_two_at_once_cannot_both_take_the_last_room(jobs: Jobs) -> None:
    def four(n: int) -> int:
        try:
            return len(jobs.add_all([ask(prompt=f"{n} {m}") for m in range(4)], most_open=10))
        except QueueFull:
            return 0

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(four, range(8))) == 8
    assert jobs.counts() == {"queued": 8}


def test_cancelling(jobs: Jobs) -> None:
    queued, running = add(jobs), add(jobs, prompt="second")
    assert jobs.cancel(queued.id, "me")
    turn = jobs.lease("w")
    assert turn is not None
    assert turn.id == running.id
    assert not jobs.cancel(running.id, "somebody else")
    assert jobs.cancel(running.id, "me")
    for ask in (jobs.check, jobs.heartbeat):
        with pytest.raises(Cancelled):
            ask(turn)
    jobs.fail(turn, "cancelled", "cancelled")
    assert not jobs.cancel(running.id, "me")
    for job in (queued, running):
        ended = jobs.get(job.id)
        assert ended is not None
        assert (ended.status, ended.error_code) == ("failed", "cancelled")


def test_a_cancelled_job_whose_worker_died_is_not_begun_again(jobs: Jobs) -> None:
    job = add(jobs)
    assert jobs.lease("dead") is not None
    jobs.cancel(job.id, "me")
    time.sleep(0.4)
    assert jobs.lease("w") is None
    ended = jobs.get(job.id)
    assert ended is not None
    assert ended.error_code == "cancelled"


def test_a_cancelled_job_that_its_worker_gives_back_has_ended(jobs: Jobs) -> None:
    job = add(jobs)
    turn = jobs.lease("w")
    assert turn is not None
    jobs.cancel(job.id, "me")
    jobs.release(turn)
    ended = jobs.get(job.id)
    assert ended is not None
    assert (ended.status, ended.error_code) == ("failed", "cancelled")
    assert ended.expires_at is not None
    assert jobs.lease("other") is None


def test_idempotency(jobs: Jobs) -> None:
    one = add(jobs, idempotency_key="k")
    assert add(jobs, idempotency_key="k").id == one.id
    assert add(jobs, "you", idempotency_key="k").id != one.id
    with pytest.raises(KeyReused):
        add(jobs, prompt="a box", idempotency_key="k")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: add(jobs, idempotency_key="together").id, range(16)))
    assert len(set(found)) == 1


def test_a_queue_has_an_end(jobs: Jobs) -> None:
    for _ in range(3):
        add(jobs, most_open=3)
    with pytest.raises(QueueFull):
        add(jobs, most_open=3)
    add(jobs, "you", most_open=3)
    turn = jobs.lease("w")
    assert turn is not None
    jobs.complete(turn, {})
    add(jobs, most_open=3) if turn.owner == "me" else None


def test_what_nobody_takes_ends_after_a_time(engine: Engine) -> None:
    """As where the model that it asks for is no longer served."""
    jobs = Jobs(engine, most_wait=0.05)
    job = jobs.add(Ask(owner="me", operation="generate", request={"prompt": "a ball", "model": "another"}))
    time.sleep(0.1)
    assert jobs.lease("w", ["tiny"]) is None
    over = jobs.get(job.id)
    assert over is not None
    assert (over.status, over.error_code) == ("failed", "not_taken")
    assert over.expires_at is not None


@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_follow_each_other(jobs: Jobs, newest_first: bool) -> None:
    """Also where the job with which a page ended is gone by the next."""
    made = [add(jobs, prompt=str(n)).id for n in range(7)]
    add(jobs, "you")
    found: list[str] = []
    more, after = True, None
    while more:
        page, more = jobs.page("me", after=after, limit=3, newest_first=newest_first)
        found += [job.id for job in page]
        jobs.delete(found[-1], "me")
        after = jobs.number(found[-1], "me")
        assert after == page[-1].number
    assert found == (made[::-1] if newest_first else made)


def test_many_workers_do_each_job_once(engine: Engine) -> None:
    jobs = Jobs(engine)  # with leases that a busy machine does not outlast
    made = {add(jobs, f"owner{n % 3}", str(n)).id for n in range(60)}
    done: list[str] = []
    lock = threading.Lock()

    def worker(number: int) -> None:
        while (turn := jobs.lease(f"w{number}")) is not None:
            jobs.complete(turn, {})
            with lock:
                done.append(turn.id)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(worker, range(6)))
    assert sorted(done) == sorted(made)
    assert jobs.counts() == {"completed": 60}


def test_what_expired_and_what_is_to_be_announced(engine: Engine) -> None:
    jobs = Jobs(engine, kept=0.0)
    job = add(jobs)
    assert jobs.expired() == jobs.unannounced() == []
    turn = jobs.lease("w")
    assert turn is not None
    jobs.complete(turn, {})
    assert [j.id for j in jobs.expired()] == [j.id for j in jobs.unannounced()] == [job.id]
    jobs.announce(job.id)
    assert jobs.unannounced() == []
    assert jobs.delete(job.id)
    assert not jobs.delete(job.id)


def test_migrations_make_the_tables_of_this_version(engine: Engine) -> None:
    upgrade(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


@pytest.mark.parametrize("url", ["nonsense", "oracle://x", "sqlite:////proc/none/jobs.db"])
def test_databases_that_cannot_be(url: str) -> None:
    with pytest.raises(ConfigError, match="database"):
        upgrade(open_database(url))
