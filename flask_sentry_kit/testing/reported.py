"""What was reported, as a test looks at it: an event, or a visitor's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from ..feedback.dialects import Report
from ..inbox.content.failures import Failure
from ..inbox.content.reading import Event, clean, read_event

_VALUE_SHOWN = 200


class ReportedEvent:
    """One event as it would be sent: finished and scrubbed.

    :param json: the event's JSON, as an object.
    """

    def __init__(self, json: Mapping[str, Any]) -> None:
        self.json: dict[str, Any] = dict(json)
        """The whole event. Its fields are Sentry's: https://develop.sentry.dev/sdk/event-payloads/"""

    @property
    def id(self) -> str:
        """32 hexadecimal digits: what the page shows as reference, and the header X-Sentry-ID."""
        return str(self.json.get("event_id", "")).replace("-", "")

    @property
    def type(self) -> str:
        """The class of the exception that ended the request, such as ``"ZeroDivisionError"``; of an
        event without one, the logger, or ``"Message"``."""
        return self._read.type

    @property
    def value(self) -> str:
        """The exception's text, or the message."""
        return self._read.value

    @property
    def where(self) -> str:
        """Module and function where the app's own code failed: ``"shop.views.checkout"``."""
        return self._read.where

    @property
    def places(self) -> list[str]:
        """Module and function of every frame of the app's own code, the innermost first. A function
        of the test's that raises in place of the app's is the first of them."""
        return [
            frame.where for failure in self.exceptions for frame in failure.frames if frame.ours
        ]

    @property
    def level(self) -> str:
        """``"error"``, ``"info"`` and so on."""
        return self._read.level

    @property
    def exception(self) -> Failure | None:
        """The exception that ended the request, with its ``type``, ``value`` and ``frames``; None
        for a message."""
        return next(iter(self.exceptions), None)

    @property
    def exceptions(self) -> tuple[Failure, ...]:
        """That exception, then what it was raised from."""
        return self._read.failures

    @property
    def user(self) -> dict[str, Any]:
        """Who was signed in; empty if the event names nobody."""
        return _dict(self.json.get("user"))

    @property
    def tags(self) -> dict[str, Any]:
        return _dict(self.json.get("tags"))

    @property
    def extra(self) -> dict[str, Any]:
        return _dict(self.json.get("extra"))

    @property
    def request(self) -> dict[str, Any]:
        """``method``, ``url``, ``query_string``, ``headers``, ``data`` …, as far as there are."""
        return _dict(self.json.get("request"))

    @cached_property
    def _read(self) -> Event:
        return read_event(clean(self.json))

    def __repr__(self) -> str:
        return f"<ReportedEvent {self.id}: {self.summary.partition(chr(10))[0]}>"

    @property
    def summary(self) -> str:
        """What, where and at which address, on two lines."""
        what = f"{self.type}: {self.value}".rstrip(": ")
        if len(what) > _VALUE_SHOWN:
            what = f"{what[:_VALUE_SHOWN]}…"
        place = self._read.place
        where = self.where
        if place is not None:
            where += f" ({place.file}, line {place.line})"
        asked = f"{self.request.get('method', '')} {_path(self.request.get('url'))}".strip()
        about = [f"in {where}" if where else "", asked, f"id {self.id}"]
        return f"{what}\n{', '.join(filter(None, about))}"


@dataclass(frozen=True, slots=True)
class ReportedWords:
    """What a visitor wrote, or ``capture_feedback()`` was given, after the checks."""

    comments: str
    name: str = ""
    """Empty if none was given; so is ``email``."""
    email: str = ""
    event_id: str | None = None
    """The event that they are about, or None."""
    url: str = ""
    """The page that they are about, masked as in events; empty if it is not known."""
    id: str = ""
    """Their own, 32 hexadecimal digits; empty where the server has none."""

    @classmethod
    def of(cls, report: Report) -> ReportedWords:
        return cls(
            report.comments, report.name, report.email, report.event_id, report.url, report.id
        )


def listed(events: list[ReportedEvent]) -> str:
    """The events for a message, numbered."""
    return "\n".join(
        f"  {number}. " + event.summary.replace("\n", "\n     ")
        for number, event in enumerate(events, 1)
    )


def _dict(value: Any) -> dict[str, Any]:
    if isinstance(value, list):  # raven's tags may be pairs
        pairs = [pair for pair in value if isinstance(pair, list) and len(pair) == 2]
        value = {str(name): said for name, said in pairs}
    return dict(value) if isinstance(value, dict) else {}


def _path(url: object) -> str:
    try:
        return urlsplit(url).path if isinstance(url, str) else ""
    except ValueError:
        return ""
