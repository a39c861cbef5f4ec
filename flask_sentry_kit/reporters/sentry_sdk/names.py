"""raven's names on sentry-sdk: what ``flask_sentry_kit.sentry`` is for an app on the SDK.

They are for code that was written for raven. Code of its own calls ``sentry_sdk``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import sentry_sdk
from flask import Flask, g, got_request_exception, has_app_context
from sentry_sdk.utils import current_stacktrace, event_from_exception

from ...compat import sentry_sdk_drops_errors
from ...containment import contained
from ...dsn import Dsn
from ...event.serialize import safe_str
from ...outbox import Counters
from ...settings import Settings
from ...watch import is_ordinary_answer, show_event_id
from ..exceptions import exception_of, original_error
from . import finishing
from .sdk_reporter import SdkReporter


class SdkSentry:
    """An app's ``app.extensions["sentry"]`` on sentry-sdk. None of its methods raises."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._reporter = SdkReporter(app, settings)
        # The signal holds the method weakly; the app keeps this object alive.
        got_request_exception.connect(self._take_crash, sender=app)

    def reporter_for(self, app: Flask) -> SdkReporter:
        """The reporter of the app."""
        return self._reporter

    def _take_crash(self, app: Flask, *, exception: BaseException, **extra: Any) -> None:
        if not is_ordinary_answer(app, exception):
            self._reporter.capture(exception)

    def captureException(self, exc_info: Any = None, **kwargs: Any) -> str | None:
        """Capture an exception: ``exc_info`` as raven takes it, or the one being handled.

        :param kwargs: ``tags``, ``extra``, ``level``, ``fingerprint`` and ``user``, as with raven.
        :returns: the event's id, or None if there is no event.
        """
        event_id: str | None = None
        with contained("captureException() failed; nothing is sent"):
            error = exception_of(exc_info)
            if error is not None:
                error = original_error(error)
                event, hint = event_from_exception(
                    error,
                    client_options=sentry_sdk.get_client().options,
                    mechanism={"type": "generic", "handled": True},
                )
                known, event_id = self._reporter.recall(error)
                if not known:
                    _send(_with_given(event, kwargs), hint)
                    event_id = self._reporter.recall(error)[1]
        return _show(event_id)

    def captureMessage(self, message: str, **kwargs: Any) -> str | None:
        """Send a message: ``captureMessage("hello", level="warning", tags={…}, extra={…})``.

        :param kwargs: also ``params``, the arguments of a message with placeholders, and
            ``stack=True``, which adds the stack of the call.
        :returns: the event's id, or None if there is no event.
        """
        event_id: str | None = None
        with contained("captureMessage() failed; nothing is sent"):
            text, params = safe_str(message), kwargs.pop("params", None)
            event: dict[str, Any] = {"message": text, "level": "error"}
            if params:
                event["logentry"] = {"message": text, "params": params}
                with contained(None):  # the placeholders are not those of the arguments
                    event["message"] = text % params
            if kwargs.get("stack"):
                stack = {"stacktrace": current_stacktrace(), "crashed": False, "current": True}
                event["threads"] = {"values": [stack]}
            event_id = _send(_with_given(event, kwargs), {})
        return _show(event_id)

    def captureBreadcrumb(self, **crumb: Any) -> None:
        """Record a breadcrumb: ``captureBreadcrumb(message=…, category=…, level=…, data=…)``."""
        with contained("captureBreadcrumb() failed"):
            sentry_sdk.add_breadcrumb(crumb)

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event of this request that the kit knows of."""
        found: str | None = g.get("sentry_event_id") if has_app_context() else None
        return found

    def user_context(self, data: Mapping[str, Any]) -> None:
        """Set the user of this request: ``{"id": …, "email": …}``."""
        _add_to_scope("user", data)

    def tags_context(self, data: Mapping[str, Any]) -> None:
        """Add tags to the events of this request."""
        _add_to_scope("tags", data)

    def extra_context(self, data: Mapping[str, Any]) -> None:
        """Add to the extra data of this request's events."""
        _add_to_scope("extra", data)

    @property
    def client(self) -> SdkSentry:
        """raven's name for what has all of these methods and ``get_public_dsn``."""
        return self

    def get_public_dsn(self, scheme: str | None = None) -> str | None:
        """The DSN that a browser may see, without a scheme as with raven, or with the given one."""
        dsn = self.dsn
        return None if dsn is None else dsn.public_with(scheme)

    @property
    def dsn(self) -> Dsn | None:
        """Where events go."""
        return self._reporter.dsn

    @property
    def counters(self) -> Counters | None:
        """The visitor's words: queued, sent, retried and dropped. Events are in the SDK's queue."""
        return self._reporter.counters

    def flush(self, timeout: float = 2.0) -> bool:
        """Wait until the queues have been sent.

        :returns: whether the visitor's words are sent.
        """
        return self._reporter.flush(timeout)


def _with_given(event: Any, given: Mapping[str, Any]) -> Any:
    """The event with the arguments of a call in raven's manner."""
    data = given.get("data")
    if isinstance(data, Mapping):
        event.update(data)
    for name, value in finishing.shown(given).items():
        event[name] = {**(event.get(name) or {}), **value}
    for name in ("level", "fingerprint"):
        if given.get(name):
            event[name] = given[name]
    if isinstance(event["level"], int):
        event["level"] = logging.getLevelName(event["level"]).lower()
    return event


def _add_to_scope(name: str, data: Mapping[str, Any]) -> None:
    # Not with sentry_sdk.set_user() and its like: without the SDK's Flask integration, what they
    # set stays for the next request of the thread.
    with contained("Data for the events of this request could not be kept"):
        finishing.add_to_scope({name: dict(data)})


def _send(event: Any, hint: Any) -> str | None:
    dropped = sentry_sdk_drops_errors(getattr(sentry_sdk.get_client(), "transport", None))
    event_id = sentry_sdk.capture_event(event, hint=hint)
    return None if dropped else event_id


def _show(event_id: str | None) -> str | None:
    if event_id is not None:
        show_event_id(event_id)
    return event_id
