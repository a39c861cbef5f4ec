"""Flask, watched: what escapes from an app, what its handlers answer, which bodies still run
code, and the kit's own routes. The only room that alters an app; each alteration is made once."""

from __future__ import annotations

from flask import Flask

from .answers import Answers
from .escapes import Capture, Middleware
from .handlers import capture_what_handlers_answer, is_ordinary_answer
from .log_records import EVENT_ID_FIELD, EventIdFilter, add_event_id_to_log_records
from .own_routes import OwnRoutes
from .shown_id import add_header, declare_event_id, show_event_id

__all__ = [
    "EVENT_ID_FIELD",
    "Answers",
    "Capture",
    "EventIdFilter",
    "OwnRoutes",
    "add_event_id_to_log_records",
    "add_header",
    "declare_event_id",
    "is_ordinary_answer",
    "show_event_id",
    "watch_escapes",
    "watch_handlers",
]


def watch_escapes(app: Flask, capture: Capture) -> None:
    """Capture what escapes from middleware, teardown functions and streams of an app, from now on
    and whatever is put around the app later. A second call changes nothing."""
    if _first(app, "escapes"):
        Middleware.install(app, capture)


def watch_handlers(app: Flask, capture: Capture) -> None:
    """Capture what an app's error handlers answer with status 500. A second call changes
    nothing."""
    if _first(app, "handlers"):
        capture_what_handlers_answer(app, capture)


def _first(app: Flask, what: str) -> bool:
    watched: set[str] = app.extensions.setdefault("sentry_kit_watch", set())
    if what in watched:
        return False
    watched.add(what)
    return True
