"""The reporter of an app whose events are sent by sentry-sdk."""

from __future__ import annotations

import logging
import weakref
from contextlib import AbstractContextManager
from typing import Any, Final

import sentry_sdk
from flask import Flask

from ...containment import contained
from ...dsn import Dsn, DsnError
from ...event.event_facts import EventFacts
from ...event.page_url import page_url
from ...event.scope import Environ
from ...outbox import Counters, Outbox, diversion, request_end
from ...settings import Settings
from ...threads import lock_at_use
from ...watch import show_event_id
from ..exceptions import original_error
from . import capturing, finishing
from .connection import connection_of
from .current_facts import configured_facts, current_facts
from .holding_back import held_back
from .refusals import is_refused

logger = logging.getLogger("flask_sentry_kit")


class SdkReporter:
    """Reports through sentry-sdk, whose client the app makes with ``sentry_sdk.init()``.

    :param app: the app. Held weakly.
    """

    name: Final = "sentry-sdk"

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app = weakref.ref(app)
        self._settings = settings
        self._read_dsn: tuple[str | None, Dsn | None] = (None, None)
        self._outbox: tuple[str, Outbox] | None = None
        self._outbox_lock = lock_at_use()
        capturing.watch_captures(app, settings)

    @property
    def dsn(self) -> Dsn | None:
        text: Any = None
        with contained("The DSN of sentry-sdk could not be read; the page shows without a report"):
            text = sentry_sdk.get_client().dsn
        if not text:
            return diversion.dsn()
        known, dsn = self._read_dsn
        if text != known:
            dsn = None
            try:
                dsn = Dsn.parse(str(text), "The DSN of sentry_sdk.init()")
            except DsnError as error:
                logger.error("%s: the page shows without dialog and form", error)
            self._read_dsn = text, dsn
        return dsn

    @property
    def switched_off(self) -> bool:
        return sentry_sdk.get_client().is_active() and not sentry_sdk.get_client().dsn

    @property
    def refused(self) -> bool:
        return is_refused(getattr(sentry_sdk.get_client(), "transport", None))

    @property
    def outbox(self) -> Outbox | None:
        """The visitor's words; the SDK has a queue of its own for its events."""
        dsn = self.dsn
        if dsn is None:
            return None
        known = self._outbox
        if known is None or known[0] != dsn.origin:
            with self._outbox_lock.get():
                known = self._outbox
                if known is None or known[0] != dsn.origin:
                    known = self._outbox = dsn.origin, self._make_outbox(dsn)
        return known[1]

    def _make_outbox(self, dsn: Dsn) -> Outbox:
        return Outbox(
            connection=connection_of(sentry_sdk.get_client().options, dsn),
            spool=self._settings.spool,
            envelopes=True,  # on the road of the SDK's own events
            destination=dsn.origin,
        )

    @property
    def counters(self) -> Counters | None:
        outbox = self.outbox
        return None if outbox is None else outbox.counters

    def use_settings(self, settings: Settings) -> None:
        self._settings = settings
        app = self._app()
        if app is not None:
            capturing.watch_captures(app, settings)

    def capture(
        self, error: BaseException, *, environ: Environ | None = None, handled: bool = False
    ) -> str | None:
        event_id: str | None = None
        with contained("sentry-sdk could not capture a crash; the page still shows"):
            event_id = capturing.capture(original_error(error), environ, handled=handled)
            if event_id is not None:
                show_event_id(event_id)
        return event_id

    def recall(self, error: BaseException) -> tuple[bool, str | None]:
        return capturing.recall(original_error(error))

    def facts(self, event_id: str | None) -> EventFacts:
        with contained("The facts of an event could not be read; the words are sent without them"):
            if event_id is None:
                return current_facts()
            return capturing.latest.get(event_id) or configured_facts()
        return EventFacts()

    def shown_url(self, url: str) -> str:
        app = self._app()
        with contained("An address could not be masked; the words are sent without it"):
            return "" if app is None else page_url(app, url, finishing.scrubber_of(app))
        return ""

    def holding_back(self) -> AbstractContextManager[object]:
        return held_back()

    def warm_up(self) -> None:
        if self.dsn is not None:
            request_end.prepare()
            # A failure is not logged: it is logged if it happens again at a crash.
            with contained(None):
                _ = self.outbox  # makes it; no file is opened and no thread started

    def flush(self, timeout: float = 2.0) -> bool:
        """See ``Reporter.flush``. The SDK does not say whether its own queue is empty."""
        with contained("sentry-sdk could not send what is queued"):
            sentry_sdk.flush(timeout=timeout / 2)
        outbox = self.outbox
        return outbox is None or outbox.flush(timeout / 2)
