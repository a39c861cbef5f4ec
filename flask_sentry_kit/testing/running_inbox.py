"""A real inbox for one test: waitress on a free loopback port, with a file of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from ..inbox import InboxServer, create_inbox
from ..inbox.errors import InboxError
from ..inbox.storage.records import Report
from ..inbox.storage.store import Store
from ..outbox import diversion
from ..phrases import ANONYMOUS_NAME
from .answering import crashes_answered
from .reported import ReportedEvent, ReportedWords, listed

_MOST: Final = 1_000
_STOP: Final = 10.0

Found = TypeVar("Found", ReportedEvent, ReportedWords)


class RunningInbox:
    """An inbox that takes what clients send over HTTP: the fixture ``sentry_kit_inbox``.

    What arrives takes a moment: wait for it with ``wait_for_event()`` or ``wait_for_words()``.
    """

    def __init__(self, server: InboxServer) -> None:
        self._store: Store = server.app.extensions["sentry_kit_inbox"].store
        self._app = server.app
        self._drills: list[str] = []
        self._returned: set[str] = set()
        self.dsn = server.dsn
        """The DSN for the app: ``create_app(SENTRY_DSN=sentry_kit_inbox.dsn)``."""
        self.url = server.url
        """The address of its pages and of its API, without a slash at its end."""

    def __repr__(self) -> str:
        return f"<RunningInbox {self.url}>"

    def events(self) -> list[ReportedEvent]:
        """The events that have arrived, the oldest first."""
        kept = [self._store.event(short["event_id"]) for short in self._store.events(_MOST)]
        return [ReportedEvent(event.body) for event in reversed(kept) if event is not None]

    def words(self) -> list[ReportedWords]:
        """The visitors' words that have arrived, the oldest first."""
        return [_words(report) for report in reversed(self._store.reports(_MOST))]

    def wait_for_event(self, event_id: str | None = None, *, timeout: float = 5.0) -> ReportedEvent:
        """Wait for an event.

        :param event_id: the event, such as an answer's header ``X-Sentry-ID``. None: the oldest one
            that this method has not returned yet.
        :param timeout: the most seconds to wait.
        :raises AssertionError: it has not arrived; the text lists what has.
        """
        __tracebackhide__ = True

        def find() -> ReportedEvent | None:
            return self._next(self.events(), lambda one: one.id, event_id)

        found = self._wait(find, timeout)
        if found is None:
            events = self.events()
            what = "No further event" if event_id is None else f"No event {event_id}"
            there = f" There are:\n{listed(events)}" if events else " There is none at all."
            raise AssertionError(
                f"{what} arrived within {timeout} seconds.{there}{self._drilled()}"
            )
        return found

    def wait_for_words(self, event_id: str | None = None, *, timeout: float = 5.0) -> ReportedWords:
        """Wait for a visitor's words.

        :param event_id: the event that they are about. None: the oldest words that this method has
            not returned yet.
        :param timeout: the most seconds to wait.
        :raises AssertionError: they have not arrived; the text lists what has.
        """
        __tracebackhide__ = True

        def find() -> ReportedWords | None:
            about = (lambda one: one.event_id) if event_id else repr
            return self._next(self.words(), about, event_id)

        found = self._wait(find, timeout)
        if found is None:
            there = "".join(f"\n  {one}" for one in self.words()) or " none"
            raise AssertionError(
                f"No such words arrived within {timeout} seconds. There are:{there}"
                f"{self._drilled()}"
            )
        return found

    def fail(self, kind: str, probability: float = 1.0) -> None:
        """Answer from now on as a Sentry that is down, slow or refuses.

        :param kind: ``"429"``, ``"403"``, ``"500"``, ``"503"``, ``"hang"``, ``"drip"``,
            ``"refuse"`` or ``"redirect"``. Several are tried in the order in which they were given.
        :param probability: of each request, above 0 and up to 1.
        :raises ValueError: there is no such kind, or this is no probability.
        """
        drills = [*self._drills, f"{kind}:{probability:.9f}".rstrip("0").rstrip(".")]
        self._set_drills(drills)

    def recover(self) -> None:
        """Answer as usual again."""
        self._set_drills([])

    def _set_drills(self, drills: list[str]) -> None:
        try:
            self._app.extensions["sentry_kit_inbox"].drills.set(drills)
        except InboxError as error:
            raise ValueError(str(error)) from None
        self._drills = drills

    def _drilled(self) -> str:
        return f" It fails as asked: {', '.join(self._drills)}." if self._drills else ""

    def _next(
        self, found: list[Found], name: Callable[[Found], str | None], wanted: str | None
    ) -> Found | None:
        if wanted is not None:
            wanted = wanted.replace("-", "")
            return next((one for one in found if name(one) == wanted), None)
        for one in found:
            known = name(one) or ""
            if known not in self._returned:
                self._returned.add(known)
                return one
        return None

    def _wait(self, find: Callable[[], Found | None], timeout: float) -> Found | None:
        until = time.monotonic() + timeout
        live = self._store.live
        while True:
            last = live.last
            found = find()
            left = until - time.monotonic()
            if found is not None or left <= 0 or live.closed:
                return found
            live.wait(last, left)


def _words(report: Report) -> ReportedWords:
    return ReportedWords(
        comments=report.comments,
        name="" if report.name == ANONYMOUS_NAME else report.name,
        email=report.reply_to,
        event_id=report.event_id or None,
        url=report.url,
        id=report.feedback_id,
    )


@contextmanager
def run_inbox(path: Path, **options: Any) -> Iterator[RunningInbox]:
    """Run an inbox, which is stopped at the end of the block.

    :param path: its file.
    :param options: those of ``create_inbox()``.
    :raises InboxError: it cannot be started: the extra ``[inbox]`` is missing, for example.
    """
    server = InboxServer(create_inbox(path, **options))
    inbox = RunningInbox(server)
    thread = threading.Thread(target=server.run, name="sentry-kit-inbox")
    thread.start()
    try:
        # It gets what is sent to it also where a test collects all the rest.
        with diversion.let_through(server.url), crashes_answered():
            yield inbox
    finally:
        server.stop()
        thread.join(_STOP)
