"""The reporter of an app whose ``Sentry`` uses our client."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager

from flask import Flask

from ...containment import FOREIGN_ERRORS, contained, log_exception
from ...dsn import Dsn
from ...event.event_facts import EventFacts
from ...event.page_url import page_url
from ...event.scope import Environ
from ...event.warm import warm_up
from ...outbox import Counters, Outbox, request_end
from ...settings import Settings
from ...watch import show_event_id
from ..exceptions import original_error
from . import logs
from .client import Client
from .hooks import Hooks, Taken, crash_at_hand
from .sending import held_back


class ClientReporter:
    """Reports through our client.

    :param app: the app. Held weakly.
    :param is_active: returns whether this is still the app's reporter. It can be replaced.
    :param hooks: the methods that the app's ``Sentry`` overrides.
    """

    def __init__(
        self, app: Flask, client: Client, is_active: Callable[[], bool], hooks: Hooks
    ) -> None:
        self._app = weakref.ref(app)
        self._is_active = is_active
        self.client = client
        self._capture = hooks.capture
        client.hooks = hooks
        self.handler: logs.LogHandler | None = None
        self._warm = False

    @property
    def name(self) -> str:
        return f"{type(self.client).__module__}.{type(self.client).__name__}"

    @property
    def dsn(self) -> Dsn | None:
        return self.client.dsn

    @property
    def switched_off(self) -> bool:
        return self.client.switched_off

    @property
    def refused(self) -> bool:
        dsn = self.client.dsn
        return dsn is not None and self.client.outbox.is_refused(dsn.store_url)

    @property
    def outbox(self) -> Outbox | None:
        return self.client.outbox

    @property
    def counters(self) -> Counters | None:
        return self.client.outbox.counters

    def use_settings(self, settings: Settings) -> None:
        self.client.settings = settings

    def capture(
        self, error: BaseException, *, environ: Environ | None = None, handled: bool = False
    ) -> str | None:
        if not self._is_active():
            return None
        event_id: str | None = None
        with contained("A crash could not be reported; the page still shows"):
            error = original_error(error)
            if self._capture is not None and environ is None and not self.client.recall(error)[0]:
                self._capture_by_hook(self._capture, error, handled)
            event_id = self._capture_by_client(error, handled, environ)
            if event_id is not None:
                show_event_id(event_id)
        return event_id

    def _capture_by_hook(
        self, capture: Callable[[BaseException], Taken], error: BaseException, handled: bool
    ) -> None:
        with crash_at_hand(not handled):
            taken = capture(error)
        if taken.done:
            self.settle(error, taken.event_id)

    def _capture_by_client(
        self, error: BaseException, handled: bool, environ: Environ | None
    ) -> str | None:
        exc_info = (type(error), error, error.__traceback__)
        try:
            event_id = self.client.captureException(
                exc_info=exc_info, handled=handled, environ=environ
            )
        except FOREIGN_ERRORS:
            # Our own capture() raises nothing.
            log_exception("The client's own capture() failed; the crash is reported without it")
            event_id = Client.capture(
                self.client,
                "raven.events.Exception",
                exc_info=exc_info,
                handled=handled,
                environ=environ,
            )
        # An app's own capture() may return nothing.
        return self.client.recall(error)[1] if event_id is None else event_id

    def settle(self, error: BaseException, event_id: str | None) -> None:
        """Mark an exception as handled with the id of its event, unless it was captured."""
        error = original_error(error)
        if not self.client.recall(error)[0]:
            self.client.context.scope().remember(error, event_id)

    def recall(self, error: BaseException) -> tuple[bool, str | None]:
        return self.client.recall(original_error(error))

    def facts(self, event_id: str | None) -> EventFacts:
        with contained("The facts of an event could not be read; the words are sent without them"):
            return self.client.facts(event_id)
        return EventFacts()

    def shown_url(self, url: str) -> str:
        app = self._app()
        with contained("An address could not be masked; the words are sent without it"):
            return "" if app is None else page_url(app, url, self.client.scrubber)
        return ""

    def holding_back(self) -> AbstractContextManager[object]:
        return held_back(self.client)

    def warm_up(self) -> None:
        if not self._warm and self.client.is_enabled():
            self._warm = True
            warm_up(self.client.event_options())
            request_end.prepare()
            # A failure is not logged: it is logged if it happens again at a crash.
            with contained(None):
                _ = self.client.outbox  # makes it; no file is opened and no thread started

    def flush(self, timeout: float = 2.0) -> bool:
        return self.client.flush(timeout)
