"""Collects what the apps of this process report, in memory, while a test runs."""

from __future__ import annotations

import atexit
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from flask import Flask, Response, got_request_exception, request, request_finished

from ..dsn import Dsn
from ..feedback.dialects import Report
from ..kit import kit_of
from ..outbox import Item, Request, diversion
from . import client_seams
from .answering import crashes_answered
from .reported import ReportedEvent, ReportedWords, listed
from .seen_page import Origin, SeenPage

_DSN: Final = Dsn.parse("https://tests@sentry.invalid/1")
"""For apps that have none. No host under ``.invalid`` exists (RFC 2606, section 2)."""


class Reports:
    """What was reported since the test began: the fixture ``sentry_kit_reports``.

    Nothing is sent, whatever DSN the app has; an app without a DSN reports here too. No event is
    sampled out. A crash is answered with the page, as in production, also where ``TESTING`` or
    ``DEBUG`` would raise it on to the test; set ``PROPAGATE_EXCEPTIONS`` in the app's configuration
    if it is to be raised.
    """

    any_made = False

    def __init__(self, on_event: Callable[[str], object] | None = None) -> None:
        Reports.any_made = True
        self._on_event = on_event
        self._events: list[ReportedEvent] = []
        self._words: list[ReportedWords] = []
        self._seen: set[str] = set()
        self._origins: dict[str, Origin] = {}
        self._without_event: list[str] = []

    # what was reported

    @property
    def events(self) -> list[ReportedEvent]:
        """All events, in their order."""
        found = list(self._events)
        self._seen.update(event.id for event in found)
        return found

    @property
    def words(self) -> list[ReportedWords]:
        """What visitors wrote, and what ``capture_feedback()`` was given, in its order."""
        return list(self._words)

    def one(self) -> ReportedEvent:
        """The one event.

        :raises AssertionError: there is none, or more than one; the text lists what there is.
        """
        __tracebackhide__ = True
        events = self.events
        if len(events) == 1:
            return events[0]
        if events:
            raise AssertionError(
                f"Exactly one event was expected; {len(events)} were reported:\n{listed(events)}"
            )
        raise AssertionError(f"Exactly one event was expected; none was reported.{self._why()}")

    def none(self) -> None:
        """Check that no event was reported.

        :raises AssertionError: the text lists what was.
        """
        __tracebackhide__ = True
        events = self.events
        if events:
            raise AssertionError(f"No event was expected; reported:\n{listed(events)}")

    def none_unseen(self) -> None:
        """Check that there is no event that the test has not looked at, with ``one()``, ``events``
        or ``page()``. For a fixture that ends each test with it.

        :raises AssertionError: the text lists what was reported besides.
        """
        __tracebackhide__ = True
        unseen = [event for event in self._events if event.id not in self._seen]
        if unseen:
            raise AssertionError(f"The test did not ask for what was reported:\n{listed(unseen)}")

    def clear(self) -> None:
        """Forget what was reported so far."""
        self._events.clear()
        self._words.clear()
        self._without_event.clear()

    def page(self, answer: Any) -> SeenPage:
        """The kit's page in an answer, as a visitor without JavaScript sees it.

        :param answer: what the test client returned, or ``requests`` or ``httpx`` from a server in
            this process.
        :raises AssertionError: it is another answer; the text says which.
        """
        __tracebackhide__ = True
        page = SeenPage(answer, self._origins)
        if page.event_id is not None:
            self._seen.add(page.event_id)
        return page

    def _why(self) -> str:
        if self._words:
            return f" There are words of {len(self._words)} visitors."
        return "".join(f"\n  {said}" for said in self._without_event)

    # Collecting: Diversion's methods, called in any thread

    @property
    def dsn(self) -> Dsn:
        return _DSN

    def take(self, item: Item) -> None:
        if item.kind == "event":
            self.take_event(_json_of(item.request))
        elif isinstance(item.said, Report):
            self._words.append(ReportedWords.of(item.said))

    def take_event(self, event: Any) -> None:
        found = ReportedEvent(event if isinstance(event, dict) else {})
        self._events.append(found)
        if self._on_event is not None:
            self._on_event(f"{found.summary}\n")

    def crashed(self, app: Flask, exception: BaseException, **extra: Any) -> None:
        """Flask's signal ``got_request_exception``: for the message where it has no event."""
        name = type(exception).__name__
        if kit_of(app) is None:
            self._without_event.append(
                f"The app {app.name!r} raised {name}, and has no kit:"
                " app.register_blueprint(sentry_kit)"
            )
            return
        self._without_event.append(
            f"The app {app.name!r} raised {name}, and its reporter made no event of it: look at"
            " ignore_exceptions, before_send and overridden methods"
        )

    def answered(self, app: Flask, response: Response, **extra: Any) -> None:
        """Flask's signal ``request_finished``."""
        event_id = response.headers.get("X-Sentry-ID")
        if event_id is not None:
            self._origins[event_id] = Origin(app, request.root_path)


@contextmanager
def collect_reports(on_event: Callable[[str], object] | None = None) -> Iterator[Reports]:
    """Collect what all apps of the process report, for fixtures of another scope and for suites
    without pytest; ``sentry_kit_reports`` is the same for one test.

    :param on_event: is called with a short description of each event when it is reported.
    """
    reports = Reports(on_event)
    try:
        with (
            diversion.divert(reports),
            crashes_answered(),
            got_request_exception.connected_to(reports.crashed),
            request_finished.connected_to(reports.answered),
        ):
            client_seams.install()
            try:
                yield reports
            finally:
                client_seams.flush_sdk()
    finally:
        client_seams.remove()


def drop_at_exit() -> None:
    """See to it that nothing is sent when the process ends, if any test has collected reports.

    Called when all tests are over, so that of all functions of ``atexit`` this one runs first.
    """
    if Reports.any_made:
        atexit.register(_drop)


def _drop() -> None:
    diversion.drop_from_now_on()
    client_seams.install()


def _json_of(sent: Request) -> Any:
    body = sent.body
    packed = {name.lower() for name in sent.headers} & {"content-encoding"}
    if packed:
        body = zlib.decompress(body, wbits=32 + zlib.MAX_WBITS)
    return json.loads(body)
