"""``Sentry``: the class an app has from raven's documentation, safe to have.

Connects an app to a client: what Flask signals of a crash becomes one event, and the event's id
is where raven's users look for it. Costs a healthy request nothing but the thin WSGI layer.
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

from ...event.scope import Environ
from ...settings import LoggingOptions, SettingError, settings_of
from ...watch import (
    declare_event_id,
    is_ordinary_answer,
    show_event_id,
    watch_escapes,
    watch_handlers,
)
from ..base import Reporter
from . import hooks, logs
from .client import Client, logger
from .configuration import make_client
from .foreign import RavenClientReporter
from .reporter import ClientReporter
from .request_info import RequestInfo


class Sentry(RequestInfo):
    """Reports an app's crashes to Sentry: a drop-in for ``raven.contrib.flask.Sentry``.

    :param app: the app, or None to call ``init_app`` later, for any number of apps.
    :param client: a client made elsewhere, ours or one of raven's own class, used as it is for
        every app.
    :param client_cls: the class of the clients made here. A client of raven's own class gets all
        that raven's Flask integration gives it, and keeps raven's own faults.
    :param dsn: where to report; without it ``SENTRY_DSN`` in the environment. ``app.config``
        wins over both, as with raven.
    :param logging: report log records too.
    :param logging_exclusions: further names of loggers to leave alone.
    :param level: the lowest level of log records to report.
    :param wrap_wsgi: False: do not see what breaks outside of views (middleware, teardown,
        streams).
    :param register_signal: report what views raise.
    :raises SettingError, DsnError: for a setting that cannot work; shows no secret.
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
        """Overridden methods that have failed, each of which is logged once."""
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

    # one client an app

    @property
    def client(self) -> Any:
        """The current app's client; outside of every app the one made last."""
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
        """An app's client, or None where ``init_app`` was not called for it."""
        reporter = self._reporter_of(app)
        return None if reporter is None else reporter.client

    def reporter_for(self, app: Flask) -> Reporter | None:
        """What reports an app's crashes, or None where ``init_app`` was not called for it."""
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
        """Report an app's crashes; what is left out is as given to the constructor.

        Calling it again for the same app replaces what the earlier call set up.

        :raises SettingError, DsnError: before anything of the app is touched.
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
        # raven leaves out its middleware in debug mode, where it would report a crash twice. Ours
        # does not, so it stays; the attribute says what raven's users expect of it.
        self.wrap_wsgi = chosen(wrap, not app.debug)
        declare_event_id(app)
        capture = partial(_capture_by_current, weakref.ref(app))
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
        """The client that is used as it is for every app, or None."""
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
        """Leave an app to another ``Sentry``."""
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
        """Have ``handle_exception`` take what Flask signals, as raven has."""
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
            # A subclass has an ``init_app`` of its own that does not call ours.
            is_active = partial(_is_active, weakref.ref(self), weakref.ref(app))
            found = self._make_reporter(app, client, is_active)
            found.use_settings(settings_of(app))
            declare_event_id(app)
        return found

    def captureException(self, *args: Any, **kwargs: Any) -> str | None:
        """Capture an exception: ``exc_info`` or the one being handled.

        :returns: the event's id, or None where there is none.
        """
        client = self._ready("captureException")
        if client is None:
            return None
        if hooks.request_has_failed() and isinstance(client, Client):
            kwargs.setdefault("handled", False)
        return _show(client.captureException(*args, **kwargs))

    def captureMessage(self, *args: Any, **kwargs: Any) -> str | None:
        """Send a message: ``captureMessage("hello", level=…, tags=…, extra=…, stack=True)``.

        :returns: the event's id, or None where there is none.
        """
        client = self._ready("captureMessage")
        return None if client is None else _show(client.captureMessage(*args, **kwargs))

    def _ready(self, method: str) -> Any:
        client = self.client
        if client is None:
            logger.warning("%s() was called before init_app(): nothing is reported", method)
        return client

    # the work at hand

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
        """Say who this request is for: ``{"id": …, "email": …}``."""
        client = self._ready("user_context")
        if client is not None:
            client.user_context(data)

    def tags_context(self, data: dict[str, Any]) -> None:
        """Tag the events of this request."""
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
        """Wait until all that is queued was sent.

        :param timeout: seconds at most, for all apps together.
        :returns: whether the queues are empty.
        """
        deadline = monotonic() + timeout
        waiting = list(self._reporters.values())
        # Twice round: what one app did not need of its share is left for the others.
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
    """Whether a subclass has a ``client`` of its own making."""
    return type(sentry).client is not Sentry.client


def _show(event_id: str | None) -> str | None:
    if event_id is not None:
        show_event_id(event_id)
    return event_id


def _is_active(sentry: weakref.ref[Sentry], app: weakref.ref[Flask]) -> bool:
    """Whether an app's reporter is still this ``Sentry``."""
    watched = app()
    return watched is not None and watched.extensions.get("sentry") is sentry()


def _capture_by_current(
    app: weakref.ref[Flask],
    error: BaseException,
    *,
    environ: Environ | None = None,
    handled: bool = False,
) -> str | None:
    """Report through whichever ``Sentry`` of ours is the app's by then."""
    watched = app()
    sentry = None if watched is None else watched.extensions.get("sentry")
    if watched is None or not isinstance(sentry, Sentry):
        return None
    reporter = sentry.reporter_for(watched)
    return None if reporter is None else reporter.capture(error, environ=environ, handled=handled)


def make_sentry(app: Flask) -> None:
    """Give an app a ``Sentry`` from its settings."""
    options = settings_of(app).logging
    Sentry(
        app,
        logging=options is not None,
        level=(options or LoggingOptions()).level,
        logging_exclusions=options.exclusions if options else None,
    )
