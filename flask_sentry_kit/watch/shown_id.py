"""Shows an event's id: as ``g.sentry_event_id``, and as ``X-Sentry-ID`` on the response."""

from __future__ import annotations

from typing import Any

from flask import (
    Flask,
    after_this_request,
    current_app,
    g,
    has_app_context,
    has_request_context,
    request,
)
from flask.wrappers import Response

from .notes import notes_key, notes_of


def declare_event_id(app: Flask) -> None:
    """Make ``g.sentry_event_id`` None until there is an event, at no cost per request."""
    if getattr(app.app_ctx_globals_class, "sentry_event_id", False) is not None:
        known: Any = app.app_ctx_globals_class
        made: Any = type(known.__name__, (known,), {"sentry_event_id": None})
        app.app_ctx_globals_class = made


def show_event_id(event_id: str) -> None:
    """Put the id of this request's event on ``g`` and on the response."""
    if has_app_context():
        g.sentry_event_id = event_id
    if has_request_context():
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # LocalProxy
        notes = notes_of(request.environ, notes_key(app))
        if not notes.header_planned:
            notes.header_planned = True
            after_this_request(_add_header)


def _add_header(response: Response) -> Response:
    event_id = g.get("sentry_event_id")
    if event_id:
        add_header(response, event_id)
    return response


def add_header(response: Response, event_id: str) -> None:
    """Put an event's id on a response, unless the app's own client gave the event an id that is
    not a valid header value."""
    if event_id.isascii() and event_id.isprintable():
        response.headers["X-Sentry-ID"] = event_id
