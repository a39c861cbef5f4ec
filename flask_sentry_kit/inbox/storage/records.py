"""Reports, crashes and events as Python objects, made of the file's rows.

In a damaged file a row that SQLite finds in order may hold any value. A value of the wrong type is
replaced by an empty one.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from dataclasses import dataclass
from typing import Any, Final

from ..content.shown import Pairs
from ..errors import DamagedEventError

# Bytes of an event's JSON. Older versions kept it in ASCII, which is up to three times as long.
_LONGEST: Final = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Report:
    """What a visitor wrote."""

    id: int
    feedback_id: str
    """Of a feedback item, its own event id; empty for words by form."""
    event_id: str
    """Of the crash; empty for words about none."""
    name: str
    email: str
    comments: str
    at: float
    url: str
    facts: Pairs
    """Environment, release, user and tags, as far as a feedback item says."""

    @property
    def reply_to(self) -> str:
        """The address to answer to; empty if the visitor gave none.

        Sentry's form requires one, so clients fill in one under ``.invalid`` (RFC 2606).
        """
        return "" if self.email.lower().endswith(".invalid") else self.email


@dataclass(frozen=True, slots=True)
class CrashGroup:
    """Events with the same cause in the same place."""

    id: int
    key: str
    type: str
    value: str
    place: str
    level: str
    count: int
    """All events that arrived, including those that are no longer kept."""
    people: int
    """How many persons met one of the events that are kept, as far as these name somebody."""
    first_at: float
    last_at: float
    unread: bool
    resolved: bool
    """Whether somebody marked it as resolved, and it has not happened again since."""
    kept: bool
    """Whether its newest events are never pruned."""
    app: str
    release: str
    environment: str
    """Of its latest event, as far as that says."""
    reports: int
    words: Report | None
    """The latest report."""


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """One event, as the file holds it."""

    event_id: str
    crash_key: str
    project: str
    at: float
    received: float
    person: str
    json: bytes
    """The event as JSON."""
    older: str | None
    newer: str | None
    """Event ids of its neighbours in the same crash."""
    number: int
    kept: int
    """The event is number ``number`` of the crash's ``kept`` kept events, oldest first."""
    reports: int
    """How many reports there are on it."""

    @property
    def body(self) -> dict[str, Any]:
        """The event.

        :raises DamagedEventError: when the file holds something else.
        """
        try:
            found = json.loads(self.json)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise DamagedEventError(self.event_id)
        return found


def report_of(row: sqlite3.Row) -> Report:
    return Report(
        id=_number(row["id"]),
        feedback_id=str(row["feedback_id"]),
        event_id=str(row["event_id"]),
        name=str(row["name"]),
        email=str(row["email"]),
        comments=str(row["comments"]),
        at=moment_of(row["at"]),
        url=str(row["url"]),
        facts=_pairs(row["facts"]),
    )


def _pairs(text: object) -> Pairs:
    try:
        found = json.loads(str(text))
        return tuple((str(name), str(value)) for name, value in found)
    except (ValueError, TypeError, RecursionError):
        return ()


def crash_of(row: sqlite3.Row, words: Report | None) -> CrashGroup:
    return CrashGroup(
        id=row["id"],
        key=str(row["key"]),
        type=str(row["type"]),
        value=str(row["value"]),
        place=str(row["place"]),
        level=str(row["level"]),
        count=_number(row["count"]),
        first_at=moment_of(row["first_at"]),
        last_at=moment_of(row["last_at"]),
        unread=bool(row["unread"]),
        people=_number(row["people"]),
        resolved=bool(row["resolved"]),
        kept=bool(row["kept"]),
        app=str(row["app"]),
        release=str(row["release"]),
        environment=str(row["environment"]),
        reports=_number(row["reports"]),
        words=words,
    )


def moment_of(value: object) -> float:
    """Seconds since 1970, up to the year 3000."""
    return float(value) if isinstance(value, int | float) and 0 < value < 32503680000 else 0.0


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def json_of(event_id: str, data: object) -> bytes:
    machine = zlib.decompressobj()
    try:
        found = machine.decompress(bytes(data), _LONGEST) if isinstance(data, bytes) else b""
    except zlib.error:
        found = b""
    if not machine.eof:
        raise DamagedEventError(event_id)
    return found
