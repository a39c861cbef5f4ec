"""What the kit uses of Flask, Werkzeug, Jinja, Flask-Login, raven and urllib3 without a public name
for it, or under a name whose meaning has changed: each in one place, with the versions it was seen
in.
"""

from __future__ import annotations

import builtins
import inspect
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flask import Flask, g, session
from flask import globals as flask_globals
from flask.globals import app_ctx

if TYPE_CHECKING:
    import socket

    from raven.context import Context
    from urllib3.connection import HTTPConnection
    from werkzeug.datastructures import MultiDict
else:
    # Loaded by the thread that delivers.
    HTTPConnection = object


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
    flask_globals, "_cv_app" if _CONTEXT_COMES_FIRST else "_cv_request"
).get
"""Gives the context that has the current ``request``, sooner than ``flask.request`` does; raises
LookupError where there is none (Flask 2.3 to 3.2)."""


class ReadSoFar(NamedTuple):
    """What a request's object has read of the request; None for what it was not asked for yet."""

    form: MultiDict[str, str] | None
    stream: Any
    """The body's stream: who asked for it may have read from it."""
    data: bytes | None
    """The body, where all of it was read and kept."""
    cookies: Mapping[str, str] | None


def read_so_far(request: object) -> ReadSoFar:
    """What an app's request object, or None, has read by now (Werkzeug 2.3 to 3.2)."""
    kept: Mapping[str, Any] = getattr(request, "__dict__", {})
    return ReadSoFar(
        kept.get("form"), kept.get("stream"), kept.get("_cached_data"), kept.get("cookies")
    )


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


def is_template(space: Mapping[str, Any]) -> bool:
    """Whether code with these globals is a template's (Jinja 3.1)."""
    return "__jinja_exception__" in space or "__jinja_template__" in space


def login_user_so_far() -> Any:
    """The user that Flask-Login has loaded for this request, or None (0.6.3)."""
    return g.get("_login_user")


def login_id_so_far() -> str | None:
    """The id that Flask-Login keeps in the session for who is signed in, or None (0.6.3)."""
    number = session.get("_user_id")
    return None if number is None else str(number)


def records_a_log_breadcrumb(processor: object) -> bool:
    """Whether what raven was given to finish a breadcrumb with is of its own log records (6.10)."""
    return getattr(processor, "__qualname__", "").startswith("_record_log_breadcrumb.")


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


class OwnSockets(HTTPConnection):
    """Put in front of urllib3's connection classes (2.6 to 2.8): the socket is one of our own."""

    def open_socket(self, host: str, port: int) -> socket.socket:
        """A connected socket."""
        raise NotImplementedError

    def wrap_socket(self, connected: socket.socket) -> Any:
        """What is read from and written to in its place, once TLS and a tunnel are set up."""
        raise NotImplementedError

    def _new_conn(self) -> socket.socket:
        return self.open_socket(self._dns_host, self.port)

    def connect(self) -> None:
        super().connect()
        self.sock = self.wrap_socket(self.sock)
