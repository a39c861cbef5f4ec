"""The kit's notes on one request of a watched app: one object in the request's WSGI environ."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import Flask

from ..event.scope import Environ


@dataclass(slots=True)
class RequestNotes:
    """Created at the first note; a healthy request has none."""

    own_answer: Any = None
    """The answer of the kit's own view for this request. The view is called once per request."""

    own_route_tried: bool = False
    """The kit's own routes were already searched after the app failed."""

    first_error: BaseException | None = None
    """A crash whose handler failed: the page shows its reference, not that of later errors."""

    answering: BaseException | None = None
    """The crash that a handler of the app's is making its answer to."""

    later_errors: list[BaseException] = field(default_factory=list)
    """Errors while the crash was answered, in a handler or a template of the app's."""

    answered_by_kit: bool = False
    """The kit's page, or what it answers an API, was made."""

    header_planned: bool = False
    """A hook that adds ``X-Sentry-ID`` to the response is registered."""


def notes_key(app: Flask) -> str:
    """The environ key of an app's notes. Each app has its own key, because apps that are mounted
    inside each other share an environ."""
    return f"flask_sentry_kit.notes.{id(app):x}"


def notes_of(environ: Environ, key: str) -> RequestNotes:
    """The notes of a request, created if there are none."""
    notes: RequestNotes = environ.setdefault(key, RequestNotes())
    return notes
