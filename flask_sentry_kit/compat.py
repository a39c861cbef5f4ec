"""What the kit uses of Flask, Werkzeug and raven without a public name for it, or under a name
whose meaning has changed: each in one place, with the versions it was seen in."""

from __future__ import annotations

import builtins
import inspect
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import flask.globals
from flask import Flask
from flask.globals import app_ctx
from werkzeug.wrappers import Request

if TYPE_CHECKING:
    from raven.context import Context


_CONTEXT_COMES_FIRST: Final = "ctx" in inspect.signature(Flask.preprocess_request).parameters
"""Flask's methods take the app context before their other arguments: from 3.2 on."""


def _context() -> tuple[Any, ...]:
    return (app_ctx._get_current_object(),) if _CONTEXT_COMES_FIRST else ()  # type: ignore[attr-defined]  # LocalProxy


def update_template_context(app: Flask, context: dict[str, Any]) -> None:
    """Add what an app's context processors give to a template's context."""
    update: Callable[..., None] = app.update_template_context
    update(*_context(), context)


def preprocess_request(app: Flask) -> None:
    """Run an app's ``before_request`` functions."""
    preprocess: Callable[..., object] = app.preprocess_request
    preprocess(*_context())


current_context: Final[Callable[[], Any]] = getattr(
    flask.globals, "_cv_app" if _CONTEXT_COMES_FIRST else "_cv_request"
).get
"""Gives the context that has the current ``request``, sooner than ``flask.request`` does; raises
LookupError where there is none (Flask 2.3 to 3.2)."""


def read_so_far(request: Request) -> Mapping[str, Any]:
    """What a request's object has read of the body by now: ``form``, ``stream`` and
    ``_cached_data`` are in it once they were asked for (Werkzeug 2.3 to 3.2)."""
    return request.__dict__


def ends_with_its_list(body: Any) -> bool:
    """Whether a ``ClosingIterator`` is Werkzeug's own of a response that is a list of texts and has
    nothing to call when it is closed: then no code runs while it is sent (Werkzeug 2.3 to 3.2).

    Asked of every healthy response, so that it looks at two attributes.
    """
    try:
        _, close = body._callbacks
        response = close.__self__
        kind = type(response.response)
        return (kind is list or kind is tuple) and not response._on_close
    except (AttributeError, TypeError, ValueError):
        return False


def record_breadcrumbs_into(context: Context | Any, change: int) -> None:
    """Have raven record the breadcrumbs of this thread into a context, for one request more or
    fewer (6.10).

    Counted, since raven's thread-local is one for all greenlets where gevent patched after raven
    was imported: the first request that ends must not end it for the others.
    """
    from raven.context import _active_contexts

    here = _active_contexts.__dict__
    requests = here.setdefault("flask_sentry_kit", weakref.WeakKeyDictionary())
    requests[context] = max(0, requests.get(context, 0) + change)
    active = here.setdefault("contexts", set())
    (active.add if requests[context] else active.discard)(context)


_TEARDOWN: Final = frozenset(
    f"Errors during {what} teardown" for what in ("context", "request", "app")
)


# Python 3.10 has none, and Flask raises the first error there.
_GROUP: Final[Any] = getattr(builtins, "BaseExceptionGroup", ())


def teardown_error(error: BaseException) -> BaseException:
    """What a teardown function raised, out of the groups that Flask makes of it from 3.2 on; the
    error itself where several functions raised."""
    while isinstance(error, _GROUP) and error.message in _TEARDOWN and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
