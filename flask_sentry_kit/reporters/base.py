"""What a reporter is to the rest of the kit: it sends one app's events, and says where they go."""

from __future__ import annotations

from typing import Final, Protocol

from ..dsn import Dsn
from ..event.scope import Environ
from ..outbox import Counters, Outbox
from ..settings import Settings


class Reporter(Protocol):
    """What sends the events of one app. None of its methods raises."""

    @property
    def dsn(self) -> Dsn | None:
        """Where events go, or None where nothing is reported."""

    @property
    def switched_off(self) -> bool:
        """The DSN is empty on purpose, and nobody needs to hear that it is missing."""

    @property
    def refused(self) -> bool:
        """The server is known to refuse the events of this DSN; False where it is not known."""

    @property
    def outbox(self) -> Outbox | None:
        """The queue that its events wait in, so that a visitor's words follow their event; None
        where events go another way."""

    @property
    def counters(self) -> Counters | None:
        """What has become of events and words; None where it is not known."""

    def use_settings(self, settings: Settings) -> None:
        """Take the kit's settings, checked: at registration, before there is an event."""

    def capture(
        self, error: BaseException, *, environ: Environ | None = None, handled: bool = False
    ) -> str | None:
        """Report an exception that ended a request, once: a second call returns the same id.

        :param environ: the request's WSGI environ, where Flask's context is gone already.
        :param handled: the app has answered it with a handler of its own.
        :returns: the id of its one event, or None where there is none.
        """

    def recall(self, error: BaseException) -> tuple[bool, str | None]:
        """Whether an exception was dealt with in this piece of work already, and the id of its
        event, or None where it has none."""

    def warm_up(self) -> None:
        """Do now what the first event of a process would have to do first; once."""

    def flush(self, timeout: float = 2.0) -> bool:
        """Wait until all that is queued was sent.

        :param timeout: seconds at most.
        :returns: whether the queue is empty.
        """


class NoReporter:
    """Reports nothing: there is no DSN and no ``Sentry``."""

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

    def warm_up(self) -> None:
        return None

    def flush(self, timeout: float = 2.0) -> bool:
        return True
