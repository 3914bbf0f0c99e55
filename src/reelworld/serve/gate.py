"""Who may come in: hosts, origins, keys, rates and sizes, before anything of a request is read.

    app.add_middleware(Gate, rules=Rules(hosts=("example.org",)), keys=keys)

On loopback no key is needed, so a page elsewhere must not be able to ask there either: the Host must be ours
(against DNS rebinding), and an Origin, where a browser sends one, must be too ("null" is nobody's).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reelworld.core.errors import ConfigError
from reelworld.serve.errors import AWAY, ApiError, no_storage, too_much
from reelworld.serve.tables import Key

LOOPBACK = ("localhost", "127.0.0.1", "::1")
LOCAL = "local"  # the owner where no keys are needed
GUESSING = "?"  # before the address of who has no valid key, among those whose requests are counted
BODY_SECONDS = 60.0  # within which a request must have come
OPEN = re.compile(r"/(healthz|studio/.*)?")  # what needs no key: the page that asks for it
KNOWN_SECONDS = 2.0  # that a key's owner is taken for known; a revoked key works as long
MOST_COUNTED = 10_000  # owners and addresses whose requests are counted
SECURE = {
    "x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
}  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """What is let in. `rate` requests a second of one owner, `burst` at once."""

    hosts: tuple[str, ...] = ()
    need_key: bool = False
    most_bytes: int = 20 << 20
    most_open_bytes: int = 200 << 20  # of all requests that are being read or answered; room for ten at least
    rate: float = 50.0
    burst: int = 200


class Keys:
    """API keys; the database holds their hashes alone."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.reading = engine, engine.execution_options(reading=True)

    def create(self, owner: str, priority: int = 0) -> str:
        """Make a key for an owner, who may have one; jobs of higher priority come first.

        Raises: ConfigError where there is one already.
        """
        key = f"rw-{secrets.token_urlsafe(32)}"
        with Session(self.engine) as session, session.begin():
            if session.scalars(select(Key).where(Key.owner == owner)).first() is not None:
                raise ConfigError(f"{owner} has a key already; revoke it first, or take another name")
            session.add(Key(hash=_hash(key), owner=owner, created_at=time.time(), priority=priority))
        return key

    def revoke(self, owner: str) -> None:
        """Forget an owner's key. Raises: ConfigError where there is none."""
        with Session(self.engine) as session, session.begin():
            key = session.scalars(select(Key).where(Key.owner == owner)).first()
            if key is None:
                raise ConfigError(f"{owner} has no key")
            session.delete(key)

    def owners(self) -> list[str]:
        """Return who has a key."""
        with Session(self.reading) as session:
            return sorted(session.scalars(select(Key.owner)))

    def owner(self, key: str) -> str | None:
        """Return whose key this is."""
        with Session(self.reading) as session:
            return session.scalars(select(Key.owner).where(Key.hash == _hash(key))).first()


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()  # keys are 256 random bits: nothing to guess


@dataclass
class Buckets:
    """Tokens of each owner: `rate` a second, at most `burst`."""

    rate: float
    burst: int
    left: dict[str, tuple[float, float]] = field(default_factory=dict)  # tokens, when

    def wait(self, owner: str) -> float:
        """Take a token; return 0, or the seconds until there is one."""
        now = time.monotonic()
        if len(self.left) > MOST_COUNTED:
            self.left.clear()
        tokens, then = self.left.get(owner, (float(self.burst), now))
        tokens = min(float(self.burst), tokens + (now - then) * self.rate)
        if tokens < 1.0:
            self.left[owner] = (tokens, now)
            return (1.0 - tokens) / self.rate
        self.left[owner] = (tokens - 1.0, now)
        return 0.0


@dataclass
class Room:
    """What all owners share: none may hold more of it than is left for the others."""

    most: int
    full: str  # what who finds no room is told
    held: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def taken(self, owner: str, size: int) -> Iterator[None]:
        """Hold a part of it. Raises: ApiError where that would leave too little."""
        if size and self.held[owner] + size > self.most - self.held.total() - size:
            raise too_much(self.full)
        self.held[owner] += size
        try:
            yield
        finally:
            self.held[owner] -= size


class Gate:
    """The middleware that lets requests in, and puts secure headers on answers."""

    def __init__(self, app: ASGIApp, rules: Rules, keys: Keys) -> None:
        self.app, self.rules, self.keys = app, rules, keys
        self.buckets = Buckets(rules.rate, rules.burst)
        self.room = Room(max(rules.most_open_bytes, 10 * rules.most_bytes), "too much is being sent at once")
        self.known: dict[str, tuple[str, float]] = {}  # hash of a key -> whose it is, until when

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Secured(send)
        try:
            await self._check(scope)
            with self.room.taken(scope["state"]["owner"], self._announced(scope)):
                await self.app(scope, _Bounded(receive, self.rules.most_bytes), answer)
        except ClientDisconnect:  # it left while it was sending
            return
        except Exception as error:
            if answer.begun:
                raise
            await self._told(error).response()(scope, receive, answer)

    def _told(self, error: Exception) -> ApiError:
        """Return what a client is told of an exception; what nobody foresaw goes into the server's log."""
        if isinstance(error, ApiError):
            return error
        if isinstance(error, AWAY):
            return no_storage()
        if isinstance(error, _TooLarge):
            return _too_large(self.rules.most_bytes)
        if isinstance(error, _TooSlow):
            return ApiError(408, "the request came too slowly", code="request_timeout")
        logging.getLogger("uvicorn.error").error("unforeseen", exc_info=error)
        return ApiError(500, "something went wrong; the server's log says what", code="internal_error")

    def _announced(self, scope: Scope) -> int:
        """Return how many bytes of a request may be read, by what it says of itself."""
        headers = Headers(scope=scope)
        if scope["method"] != "POST":  # no other call reads a body
            return 0
        if "transfer-encoding" in headers:
            return self.rules.most_bytes
        return int(headers.get("content-length", "0"))

    async def _check(self, scope: Scope) -> None:
        """Let a request in, with its owner in the state. Raises: ApiError."""
        headers = Headers(scope=scope)
        if _host_name(headers.get("host", "")) not in (*LOOPBACK, *self.rules.hosts):
            raise ApiError(421, "this host name is not served here", code="unknown_host")
        self._check_origin(headers)
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length[:18]) > self.rules.most_bytes:
            raise _too_large(self.rules.most_bytes)
        owner = await self._owner(headers, scope)
        scope.setdefault("state", {})["owner"] = owner
        if not OPEN.fullmatch(scope["path"]):
            self._wait(owner)

    def _wait(self, who: str) -> None:
        """Let somebody wait who asks too often. Raises: ApiError."""
        if seconds := self.buckets.wait(who):
            raise too_much("too many requests", seconds)

    def _check_origin(self, headers: Headers) -> None:
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != headers.get("host"):
            raise ApiError(403, "requests from other sites are not answered", code="foreign_origin")

    async def _owner(self, headers: Headers, scope: Scope) -> str:
        if not self.rules.need_key or OPEN.fullmatch(scope["path"]):
            return LOCAL
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if _hash(key) not in self.known:  # before the database is asked: it may be a guess
            self._wait(f"{GUESSING} {(scope.get('client') or ('', 0))[0]}")
        owner = await self._owner_of(key) if scheme.lower() == "bearer" and key else None
        if owner is None:
            challenge = {"www-authenticate": "Bearer"}
            raise ApiError(401, "give a valid API key", code="invalid_api_key", headers=challenge)
        return owner

    async def _owner_of(self, key: str) -> str | None:
        """Return whose key this is, as it was found within the last seconds or is found now."""
        name, now = _hash(key), time.monotonic()
        known, until = self.known.get(name, (None, 0.0))
        if now < until:
            return known
        owner = await run_in_threadpool(self.keys.owner, key)
        if owner is None:
            self.known.pop(name, None)
        else:
            self.known[name] = (owner, now + KNOWN_SECONDS)
        return owner


def _host_name(host: str) -> str:
    """Return the name of a Host header without its port; "" where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


class _TooLarge(Exception):
    """More was sent than is read."""


def _too_large(most: int) -> ApiError:
    return ApiError(413, f"the request is larger than {most >> 20} MiB", code="request_too_large")


class _TooSlow(Exception):
    """It takes too long until all is sent."""


class _Bounded:
    """Receives no more than so many bytes, in no more than so many seconds; what follows may wait."""

    def __init__(self, receive: Receive, most: int) -> None:
        self.receive, self.left, self.more = receive, most, True
        self.ends = time.monotonic() + BODY_SECONDS

    async def __call__(self) -> Message:
        try:
            wait = self.ends - time.monotonic() if self.more else None
            message = await asyncio.wait_for(self.receive(), wait)
        except TimeoutError as error:
            raise _TooSlow from error
        self.more = self.more and message.get("more_body", False)
        self.left -= len(message.get("body", b""))
        if self.left < 0:
            raise _TooLarge
        return message


class _Secured:
    """Sends an answer with secure headers where it has none of its own; knows whether it has begun."""

    def __init__(self, send: Send) -> None:
        self.send, self.begun = send, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun, headers = True, MutableHeaders(scope=message)
            for name, value in SECURE.items():
                headers.setdefault(name, value)
        await self.send(message)
