"""The tables of the job database, and how a database is opened: SQLite by default, PostgreSQL by URL.

    engine = open_database("sqlite:///jobs.db")
    upgrade(engine)

SQLite writes ahead and waits for the disk (WAL, synchronous FULL); a transaction takes the write lock when it
begins, so that two never deadlock half way, unless the engine has the execution option `reading`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    Engine,
    Float,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    create_engine,
    event,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from reelworld.core.errors import ConfigError

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 60.0  # that a write waits for others


class Base(DeclarativeBase):
    """All tables."""


class Job(Base):
    """A video to be made, being made, or made."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)  # order of arrival; newest last
    owner: Mapped[str] = mapped_column(String(64))
    operation: Mapped[str] = mapped_column(String(32))
    request: Mapped[dict[str, Any]] = mapped_column(JSON)
    status: Mapped[str] = mapped_column(String(16))
    priority: Mapped[int] = mapped_column(Integer, default=0)
    progress: Mapped[int] = mapped_column(Integer, default=0)
    preview: Mapped[int] = mapped_column(Integer, default=0)  # how many were written
    cancelled: Mapped[bool] = mapped_column(default=False)  # asked for
    created_at: Mapped[float] = mapped_column(Float)
    started_at: Mapped[float | None] = mapped_column(Float)
    completed_at: Mapped[float | None] = mapped_column(Float)
    expires_at: Mapped[float | None] = mapped_column(Float)
    worker: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[float | None] = mapped_column(Float)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None] = mapped_column(Text)
    announced: Mapped[bool] = mapped_column(default=False)  # webhooks were told of its end
    parent: Mapped[str | None] = mapped_column(String(64))
    idempotency_key: Mapped[str | None] = mapped_column(String(256))
    fingerprint: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (
        UniqueConstraint("owner", "idempotency_key"),
        UniqueConstraint("number"),
        Index("jobs_by_turn", "status", "owner", "priority", "number"),
        Index("jobs_by_owner", "owner", "number"),
    )


class OwnerTurn(Base):
    """When a job of an owner was last taken; it outlives the job."""

    __tablename__ = "turns"

    owner: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[float] = mapped_column(Float)


class Parent(Base):
    """A job, and another one of which it was made."""

    __tablename__ = "parents"

    job: Mapped[str] = mapped_column(String(64), primary_key=True)
    parent: Mapped[str] = mapped_column(String(64), primary_key=True)

    __table_args__ = (Index("parents_by_parent", "parent"),)


class Character(Base):
    """A character: a name and a picture that somebody gave."""

    __tablename__ = "characters"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64), index=True)
    name: Mapped[str] = mapped_column(String(80))
    file: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[float] = mapped_column(Float)


class Key(Base):
    """An API key, as the hash of it alone."""

    __tablename__ = "keys"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[float] = mapped_column(Float)
    priority: Mapped[int] = mapped_column(Integer, default=0)  # of the owner's jobs; higher ones first


def open_database(url: str) -> Engine:
    """Open a database; nothing is created. Raises: ConfigError for a URL that names none."""
    try:
        parsed = make_url(url)
        engine = create_engine(parsed, pool_pre_ping=True, **_options(parsed.get_backend_name()))
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise ConfigError(
            f"the database URL cannot be used ({error}); give sqlite:///FILE or postgresql+psycopg://..."
        ) from error
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin)
    return engine


def _options(backend: str) -> dict[str, Any]:
    if backend == "sqlite":
        return {"connect_args": {"timeout": BUSY_SECONDS, "check_same_thread": False}}
    return {}


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where `_begin` says
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def upgrade(engine: Engine) -> None:
    """Bring a database to the tables of this version. Raises: ConfigError where it cannot be reached."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except SQLAlchemyError as error:
        raise ConfigError(f"the database cannot be used: {error.__class__.__name__}: {error}") from error
