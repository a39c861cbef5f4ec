"""The event's id on log records: ``%(sentry_event_id)s`` in a format, a field in JSON."""

from __future__ import annotations

import logging
from typing import Any, Final

from flask import Flask, g, has_app_context
from flask.logging import default_handler

EVENT_ID_FIELD: Final = "sentry_event_id"


class EventIdFilter(logging.Filter):
    """Puts the id of the request's event on log records, as ``sentry_event_id``.

    Empty where there is no event, and left as it is where the record has one already. Lets every
    record pass. Registering the blueprint adds it to the app's logger, and to the handlers that
    the app's records reach by then; a handler that gets records of other loggers, and is
    configured later, names it among its own filters::

        {"filters": {"event_id": {"()": "flask_sentry_kit.EventIdFilter"}},
         "handlers": {"file": {"class": "logging.FileHandler", "filters": ["event_id"], …}}}
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if EVENT_ID_FIELD not in record.__dict__:
            event_id = g.get(EVENT_ID_FIELD) if has_app_context() else None
            record.sentry_event_id = event_id or ""
        return True


_filter: Final = EventIdFilter()
# One for all apps: two of the same name share a logger, and a filter is added to it once.


def add_event_id_to_log_records(app: Flask) -> None:
    """Give every record of ``app.logger`` the field, whatever handlers it gets later.

    A logger's filter sees what is logged to this very logger, a handler's also what comes from the
    loggers below it. A record factory would see all there is, but then ``extra`` could not hold
    the field, which logging forbids for a field that is there already.
    """
    # Not app.logger, which adds a handler where it is asked for before logging is configured.
    made: Any = app.__dict__.get("logger")
    logger = made if isinstance(made, logging.Logger) else logging.getLogger(app.name)
    logger.addFilter(_filter)
    default_handler.addFilter(_filter)
    above: logging.Logger | None = logger
    while above is not None:
        for handler in above.handlers:
            handler.addFilter(_filter)
        above = above.parent if above.propagate else None
