"""The inbox's project: whose events it takes, and how many."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from threading import Lock
from typing import Final
from urllib.parse import urlsplit

from flask import Request, current_app

from ..dsn import Dsn
from .protocol.body import Bodies
from .storage.store import Store

_TYPE: Final = 40
_TYPES: Final = 50


@dataclass(slots=True)
class Project:
    """The one project that this inbox takes events for, and its limits."""

    id: str
    public_key: str
    store: Store
    allowed_origins: tuple[str, ...] = ("*",)
    events_per_minute: int | None = None
    _arrivals: deque[float] = field(default_factory=deque)
    _lock: Lock = field(default_factory=Lock)
    bodies: Bodies = field(default_factory=Bodies)
    skipped: Counter[str] = field(default_factory=Counter)
    """How many items of each type were skipped since the inbox was started."""

    def dsn(self, scheme: str, host: str) -> Dsn:
        """Its DSN under an address that this inbox answers at.

        :param host: with ``:port`` where there is one.
        """
        return Dsn(scheme, self.public_key, host, path="", project=self.id)

    def allows(self, origin: str | None) -> bool:
        """Whether a page of this origin may send: the project's "allowed domains" at Sentry.

        An entry is ``*``, an origin (``https://shop.example``), a host (``shop.example``), or
        either with ``*.`` for its subdomains.
        """
        if "*" in self.allowed_origins:
            return True
        try:
            url = urlsplit((origin or "").lower())
        except ValueError:
            return False
        if not url.hostname:
            return False
        for entry in self.allowed_origins:
            scheme, _, host = entry.lower().rpartition("://")
            if scheme and scheme != url.scheme:
                continue
            if host in (url.hostname, url.netloc):
                return True
            if host.startswith("*.") and f".{url.hostname}".endswith(host[1:]):
                return True
        return False

    def skip(self, kind: object) -> None:
        """Count an item that is not kept. Of types that no client has, not every name is kept."""
        name = kind[:_TYPE] if isinstance(kind, str) else "no type"
        with self._lock:
            known = name in self.skipped or len(self.skipped) < _TYPES
            self.skipped[name if known else "others"] += 1

    def retry_after(self) -> int:
        """Count one more event: 0, or the seconds to wait if it is one too many."""
        if self.events_per_minute is None:
            return 0
        now = time.monotonic()
        with self._lock:
            while self._arrivals and self._arrivals[0] <= now - 60:
                self._arrivals.popleft()
            if len(self._arrivals) >= self.events_per_minute:
                oldest = self._arrivals[0] if self._arrivals else now
                return max(1, round(oldest + 60 - now))
            self._arrivals.append(now)
            return 0


def current_project() -> Project:
    """The project of the running inbox."""
    found: Project = current_app.extensions["sentry_kit_inbox"]
    return found


def origin_of(incoming: Request) -> str | None:
    """The request's Origin; its Referer without one, or where a page sends "null"."""
    origin = incoming.headers.get("Origin", "")
    return incoming.headers.get("Referer") if origin in ("", "null") else origin
