"""The reporter of one app whose ``Sentry`` has our client."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Flask

from ...containment import contained
from ...dsn import Dsn
from ...event.scope import Environ
from ...event.warm import warm_up
from ...outbox import Counters, Outbox
from ...settings import Settings
from ...watch import show_event_id
from . import logs
from .errors import original_error

if TYPE_CHECKING:
    from .client import Client


class ClientReporter:
    """Reports through our client.

    :param app: the app; held weakly.
    :param is_active: whether the app's reporter is still this one: an app may be given another.
    """

    def __init__(self, app: Flask, client: Client, is_active: Callable[[], bool]) -> None:
        self._app = weakref.ref(app)
        self._is_active = is_active
        self.client = client
        self.handler: logs.LogHandler | None = None
        self._warm = False

    @property
    def dsn(self) -> Dsn | None:
        return self.client.dsn

    @property
    def switched_off(self) -> bool:
        return self.client.switched_off

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
            event_id = self.client.captureException(
                exc_info=(type(error), error, error.__traceback__),
                handled=handled,
                environ=environ,
            )
            if event_id is not None:
                show_event_id(event_id)
        return event_id

    def recall(self, error: BaseException) -> tuple[bool, str | None]:
        return self.client.recall(original_error(error))

    def warm_up(self) -> None:
        if not self._warm and self.client.is_enabled():
            self._warm = True
            warm_up(self.client.event_options())

    def flush(self, timeout: float = 2.0) -> bool:
        return self.client.flush(timeout)
