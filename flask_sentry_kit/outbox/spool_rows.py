"""An item as a row of the spool: how it is written, and how it is checked when it is read.

A row names an address and headers. Somebody who can edit the file could have the app send anything
anywhere, so only what this package writes itself is accepted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from ..dsn import AUTH_HEADER
from .item import Alternative, Entry, Item, Outcome, Request

if TYPE_CHECKING:
    import sqlite3

COLUMNS = "id, kind, event_id, origin, request, body, alternatives, at, tries"

INSERT = (
    "INSERT INTO items (kind, event_id, origin, request, body, alternatives, at, tries, size)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
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
    item = entry.item
    return (
        item.kind,
        item.event_id,
        entry.origin,
        json.dumps(_head(item.request)),
        item.request.body,
        _alternatives(item) if item.alternatives else None,
        entry.at,
        entry.tries,
        item.size,
    )


def _head(request: Request) -> dict[str, Any]:
    """A request without its body."""
    head: dict[str, Any] = {"url": request.url, "headers": dict(request.headers)}
    if request.name:
        head["name"] = request.name
    if not request.keeps:
        head["keeps"] = False
    return head


def _alternatives(item: Item) -> str:
    # Each byte of a body is one character.
    return json.dumps(
        [
            {
                "after": sorted(other.after),
                "body": other.request.body.decode("latin-1"),
                **_head(other.request),
            }
            for other in item.alternatives
        ]
    )


def load(row: tuple[Any, ...]) -> Entry:
    """The entry of a row with ``COLUMNS``.

    :raises InvalidRow: this package did not write it.
    """
    id, kind, event_id, origin, head, body, others, at, tries = row
    if kind not in ("event", "feedback") or not isinstance(event_id, str):
        raise InvalidRow("it is neither an event nor feedback")
    if not isinstance(tries, int) or not isinstance(at, int):
        raise InvalidRow("its tries are not a number")
    if not isinstance(head, str) or len(head) > HEAD_LIMIT or not isinstance(body, bytes):
        raise InvalidRow("it is not a request")
    request = _request(_json(head), body)
    item = Item(kind, event_id, request, () if others is None else _read_alternatives(others))
    if any(request.origin != origin for request in item.requests):
        raise InvalidRow("its address is not the one that it is filed under")
    if not 0 <= at < len(item.requests):
        raise InvalidRow("it has no request at the place to go on from")
    return Entry(cast(int, id), item, origin, max(0, tries), at)


def _json(text: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        raise InvalidRow("it is not a request") from None


def _read_alternatives(text: Any) -> tuple[Alternative, ...]:
    if not isinstance(text, str) or not isinstance(listed := _json(text), list):
        raise InvalidRow("its alternatives are not requests")
    found = []
    for data in listed:
        try:
            after, body = data["after"], data["body"].encode("latin-1")
        except (ValueError, TypeError, KeyError, AttributeError):
            raise InvalidRow("its alternatives are not requests") from None
        if not isinstance(after, list) or not all(isinstance(status, int) for status in after):
            raise InvalidRow("its alternatives are not requests")
        found.append(Alternative(_request(data, body), frozenset(after)))
    return tuple(found)


def _request(data: Any, body: bytes) -> Request:
    try:
        url, headers = data["url"], data["headers"]
        name, keeps = data.get("name", ""), data.get("keeps", True)
        if not re.fullmatch(r"[a-z_]{0,30}", name) or not isinstance(keeps, bool):
            raise InvalidRow("what it is called is not valid")
        # Control characters or spaces in an address would be a second request.
        if not re.fullmatch(r"https?://[!-~]+", url) or not urlsplit(url).hostname:
            raise InvalidRow("its address is not valid")
        kept = {name: value for name, value in headers.items() if name.lower() in HEADERS}
        if not all(re.fullmatch(r"[ -~\t]*", value) for value in kept.values()):
            raise InvalidRow("its headers are not valid")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        reason = str(error) if isinstance(error, InvalidRow) else "it is not a request"
        raise InvalidRow(reason) from None
    return Request(url, kept, body, name, keeps)


def load_outcome(row: Sequence[Any]) -> Outcome:
    """The outcome in a row of ``settled``: state, taken, reason."""
    state, taken, reason = row
    if state not in ("sent", "passed", "refused") or not all(
        isinstance(value, str | None) for value in (taken, reason)
    ):
        return Outcome("refused", reason="a row of the spool was no outcome")
    return Outcome(state, taken, reason)


def insert(db: sqlite3.Connection, row: tuple[object, ...]) -> int:
    """Put a row at the end; returns its id."""
    # After an INSERT there is always an id, though the type allows for None.
    return cast(int, db.execute(INSERT, row).lastrowid)
