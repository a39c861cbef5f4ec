"""What becomes of an event that sentry-sdk captures: its id, and what it said when it was sent.

The SDK tells nobody: its integrations ignore what ``capture_event`` returns, and
``last_event_id()`` belongs to one of several scopes. So that method of ``sentry_sdk.Client`` is
wrapped, once for each process, and so are the ``before_send`` of its clients (sentry-sdk 2.0 to
2.75). Events are sent as the SDK makes them.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import sentry_sdk
from flask import Flask, current_app, has_app_context, has_request_context
from sentry_sdk.integrations.logging import ignore_logger
from sentry_sdk.transport import Transport
from sentry_sdk.utils import event_from_exception

from ...compat import sentry_sdk_drops_errors
from ...containment import contained
from ...event import interfaces
from ...event.event_facts import LatestEvents
from ...event.scope import Environ, Scope, Scopes, running_environ
from ...event.scrub import Scrubber
from ...event.scrub_event import scrub_event
from ...event.serialize import Serializer
from ...settings import Settings
from ...threads import lock_at_use
from ...user import user_facts
from .refusals import watch_refusals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sentry_sdk.client import BaseClient

_scopes: Final = Scopes()
"""Knows the exceptions that were captured in the current work, and the ids of their events."""

_escaped: Final = Scope(breadcrumbs=False)
"""Knows the crashes that the kit has seen, wherever they are raised on to."""

latest: Final = LatestEvents()

_apps: Final[weakref.WeakKeyDictionary[Flask, Settings]] = weakref.WeakKeyDictionary()
"""The apps that report through the SDK."""

_sent: ContextVar[list[Any] | None] = ContextVar("flask_sentry_kit.sdk_event", default=None)
"""Takes the event that is being captured, as it is after the app's ``before_send``."""

_crash_scope: ContextVar[Scope | None] = ContextVar("flask_sentry_kit.sdk_scope", default=None)
"""Of the crash that is being captured, whose request's context may have ended."""

_asking: ContextVar[bool] = ContextVar("flask_sentry_kit.sdk_user", default=False)
_lock: Final = lock_at_use()


def watch_captures(app: Flask, settings: Settings) -> None:
    """Know what becomes of the events that the SDK captures from now on.

    :param app: an app that reports through the SDK.
    """
    with _lock.get():
        _apps[app] = settings
        method: Any = sentry_sdk.Client.capture_event
        if not hasattr(method, "_by_flask_sentry_kit"):
            sentry_sdk.Client.capture_event = _watched(method)  # type: ignore[method-assign]
            # What the kit logs is about a crash that has an event, or about sending one.
            for name in ("flask_sentry_kit", "flask_sentry_kit.outbox"):
                ignore_logger(name)


def capture(error: BaseException, environ: Environ | None, *, handled: bool) -> str | None:
    """Have the SDK capture an exception that ended a request, unless it has done so.

    :returns: the id of its event; None if it is not sent.
    """
    scope = _scopes.scope(environ)
    known, event_id = scope.recall(error)
    if not known and sentry_sdk.get_client().is_active():
        event_id = _capture(error, scope, handled)
    if not _escaped.recall(error)[0]:
        _escaped.remember(error, event_id)
    return event_id


def _capture(error: BaseException, scope: Scope, handled: bool) -> str | None:
    event, hint = event_from_exception(
        error,
        client_options=sentry_sdk.get_client().options,
        mechanism={"type": "flask", "handled": handled},  # as the SDK's own integration says
    )
    token = _crash_scope.set(scope)
    try:
        sentry_sdk.capture_event(event, hint=hint)
    finally:
        _crash_scope.reset(token)
    known, event_id = scope.recall(error)
    if not known:
        scope.remember(error, None)
    return event_id


def recall(error: BaseException) -> tuple[bool, str | None]:
    """Whether what becomes of an exception of the current work is known, and its event's id."""
    return _scopes.recall(error)


def _watched(capture_event: Callable[..., str | None]) -> Callable[..., str | None]:
    @wraps(capture_event)
    def watched_capture_event(
        self: BaseClient, event: Any, hint: Any = None, scope: Any = None
    ) -> str | None:
        error, known, event_id = None, False, None
        with contained("sentry-sdk's capture could not be watched; the event is sent"):
            _watch_before_send(self)
            watch_refusals(getattr(self, "transport", None))
            error = _error_of(event, hint)
            if error is not None:
                known, event_id = _captured_before(error, event)
        if known:
            return event_id
        dropped, found = False, list[Any]()
        token = _sent.set(found)
        try:
            dropped = sentry_sdk_drops_errors(getattr(self, "transport", None))
            event_id = capture_event(self, event, hint, scope)
        finally:
            _sent.reset(token)
        with contained("The id of an event of sentry-sdk could not be noted"):
            _note(error, event, event_id, found, dropped)
        return event_id

    watched_capture_event._by_flask_sentry_kit = True  # type: ignore[attr-defined]
    return watched_capture_event


def _captured_before(error: BaseException, event: Any) -> tuple[bool, str | None]:
    """Whether an exception has its event already, and the id.

    Without the SDK's Dedupe, and where that lost sight of it, a crash would be sent once more by
    the SDK's handler of log records, or by its WSGI middleware, where the request's context has
    ended.
    """
    if has_request_context() or running_environ() is not None:
        return _current_scope().recall(error)
    if any(kind == "wsgi" for kind, _ in _mechanisms(event)):
        return _escaped.recall(error)
    return False, None


def _current_scope() -> Scope:
    return _crash_scope.get() or _scopes.scope()


def _error_of(event: Any, hint: Any) -> BaseException | None:
    """The exception that an event is about; None for a message, a transaction and the like."""
    if not isinstance(hint, Mapping) or event.get("type") not in (None, "error"):
        return None
    try:
        error = hint["exc_info"][1]
    except (KeyError, TypeError, IndexError):
        return None
    return error if isinstance(error, BaseException) else None


def _note(
    error: BaseException | None,
    event: Any,
    event_id: str | None,
    sent: list[Any],
    dropped: bool,
) -> None:
    """Note what became of an event.

    :param event_id: the client's answer: None if it was sampled out or dropped.
    :param sent: the event after ``before_send``, if it was called.
    :param dropped: whether the transport drops it.
    """
    final = sent[-1] if sent and isinstance(sent[-1], Mapping) else None
    if event_id is not None and final is not None and isinstance(final.get("event_id"), str):
        event_id = final["event_id"]
    if event_id is not None and not dropped:
        if final is not None:
            latest.note(final)
        if error is not None:
            _current_scope().remember(error, event_id)
    elif error is not None and (event_id is not None or _is_crash(event)):
        # One crash is sampled once. The event of a log record may be dropped, and the crash sent.
        _current_scope().remember(error, None)


def _is_crash(event: Any) -> bool:
    return any(handled is False for _, handled in _mechanisms(event))


def _mechanisms(event: Any) -> list[tuple[Any, Any]]:
    """How each exception of an event was caught, and whether it was handled."""
    values = (event.get("exception") or {}).get("values") or ()
    found = [one.get("mechanism") or {} for one in values]
    return [(one.get("type"), one.get("handled")) for one in found]


class _BeforeSend:
    """A client's ``before_send``, with the kit's work before and after the app's.

    :param inner: the app's own, or None.
    """

    def __init__(self, inner: Callable[..., Any] | None, *, is_error: bool) -> None:
        self._inner = inner
        self._is_error = is_error

    def __call__(self, event: Any, hint: Any) -> Any:
        app: Flask | None = current_app._get_current_object() if has_app_context() else None  # type: ignore[attr-defined]  # LocalProxy
        settings = None if app is None else _apps.get(app)
        if self._is_error:
            with contained("What was given for an event could not be added; it is sent without"):
                _add_given(event)
        if self._is_error and settings is not None and app is not None:
            with contained("The user could not be described; the event is sent without it"):
                _add_user(event, app, settings)
        scrubber = _scrubber_for(app, settings)
        if scrubber is not None:
            scrub_event(event, scrubber)
        if self._inner is not None:
            event = self._inner(event, hint)
        sent = _sent.get()
        if sent is not None and self._is_error:
            sent.append(event)
        return event


def _watch_before_send(client: Any) -> None:
    options = client.options
    for name, is_error in (("before_send", True), ("before_send_transaction", False)):
        inner = options.get(name)
        if type(inner) is not _BeforeSend:
            options[name] = _BeforeSend(inner, is_error=is_error)


def before_send(client: Any, event: Any) -> Any:
    """An event as it is after a client's ``before_send``; None if that drops it."""
    _watch_before_send(client)
    return client.options["before_send"](event, {})


def _scrubber_for(app: Flask | None, settings: Settings | None) -> Scrubber | None:
    """The scrubber for an event, or None. What happens outside of every app is scrubbed if one of
    them asks for it."""
    if settings is not None and app is not None:
        return scrubber_of(app) if settings.scrub else None
    asking = [one for one, its in list(_apps.items()) if its.scrub]
    return scrubber_of(asking[0]) if asking else None


def scrubber_of(app: Flask) -> Scrubber:
    """The scrubber of an app, with its ``SENTRY_SANITIZE_KEYS``."""
    return Scrubber(app.config.get("SENTRY_SANITIZE_KEYS") or ())


def user_attributes(app: Flask) -> tuple[str, ...]:
    """``SENTRY_USER_ATTRS``."""
    return tuple(app.config.get("SENTRY_USER_ATTRS") or ())


def add_to_scope(data: Mapping[str, Any]) -> None:
    """Add user, tags and extra data to the events of the current work."""
    _scopes.scope().merge(data)


def _add_given(event: dict[str, Any]) -> None:
    """Add what ``add_to_scope`` got; what the SDK's own scopes say of the same wins."""
    scope = _crash_scope.get() or _scopes.find()
    if scope is None or not scope.data:
        return
    given, serializer = scope.data, Serializer(Scrubber())
    found = {
        "user": interfaces.user(given.get("user") or {}, serializer, login=False),
        "tags": interfaces.tags(given.get("tags"), serializer=serializer),
        "extra": serializer.value(given.get("extra") or {}),
    }
    for name, value in found.items():
        if value:
            event[name] = {**value, **(event.get(name) or {})}


def _add_user(event: dict[str, Any], app: Flask, settings: Settings) -> None:
    """Add who was signed in, where the app asks for it, to what the SDK knows of the user."""
    attributes = user_attributes(app)
    if not (attributes or settings.user) or event.get("type") not in (None, "error"):
        return
    if _asking.get():
        return  # the app's code that is asked for the user logs an error
    token = _asking.set(True)
    try:
        facts = user_facts(attributes, settings.user)
    finally:
        _asking.reset(token)
    if not facts:
        return
    serializer = Serializer(scrubber_of(app))
    found = interfaces.user(facts, serializer, login=settings.user is None)
    known = event.get("user")
    if isinstance(known, dict) and known:
        if "id" in known and "id" in found and str(known["id"]) != str(found["id"]):
            return  # the app has named somebody else
        found = {**found, **known}
    event["user"] = found


class _NoTransport(Transport):
    """A transport that sends nothing."""

    def capture_envelope(self, envelope: object) -> None:
        return None


@contextmanager
def held_back() -> Iterator[None]:
    """Within the block the SDK's client makes events and sends none of them, nor is one sampled
    out: the block sees what becomes of a crash that is reported."""
    client: Any = sentry_sdk.get_client()
    if not client.is_active() or getattr(client, "transport", None) is None:
        yield
        return
    options = client.options
    before = {name: options.get(name) for name in ("sample_rate", "error_sampler")}
    transport, client.transport = client.transport, _NoTransport()
    options.update(sample_rate=1.0, error_sampler=None)
    try:
        yield
    finally:
        client.transport = transport
        options.update(before)
