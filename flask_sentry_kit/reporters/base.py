"""The reporter interface for the rest of the kit: a reporter sends one app's events."""

from __future__ import annotations

from typing import Final, Protocol

from ..dsn import Dsn
from ..event.event_facts import EventFacts
from ..event.scope import Environ
from ..outbox import Counters, Outbox
from ..settings import Settings


class Reporter(Protocol):
    """Sends the events of one app. None of its methods raises."""

    @property
    def dsn(self) -> Dsn | None:
        """The DSN that events are sent to, or None if nothing is reported."""

    @property
    def switched_off(self) -> bool:
        """Whether the DSN is empty on purpose, so that no warning about it is needed."""

    @property
    def refused(self) -> bool:
        """Whether the server is known to refuse the events of this DSN. False if unknown."""

    @property
    def outbox(self) -> Outbox | None:
        """The queue of its events, so that a visitor's feedback is sent after its event. None if
        events are sent another way."""

    @property
    def counters(self) -> Counters | None:
        """Counts of events and feedback by outcome, or None if unknown."""

    def use_settings(self, settings: Settings) -> None:
        """Receive the kit's checked settings. Called at registration, before the first event."""

    def capture(
        self, error: BaseException, *, environ: Environ | None = None, handled: bool = False
    ) -> str | None:
        """Report an exception that ended a request, once. A second call returns the same id.

        :param environ: the request's WSGI environ, for use when Flask's context has ended.
        :param handled: whether the app answered with its own error handler.
        :returns: the id of its one event, or None if there is no event.
        """

    def recall(self, error: BaseException) -> tuple[bool, str | None]:
        """Whether an exception was already handled in the current work, and the id of its event,
        or None if it has no event."""

    def facts(self, event_id: str | None) -> EventFacts:
        """What a visitor's words repeat of the event that they are about.

        :param event_id: the event, or None for an event of the current work. Of an event that this
            process has not captured, or no longer knows, it has what all events have: environment,
            release and the tags of the configuration.
        """

    def shown_url(self, url: str) -> str:
        """The address of a page of the app's, masked and bounded as in events; empty if it is no
        http or https address."""

    def warm_up(self) -> None:
        """Do the one-time work of a process's first event in advance. It is done only once."""

    def flush(self, timeout: float = 2.0) -> bool:
        """Wait until the queue has been sent.

        :param timeout: most seconds to wait.
        :returns: whether the queue is empty.
        """


class NoReporter:
    """A reporter for apps without a DSN and without a ``Sentry``. It reports nothing."""

    dsn: Final = None
    switched_off: Final = False
    refused: Final = False
    outbox: Final = None
    counters: Final = None

    def use_settings(self, settings: Settings) -> None:
        return None

    def capture(
        self, error: BaseException, *, environ: Environ | None = None, handled: bool = False
    ) -> None:
        return None

    def recall(self, error: BaseException) -> tuple[bool, None]:
        return True, None

    def facts(self, event_id: str | None) -> EventFacts:
        return EventFacts()

    def shown_url(self, url: str) -> str:
        return ""

    def warm_up(self) -> None:
        return None

    def flush(self, timeout: float = 2.0) -> bool:
        return True
