"""Sends the marked event and the marked words, as the app's crash and its visitor would."""

from __future__ import annotations

import platform
import uuid
from datetime import datetime, timezone
from typing import Any, Final

from ..dsn import Dsn
from ..event.interfaces import encode
from ..feedback import relay
from ..kit import Kit
from ..outbox import Connection, Item, Outbox, Request
from ..reporters.raven.transport import store_headers
from .deadline import Budget
from .destination import client_of
from .finding import Finding, plain
from .quiet import quiet

MESSAGE: Final = "flask sentry-kit check"


def marked_event(kit: Kit, dsn: Dsn) -> dict[str, Any]:
    """An event that is recognised by its message, level, tag and fingerprint."""
    client = client_of(kit)
    event: dict[str, Any] = {
        "event_id": uuid.uuid4().hex,
        "timestamp": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "platform": "python",
        "project": dsn.project,
        "level": "info",
        "logger": "flask_sentry_kit.check",
        "message": MESSAGE,
        "fingerprint": ["flask-sentry-kit-check"],
        "tags": {"sentry-kit": "check"},
        "server_name": platform.node(),
    }
    for name in ("environment", "release"):
        value = getattr(client, name, None)
        if isinstance(value, str) and value:
            event[name] = value
    return event


def send_marked(
    kit: Kit, dsn: Dsn, connection: Connection, budget: Budget, origin: str, *, words: bool
) -> list[Finding]:
    """Send the event, then the words about it. What cannot be sent now is not kept.

    :param origin: the app's own origin, or empty if it is not known.
    :param words: whether to send words.
    """
    outbox = Outbox(**connection._asdict())
    with quiet():
        try:
            event = marked_event(kit, dsn)
            found = [_send_event(outbox, dsn, event, budget)]
            if words and found[0].level == "ok":
                found.append(_send_words(outbox, dsn, str(event["event_id"]), origin, budget))
            return found
        finally:
            outbox.close(0)


def _send_event(outbox: Outbox, dsn: Dsn, event: dict[str, Any], budget: Budget) -> Finding:
    request = Request(dsn.store_url, store_headers(dsn, "7"), encode(event))
    ticket = outbox.put(Item("event", event["event_id"], request))
    state = "refused" if ticket is None else ticket.wait(budget.step())
    reason = "" if ticket is None else plain(ticket.reason or "")
    if state == "sent":
        return Finding(
            "event", "ok", f'Accepted, as "{MESSAGE}"; you can delete it: {event["event_id"]}'
        )
    if state == "refused":
        return Finding("event", "broken", f"Refused: {reason}", _refused(reason))
    return Finding(
        "event",
        "broken",
        f"Not accepted in time: {reason or 'no answer'}. A crash's event would be queued and"
        " retried",
        "Look at the server's log and load.",
    )


def _refused(reason: str) -> str:
    if reason[:3] in ("401", "403", "404"):
        return "Copy the DSN again from the project's settings at the server (Client Keys)."
    return "Look at what the server says."


def _send_words(outbox: Outbox, dsn: Dsn, event_id: str, origin: str, budget: Budget) -> Finding:
    report = relay.Report(event_id, f"{MESSAGE}: these words are not a visitor's", MESSAGE)
    ticket = relay.put(outbox, dsn, report, origin)
    state = "refused" if ticket is None else ticket.wait(budget.step())
    reason = "" if ticket is None else plain(ticket.reason or "")
    if state == "sent":
        return Finding("words", "ok", "Accepted, about the marked event")
    return Finding("words", "broken", f"{state}: {reason}", "Look at what the server says.")
