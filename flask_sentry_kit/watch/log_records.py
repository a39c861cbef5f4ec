"""The event's id on log records: ``%(sentry_event_id)s`` in a format, a field in JSON."""

from __future__ import annotations

import logging
from typing import Any, Final

from flask import Flask, g, has_app_context
from flask.logging import default_handler

EVENT_ID_FIELD: Final = "sentry_event_id"


class EventIdFilter(logging.Filter):
    """Puts the id of the request's event on log records, as ``sentry_event_id``.

    The field is empty if there is no event, and unchanged if the record has it already. Every
    record passes. Registering the blueprint adds the filter to the app's logger, and to the
    handlers that the app's records reach at that time. A handler that is configured later and gets
    records of other loggers needs the filter in its own configuration::

        {"filters": {"event_id": {"()": "flask_sentry_kit.EventIdFilter"}},
         "handlers": {"file": {"class": "logging.FileHandler", "filters": ["event_id"], …}}}
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if EVENT_ID_FIELD not in record.__dict__:
            event_id = g.get(EVENT_ID_FIELD) if has_app_context() else None
            record.sentry_event_id = event_id or ""
        return True


_filter: Final = EventIdFilter()
# One filter for all apps: apps of the same name share a logger, which adds a filter only once.


def add_event_id_to_log_records(app: Flask) -> None:
    """Give every record of ``app.logger`` the field, also for handlers that are added later.

    A logger's filter sees only records of this logger; a handler's filter also sees records of the
    loggers below it. A record factory would see every record, but then an app could not pass the
    field in ``extra``: logging forbids that for a field that exists already.
    """
    # Not app.logger: its first use adds a handler if logging is not configured yet.
    made: Any = app.__dict__.get("logger")
    logger = made if isinstance(made, logging.Logger) else logging.getLogger(app.name)
    logger.addFilter(_filter)
    default_handler.addFilter(_filter)
    above: logging.Logger | None = logger
    while above is not None:
        for handler in above.handlers:
            handler.addFilter(_filter)
        above = above.parent if above.propagate else None
