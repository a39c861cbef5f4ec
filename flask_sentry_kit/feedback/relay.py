"""Hands the visitor's words to the outbox, in the dialect of the app's server.

It also waits a moment for the server's answer. Sending and retrying are the outbox's work.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any, Final, Literal, Protocol
from urllib.parse import urlsplit

from ..dsn import Dsn
from ..event.event_facts import EventFacts
from ..outbox import Outbox, Ticket
from ..settings import Settings
from . import dialects
from .dialects import Report as Report

Shown = Literal["sent", "passed", "saved", "refused"]

WAIT: Final = 2.0
"""Seconds that a visitor waits for Sentry's answer."""

WAITING_MAX: Final = 2
"""Requests of one process that wait at a time: half of waitress's four threads."""

# Taking a place and giving it back is one atomic step each. A lock would be of the wrong kind after
# gevent patches late.
_places: Final = deque(range(WAITING_MAX))


class EventSource(Protocol):
    """What is needed of the app's reporter."""

    def facts(self, event_id: str | None) -> EventFacts: ...

    def shown_url(self, url: str) -> str: ...


class Host(Protocol):
    """What is needed of the app's kit."""

    @property
    def settings(self) -> Settings: ...

    @property
    def server(self) -> str: ...

    @property
    def dsn(self) -> Dsn | None: ...

    @property
    def outbox(self) -> Outbox: ...

    @property
    def reporter(self) -> EventSource: ...

    def url(self, tail: str, **values: Any) -> str: ...


def put(host: Host, report: Report, origin: str, page: str = "") -> Ticket | None:
    """Put a report on a crash into the outbox, behind its event.

    :param report: as the visitor wrote it; the facts of its event are added here.
    :param origin: ``scheme://host[:port]`` of the app.
    :param page: the address of the page that the form was on, as the browser named it. It is passed
        on, masked, if it is the app's own and this process does not know the crash.
    :returns: None if the queue is full, or there is no DSN.
    """
    dsn = host.dsn
    if dsn is None:
        return None
    facts = host.reporter.facts(report.event_id)
    url = facts.url
    if not url and _is_page_of_the_app(host, page, origin):
        url = host.reporter.shown_url(page)
    report = replace(report, facts=facts, url=url)
    return host.outbox.put(dialects.report_item(dsn, report, origin, host.server))


def _is_page_of_the_app(host: Host, page: str, origin: str) -> bool:
    if not origin or not page.startswith(f"{origin}/"):
        return False
    try:
        # After a refusal the form is on the page that refuses.
        return urlsplit(page).path != host.url("feedback")
    except ValueError:
        return False


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
