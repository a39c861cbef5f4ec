"""``Sentry``: the class an app has from raven's documentation, safe to have.

Connects an app to a client: what Flask tells of a crash becomes one event, and the event's id
is where raven's users look for it. Costs a healthy request nothing but the thin WSGI layer.
"""

from __future__ import annotations

import logging as stdlib_logging
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import raven.base
import raven.contrib.flask
from flask import (
    Flask,
    after_this_request,
    current_app,
    g,
    got_request_exception,
    has_app_context,
    has_request_context,
)
from flask.wrappers import Response
from werkzeug.exceptions import InternalServerError

from ...dsn import Dsn
from ...event.scope import Environ
from ...event.serialize import HOSTILE
from ...settings import SettingError
from ...watch.escapes import Middleware
from . import logs
from .client import Client, logger, make_client, tell


@dataclass(slots=True)
class _Hooks:
    """What one ``Sentry`` did to one app."""

    client: Any
    handler: logs.LogHandler | None = None


def original(error: BaseException) -> BaseException:
    """The exception behind the InternalServerError that Flask wraps it in."""
    if not isinstance(error, InternalServerError):
        return error
    inner = error.original_exception
    return inner if isinstance(inner, BaseException) else error


class Sentry(raven.contrib.flask.Sentry):  # type: ignore[misc]  # raven carries no types
    """Reports an app's crashes to Sentry: a drop-in for ``raven.contrib.flask.Sentry``.

    :param app: the app, or None to call ``init_app`` later, for any number of apps.
    :param client: a client made elsewhere, used as it is for every app.
    :param client_cls: the class of the clients made here. A subclass of raven's own
        ``Client`` works as raven's does, faults included.
    :param dsn: where to report; without it ``SENTRY_DSN`` in the environment. ``app.config``
        wins over both, as with raven.
    :param logging: report log records too.
    :param logging_exclusions: further names of loggers to leave alone.
    :param level: the lowest level of log records to report.
    :param wrap_wsgi: see what breaks outside of views: middleware, teardown, streams.
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
        self._hooks: weakref.WeakKeyDictionary[Flask, _Hooks] = weakref.WeakKeyDictionary()
        self._last: weakref.ref[Flask] | None = None
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
        hooks = None
        if has_app_context():
            hooks = self._hooks.get(current_app._get_current_object())  # type: ignore[attr-defined]  # LocalProxy
        if hooks is None and self._last is not None:
            last = self._last()
            hooks = None if last is None else self._hooks.get(last)
        return None if hooks is None else hooks.client

    @client.setter
    def client(self, client: Any) -> None:
        self._given = client

    def client_of(self, app: Flask) -> Any:
        """An app's client, or None where ``init_app`` was not called for it."""
        if self._given is not None:
            return self._given
        hooks = self._hooks.get(app)
        return None if hooks is None else hooks.client

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
        client = self._given or make_client(self.client_cls, app, chosen(dsn, self.dsn))
        known = app.extensions.get("sentry")
        if isinstance(known, Sentry):
            known._release(app)
        hooks = _Hooks(client)
        self._hooks[app] = hooks
        self._last = weakref.ref(app)
        app.extensions["sentry"] = self
        _give_g_an_event_id(app)
        if chosen(wrap_wsgi, chosen(self.wrap_wsgi, True)):
            _wrap_once(app)
        if chosen(register_signal, self.register_signal):
            got_request_exception.connect(self.handle_exception, sender=app)
            _watch_handlers_once(app)
        if isinstance(client, Client) and client.is_enabled():
            client.rehearse()
        if chosen(logging, self.logging) and isinstance(client, Client):
            handler = logs.install(client, app, chosen(level, self.level), tuple(exclusions))
            hooks.handler = handler
            raven.contrib.flask.logging_configured.send(
                self, sentry_handler=logs.LogHandler, exclude=tuple(exclusions)
            )

    def _release(self, app: Flask) -> None:
        """Leave an app to another ``Sentry``."""
        hooks = self._hooks.pop(app, None)
        if hooks is None:
            return
        got_request_exception.disconnect(self.handle_exception, sender=app)
        if hooks.handler is not None:
            logs.uninstall(hooks.handler, app)

    def _active(self, app: Flask) -> bool:
        return app.extensions.get("sentry") is self

    # capturing

    def handle_exception(self, *args: Any, **kwargs: Any) -> str | None:
        """Capture what Flask's ``got_request_exception`` tells of, or ``exc_info=…``."""
        app = args[0] if args and isinstance(args[0], Flask) else None
        if app is not None and not self._active(app):
            return None
        error = kwargs.get("exception")
        if error is None:
            return self.captureException(exc_info=kwargs.get("exc_info"))
        return self.report(error, app=app)

    def report(
        self,
        error: BaseException,
        *,
        app: Flask | None = None,
        environ: Environ | None = None,
        handled: bool = False,
    ) -> str | None:
        """Capture an exception that ended a request; never raises.

        :param app: the app that crashed; the current one if left out.
        :param environ: its request, where Flask's context is gone.
        :returns: the id of its one event, or None where there is none.
        """
        try:
            client = self.client if app is None else self.client_of(app)
            if client is None:
                return None
            error = original(error)
            exc_info = (type(error), error, error.__traceback__)
            if not isinstance(client, Client):
                return self._show(client.captureException(exc_info=exc_info))
            return self._show(
                client.captureException(exc_info=exc_info, handled=handled, environ=environ)
            )
        except HOSTILE:
            tell("A crash could not be reported; the page still shows")
            return None

    def escaped(self, app: Flask, environ: Environ, error: BaseException) -> None:
        """Capture what got past Flask: from middleware, teardown or a stream."""
        if self._active(app):
            self.report(error, app=app, environ=environ)

    def captureException(self, *args: Any, **kwargs: Any) -> str | None:
        """Capture an exception: ``exc_info`` or the one being handled.

        :returns: the event's id, or None where there is none.
        """
        client = self._ready("captureException")
        return None if client is None else self._show(client.captureException(*args, **kwargs))

    def captureMessage(self, *args: Any, **kwargs: Any) -> str | None:
        """Send a message: ``captureMessage("hello", level=…, tags=…, extra=…, stack=True)``.

        :returns: the event's id, or None where there is none.
        """
        client = self._ready("captureMessage")
        return None if client is None else self._show(client.captureMessage(*args, **kwargs))

    def _ready(self, method: str) -> Any:
        client = self.client
        if client is None:
            logger.warning("%s() was called before init_app(): nothing is reported", method)
        return client

    def _show(self, event_id: str | None) -> str | None:
        """Put the id where raven's users look for it: on ``g`` and in ``X-Sentry-ID``."""
        if event_id is None:
            return None
        if has_app_context():
            g.sentry_event_id = event_id
        if has_request_context() and not g.get("_sentry_kit_header"):
            g._sentry_kit_header = True
            after_this_request(_add_header)
        return event_id

    def before_request(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: what raven prepares for each request is found out when one fails."""

    def after_request(self, sender: Any, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Nothing: only a request with an event gets a header, and asks for it by itself."""
        return response

    # the work at hand

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event of this request, or of this app context or thread."""
        if has_app_context():
            found: str | None = g.get("sentry_event_id")
            return found
        client = self.client
        return client.last_event_id if isinstance(client, Client) else None

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

    # for the front door

    def dsn_of(self, app: Flask) -> Dsn | None:
        """Where an app's events go."""
        client = self.client_of(app)
        return client.dsn if isinstance(client, Client) else None

    def flush(self, timeout: float = 2.0) -> bool:
        """Wait until all that is queued was sent.

        :param timeout: seconds at most, for all apps together.
        :returns: whether the queues are empty.
        """
        clients = (
            [self._given]
            if self._given is not None
            else [hooks.client for hooks in list(self._hooks.values())]
        )
        done = [client.flush(timeout) for client in clients if isinstance(client, Client)]
        return all(done)

    @property
    def counters(self) -> Any:
        """Events and feedback queued, sent, retried and dropped, for the current app."""
        client = self.client
        return client.outbox.counters if isinstance(client, Client) else None


def _add_header(response: Response) -> Response:
    event_id = g.get("sentry_event_id")
    if event_id:
        response.headers["X-Sentry-ID"] = event_id
    return response


def _give_g_an_event_id(app: Flask) -> None:
    """Let ``g.sentry_event_id`` be None until there is an event, at no cost to a request."""
    if getattr(app.app_ctx_globals_class, "sentry_event_id", False) is not None:
        known: Any = app.app_ctx_globals_class
        made: Any = type(known.__name__, (known,), {"sentry_event_id": None})
        app.app_ctx_globals_class = made


class _Current:
    """Reports to whichever ``Sentry`` is an app's by then."""

    def escaped(self, app: Flask, environ: Environ, error: BaseException) -> None:
        sentry = app.extensions.get("sentry")
        if isinstance(sentry, Sentry):
            sentry.escaped(app, environ, error)


def _wrap_once(app: Flask) -> None:
    if not app.extensions.setdefault("sentry_kit_wrapped", False):
        app.extensions["sentry_kit_wrapped"] = True
        Middleware.install(app, _Current())


def _watch_handlers_once(app: Flask) -> None:
    """See the crashes that an error handler answers: Flask sends no signal for them.

    ``abort(500)`` is captured before its handler runs, so that the handler can show the id; any
    other exception once its handler has made a 5xx of it, since only that tells it is a crash.
    """
    if app.extensions.setdefault("sentry_kit_watched", False):
        return
    app.extensions["sentry_kit_watched"] = True
    handle = app.handle_user_exception

    def watched(*args: Any, **kwargs: Any) -> Any:
        # The exception is the last argument: newer Flask puts its context before it.
        error = args[-1] if args else kwargs.get("e")
        sentry = app.extensions.get("sentry")
        if not isinstance(sentry, Sentry) or not isinstance(error, BaseException):
            return handle(*args, **kwargs)
        if isinstance(error, InternalServerError):
            sentry.report(error, app=app)
            return handle(*args, **kwargs)
        answer = handle(*args, **kwargs)
        if _is_crash(answer):
            sentry.report(error, app=app, handled=True)
        return answer

    app.handle_user_exception = watched  # type: ignore[method-assign]  # on errors only


def _is_crash(answer: Any) -> bool:
    # Only 500: 503 and its kin are answers that a server gives on purpose.
    if isinstance(answer, tuple):
        status = next((part for part in answer[1:] if isinstance(part, int | str)), 200)
        # An HTTPStatus is an int whose str() is its name up to Python 3.10.
        return (status if isinstance(status, int) else status.split(" ")[0]) in (500, "500")
    return getattr(answer, "status_code", getattr(answer, "code", 200)) == 500
