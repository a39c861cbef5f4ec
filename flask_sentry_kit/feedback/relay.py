"""Makes the request that carries a visitor's words, as every server since Sentry 8 accepts it.

It also waits a moment for the server's answer. Sending and retrying are the outbox's work.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlencode

from ..dsn import AUTH_HEADER, Dsn
from ..outbox import Alternative, Item, Outbox, Request, Ticket

Shown = Literal["sent", "passed", "saved", "refused"]

ANONYMOUS_NAME: Final = "Anonymous"
ANONYMOUS_EMAIL: Final = "anonymous@example.invalid"
"""Sentry's form requires both fields and checks the address's pattern. No address under
``.invalid`` exists (RFC 2606, section 2), so that an answer reaches nobody by mistake."""

WAIT: Final = 2.0
"""Seconds that a visitor waits for Sentry's answer."""

WAITING_MAX: Final = 2
"""Requests of one process that wait at a time: half of waitress's four threads."""

_MISSING: Final = frozenset((403, 404, 405, 410))

# Taking a place and giving it back is one atomic step each. A lock would be of the wrong kind after
# gevent patches late.
_places: Final = deque(range(WAITING_MAX))


@dataclass(frozen=True, slots=True)
class Report:
    """What a visitor wrote about one crash, after the checks."""

    event_id: str
    comments: str
    name: str = ""
    email: str = ""


def item(dsn: Dsn, report: Report, origin: str) -> Item:
    """The item for the outbox: one report.

    The request is the POST that the hosted dialog's own form makes. Its fallback, for servers
    without that address (Bugsink, Spotlight), is an envelope with a ``user_report``.

    :param origin: ``scheme://host[:port]`` of the app. Sentry accepts reports from the hosts that
        the project allows, which it looks up in Origin, then in Referer.
    """
    words = {
        "name": report.name or ANONYMOUS_NAME,
        "email": report.email or ANONYMOUS_EMAIL,
        "comments": report.comments,
    }
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }
    if origin:
        # Both are the origin alone: the address of the page may hold secrets.
        headers |= {"Origin": origin, "Referer": f"{origin}/"}
    return Item(
        kind="feedback",
        event_id=report.event_id,
        request=Request(
            url=dsn.report_url(report.event_id),
            headers=headers,
            body=urlencode(words).encode("ascii"),
            name="form",
        ),
        alternatives=(Alternative(_envelope(dsn, report.event_id, words), _MISSING),),
    )


def _envelope(dsn: Dsn, event_id: str, words: dict[str, str]) -> Request:
    payload = json.dumps({"event_id": event_id, **words}).encode()
    lines = (
        json.dumps(dsn.envelope_header(event_id)).encode(),
        json.dumps({"type": "user_report", "length": len(payload)}).encode(),
        payload,
    )
    return Request(
        url=dsn.envelope_url,
        headers={
            "Content-Type": "application/x-sentry-envelope",
            AUTH_HEADER: dsn.auth_header("flask-sentry-kit"),
        },
        body=b"\n".join(lines) + b"\n",
    )


def put(outbox: Outbox, dsn: Dsn, report: Report, origin: str) -> Ticket | None:
    """Put one report into the outbox, behind its event. None: the queue is full."""
    return outbox.put(item(dsn, report, origin))


def outcome(ticket: Ticket, wait: float = WAIT) -> Shown:
    """The outcome to show: ``"sent"`` (the server keeps the words), ``"passed"`` (it took them, and
    may not keep them), ``"saved"`` (they are queued) or ``"refused"``.

    :param wait: seconds to wait for the server, if fewer than ``WAITING_MAX`` requests wait.
    """
    state = ticket.state
    if state == "waiting" and wait:
        try:
            place = _places.pop()
        except IndexError:
            return "saved"
        try:
            state = ticket.wait(wait)
        finally:
            _places.append(place)
    return "saved" if state == "waiting" else state
