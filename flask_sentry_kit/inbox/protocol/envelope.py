"""Reads an envelope: its header, its items, and which of them are kept. Keeps nothing.

The format: develop.sentry.dev, "Envelopes" and "Envelope Items".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from werkzeug.exceptions import BadRequest

from ..content.reading import clean, event_id_of
from ..storage.attachment_table import MOST, Attachment
from .attachment_item import read_attachment
from .body import MAX_FORM, JsonReader, ReadEvent

_ITEMS: Final = 100
_EVENTS: Final = frozenset({"event", "default", "error"})
_LINE_BREAKS = re.compile(rb"[\r\n]*")


@dataclass(frozen=True, slots=True)
class UserReport:
    """Words in a ``user_report`` item, which is older than ``feedback``."""

    event_id: str
    name: str
    email: str
    comments: str


@dataclass(slots=True)
class Envelope:
    """What is in an envelope, in the order of its items."""

    events: list[ReadEvent] = field(default_factory=list)
    feedback: list[Mapping[str, Any]] = field(default_factory=list)
    reports: list[UserReport] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    skipped: list[object] = field(default_factory=list)
    """The types of all other items."""


def read_header(data: bytes, reader: JsonReader) -> tuple[Mapping[str, Any], int]:
    """The envelope's first line, and where its first item begins.

    :raises BadRequest: it is no JSON object.
    """
    line, start = _line(data, 0)
    return reader.parse(line), start


def read_items(data: bytes, start: int, reader: JsonReader) -> Envelope:
    """All items.

    :raises BadRequest: for a header or payload that is not a JSON object, a length that is not a
        number of bytes, a payload that is shorter than its length, or a report without words.
    """
    found = Envelope()
    for header, payload in _items(data, start, reader):
        kind = header.get("type")
        if not isinstance(kind, str):
            found.skipped.append(kind)
        elif kind in _EVENTS:
            found.events.append(reader.parse_event(payload))
        elif kind == "user_report":
            found.reports.append(_read_report(reader.parse(payload)))
        elif kind == "feedback":
            try:
                found.feedback.append(reader.parse(payload))
            except BadRequest:
                found.feedback.append({})
        elif kind == "attachment" and len(found.attachments) < MOST:
            found.attachments.append(read_attachment(header, payload))
        else:
            found.skipped.append(kind)
    return found


def _items(data: bytes, at: int, reader: JsonReader) -> Iterator[tuple[Mapping[str, Any], bytes]]:
    """Header and payload of each item. Reads the bytes once."""
    count = 0
    while (at := _skip_line_breaks(data, at)) < len(data):
        count += 1
        if count > _ITEMS:
            raise BadRequest(f"The envelope has more than {_ITEMS} items.")
        line, at = _line(data, at)
        header = reader.parse(line)
        length = header.get("length")
        if length is None:
            payload, at = _line(data, at)
        elif not isinstance(length, int) or isinstance(length, bool) or length < 0:
            raise BadRequest("An item of the envelope has a length that is no number of bytes.")
        elif length > len(data) - at:
            raise BadRequest("An item of the envelope is shorter than its length.")
        else:
            payload, at = data[at : at + length], at + length
        yield header, payload


def _skip_line_breaks(data: bytes, at: int) -> int:
    match = _LINE_BREAKS.match(data, at)
    return match.end() if match else at


def _line(data: bytes, at: int) -> tuple[bytes, int]:
    """The line that begins there, and where the next one begins."""
    end = data.find(b"\n", at)
    return (data[at:], len(data)) if end < 0 else (data[at:end], end + 1)


def _read_report(report: Mapping[str, Any]) -> UserReport:
    event_id = event_id_of(report.get("event_id"))
    words = {name: clean(report.get(name)) for name in ("name", "email", "comments")}
    if event_id is None or not isinstance(words["comments"], str):
        raise BadRequest("A user_report needs event_id and comments.")
    name, email = (str(words[key] or "")[:200] for key in ("name", "email"))
    return UserReport(event_id, name, email, words["comments"][:MAX_FORM])
