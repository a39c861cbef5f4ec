"""What becomes of an event that sentry-sdk captures: its id, and what it said when it was sent.

The SDK does not say: its integrations ignore what ``capture_event`` returns, and
``last_event_id()`` belongs to one of several scopes. So that method of ``sentry_sdk.Client`` is
wrapped, once for each process, and so are the ``before_send`` of its clients (sentry-sdk 2.0 to
2.75). Events are sent as the SDK makes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import sentry_sdk
from flask import Flask, has_request_context
from sentry_sdk.integrations.logging import ignore_logger
from sentry_sdk.utils import event_from_exception

from ...compat import contain_texts_of_sentry_sdk, sentry_sdk_drops_errors
from ...containment import contained
from ...event.event_facts import LatestEvents
from ...event.scope import Environ, Scope, running_environ
from ...settings import Settings
from ...threads import lock_at_use
from . import finishing
from .refusals import watch_refusals

if TYPE_CHECKING:
    from sentry_sdk.client import BaseClient

_escaped: Final = Scope(breadcrumbs=False)
"""Knows the crashes that the kit has seen, wherever they are raised on to."""

latest: Final = LatestEvents()

_lock: Final = lock_at_use()


def watch_captures(app: Flask, settings: Settings) -> None:
    """Know what becomes of the events that the SDK captures from now on.

    :param app: an app that reports through the SDK.
    """
    with _lock.get():
        finishing.apps[app] = settings
        method: Any = sentry_sdk.Client.capture_event
        if not hasattr(method, "_by_flask_sentry_kit"):
            sentry_sdk.Client.capture_event = _watched(method)  # type: ignore[method-assign]
            contain_texts_of_sentry_sdk()
            # What the kit logs is about a crash that has an event, or about sending one.
            for name in ("flask_sentry_kit", "flask_sentry_kit.outbox"):
                ignore_logger(name)


def capture(error: BaseException, environ: Environ | None, *, handled: bool) -> str | None:
    """Have the SDK capture an exception that ended a request, unless it has done so.

    :returns: the id of its event; None if it is not sent.
    """
    scope = finishing.scopes.scope(environ)
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
    token = finishing.crash_scope.set(scope)
    try:
        sentry_sdk.capture_event(event, hint=hint)
    finally:
        finishing.crash_scope.reset(token)
    known, event_id = scope.recall(error)
    if not known:
        scope.remember(error, None)
    return event_id


def recall(error: BaseException) -> tuple[bool, str | None]:
    """Whether what becomes of an exception of the current work is known, and its event's id."""
    return finishing.scopes.recall(error)


def _watched(capture_event: Callable[..., str | None]) -> Callable[..., str | None]:
    @wraps(capture_event)
    def watched_capture_event(
        self: BaseClient, event: Any, hint: Any = None, scope: Any = None
    ) -> str | None:
        error, known, event_id = None, False, None
        with contained("sentry-sdk's capture could not be watched; the event is sent"):
            finishing.watch_client(self)
            watch_refusals(getattr(self, "transport", None))
            error = _error_of(event, hint)
            if error is not None:
                known, event_id = _captured_before(error, event)
        if known:
            return event_id
        dropped, found = False, finishing.Passage()
        token = finishing.passage.set(found)
        try:
            dropped = sentry_sdk_drops_errors(getattr(self, "transport", None))
            event_id = capture_event(self, event, hint, scope)
        finally:
            finishing.passage.reset(token)
        with contained("The id of an event of sentry-sdk could not be noted"):
            _note(error, event, event_id, found.final, dropped)
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
        return finishing.current_scope().recall(error)
    if any(kind == "wsgi" for kind, _ in _mechanisms(event)):
        return _escaped.recall(error)
    return False, None


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
    final: Any,
    dropped: bool,
) -> None:
    """Note what became of an event.

    :param event_id: the client's answer: None if it was sampled out or dropped.
    :param final: the event after ``before_send``.
    :param dropped: whether the transport drops it.
    """
    known = isinstance(final, Mapping)
    if event_id is not None and known and isinstance(final.get("event_id"), str):
        event_id = final["event_id"]
    if event_id is not None and not dropped:
        if known:
            latest.note(final)
        if error is not None:
            finishing.current_scope().remember(error, event_id)
    elif error is not None and (event_id is not None or _is_crash(event)):
        # One crash is sampled once. The event of a log record may be dropped, and the crash sent.
        finishing.current_scope().remember(error, None)


def _is_crash(event: Any) -> bool:
    return any(handled is False for _, handled in _mechanisms(event))


def _mechanisms(event: Any) -> list[tuple[Any, Any]]:
    """How each exception of an event was caught, and whether it was handled."""
    values = (event.get("exception") or {}).get("values") or ()
    found = [one.get("mechanism") or {} for one in values]
    return [(one.get("type"), one.get("handled")) for one in found]
