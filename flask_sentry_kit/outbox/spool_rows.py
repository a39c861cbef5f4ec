"""An item as a row of the spool: how it is written, and how it is checked when it is read.

A row names an address and headers. Somebody who can edit the file could have the app send anything
anywhere, so only what this package writes itself is accepted.
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

# The headers that this package sends. Others in a row are left out.
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
# Characters of an address and headers together: 100 times what is ever written.
HEAD_LIMIT = 2**17

# Where the apps of this process send to, as ``scheme://host[:port]``. A forked process keeps it.
_destinations: set[str] = set()


def add_destination(origin: str) -> None:
    """Note that an app of this process sends there, so that rows for it are this process's."""
    if origin and origin not in _destinations:
        _destinations.add(origin)


def destinations() -> frozenset[str]:
    return frozenset(_destinations.copy())


class InvalidRow(ValueError):
    """A row that this package did not write, or that is damaged. The text is the reason."""


def values(entry: Entry) -> tuple[Any, ...]:
    """The values for ``INSERT``."""
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
    """A request without its body, as JSON."""
    return json.dumps({"url": request.url, "headers": dict(request.headers)})


def load(row: tuple[Any, ...]) -> Entry:
    """The entry of a row with ``COLUMNS``.

    :raises InvalidRow: this package did not write it.
    """
    id, kind, event_id, origin, head, body, other, other_body, use_fallback, tries = row
    if kind not in ("event", "feedback") or not isinstance(event_id, str):
        raise InvalidRow("it is neither an event nor feedback")
    if not isinstance(tries, int) or not isinstance(use_fallback, int):
        raise InvalidRow("its tries are not a number")
    requests = [_request(head, body)]
    if other is not None:
        requests.append(_request(other, other_body))
    if any(request.origin != origin for request in requests):
        raise InvalidRow("its address is not the one that it is filed under")
    item = Item(kind, event_id, *requests)
    return Entry(cast(int, id), item, origin, max(0, tries), bool(use_fallback))


def _request(head: Any, body: Any) -> Request:
    if not isinstance(head, str) or len(head) > HEAD_LIMIT or not isinstance(body, bytes):
        raise InvalidRow("it is not a request")
    try:
        data = json.loads(head)
        url, headers = data["url"], data["headers"]
        # Control characters or spaces in an address would be a second request.
        if not re.fullmatch(r"https?://[!-~]+", url) or not urlsplit(url).hostname:
            raise InvalidRow("its address is not valid")
        kept = {name: value for name, value in headers.items() if name.lower() in HEADERS}
        if not all(re.fullmatch(r"[ -~\t]*", value) for value in kept.values()):
            raise InvalidRow("its headers are not valid")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = str(error) if isinstance(error, InvalidRow) else "it is not a request"
        raise InvalidRow(reason) from None
    return Request(url, kept, body)


def insert(db: sqlite3.Connection, row: tuple[object, ...]) -> int:
    """Put a row at the end; returns its id."""
    # After an INSERT there is always an id, though the type allows for None.
    return cast(int, db.execute(INSERT, row).lastrowid)
