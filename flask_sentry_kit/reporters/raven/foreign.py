"""Supports an app's own clients of raven's class: shared with Celery, with their own transport, or
in memory for tests. Their events get the same data as with raven's Flask integration.

raven prepares request and user before every request. Here they are added when an event is captured
and removed afterwards, so that a healthy request costs nothing and no visitor's user remains for
the next request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import Any, Final

from flask import Flask, current_app, g, has_app_context

from ...containment import contained
from ...dsn import Dsn, DsnError
from ...event.build import running_request
from ...event.event_facts import EventFacts
from ...event.scope import Environ, Scopes
from ...event.scrub import Scrubber
from ...outbox import diversion
from ...settings import Settings
from ...watch import show_event_id
from ..exceptions import exception_of, original_error
from .client_facts import address_alone, configured_facts
from .hooks import Hooks, crash_at_hand
from .logs import LogHandler
from .sending import held_back

_SCOPES: Final = "_sentry_kit_scopes"
# Attribute of a client with a wrapped capture. Its scopes know the captured exceptions.


class RavenSentryReporter:
    """The reporter for a ``Sentry`` of raven's own class, which observes the app on its own."""

    switched_off: Final = False
    refused: Final = False
    outbox: Final = None
    counters: Final = None

    def __init__(self, sentry: Any) -> None:
        self._sentry = sentry
        self._scopes = Scopes()

    @property
    def name(self) -> str:
        return _name_of(getattr(self._sentry, "client", None))

    @property
    def dsn(self) -> Dsn | None:
        return dsn_of_client(getattr(self._sentry, "client", None))

    def use_settings(self, settings: Settings) -> None:
        """Does nothing: raven's own class uses none of the kit's settings."""

    def capture(
        self, error: BaseException, *, environ: Environ | None = None, handled: bool = False
    ) -> str | None:
        client = getattr(self._sentry, "client", None)
        if client is None:
            return None
        event_id: str | None = None
        with contained("raven could not capture a crash; the page still shows"):
            error = original_error(error)
            scope = self._scopes.scope(environ)
            known, event_id = scope.recall(error)
            if known:
                return event_id
            exc_info = (type(error), error, error.__traceback__)
            shown = g.get("sentry_event_id") if has_app_context() else None
            # raven recognises an exception by its traceback, and loses the id on a second call.
            if shown is not None and client.skip_error_for_logging(exc_info):
                event_id = shown
            else:
                event_id = self._sentry.captureException(exc_info=exc_info) or shown
            scope.remember(error, event_id)
            if event_id is not None:
                show_event_id(event_id)
        return event_id

    def recall(self, error: BaseException) -> tuple[bool, str | None]:
        return self._scopes.recall(original_error(error))

    def facts(self, event_id: str | None) -> EventFacts:
        return _facts_of_client(getattr(self._sentry, "client", None))

    def shown_url(self, url: str) -> str:
        return address_alone(url)

    def holding_back(self) -> AbstractContextManager[object]:
        return held_back(getattr(self._sentry, "client", None))

    def warm_up(self) -> None:
        return None

    def flush(self, timeout: float = 2.0) -> bool:
        """raven's own transports offer no way to wait for them."""
        return True


class RavenClientReporter:
    """The reporter for our ``Sentry`` with a client of raven's own class.

    :param client: raven's client. Its ``capture`` is wrapped once, so that every event contains
        the request, and each exception makes only one event.
    :param is_active: returns whether this is still the app's reporter.
    :param hooks: the methods that the app's ``Sentry`` overrides.
    """

    switched_off: Final = False
    refused: Final = False
    outbox: Final = None
    counters: Final = None

    def __init__(self, client: Any, is_active: Callable[[], bool], hooks: Hooks) -> None:
        self.client = client
        self._capture = hooks.capture
        self.handler: LogHandler | None = None
        self._is_active = is_active
        _wrap_capture(client)

    @property
    def name(self) -> str:
        return _name_of(self.client)

    @property
    def dsn(self) -> Dsn | None:
        return dsn_of_client(self.client)

    def use_settings(self, settings: Settings) -> None:
        """Does nothing: raven's own clients use none of the kit's settings."""

    def capture(
        self, error: BaseException, *, environ: Environ | None = None, handled: bool = False
    ) -> str | None:
        if not self._is_active():
            return None
        event_id: str | None = None
        with contained("raven could not capture a crash; the page still shows"):
            error = original_error(error)
            with crash_at_hand(not handled):
                if self._capture is not None and environ is None and not self.recall(error)[0]:
                    taken = self._capture(error)
                    if taken.done:
                        self.settle(error, taken.event_id)
                event_id = self.client.captureException(
                    exc_info=(type(error), error, error.__traceback__)
                )
            if event_id is not None:
                show_event_id(event_id)
        return event_id

    def recall(self, error: BaseException) -> tuple[bool, str | None]:
        scopes: Scopes = getattr(self.client, _SCOPES)
        return scopes.recall(original_error(error))

    def settle(self, error: BaseException, event_id: str | None) -> None:
        """Mark an exception as handled with the id of its event, unless it was captured."""
        error = original_error(error)
        if not self.recall(error)[0]:
            scopes: Scopes = getattr(self.client, _SCOPES)
            scopes.scope().remember(error, event_id)

    def forget(self, *args: Any, **kwargs: Any) -> None:
        """Clear raven's context at the end of a request, so that the next one starts empty."""
        with contained("raven's context could not be cleared"):
            self.client.context.clear()

    def facts(self, event_id: str | None) -> EventFacts:
        return _facts_of_client(self.client)

    def shown_url(self, url: str) -> str:
        return address_alone(url)

    def holding_back(self) -> AbstractContextManager[object]:
        return held_back(self.client)

    def warm_up(self) -> None:
        return None

    def flush(self, timeout: float = 2.0) -> bool:
        """raven's own transports offer no way to wait for them."""
        return True


def _wrap_capture(client: Any) -> None:
    if hasattr(client, _SCOPES):
        return
    capture, scopes = client.capture, Scopes()

    @wraps(capture)
    def capture_once_with_request(*args: Any, **kwargs: Any) -> Any:
        error = exception_of(kwargs["exc_info"]) if "exc_info" in kwargs else None
        if error is None:
            with _request_context(client):
                return capture(*args, **kwargs)
        # raven identifies exceptions by their traceback, which another "raise" changes.
        scope = scopes.scope()
        known, event_id = scope.recall(error)
        if not known:
            before = client.last_event_id
            with _request_context(client):
                event_id = capture(*args, **kwargs)
            if event_id is None and client.last_event_id != before:
                # An app's own capture() may return nothing.
                event_id = client.last_event_id
            scope.remember(error, event_id)
        return event_id

    client.capture = capture_once_with_request
    setattr(client, _SCOPES, scopes)


@contextmanager
def _request_context(client: Any) -> Iterator[None]:
    """Add the current request, its user and route to the client's context, then remove them."""
    request = running_request(None)
    sentry = _sentry_with(client)
    if request is None or sentry is None:
        yield
        return
    context = client.context
    before = dict(context.get())
    route = getattr(getattr(request, "url_rule", None), "rule", None)
    with contained("The request could not be described; the event is sent without it"):
        context.merge({"request": sentry.get_http_info(request)}, activate=False)
    if "user" not in before:
        with contained("The user could not be described; the event is sent without it"):
            context.merge({"user": sentry.get_user_info(request)}, activate=False)
    if route:
        client.transaction.push(route)
    try:
        yield
    finally:
        if route:
            client.transaction.pop(route)
        context.set(before)


def _sentry_with(client: Any) -> Any:
    """The current app's ``Sentry`` if it uses this client, else None."""
    if not has_app_context():
        return None
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # LocalProxy
    sentry = app.extensions.get("sentry")
    client_of = getattr(sentry, "client_of", None)
    return sentry if client_of is not None and client_of(app) is client else None


def _facts_of_client(client: Any) -> EventFacts:
    """The facts that all events of a client of raven's own class have. Those of a single event are
    known to raven alone."""
    with contained("The facts of an event could not be read; the words are sent without them"):
        release, environment, tags = (
            getattr(client, name, None) for name in ("release", "environment", "tags")
        )
        return configured_facts(release, environment, tags, Scrubber(()))
    return EventFacts()


def dsn_of_client(client: Any) -> Dsn | None:
    """The DSN of a client of raven's own class; without one, while a test collects what is
    reported, that of the collection."""
    remote = getattr(client, "remote", None)
    if remote is None:
        return None
    if not remote.is_active():
        return diversion.dsn()
    try:
        return Dsn.of(
            str(remote.base_url), remote.public_key, str(remote.project), remote.secret_key
        )
    except DsnError:
        return None


def _name_of(client: Any) -> str:
    return f"{type(client).__module__}.{type(client).__name__}"
