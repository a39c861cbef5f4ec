"""Sends the marked event and the marked words, as the app's crash and its visitor would."""

from __future__ import annotations

import platform
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final

from ..dsn import Dsn
from ..event.event_facts import EventFacts
from ..feedback.dialects import Report, event_request, report_item
from ..kit import Kit
from ..outbox import Connection, Item, Outbox
from .deadline import Budget
from .finding import Finding, plain
from .quiet import quiet
from .reporting import sender_of

MESSAGE: Final = "flask sentry-kit check"


def marked_event(dsn: Dsn, facts: EventFacts) -> dict[str, Any]:
    """An event that is recognised by its message, level, tag and fingerprint."""
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
    for name, value in (("environment", facts.environment), ("release", facts.release)):
        if value:
            event[name] = value
    return event


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the marked event and words."""

    findings: list[Finding]
    is_glitchtip: bool
    """Whether the server answered the event as GlitchTip does."""


def send_marked(
    kit: Kit, dsn: Dsn, connection: Connection, budget: Budget, origin: str, *, words: bool
) -> Sent:
    """Send the event, then the words about it. What cannot be sent now is not kept.

    :param origin: the app's own origin, or empty if it is not known.
    :param words: whether to send words.
    """
    outbox = Outbox(connection=connection, envelopes=kit.settings.server == "spotlight")
    with quiet():
        try:
            facts = kit.reporter.facts(None)
            event = marked_event(dsn, facts)
            found = [_send_event(outbox, dsn, event, budget, sender_of(kit).fate)]
            is_glitchtip = outbox.is_glitchtip(dsn.store_url)
            if words and found[0].level == "ok":
                server = kit.settings.server
                if server == "auto" and is_glitchtip:
                    server = "glitchtip"
                report = Report(
                    str(event["event_id"]),
                    f"{MESSAGE}: these words are not a visitor's",
                    MESSAGE,
                    facts=facts,
                )
                item = report_item(dsn, report, origin, server)
                found.append(_send_words(outbox, item, budget))
            return Sent(found, is_glitchtip)
        finally:
            outbox.close(0)


def _send_event(
    outbox: Outbox, dsn: Dsn, event: dict[str, Any], budget: Budget, fate: str
) -> Finding:
    ticket = outbox.put(Item("event", event["event_id"], event_request(dsn, event)))
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
        f"Not accepted in time: {reason or 'no answer'}. {fate}",
        "Look at the server's log and load.",
    )


def _refused(reason: str) -> str:
    if reason[:3] in ("401", "403"):
        return "Copy the DSN again from the project's settings at the server (Client Keys)."
    if reason[:3] == "404":
        return (
            "Look at host, path and project of the DSN: the server has no address for events"
            " there, and none for envelopes."
        )
    return "Look at what the server says."


_KEPT: Final = {
    "form": "Kept beside the event, by the dialog's form",
    "feedback": "Kept as a feedback item about the marked event",
    "event": "Kept as an event of their own that names the marked one; you can delete it too",
}
"""By the name of the request that the server took."""


def _send_words(outbox: Outbox, item: Item, budget: Budget) -> Finding:
    ticket = outbox.put(item)
    state = "refused" if ticket is None else ticket.wait(budget.step())
    reason = "" if ticket is None else plain(ticket.reason or "")
    if ticket is not None and state == "sent":
        return Finding("words", "ok", _KEPT.get(ticket.taken or "", "Kept"))
    if state == "passed":
        return Finding(
            "words",
            "note",
            "Taken as a feedback item, after the form was answered by a redirect. Whether this"
            ' server keeps it is not known, so visitors read "Passed on"',
            "Look whether the words are there; if so, set SENTRY_KIT_SERVER = 'sentry'.",
        )
    if state == "refused":
        return Finding(
            "words",
            "broken",
            f"Refused in every form that this server is sent: {reason}",
            "Look at what the server says; docs/delivery.md has the forms.",
        )
    return Finding(
        "words",
        "broken",
        f"Not accepted in time: {reason or 'no answer'}. A visitor's words would be queued and"
        " retried",
        "Look at the server's log and load.",
    )
