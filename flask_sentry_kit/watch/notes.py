"""What is noted on one request of a watched app: one object, in the request's WSGI environ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Flask

from ..event.scope import Environ


@dataclass(slots=True)
class RequestNotes:
    """Made when there is something to note; a healthy request has none."""

    own_answer: Any = None
    """What the view of one of the kit's own routes answered: it is called once a request."""

    own_route_tried: bool = False
    """The kit's own routes were looked through after the app broke."""

    first_error: BaseException | None = None
    """A crash whose handler broke: the page shows its reference, and not that of what followed."""

    answering: BaseException | None = None
    """The crash that a handler of the app's is making its answer to."""

    header_planned: bool = False
    """``X-Sentry-ID`` is added when the answer is made."""


def notes_key(app: Flask) -> str:
    """Where an app's notes are in an environ. Each app has its own: apps that are mounted inside
    each other share an environ."""
    return f"flask_sentry_kit.notes.{id(app):x}"


def notes_of(environ: Environ, key: str) -> RequestNotes:
    """The notes of a request, made where there are none."""
    notes: RequestNotes = environ.setdefault(key, RequestNotes())
    return notes
