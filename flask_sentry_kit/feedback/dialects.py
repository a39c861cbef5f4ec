"""How each server wants the visitor's words: which requests, and after which answers the next one.

A server of another kind is added here: a ``Dialect``, and the DSNs or the value of
``SENTRY_KIT_SERVER`` that it is for. Nothing is sent from here.

There are three forms of words. The *form* is the POST of the hosted dialog, which Sentry answers
since version 8. A *feedback* item is an envelope of its own
(https://develop.sentry.dev/sdk/telemetry/feedbacks/, version 1.3.0); servers that do not know it
answer 200 and drop it. An *event* of their own is what every server keeps.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final
from urllib.parse import urlencode

from ..dsn import AUTH_HEADER, Dsn
from ..event.event_facts import EventFacts
from ..event.event_id import new_event_id
from ..outbox import Alternative, Item, Request
from ..outbox.item import FORM_TYPE, NO_CONTENT
from ..phrases import ANONYMOUS_EMAIL, ANONYMOUS_NAME

logger = logging.getLogger("flask_sentry_kit")

MESSAGE_MAX: Final = 4_096
"""Characters of a feedback item's message; Sentry cuts or refuses a longer one."""

CLIENT: Final = "flask-sentry-kit"

_MISSING: Final = frozenset((403, 404, 405, 410))
# The server has no such address, or does not take words from this origin (Sentry's allowed
# domains).
_REDIRECTS: Final = frozenset(range(300, 400))
# sentry.io's ingest hosts redirect the form. No redirect is followed.
_WITHOUT_BODY: Final = frozenset((NO_CONTENT,))
# GlitchTip answers the form so, and Sentry ``{}``. GlitchTip 6 keeps such words where no page shows
# them, since it looks for the crash by an id of its own.
_TAKEN: Final = frozenset(range(200, 300))


@dataclass(frozen=True, slots=True)
class Report:
    """What somebody wrote, after the checks."""

    event_id: str | None
    """The event that it is about, or None."""
    comments: str
    name: str = ""
    email: str = ""
    url: str = ""
    """The page that it is about, masked as in events."""
    facts: EventFacts = EventFacts()
    """Of the event that it is about."""
    id: str = field(default_factory=new_event_id)
    """Of the feedback item, or of the event of its own."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """The forms that a kind of server gets, in order.

    ``feedback_is_kept``: a server of this kind that takes a feedback item is known to keep it.
    """

    steps: tuple[tuple[str, frozenset[int]], ...]
    """Each form with the answers to an earlier one after which it is sent."""
    feedback_is_kept: bool = False


_FORM_FIRST: Final = Dialect(
    (
        ("form", frozenset()),
        ("feedback", _REDIRECTS),
        ("event", _MISSING | _REDIRECTS | _WITHOUT_BODY),
    )
)
_SENTRY_IO: Final = Dialect(
    (("feedback", frozenset()), ("event", _MISSING | _REDIRECTS)), feedback_is_kept=True
)
_SENTRY: Final = Dialect(
    (("feedback", frozenset()), ("form", _MISSING), ("event", _MISSING | _REDIRECTS)),
    feedback_is_kept=True,
)
_GLITCHTIP: Final = Dialect(
    # Both, and in this order: 5 shows the form's words and drops the item, with a 200. 6 shows the
    # item's words, and keeps the first ones about a crash alone.
    (("feedback", frozenset()), ("form", _TAKEN | _MISSING), ("event", _MISSING | _REDIRECTS))
)
_EVENTS_ALONE: Final = Dialect((("event", frozenset()),))

_BY_SERVER: Final[Mapping[str, Dialect]] = {
    "sentry": _SENTRY,
    "glitchtip": _GLITCHTIP,
    "bugsink": _EVENTS_ALONE,
    "spotlight": _EVENTS_ALONE,
}
"""By the values of ``SENTRY_KIT_SERVER`` but "auto"."""


def dialect_of(dsn: Dsn, server: str) -> Dialect:
    """The dialect of a DSN's server.

    :param server: the setting ``SENTRY_KIT_SERVER``, or what is known of the server.
    """
    return _BY_SERVER.get(server) or (_SENTRY_IO if dsn.is_sentry_io else _FORM_FIRST)


def report_item(dsn: Dsn, report: Report, origin: str, server: str) -> Item:
    """The item for the outbox that carries a visitor's report on a crash.

    :param origin: ``scheme://host[:port]`` of the app. Sentry's form is accepted from the hosts
        that the project allows, which it looks up in Origin, then in Referer.
    :param server: the setting ``SENTRY_KIT_SERVER``.
    """
    return _item(dsn, report, dialect_of(dsn, server), origin)


def feedback_item(dsn: Dsn, report: Report, server: str) -> Item:
    """The item for the outbox that carries words under an id of their own, which a form has not.

    On a server that is not known to have feedback items they are an event: a second form on a crash
    replaces the first one, or is dropped.
    """
    dialect = dialect_of(dsn, server)
    own = [
        step
        for step in dialect.steps
        if step[0] == "event" or (step[0] == "feedback" and dialect.feedback_is_kept)
    ]
    return _item(dsn, report, Dialect(tuple(own), dialect.feedback_is_kept))


def _item(dsn: Dsn, report: Report, dialect: Dialect, origin: str = "") -> Item:
    requests = []
    for name, after in dialect.steps:
        if name == "form":
            request = _form(dsn, report, origin)
        elif name == "feedback":
            request = _feedback(dsn, report, dialect.feedback_is_kept)
        else:
            request = _event(dsn, report)
        requests.append(Alternative(request, after))
    first, *others = requests
    about = report.event_id or report.id
    return Item("feedback", about, first.request, tuple(others), said=report)


def fitting(words: str) -> str:
    """The words, cut to what a feedback item may hold, which is logged."""
    if len(words) <= MESSAGE_MAX:
        return words
    logger.warning(
        "The message of a feedback has %d characters; it is cut to %d, which is what Sentry takes",
        len(words),
        MESSAGE_MAX,
    )
    return f"{words[: MESSAGE_MAX - 1]}…"


def _form(dsn: Dsn, report: Report, origin: str) -> Request:
    words = {
        "name": report.name or ANONYMOUS_NAME,
        "email": report.email or ANONYMOUS_EMAIL,
        "comments": report.comments,
    }
    headers = {"Content-Type": FORM_TYPE, "Accept": "application/json"}
    if origin:
        # Both are the origin alone: the address of the page may hold secrets.
        headers |= {"Origin": origin, "Referer": f"{origin}/"}
    return Request(
        url=dsn.report_url(report.event_id or ""),
        headers=headers,
        body=urlencode(words).encode("ascii"),
        name="form",
    )


def _feedback(dsn: Dsn, report: Report, is_kept: bool) -> Request:
    said = {
        "message": fitting(report.comments),
        "contact_email": report.email,
        "name": report.name,
        "url": report.url,
        "associated_event_id": report.event_id,
    }
    payload = json.dumps(
        {
            **_core(report),
            "type": "feedback",
            "contexts": {"feedback": {key: value for key, value in said.items() if value}},
        }
    ).encode()
    lines = (
        json.dumps(dsn.envelope_header(report.id)).encode(),
        json.dumps({"type": "feedback", "length": len(payload)}).encode(),
        payload,
        b"",
    )
    return Request(
        url=dsn.envelope_url,
        headers={
            "Content-Type": "application/x-sentry-envelope",
            AUTH_HEADER: dsn.auth_header(CLIENT),
        },
        body=b"\n".join(lines),
        name="feedback",
        keeps=is_kept,
    )


def _event(dsn: Dsn, report: Report) -> Request:
    """The words as an event of their own, by the road of all events."""
    who = " ".join(filter(None, (report.name, f"<{report.email}>" if report.email else "")))
    about = (
        ("From", who),
        ("Page", report.url),
        ("About the crash", report.event_id),
    )
    lines = [f"{label}: {said}" for label, said in about if said]
    text = "\n\n".join(filter(None, (report.comments, "\n".join(lines))))
    event = {
        **_core(report),
        "logger": "feedback",
        "message": text,
        "logentry": {"formatted": text},
        # So that it is an issue of its own, and no other's.
        "fingerprint": ["flask-sentry-kit-feedback", report.id],
    }
    if report.event_id:
        event["tags"] = {**event["tags"], "crash.event_id": report.event_id}
    if report.url:
        event["request"] = {"url": report.url}
    if not event.get("user") and (report.email or report.name):
        event["user"] = {
            key: value
            for key, value in (("email", report.email), ("username", report.name))
            if value
        }
    return event_request(dsn, event, name="event")


def event_request(dsn: Dsn, event: Mapping[str, Any], *, name: str = "") -> Request:
    """The request that sends an event of the kit's own making, by the road of all events.

    :param name: see ``Request.name``.
    """
    return Request(
        url=dsn.store_url,
        headers={
            "Content-Type": "application/json",
            # Servers before Sentry 9 require the secret there.
            AUTH_HEADER: dsn.auth_header(CLIENT, with_secret=True),
        },
        body=json.dumps(event).encode(),
        name=name,
    )


def _core(report: Report) -> dict[str, Any]:
    """What a feedback item and an event of its own have in common."""
    facts = report.facts
    core: dict[str, Any] = {
        "event_id": report.id,
        "timestamp": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "platform": "python",
        "level": "info",
        "tags": dict(facts.tags),
    }
    others = {
        "environment": facts.environment,
        "release": facts.release,
        "user": dict(facts.user),
    }
    return {**core, **{key: value for key, value in others.items() if value}}
