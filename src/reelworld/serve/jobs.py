"""Jobs that are never lost: each is queued, in progress under a lease, completed or failed.

    jobs = Jobs(open_database("sqlite:///jobs.db"))
    job = jobs.add(Ask(owner="me", operation="generate", request={"prompt": "a red ball"}))
    turn = jobs.lease("worker-1")           # the next job, for `lease_seconds`; None where there is none
    jobs.heartbeat(turn, progress=40)       # keeps it; raises Lost or Cancelled
    jobs.complete(turn, {"video": "..."})

A worker that dies lets its lease run out, and another takes the job; what kills its workers again and again
is failed. Every change of a job says in its WHERE what the job must be, so of two that want the same change
one finds nothing to change: no job is done twice. Among owners turns go round, in each by priority and age.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Engine, and_, delete, func, or_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reelworld.core.errors import ReelWorldError
from reelworld.serve.tables import Job, Key, OwnerTurn, Parent

QUEUED, RUNNING, COMPLETED, FAILED = "queued", "in_progress", "completed", "failed"
OVER = (COMPLETED, FAILED)
# codes of errors
CANCELLED, DIED, LATE, UNTAKEN = "cancelled", "worker_died", "deadline_exceeded", "not_taken"
BACK: dict[str, Any] = {"status": QUEUED, "worker": None, "lease_until": None, "progress": 0}
STOPPED = {"error_code": CANCELLED, "error_message": "cancelled while it was made"}
MOST_ATTEMPTS = 3
LEASE_SECONDS = 30.0
KEPT_SECONDS = 7 * 86_400.0  # that a finished job and its files stay
FIRST_NUMBER = 1_600_000_000 * 10**9  # of any video, in nanoseconds since 1970
CLOCK_SECONDS = 60.0  # for which the clock of the database is known


class Lost(ReelWorldError):
    """The job is no longer this worker's: its lease ran out, or it was deleted."""


class Cancelled(ReelWorldError):
    """Somebody asked that the job should stop."""


class QueueFull(ReelWorldError):
    """An owner has as many unfinished jobs as allowed."""


class KeyReused(ReelWorldError):
    """An idempotency key came again with another request."""


@dataclass(frozen=True)
class Turn:
    """A job as one worker holds it: `attempt` tells it from what other workers hold."""

    id: str
    worker: str
    attempt: int
    owner: str
    operation: str
    request: dict[str, Any]


class Ended(NamedTuple):
    """A job that is over, and how it ended."""

    id: str
    status: str


def new_id(kind: str) -> str:
    """Return an opaque name that nobody can guess."""
    return f"{kind}_{secrets.token_hex(16)}"


def numbered_id(number: int) -> str:
    """Return the id of a video: its place among all, in nanoseconds since 1970, and what nobody can guess."""
    return f"video_{number:016x}{secrets.token_hex(8)}"


def number_in(video_id: str) -> int | None:
    """Return the place of a video by its id alone; None where that tells none, as random ones of before."""
    number = int(video_id.rpartition("_")[2][:16], 16)
    return number if FIRST_NUMBER < number <= time.time_ns() else None


def fingerprint(operation: str, request: dict[str, Any]) -> str:
    """Return a hash of what is asked for."""
    return hashlib.sha256(json.dumps([operation, request], sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What is asked for: whose, which operation, what a worker needs to know, and what it is made of.

    Without a priority it has that of its owner's key. `print_of` is the fingerprint of what was asked, where
    the request differs by names of stored files.
    """

    owner: str
    operation: str
    request: dict[str, Any]
    parents: Sequence[str] = ()
    priority: int | None = None
    idempotency_key: str | None = None
    print_of: str | None = None

    @property
    def mark(self) -> str:
        """Return what tells it from other requests with the same idempotency key."""
        return self.print_of or fingerprint(self.operation, self.request)

    @property
    def made_of(self) -> list[str]:
        """Return its parents, each once."""
        return list(dict.fromkeys(self.parents))


class Jobs:
    """The job table; any number of processes may hold one of the same database."""

    def __init__(
        self,
        engine: Engine,
        *,
        lease_seconds: float = LEASE_SECONDS,
        kept: float = KEPT_SECONDS,
        most_wait: float = KEPT_SECONDS,
    ) -> None:
        self.engine, self.lease_seconds, self.kept, self.most_wait = engine, lease_seconds, kept, most_wait
        self.reading = engine.execution_options(reading=True)
        self.ahead, self.known_until = 0.0, 0.0  # of the database's clock, seconds before ours

    def now(self) -> float:
        """Return the time by the clock that all machines share: the database's, where it has its own."""
        if self.engine.dialect.name == "sqlite":
            return time.time()
        if time.monotonic() > self.known_until:
            with self.reading.connect() as connection:
                there = connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())"))
            self.ahead, self.known_until = float(there) - time.time(), time.monotonic() + CLOCK_SECONDS
        return time.time() + self.ahead

    # ---- asking

    def add(self, ask: Ask, *, most_open: int | None = None) -> Job:
        """Queue a job; as `add_all` does."""
        return self.add_all([ask], most_open=most_open)[0]

    def add_all(self, asked: Sequence[Ask], *, most_open: int | None = None) -> list[Job]:
        """Queue jobs of one owner, all of them or none; return them.

        With idempotency keys that were used for the same requests, return the jobs of then that are still
        there. Raises: KeyReused for the same key and another request; QueueFull.
        """
        for _ in range(3):
            now = self.now()  # which may need a connection, as no transaction must that holds one
            try:
                with Session(self.engine, expire_on_commit=False) as session, session.begin():
                    self.alone(session, asked[0].owner)
                    if old := self._known(session, asked):
                        return old
                    if most_open is not None and self._open(session, asked[0].owner) + len(asked) > most_open:
                        raise QueueFull(
                            f"{most_open} jobs are unfinished at most; wait for one, or delete it"
                        )
                    jobs = [self._new(session, ask, now) for ask in asked]
                    session.add_all(jobs)
                    session.add_all(
                        Parent(job=job.id, parent=parent)
                        for job, ask in zip(jobs, asked, strict=True)
                        for parent in ask.made_of
                    )
                return jobs
            except IntegrityError:  # the same key, or the same nanosecond, elsewhere at the same time
                continue
        raise KeyReused("requests with this idempotency key crossed each other; send it again")

    def alone(self, session: Session, owner: str) -> None:
        """Let nobody else add what is an owner's until this transaction ends (SQLite has one writer)."""
        if self.engine.dialect.name == "postgresql":
            session.execute(select(func.pg_advisory_xact_lock(func.hashtext(owner))))

    def _known(self, session: Session, asked: Sequence[Ask]) -> list[Job]:
        keyed = [ask for ask in asked if ask.idempotency_key is not None]
        found = [(self._keyed(session, ask.owner, str(ask.idempotency_key)), ask.mark) for ask in keyed]
        return [_same(job, mark) for job, mark in found if job is not None]

    def _new(self, session: Session, ask: Ask, now: float) -> Job:
        priority = ask.priority
        if priority is None:
            priority = session.scalar(select(Key.priority).where(Key.owner == ask.owner)) or 0
        number = time.time_ns()
        return Job(
            id=numbered_id(number), number=number, owner=ask.owner, operation=ask.operation,
            request=ask.request, status=QUEUED, priority=priority, progress=0, preview=0, cancelled=False,
            announced=False, created_at=now, attempts=0, parent=next(iter(ask.made_of), None),
            idempotency_key=ask.idempotency_key, fingerprint=ask.mark,
        )  # fmt: skip

    def get(self, job_id: str, owner: str | None = None) -> Job | None:
        """Return a job, of that owner if one is given."""
        with Session(self.reading, expire_on_commit=False) as session:
            job = session.get(Job, job_id)
            return job if job is not None and owner in (None, job.owner) else None

    def number(self, job_id: str, owner: str) -> int | None:
        """Return the place of an owner's job among all; of one that is gone, too, if its id tells it."""
        job = self.get(job_id, owner)
        return number_in(job_id) if job is None else job.number

    def asked_before(self, owner: str, idempotency_key: str | None, mark: str) -> Job | None:
        """Return the job, still there, that an owner asked for with an idempotency key. Raises: KeyReused."""
        if idempotency_key is None:
            return None
        with Session(self.reading, expire_on_commit=False) as session:
            old = self._keyed(session, owner, idempotency_key)
        return None if old is None else _same(old, mark)

    def page(
        self, owner: str, *, after: int | None = None, limit: int = 20, newest_first: bool = True
    ) -> tuple[list[Job], bool]:
        """Return an owner's jobs behind the number of another one, and whether more follow."""
        asked = select(Job).where(Job.owner == owner)
        if after is not None:
            asked = asked.where(Job.number < after if newest_first else Job.number > after)
        asked = asked.order_by(Job.number.desc() if newest_first else Job.number).limit(limit + 1)
        with Session(self.reading, expire_on_commit=False) as session:
            found = list(session.scalars(asked))
        return found[:limit], len(found) > limit

    def children(self, job_id: str, owner: str, limit: int = 100) -> tuple[list[Job], bool]:
        """Return the jobs that were made of a job's video, the oldest first, and whether there are more."""
        made_of = select(Parent.job).where(Parent.parent == job_id)
        asked = select(Job).where(Job.owner == owner, Job.id.in_(made_of)).order_by(Job.number)
        with Session(self.reading, expire_on_commit=False) as session:
            found = list(session.scalars(asked.limit(limit + 1)))
        return found[:limit], len(found) > limit

    def ping(self) -> None:
        """Ask the database for nothing; what goes wrong is raised."""
        with self.reading.connect() as connection:
            connection.execute(select(1))

    def counts(self) -> dict[str, int]:
        """Return how many jobs have each status."""
        with self.reading.connect() as connection:
            rows = connection.execute(select(Job.status, func.count()).group_by(Job.status)).all()
        return {str(status): int(count) for status, count in rows}

    def cancel(self, job_id: str, owner: str) -> bool:
        """End a job that is queued, ask for the end of one in progress; False where it is over already."""
        mine = and_(Job.id == job_id, Job.owner == owner)
        told = {"error_code": CANCELLED, "error_message": "cancelled before it began", "cancelled": True}
        for _ in range(2):  # it may go from one to the other in between
            if self._end(and_(mine, Job.status == QUEUED), FAILED, **told):
                return True
            if self._change(and_(mine, Job.status == RUNNING), cancelled=True):
                return True
        return False

    def delete(self, job_id: str, owner: str | None = None) -> bool:
        """Delete a job in any state; a worker that has it loses it."""
        which = Job.id == job_id if owner is None else and_(Job.id == job_id, Job.owner == owner)
        with self.engine.begin() as connection:
            gone = connection.execute(delete(Job).where(which)).rowcount == 1
            if gone:
                connection.execute(delete(Parent).where(or_(Parent.job == job_id, Parent.parent == job_id)))
            return gone

    # ---- working

    def lease(self, worker: str, models: Sequence[str] | None = None) -> Turn | None:
        """Take the job whose turn it is, or None; jobs whose workers died come back first.

        With `models`, only jobs that ask for one of them, or for none.
        """
        self.reclaim()
        for job_id in self._next(models):
            now = self.now()
            taken = self._change(
                and_(Job.id == job_id, Job.status == QUEUED), status=RUNNING, worker=worker, started_at=now,
                lease_until=now + self.lease_seconds, attempts=Job.attempts + 1, progress=0,
            )  # fmt: skip
            if taken and (job := self.get(job_id)) is not None:
                self._note_turn(job.owner, now)
                return Turn(job.id, worker, job.attempts, job.owner, job.operation, job.request)
        return None

    def _note_turn(self, owner: str, now: float) -> None:
        """Remember when an owner had a turn."""
        try:
            with Session(self.engine) as session, session.begin():
                session.merge(OwnerTurn(owner=owner, at=now))
        except IntegrityError:  # another worker noted the owner's first turn just now
            return

    def heartbeat(self, turn: Turn, *, progress: int | None = None, preview: int | None = None) -> None:
        """Keep a job for another lease, with news of it. Raises: Lost; Cancelled."""
        told = {"progress": progress, "preview": preview}
        news = {name: value for name, value in told.items() if value is not None}
        if not self._change(_held(turn), lease_until=self.now() + self.lease_seconds, **news):
            raise Lost(f"job {turn.id} is no longer held by {turn.worker}")
        self.check(turn)

    def check(self, turn: Turn) -> None:
        """Find out, without keeping it longer, whether a job should go on. Raises: Lost; Cancelled."""
        with self.reading.connect() as connection:
            row = connection.execute(select(Job.cancelled).where(_held(turn))).first()
        if row is None:
            raise Lost(f"job {turn.id} is no longer held by {turn.worker}")
        if row[0]:
            raise Cancelled(f"job {turn.id} was cancelled")

    def complete(self, turn: Turn, result: dict[str, Any]) -> None:
        """Finish a job: its files must be stored. Raises: Lost."""
        if not self._end(_held(turn), COMPLETED, progress=100, result=result):
            raise Lost(f"job {turn.id} is no longer held by {turn.worker}")

    def fail(self, turn: Turn, code: str, message: str) -> None:
        """End a job that cannot be made. Raises: Lost."""
        if not self._end(_held(turn), FAILED, error_code=code, error_message=message):
            raise Lost(f"job {turn.id} is no longer held by {turn.worker}")

    def release(self, turn: Turn) -> None:
        """Give a job back unfinished, as a worker does that is told to stop; the attempt does not count.

        One that was cancelled ends.
        """
        if not self._change(and_(_held(turn), ~Job.cancelled), **BACK, attempts=Job.attempts - 1):
            self._end(and_(_held(turn), Job.cancelled), FAILED, **STOPPED)

    def reclaim(self) -> int:
        """Give back jobs whose leases ran out; return how many it changed.

        Those that had all their attempts fail, and those that nobody took in `most_wait` seconds.
        """
        now = self.now()
        over = and_(Job.status == RUNNING, Job.lease_until < now)
        stopped = self._end(and_(over, Job.cancelled), FAILED, **STOPPED)
        died = self._end(
            and_(over, Job.attempts >= MOST_ATTEMPTS), FAILED, error_code=DIED,
            error_message=f"the worker died {MOST_ATTEMPTS} times while it made this video",
        )  # fmt: skip
        untaken = self._end(
            and_(Job.status == QUEUED, Job.created_at < now - self.most_wait), FAILED, error_code=UNTAKEN,
            error_message="no worker took it in time; ask for another model, or start a worker for this one",
        )  # fmt: skip
        return stopped + died + untaken + self._change(and_(over, ~Job.cancelled), **BACK)

    def expired(self, limit: int = 100) -> list[Job]:
        """Return finished jobs whose time is over."""
        asked = select(Job).where(Job.expires_at < self.now()).order_by(Job.expires_at).limit(limit)
        with Session(self.reading, expire_on_commit=False) as session:
            return list(session.scalars(asked))

    def named(self) -> Iterator[tuple[str, bool, dict[str, Any]]]:
        """Yield of every job its id, whether it is over, and its request."""
        asked = select(Job.id, Job.status.in_(OVER), Job.request).execution_options(yield_per=100)
        with self.reading.connect() as connection:
            for row in connection.execute(asked):
                yield row[0], bool(row[1]), row[2]

    def unfinished(self, owner: str) -> int:
        """Return how many jobs of an owner are queued or in progress."""
        with Session(self.reading) as session:
            return self._open(session, owner)

    def unannounced(self) -> list[Ended]:
        """Return the jobs that are over, the oldest first, of which some webhook was not told yet."""
        asked = select(Job.id, Job.status).where(Job.status.in_(OVER), ~Job.announced).order_by(Job.number)
        with self.reading.connect() as connection:
            return [Ended(*row) for row in connection.execute(asked)]

    def announce(self, job_id: str) -> None:
        """Note that all webhooks were told of a job."""
        self._change(Job.id == job_id, announced=True)

    def oldest_queued(self) -> float:
        """Return for how many seconds the oldest job has waited; 0 where none does."""
        with self.reading.connect() as connection:
            first = connection.scalar(select(func.min(Job.created_at)).where(Job.status == QUEUED))
        return 0.0 if first is None else max(0.0, self.now() - first)

    def mean_seconds(self, latest: int = 100) -> float:
        """Return how long the latest completed jobs were worked on, on average; 0 where none is."""
        spent = (Job.completed_at - Job.started_at).label("spent")
        last = select(spent).where(Job.status == COMPLETED).order_by(Job.completed_at.desc()).limit(latest)
        with self.reading.connect() as connection:
            return float(connection.scalar(select(func.avg(last.subquery().c.spent))) or 0.0)

    def _next(self, models: Sequence[str] | None) -> Sequence[str]:
        """Return the first queued job of each owner, those first whose owners waited longest for a turn."""
        rank = func.row_number().over(
            partition_by=Job.owner, order_by=(Job.priority.desc(), Job.number)
        ).label("rank")  # fmt: skip
        waiting = select(Job.id, Job.owner, Job.priority, Job.number, rank).where(Job.status == QUEUED)
        if models is not None:
            model = Job.request["model"].as_string()
            waiting = waiting.where(or_(model.is_(None), model.in_(models)))
        first = waiting.subquery()
        asked = (
            select(first.c.id)
            .outerjoin(OwnerTurn, OwnerTurn.owner == first.c.owner)
            .where(first.c.rank == 1)
            .order_by(first.c.priority.desc(), func.coalesce(OwnerTurn.at, 0.0), first.c.number)
            .limit(16)
        )
        with self.reading.connect() as connection:
            return connection.scalars(asked).all()

    def _end(self, which: ColumnElement[bool], status: str, **told: Any) -> int:
        """End the jobs that are as said; they and their files stay for a time. Return how many."""
        now = self.now()
        until = {"completed_at": now, "expires_at": now + self.kept, "lease_until": None}
        return self._change(which, status=status, **until, **told)

    def _change(self, which: ColumnElement[bool], **values: Any) -> int:
        """Change the jobs that are as said; return how many."""
        with self.engine.begin() as connection:
            return connection.execute(update(Job).where(which).values(**values)).rowcount

    def _keyed(self, session: Session, owner: str, key: str) -> Job | None:
        return session.scalars(select(Job).where(Job.owner == owner, Job.idempotency_key == key)).first()

    def _open(self, session: Session, owner: str) -> int:
        unfinished = Job.status.in_((QUEUED, RUNNING))
        return session.scalar(select(func.count()).where(Job.owner == owner, unfinished)) or 0


def _held(turn: Turn) -> ColumnElement[bool]:
    """Say that a job is still this worker's, in this attempt."""
    return and_(
        Job.id == turn.id, Job.worker == turn.worker, Job.attempts == turn.attempt, Job.status == RUNNING
    )


def _same(job: Job, mark: str) -> Job:
    if job.fingerprint != mark:
        raise KeyReused("this idempotency key was used for another request; take a new one")
    return job
