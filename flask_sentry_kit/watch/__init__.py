"""Watches a Flask app: exceptions that escape from it, the answers of its error handlers, response
bodies that still run code, and the kit's own routes. Only this package alters an app, and it makes
each alteration once."""

from __future__ import annotations

from flask import Flask

from .answers import Answers
from .escapes import Capture, Middleware
from .handlers import capture_what_handlers_answer, is_ordinary_answer
from .log_records import EVENT_ID_FIELD, EventIdFilter, add_event_id_to_log_records
from .notes import RequestNotes, notes_key, notes_of
from .own_routes import OwnRoutes
from .requests import watch_requests
from .shown_id import add_header, declare_event_id, show_event_id

__all__ = [
    "EVENT_ID_FIELD",
    "Answers",
    "Capture",
    "EventIdFilter",
    "OwnRoutes",
    "RequestNotes",
    "add_event_id_to_log_records",
    "add_header",
    "declare_event_id",
    "is_ordinary_answer",
    "notes_key",
    "notes_of",
    "show_event_id",
    "watch_escapes",
    "watch_handlers",
    "watch_requests",
]


def watch_escapes(app: Flask, capture: Capture) -> None:
    """Capture exceptions that escape from an app's middleware, teardown functions and streams,
    including middleware that is added later. A second call changes nothing."""
    if _first(app, "escapes"):
        Middleware.install(app, capture)


def watch_handlers(app: Flask, capture: Capture) -> None:
    """Capture exceptions that an app's error handlers answer with status 500. A second call
    changes nothing."""
    if _first(app, "handlers"):
        capture_what_handlers_answer(app, capture)


def _first(app: Flask, what: str) -> bool:
    watched: set[str] = app.extensions.setdefault("sentry_kit_watch", set())
    if what in watched:
        return False
    watched.add(what)
    return True
