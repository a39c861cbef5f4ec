"""Reports log records as events (``logging=True``), each only once and for the right app.

It only adds its own handler. Other handlers, levels and propagation stay unchanged.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from datetime import datetime, timezone
from functools import wraps
from typing import Any, Final, Protocol

from flask import Flask, current_app, has_app_context
from raven.conf import EXCLUDE_LOGGER_DEFAULTS
from raven.handlers.logging import extract_extra

from ...containment import FOREIGN_ERRORS
from ...event.serialize import safe_str
from ...watch import EVENT_ID_FIELD

EXCLUDED: Final = (*EXCLUDE_LOGGER_DEFAULTS, "flask_sentry_kit", "urllib3")
"""Loggers that are never reported: loggers that may be used while an event is sent, and raven's own
list. ``logging_exclusions`` adds to them."""


# Not a thread-local: if made before gevent patches, it would be shared by all greenlets.
_capturing: Final[ContextVar[bool]] = ContextVar("flask_sentry_kit.capturing", default=False)


class capturing:  # noqa: N801  # read as a verb: with capturing()
    """Marks that an event is being made. Log records of this thread are not events meanwhile."""

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before = _capturing.get()
        _capturing.set(True)

    def __exit__(self, *error: object) -> None:
        # Not reset(): it raises in another context, and this method must never raise.
        _capturing.set(self._before)


class Capturer(Protocol):
    """A client of our class or of raven's own class."""

    def capture(self, event_type: str, **facts: Any) -> str | None: ...


class LogHandler(logging.Handler):
    """Sends an app's log records to its reporter.

    :param client: the client that reports the records. Held weakly.
    :param level: records below this level are ignored.
    :param exclude: names of loggers to ignore, including their children.
    """

    _all: Final[weakref.WeakSet[LogHandler]] = weakref.WeakSet()

    def __init__(
        self, client: Capturer, app: Flask, level: int = logging.NOTSET, exclude: Iterable[str] = ()
    ) -> None:
        super().__init__(level)
        self._client = weakref.ref(client)
        self._app = weakref.ref(app)
        self._exclude = (*EXCLUDED, *exclude)
        self._all.add(self)

    def emit(self, record: logging.LogRecord) -> None:
        client, app = self._client(), self._app()
        if client is None or app is None or not _reports(client, app):
            return
        if self._excluded(record.name) or not self._is_for_this_app(record, app):
            return
        if _capturing.get():
            # Logged by a transport or a repr. An event for it could cause endless further events.
            refuse = getattr(client, "refuse", None)  # absent on a client of raven's own class
            if refuse is not None:
                refuse("a log record made while an event was made: reporting it would never end")
            return
        with capturing():
            try:
                self._report(record, client)
            except FOREIGN_ERRORS:
                self.handleError(record)

    def close(self) -> None:
        self._all.discard(self)
        super().close()

    def _excluded(self, name: str) -> bool:
        return any(name == known or name.startswith(f"{known}.") for known in self._exclude)

    def _is_for_this_app(self, record: logging.LogRecord, app: Flask) -> bool:
        if has_app_context():
            return current_app._get_current_object() is app  # type: ignore[attr-defined]  # LocalProxy
        # Outside every app: the app that owns the logger, else always the same app.
        takers = [one for one in logging.getLogger().handlers if isinstance(one, LogHandler)]
        if self not in takers:
            return True
        takers = [one for one in takers if one._takes(record)]
        for one in takers:
            other = one._app()
            if other is not None and record.name in (other.name, other.import_name):
                return one is self
        return bool(takers) and takers[0] is self

    def _takes(self, record: logging.LogRecord) -> bool:
        client, app = self._client(), self._app()
        return (
            client is not None
            and app is not None
            and record.levelno >= self.level
            and _reports(client, app)
            and not self._excluded(record.name)
        )

    def _report(self, record: logging.LogRecord, client: Capturer) -> None:
        data, extra = extract_extra(record)
        try:
            formatted = record.getMessage()
        except FOREIGN_ERRORS:
            # "%d" % "x" is a fault of the logging call, but its message is still reported.
            formatted = safe_str(record.msg)
        message: dict[str, Any] = {"message": safe_str(record.msg), "formatted": formatted}
        if record.args:
            message["params"] = record.args
        tags = getattr(record, "tags", None)
        extra.pop(EVENT_ID_FIELD, None)  # put there for handlers, by an earlier event
        sample_rate = extra.pop("sample_rate", None)
        kwargs: dict[str, Any] = {
            "data": {**data, "level": record.levelno, "logger": record.name},
            "extra": extra,
            "date": datetime.fromtimestamp(record.created, timezone.utc),
            "tags": tags if isinstance(tags, Mapping) else None,
            "stack": getattr(record, "stack", None),
            "sample_rate": sample_rate if isinstance(sample_rate, int | float) else None,
        }
        if record.exc_info and record.exc_info[1] is not None:
            kwargs["data"]["logentry"] = message
            client.capture(
                "raven.events.Exception", exc_info=record.exc_info, message=formatted, **kwargs
            )
        else:
            client.capture("raven.events.Message", **message, **kwargs)


def _reports(client: Capturer, app: Flask) -> bool:
    """Whether this client still reports for an app. Another ``Sentry`` may have replaced it."""
    client_of = getattr(app.extensions.get("sentry"), "client_of", None)
    return client_of is not None and client_of(app) is client


def mute_transport_logs(transport: Any) -> None:
    """Keep the log records of an app's own transport from becoming events, in every thread.
    Sending such an event would log the next record, without end."""
    for name in ("send", "async_send", "send_sync"):
        method = getattr(transport, name, None)
        if method is None or hasattr(method, "__wrapped__"):
            continue

        @wraps(method)
        def send_without_events(*args: Any, _method: Any = method, **kwargs: Any) -> Any:
            with capturing():
                return _method(*args, **kwargs)

        setattr(transport, name, send_without_events)


def install(client: Capturer, app: Flask, level: int, exclude: Iterable[str]) -> LogHandler:
    """Listen to the root logger for an app, and to the app's logger if it does not propagate."""
    handler = LogHandler(client, app, level, exclude)
    for known in list(LogHandler._all):
        if known is not handler and known._app() is app:
            uninstall(known, app)
    logging.getLogger().addHandler(handler)
    # Removed with its app, but not while a record is passed to the handlers: the next one would
    # miss that one.
    weakref.finalize(app, logging.getLogger().removeHandler, handler).atexit = False
    if not app.logger.propagate:
        app.logger.addHandler(handler)
    return handler


def uninstall(handler: LogHandler, app: Flask) -> None:
    """Stop listening."""
    logging.getLogger().removeHandler(handler)
    app.logger.removeHandler(handler)
    handler.close()
