"""Breadcrumbs for apps with ``enable_breadcrumbs``: from log records and from raven's functions.

Each client with this option has one handler on the root logger, which is removed together with the
client. ``logging`` is not patched unless ``install_logging_hook`` is set.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

import raven.breadcrumbs
from flask import Flask, current_app, has_app_context

from ...compat import record_breadcrumbs_into, records_a_log_breadcrumb
from ...containment import FOREIGN_ERRORS
from ...event.error_texts import named_parameters, without_named_values
from ...event.masked_values import MaskedValues
from ...event.scrub import MASK, Scrubber
from ...event.serialize import safe_str
from .context import Context

# The attributes of every record. Any other attribute comes from ``extra``.
_FIELDS: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class Recording(Protocol):
    """The parts of our client that breadcrumbs use."""

    scrubber: Scrubber

    @property
    def app(self) -> Flask | None: ...

    @property
    def context(self) -> Context: ...


class BreadcrumbHandler(logging.Handler):
    """Keeps an app's log records as breadcrumbs of the current work."""

    def __init__(self, client: Recording) -> None:
        super().__init__()
        self._client = weakref.ref(client)

    def emit(self, record: logging.LogRecord) -> None:
        client = self._client()
        if client is None:
            return
        app = client.app
        if has_app_context() and current_app._get_current_object() is not app:  # type: ignore[attr-defined]  # LocalProxy
            return
        if record.name.startswith(("flask_sentry_kit", "raven", "sentry.errors")):
            return
        try:
            message = record.getMessage()
        except FOREIGN_ERRORS:
            message = safe_str(record.msg)
        message = without_named_values(message[:4_000], client.scrubber, MaskedValues())
        for value in _secrets(record, client.scrubber):
            # Masked now, because the later event does not know the record's names.
            message = message.replace(value, MASK)
        client.context.breadcrumbs.record(
            timestamp=record.created,
            level=record.levelname.lower(),
            message=message,
            category=record.name,
        )


def _secrets(record: logging.LogRecord, scrubber: Scrubber) -> list[str]:
    """The values of sensitive names in a record's parameters and extra fields."""
    found: list[Any] = []
    if isinstance(record.args, Mapping):
        found += [value for name, value in record.args.items() if scrubber.hides(safe_str(name))]
    elif record.args:
        places = named_parameters(safe_str(record.msg), len(record.args), scrubber)
        found += [record.args[place] for place in places]
    fields = record.__dict__
    found += [fields[name] for name in fields.keys() - _FIELDS if scrubber.hides(safe_str(name))]
    texts = (safe_str(value) for value in found if not isinstance(value, bool))
    return [text for text in texts if len(text) > 3]


class _RavenRecorder:
    """The client as raven's functions see it: a context with a ``record`` method.

    :param logs: whether raven records log records. If our handler records them, raven's copies
        are dropped. They arrive once a client of raven's own class has patched ``logging``.
    """

    def __init__(self, client: Recording, logs: bool) -> None:
        self._client = weakref.ref(client)
        self._logs = logs

    @property
    def breadcrumbs(self) -> _RavenRecorder:
        return self

    def record(self, *crumb: Any) -> None:
        client, processor = self._client(), crumb[-1]
        if client is not None and (self._logs or not records_a_log_breadcrumb(processor)):
            client.context.breadcrumbs.record(*crumb)


def follow(client: Recording, *, raven_logging: bool, libraries: Iterable[str]) -> None:
    """Record breadcrumbs for a client.

    :param raven_logging: use raven's hook instead of ours. It patches ``logging`` for the whole
        process and also sees records below a logger's level.
    :param libraries: the libraries whose calls raven records: ``requests``, ``httplib`` or both.
    """
    if raven_logging:
        raven.breadcrumbs.install_logging_hook()
    else:
        handler = BreadcrumbHandler(client)
        logging.getLogger().addHandler(handler)
        weakref.finalize(client, logging.getLogger().removeHandler, handler).atexit = False
    libraries = tuple(libraries)
    if libraries:
        raven.breadcrumbs.hook_libraries(libraries)
    app = client.app
    if app is None:
        return
    context = _RavenRecorder(client, raven_logging)

    # raven records into the context that its thread activated. Here that is the request's scope.
    def enter() -> None:
        record_breadcrumbs_into(context, +1)

    def leave(error: BaseException | None) -> None:
        record_breadcrumbs_into(context, -1)

    app.before_request_funcs.setdefault(None, []).insert(0, enter)
    app.teardown_request_funcs.setdefault(None, []).append(leave)
