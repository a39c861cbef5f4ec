"""``Sentry``: a safe version of the class from raven's documentation.

It connects an app to a client. A crash that Flask signals becomes one event, and the event's id is
in the same places as with raven. A healthy request only pays for the thin WSGI layer.
"""

from __future__ import annotations

import logging as stdlib_logging
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from time import monotonic
from typing import Any

import raven.base
import raven.contrib.flask
from flask import (
    Flask,
    current_app,
    g,
    got_request_exception,
    has_app_context,
    request_tearing_down,
)

from ...settings import LoggingOptions, SettingError, settings_of
from ...watch import (
    declare_event_id,
    is_ordinary_answer,
    show_event_id,
    watch_escapes,
    watch_handlers,
)
from ..base import Reporter
from ..made import capture_by_current
from . import hooks, logs
from .client import Client, logger
from .configuration import make_client
from .foreign import RavenClientReporter
from .reporter import ClientReporter
from .request_info import RequestInfo


class Sentry(RequestInfo):
    """Reports an app's crashes to Sentry: a drop-in for ``raven.contrib.flask.Sentry``.

    :param app: the app, or None to call ``init_app`` later, for any number of apps.
    :param client: an existing client of our class or of raven's own class, used unchanged for
        every app.
    :param client_cls: the class of the clients made here. A client of raven's own class gets
        everything from raven's Flask integration, and keeps raven's own faults.
    :param dsn: where to report. The default is ``SENTRY_DSN`` in the environment. ``app.config``
        overrides both, as with raven.
    :param logging: whether to report log records too.
    :param logging_exclusions: further names of loggers to ignore.
    :param level: the lowest level of log records to report.
    :param wrap_wsgi: False: do not report exceptions outside of views (in middleware, teardown
        or streams).
    :param register_signal: whether to report exceptions from views.
    :raises SettingError, DsnError: for a setting that cannot work. The text shows no secret.
    """

    def __init__(
        self,
        app: Flask | None = None,
        client: Any = None,
        client_cls: type[raven.base.Client] = Client,
        dsn: str | None = None,
        logging: bool = False,
        logging_exclusions: Iterable[str] | None = None,
        level: int = stdlib_logging.NOTSET,
        wrap_wsgi: bool | None = None,
        register_signal: bool = True,
    ) -> None:
        self._given: Any = None
        self._reporters: weakref.WeakKeyDictionary[Flask, ClientReporter | RavenClientReporter] = (
            weakref.WeakKeyDictionary()
        )
        self._last: weakref.ref[Flask] | None = None
        self._goes_along: weakref.WeakSet[Flask] = weakref.WeakSet()
        self.failed_hooks: set[str] = set()
        """Names of overridden methods that have failed. Each failure is logged once."""
        self.wrap_wsgi: bool | None
        super().__init__(
            None,
            client=client,
            client_cls=client_cls,
            dsn=dsn,
            logging=logging,
            logging_exclusions=logging_exclusions,
            level=level,
            wrap_wsgi=wrap_wsgi,
            register_signal=register_signal,
        )
        if app is not None:
            self.init_app(app)

    # one client per app

    @property
    def client(self) -> Any:
        """The current app's client, or the latest client if there is no current app."""
        if self._given is not None:
            return self._given
        reporter = None
        if has_app_context():
            reporter = self._reporters.get(current_app._get_current_object())  # type: ignore[attr-defined]  # LocalProxy
        if reporter is None and self._last is not None:
            last = self._last()
            reporter = None if last is None else self._reporters.get(last)
        return None if reporter is None else reporter.client

    @client.setter
    def client(self, client: Any) -> None:
        self._given = client

    def client_of(self, app: Flask) -> Any:
        """An app's client, or None if ``init_app`` was not called for it."""
        reporter = self._reporter_of(app)
        return None if reporter is None else reporter.client

    def reporter_for(self, app: Flask) -> Reporter | None:
        """The reporter of an app, or None if ``init_app`` was not called for it."""
        return self._reporter_of(app)

    def init_app(
        self,
        app: Flask,
        dsn: str | None = None,
        logging: bool | None = None,
        level: int | None = None,
        logging_exclusions: Iterable[str] | None = None,
        wrap_wsgi: bool | None = None,
        register_signal: bool | None = None,
    ) -> None:
        """Report an app's crashes. Missing arguments default to those of the constructor.

        Calling it again for the same app replaces the earlier setup.

        :raises SettingError, DsnError: before anything in the app is changed.
        """

        def chosen(given: Any, default: Any) -> Any:
            return default if given is None else given

        exclusions = chosen(logging_exclusions, self.logging_exclusions) or ()
        if isinstance(exclusions, str):
            raise SettingError("logging_exclusions takes a list of logger names; got str")
        settings = settings_of(app)
        client = self._client_given()
        if client is None:
            client = make_client(self.client_cls, app, chosen(dsn, self.dsn))
            if _has_own_client(self):
                self.client = client
        known = app.extensions.get("sentry")
        if isinstance(known, Sentry):
            known._release(app)
        is_active = partial(_is_active, weakref.ref(self), weakref.ref(app))
        reporter = self._make_reporter(app, client, is_active)
        if isinstance(reporter, RavenClientReporter):
            request_tearing_down.connect(reporter.forget, sender=app)
        reporter.use_settings(settings)
        self._last = weakref.ref(app)
        app.extensions["sentry"] = self
        wrap = chosen(wrap_wsgi, self.wrap_wsgi)
        # raven omits its middleware in debug mode, where it would report a crash twice. Ours
        # reports once, so it stays. The attribute has the value that raven's users expect.
        self.wrap_wsgi = chosen(wrap, not app.debug)
        declare_event_id(app)
        capture = partial(capture_by_current, weakref.ref(app))
        if chosen(wrap, True):
            watch_escapes(app, capture)
        if chosen(register_signal, self.register_signal):
            got_request_exception.connect(self._take_crash, sender=app)
            watch_handlers(app, capture)
        if app not in self._goes_along:
            self._goes_along.add(app)
            hooks.go_along(self, Sentry, app)
        reporter.warm_up()
        if chosen(logging, self.logging):
            handler = logs.install(client, app, chosen(level, self.level), tuple(exclusions))
            reporter.handler = handler
            raven.contrib.flask.logging_configured.send(
                self, sentry_handler=logs.LogHandler, exclude=tuple(exclusions)
            )

    def _client_given(self) -> Any:
        """The given client, which every app uses unchanged, or None."""
        return self.client if _has_own_client(self) else self._given

    def _make_reporter(
        self, app: Flask, client: Any, is_active: Callable[[], bool]
    ) -> ClientReporter | RavenClientReporter:
        found = hooks.hooks_of(self, Sentry)
        reporter: ClientReporter | RavenClientReporter
        if isinstance(client, Client):
            reporter = ClientReporter(app, client, is_active, found)
        else:
            reporter = RavenClientReporter(client, is_active, found)
        self._reporters[app] = reporter
        return reporter

    def _release(self, app: Flask) -> None:
        """Stop reporting for an app, because another ``Sentry`` takes over."""
        reporter = self._reporters.pop(app, None)
        if reporter is None:
            return
        got_request_exception.disconnect(self._take_crash, sender=app)
        if isinstance(reporter, RavenClientReporter):
            request_tearing_down.disconnect(reporter.forget, sender=app)
        if reporter.handler is not None:
            logs.uninstall(reporter.handler, app)

    # capturing

    def handle_exception(self, *args: Any, **kwargs: Any) -> str | None:
        """Capture the exception of Flask's ``got_request_exception``, or ``exc_info=…``."""
        app = args[0] if args and isinstance(args[0], Flask) else None
        error = kwargs.get("exception")
        if error is None:
            return self.captureException(exc_info=kwargs.get("exc_info"))
        if app is not None and is_ordinary_answer(app, error):
            return None
        reporter = self._reporter_of(app)
        return None if reporter is None else reporter.capture(error)

    def _take_crash(self, app: Flask, *args: Any, **kwargs: Any) -> None:
        """Pass the exception of Flask's signal to ``handle_exception``, as raven does."""
        reporter, error = self._reporter_of(app), kwargs.get("exception")
        if (
            error is None
            or reporter is None
            or not hooks.overrides(self, Sentry, "handle_exception")
        ):
            self.handle_exception(app, *args, **kwargs)
            return
        taken = hooks.take(
            self, "handle_exception", lambda: self.handle_exception(app, *args, **kwargs)
        )
        if taken.done:
            reporter.settle(error, taken.event_id)
        else:
            reporter.capture(error)

    def _reporter_of(self, app: Flask | None) -> ClientReporter | RavenClientReporter | None:
        if app is None and has_app_context():
            app = current_app._get_current_object()  # type: ignore[attr-defined]  # LocalProxy
        if app is None:
            return None
        found = self._reporters.get(app)
        client = self._client_given()
        if found is None and client is not None and app.extensions.get("sentry") is self:
            # A subclass overrides ``init_app`` without calling ours.
            is_active = partial(_is_active, weakref.ref(self), weakref.ref(app))
            found = self._make_reporter(app, client, is_active)
            found.use_settings(settings_of(app))
            declare_event_id(app)
        return found

    def captureException(self, *args: Any, **kwargs: Any) -> str | None:
        """Capture an exception: ``exc_info`` or the one being handled.

        :returns: the event's id, or None if there is no event.
        """
        client = self._ready("captureException")
        if client is None:
            return None
        if hooks.request_has_failed() and isinstance(client, Client):
            kwargs.setdefault("handled", False)
        return _show(client.captureException(*args, **kwargs))

    def captureMessage(self, *args: Any, **kwargs: Any) -> str | None:
        """Send a message: ``captureMessage("hello", level=…, tags=…, extra=…, stack=True)``.

        :returns: the event's id, or None if there is no event.
        """
        client = self._ready("captureMessage")
        return None if client is None else _show(client.captureMessage(*args, **kwargs))

    def _ready(self, method: str) -> Any:
        client = self.client
        if client is None:
            logger.warning("%s() was called before init_app(): nothing is reported", method)
        return client

    # the current work

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event of this request, or of this app context or thread."""
        if has_app_context():
            found: str | None = g.get("sentry_event_id")
            return found
        client = self.client
        return None if client is None else client.last_event_id

    @last_event_id.setter
    def last_event_id(self, value: str | None) -> None:
        if has_app_context():
            g.sentry_event_id = value

    def user_context(self, data: dict[str, Any]) -> None:
        """Set the user of this request: ``{"id": …, "email": …}``."""
        client = self._ready("user_context")
        if client is not None:
            client.user_context(data)

    def tags_context(self, data: dict[str, Any]) -> None:
        """Add tags to the events of this request."""
        client = self._ready("tags_context")
        if client is not None:
            client.tags_context(data)

    def extra_context(self, data: dict[str, Any]) -> None:
        """Add to the extra data of this request's events."""
        client = self._ready("extra_context")
        if client is not None:
            client.extra_context(data)

    # delivery

    def flush(self, timeout: float = 2.0) -> bool:
        """Wait until the queues of all apps have been sent.

        :param timeout: most seconds to wait, for all apps together.
        :returns: whether the queues are empty.
        """
        deadline = monotonic() + timeout
        waiting = list(self._reporters.values())
        # Two rounds: time that one app did not use is left for the others.
        for _ in range(2):
            left = len(waiting)
            for reporter in list(waiting):
                if reporter.flush(max(0.0, deadline - monotonic()) / left):
                    waiting.remove(reporter)
                left -= 1
        return not waiting

    @property
    def counters(self) -> Any:
        """Events and feedback queued, sent, retried and dropped, for the current app."""
        client = self.client
        return client.outbox.counters if isinstance(client, Client) else None


def _has_own_client(sentry: Sentry) -> bool:
    """Whether a subclass makes its own ``client``."""
    return type(sentry).client is not Sentry.client


def _show(event_id: str | None) -> str | None:
    if event_id is not None:
        show_event_id(event_id)
    return event_id


def _is_active(sentry: weakref.ref[Sentry], app: weakref.ref[Flask]) -> bool:
    """Whether an app still reports through this ``Sentry``."""
    watched = app()
    return watched is not None and watched.extensions.get("sentry") is sentry()


def make_sentry(app: Flask) -> None:
    """Give an app a ``Sentry`` from its settings."""
    options = settings_of(app).logging
    Sentry(
        app,
        logging=options is not None,
        level=(options or LoggingOptions()).level,
        logging_exclusions=options.exclusions if options else None,
    )
