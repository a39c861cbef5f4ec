"""The inbox's projects: whose events it takes, and how many."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import Final
from urllib.parse import urlsplit

from flask import Request, current_app

from ..dsn import Dsn, DsnError
from .errors import InboxError
from .protocol.body import Bodies
from .protocol.drills import Drills
from .storage.store import Store

_TYPE: Final = 40
_TYPES: Final = 50

# Characters of a key or a project that clients name. Sentry's keys have 32, its numbers 16.
_NAME: Final = 64


@dataclass(slots=True)
class Project:
    """The project of the DSN that the inbox shows, which others it takes, and its limits."""

    id: str
    public_key: str
    store: Store
    keys: frozenset[tuple[str, str]] | None = None
    """Projects and public keys that events are taken for; None for any that make a DSN."""
    allowed_origins: tuple[str, ...] = ("*",)
    events_per_minute: int | None = None
    _arrivals: deque[float] = field(default_factory=deque)
    _lock: Lock = field(default_factory=Lock)
    bodies: Bodies = field(default_factory=Bodies)
    skipped: Counter[str] = field(default_factory=Counter)
    """How many items of each type were skipped since the inbox was started."""
    drills: Drills = field(default_factory=Drills)

    def dsn(self, scheme: str, host: str) -> Dsn:
        """Its DSN under an address that this inbox answers at.

        :param host: with ``:port`` where there is one.
        """
        return Dsn(scheme, self.public_key, host, path="", project=self.id)

    def has_key(self, public_key: str) -> bool:
        """Whether this is a key of any project."""
        if self.keys is None:
            return makes_dsn(self.id, public_key)
        return any(public_key == key for _, key in self.keys)

    def takes(self, project: str, public_key: str) -> bool:
        """Whether a client with this key may send to this project."""
        if self.keys is None:
            return makes_dsn(project, public_key)
        return (project, public_key) in self.keys

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


def read_projects(
    projects: Iterable[str], given_key: str | None, kept_key: str
) -> list[tuple[str, str]]:
    """Each project with its public key, from ``ID:KEY`` or ``ID``.

    :param given_key: for those without a key of their own, and for project 1 if there are none.
    :param kept_key: in place of a given one.
    :raises InboxError: one makes no DSN, or the given key has no project left.
    """
    found: list[tuple[str, str]] = []
    for text in projects:
        name, colon, key = text.partition(":")
        found.append((name, key if colon else given_key or kept_key))
    if given_key is not None:
        if not found:
            found.append(("1", given_key))
        elif all(":" in text for text in projects):
            raise InboxError(
                "A key is given twice: every --project has one of its own, ID:KEY, so leave --key"
                " out or give a --project without a key."
            )
    for project, key in found:
        check_key(project, key)
    return found


def check_key(project: str, public_key: str) -> None:
    """Check that a DSN of this project and key is read back as the same.

    :raises InboxError: it is not.
    """
    try:
        Dsn.of("http://localhost", public_key, project, setting="The inbox's DSN")
    except DsnError as error:
        raise InboxError(f"This project or key makes no DSN. {error}.") from None
    if max(len(project), len(public_key)) > _NAME:
        raise InboxError(f"This project or key makes no DSN: it has more than {_NAME} characters.")


@lru_cache(256)
def makes_dsn(project: str, public_key: str) -> bool:
    """Whether a client can have such a DSN; kept for the few that clients have."""
    try:
        check_key(project, public_key)
    except InboxError:
        return False
    return True


def current_project() -> Project:
    """The project of the running inbox."""
    found: Project = current_app.extensions["sentry_kit_inbox"]
    return found


def origin_of(incoming: Request) -> str | None:
    """The request's Origin; its Referer without one, or where a page sends "null"."""
    origin = incoming.headers.get("Origin", "")
    return incoming.headers.get("Referer") if origin in ("", "null") else origin
