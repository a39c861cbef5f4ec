"""What an item is in the spool: written, and read back with suspicion. Knows nothing of SQL.

A row names an address and headers. Whoever could edit the file could send anything anywhere in
the app's name, so only what this package writes is taken from it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from ..dsn import AUTH_HEADER
from .item import Entry, Item, Request

if TYPE_CHECKING:
    import sqlite3

COLUMNS = "id, kind, event_id, origin, request, body, fallback, fallback_body, use_fallback, tries"

INSERT = (
    "INSERT INTO items (kind, event_id, origin, request, body, fallback, fallback_body,"
    " use_fallback, tries, size) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

# Headers that this package sends; others in a row are not sent.
HEADERS = frozenset(
    (
        "accept",
        "content-encoding",
        "content-type",
        "origin",
        "referer",
        "user-agent",
        AUTH_HEADER.lower(),
    )
)
# Characters of an address and headers together; 100 times what is written.
HEAD_LIMIT = 2**17

# What the apps of this process send to, as ``scheme://host[:port]``. A forked process keeps it.
_destinations: set[str] = set()


def add_destination(origin: str) -> None:
    """Note that an app of this process sends there, so that rows for it are this process's."""
    if origin and origin not in _destinations:
        _destinations.add(origin)


def destinations() -> frozenset[str]:
    return frozenset(_destinations.copy())


class NoItem(ValueError):
    """A row that is none of ours, or that was damaged; its text is the reason."""


def values(entry: Entry) -> tuple[Any, ...]:
    """What ``INSERT`` takes."""
    item, fallback = entry.item, entry.item.fallback
    return (
        item.kind,
        item.event_id,
        entry.origin,
        _head(item.request),
        item.request.body,
        _head(fallback) if fallback else None,
        fallback.body if fallback else None,
        int(entry.use_fallback),
        entry.tries,
        item.size,
    )


def _head(request: Request) -> str:
    """The part of a request beside its body."""
    return json.dumps({"url": request.url, "headers": dict(request.headers)})


def load(row: tuple[Any, ...]) -> Entry:
    """The entry of a row with ``COLUMNS``.

    :raises NoItem: it cannot have been written here.
    """
    id, kind, event_id, origin, head, body, other, other_body, use_fallback, tries = row
    if kind not in ("event", "feedback") or not isinstance(event_id, str):
        raise NoItem("it is neither an event nor feedback")
    if not isinstance(tries, int) or not isinstance(use_fallback, int):
        raise NoItem("its tries are no number")
    requests = [_request(head, body)]
    if other is not None:
        requests.append(_request(other, other_body))
    if any(request.origin != origin for request in requests):
        raise NoItem("its address is not the one that it is filed under")
    item = Item(kind, event_id, *requests)
    return Entry(cast(int, id), item, origin, max(0, tries), bool(use_fallback))


def _request(head: Any, body: Any) -> Request:
    if not isinstance(head, str) or len(head) > HEAD_LIMIT or not isinstance(body, bytes):
        raise NoItem("it is no request")
    try:
        data = json.loads(head)
        url, headers = data["url"], data["headers"]
        # Control characters or spaces in an address would be a second request.
        if not re.fullmatch(r"https?://[!-~]+", url) or not urlsplit(url).hostname:
            raise NoItem("its address is none")
        kept = {name: value for name, value in headers.items() if name.lower() in HEADERS}
        if not all(re.fullmatch(r"[ -~\t]*", value) for value in kept.values()):
            raise NoItem("its headers are none")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = str(error) if isinstance(error, NoItem) else "it is no request"
        raise NoItem(reason) from None
    return Request(url, kept, body)


def insert(db: sqlite3.Connection, row: tuple[object, ...]) -> int:
    """Put a row at the end; returns its id."""
    # An INSERT that raised nothing has an id; the type alone allows for none.
    return cast(int, db.execute(INSERT, row).lastrowid)
