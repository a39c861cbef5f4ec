"""The visitor's words on their way to Sentry, in the form every server since Sentry 8 takes.

Builds what is sent and waits a moment for the answer. Sending, waiting and trying again are the
outbox's work.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from ..dsn import AUTH_HEADER, Dsn
from ..outbox import Item, Outbox, Request, Ticket

ANONYMOUS_NAME: Final = "Anonymous"
ANONYMOUS_EMAIL: Final = "anonymous@example.invalid"
"""Sentry's form requires both fields and checks the address's pattern. ``.invalid`` can belong
to nobody (RFC 2606, section 2), so nobody gets mail that was meant for no one."""

WAIT: Final = 2.0
"""Seconds a visitor waits for Sentry's answer."""

WAITING_MAX: Final = 2
"""Requests of one process that wait at once: half the threads of waitress, which has four."""

# A place is taken and given back by one atomic step each; no lock, which a late gevent could not
# make its own.
_places: Final = deque(range(WAITING_MAX))


@dataclass(frozen=True, slots=True)
class Report:
    """What a visitor says about one crash, checked."""

    event_id: str
    comments: str
    name: str = ""
    email: str = ""


def item(dsn: Dsn, report: Report, origin: str) -> Item:
    """What the outbox is given for one report.

    The POST that the hosted dialog's own form makes; for servers without that address (Bugsink,
    Spotlight) an envelope with a ``user_report``.

    :param origin: ``scheme://host[:port]`` of the app. Sentry takes a report from the hosts that
        the project allows, and looks for them in Origin, then Referer.
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
        # The origin alone in both: the crashed page's address may hold what is nobody's business.
        headers |= {"Origin": origin, "Referer": f"{origin}/"}
    return Item(
        kind="feedback",
        event_id=report.event_id,
        request=Request(
            url=dsn.report_url(report.event_id),
            headers=headers,
            body=urlencode(words).encode("ascii"),
        ),
        fallback=_envelope(dsn, report.event_id, words),
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
    """Hand one report to the outbox, behind its event. None: there is no room."""
    return outbox.put(item(dsn, report, origin))


def outcome(ticket: Ticket, wait: float = WAIT) -> str:
    """What is said to the visitor: ``"sent"``, ``"saved"`` (it is queued) or ``"refused"``.

    :param wait: seconds to give the server; none while ``WAITING_MAX`` requests wait already.
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
