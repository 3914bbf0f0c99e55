"""Telling others that a video is completed or failed: signed requests to the addresses of the operator.

    hooks = Webhooks(("https://example.org/hook",), secret="whsec_...")
    hooks.tell(job, hooks.urls[0])          # True where that address took it

Signed as the hosted API does (Standard Webhooks 1.0): its clients' `webhooks.unwrap` verifies them. Users
cannot name addresses: a server that fetches what strangers say can be led anywhere.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from reelworld.core.errors import ConfigError
from reelworld.serve.jobs import Ended
from reelworld.serve.objects import EVENTS

PREFIX, TIMEOUT = "whsec_", 10.0


class Webhooks:
    """Addresses, and the secret that signs what they are told."""

    def __init__(self, urls: Sequence[str], secret: str = "") -> None:
        """Raises: ConfigError for an address that is none, or a secret that is not base64."""
        for url in urls:
            if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
                raise ConfigError(f"{url} is no address of a webhook; give http:// or https://")
        try:
            self.key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError) as error:
            raise ConfigError(f"a webhook's secret is {PREFIX} and base64 after it") from error
        if urls and len(self.key) < 24:
            raise ConfigError(f"webhooks need a secret of 24 bytes or more, as {PREFIX} and base64")
        self.urls = tuple(dict.fromkeys(urls))

    def signed(self, job: Ended, now: float) -> tuple[bytes, dict[str, str]]:
        """Return the body that tells of a job, and the headers that prove where it comes from."""
        event = {"id": f"evt_{job.id}", "object": "event", "created_at": int(now), "type": EVENTS[job.status],
                 "data": {"id": job.id}}  # fmt: skip
        body = json.dumps(event).encode()
        told = f"{event['id']}.{int(now)}.".encode() + body
        signature = base64.b64encode(hmac.new(self.key, told, hashlib.sha256).digest()).decode()
        return body, {
            "content-type": "application/json", "webhook-id": str(event["id"]),
            "webhook-timestamp": str(int(now)), "webhook-signature": f"v1,{signature}",
        }  # fmt: skip

    def tell(self, job: Ended, url: str) -> bool:
        """Tell an address of the end of a job; return whether it took it."""
        return _posted(url, *self.signed(job, time.time()))


class _Unled(urllib.request.HTTPRedirectHandler):
    """Follows nobody elsewhere: what is redirected was not taken."""

    def redirect_request(self, *_: Any) -> None:
        return None


OPENER = urllib.request.build_opener(_Unled)


def _posted(url: str, body: bytes, headers: dict[str, str]) -> bool:
    request = urllib.request.Request(url, body, headers, method="POST")
    try:
        with OPENER.open(request, timeout=TIMEOUT) as answer:
            return 200 <= int(answer.status) < 300
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError):
        return False
