"""Figures of a server's requests: how many, with what answer, and how long each took.

    app.add_middleware(Counting, registry=registry)

Requests are counted by the route that answered, never by their address, so that strangers make no new series.
"""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = ("GET", "HEAD", "POST", "DELETE")
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds


class Counting:
    """Counts and times requests."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self.app = app
        labels = ["method", "route", "status"]
        self.requests = Counter("reelworld_requests", "Requests.", labels, registry=registry)
        self.seconds = Histogram(
            "reelworld_request_seconds", "Time until an answer begins.", ["route"], registry=registry,
            buckets=BUCKETS,
        )  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                method = scope["method"] if route != "other" and scope["method"] in METHODS else "any"
                self.requests.labels(method, route, message["status"]).inc()
                self.seconds.labels(route).observe(time.perf_counter() - begun)
            await send(message)

        await self.app(scope, receive, counted)
