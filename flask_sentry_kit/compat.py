"""All uses of private names of Flask, Werkzeug, Jinja, Flask-Login, raven, sentry-sdk, urllib3 and
gunicorn, and of names whose meaning has changed between versions. Each is in one place, with the
versions it was checked with.
"""

from __future__ import annotations

import builtins
import inspect
import sys
import weakref
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flask import Flask, g, session
from flask import globals as flask_globals
from flask.globals import app_ctx

from .containment import FOREIGN_ERRORS

if TYPE_CHECKING:
    import socket

    from raven.context import Context
    from urllib3.connection import HTTPConnection
    from werkzeug.datastructures import MultiDict
else:
    # Loaded later, by the delivery thread.
    HTTPConnection = object


CONTEXT_COMES_FIRST: Final = "ctx" in inspect.signature(Flask.preprocess_request).parameters
"""From Flask 3.2 on, its methods take the app context before their other arguments."""


def _context() -> tuple[Any, ...]:
    return (app_ctx._get_current_object(),) if CONTEXT_COMES_FIRST else ()  # type: ignore[attr-defined]  # LocalProxy


def update_template_context(app: Flask, context: dict[str, Any]) -> None:
    """Add the values of an app's context processors to a template's context."""
    update: Callable[..., None] = app.update_template_context
    update(*_context(), context)


def preprocess_request(app: Flask) -> None:
    """Run an app's ``before_request`` functions."""
    preprocess: Callable[..., object] = app.preprocess_request
    preprocess(*_context())


current_context: Final[Callable[[], Any]] = getattr(
    flask_globals, "_cv_app" if CONTEXT_COMES_FIRST else "_cv_request"
).get
"""Returns the context that has the current ``request``, faster than ``flask.request``; raises
LookupError if there is none (Flask 2.3 to 3.2)."""


class ReadSoFar(NamedTuple):
    """The parts of a request that its object has read already; None for a part not read yet."""

    form: MultiDict[str, str] | None
    stream: Any
    """The body's stream, which the app's code may have read from."""
    data: bytes | None
    """The body, if all of it was read and kept."""
    cookies: Mapping[str, str] | None


def read_so_far(request: object) -> ReadSoFar:
    """The parts that an app's request object, or None, has read by now (Werkzeug 2.3 to 3.2)."""
    kept: Mapping[str, Any] = getattr(request, "__dict__", {})
    return ReadSoFar(
        kept.get("form"), kept.get("stream"), kept.get("_cached_data"), kept.get("cookies")
    )


def ends_with_its_list(body: Any) -> bool:
    """Whether a ``ClosingIterator`` is Werkzeug's own for a response whose body is a list of texts,
    without functions to call on close: then no code runs while it is sent (Werkzeug 2.3 to 3.2).

    Called for every healthy response, so it reads only two attributes.
    """
    try:
        _, close = body._callbacks
        response = close.__self__
        kind = type(response.response)
        return (kind is list or kind is tuple) and not response._on_close
    except (AttributeError, TypeError, ValueError):
        return False


def is_template(space: Mapping[str, Any]) -> bool:
    """Whether these are the globals of a template's code (Jinja 3.1)."""
    return "__jinja_exception__" in space or "__jinja_template__" in space


def login_user_so_far() -> Any:
    """The user that Flask-Login has loaded for this request, or None (0.6.3)."""
    return g.get("_login_user")


def login_id_so_far() -> str | None:
    """The signed-in user's id that Flask-Login keeps in the session, or None (0.6.3)."""
    number = session.get("_user_id")
    return None if number is None else str(number)


def records_a_log_breadcrumb(processor: object) -> bool:
    """Whether a breadcrumb processor of raven is the one for its own log records (6.10)."""
    return getattr(processor, "__qualname__", "").startswith("_record_log_breadcrumb.")


def record_breadcrumbs_into(context: Context | Any, change: int) -> None:
    """Let raven record the breadcrumbs of this thread into a context, for one request more or
    fewer (6.10).

    The requests are counted because all greenlets share raven's thread-local if gevent patched
    after raven was imported: the first request to end must not stop recording for the others.
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


# Python 3.10 has no exception groups; there Flask raises the first error.
_GROUP: Final[Any] = getattr(builtins, "BaseExceptionGroup", ())


def teardown_error(error: BaseException) -> BaseException:
    """The exception of a teardown function, taken out of the groups that Flask puts it in from 3.2
    on. If several functions raised, the given error is returned unchanged."""
    while isinstance(error, _GROUP) and error.message in _TEARDOWN and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


GUNICORN_ABORTS: Final = "gunicorn.workers.base", "handle_abort"
"""The module and the name of gunicorn's handler of SIGABRT, a method of ``Worker``. Its arbiter
sends the signal to a worker that gave no sign of life for ``timeout`` seconds (20.1 to 27.0)."""


def runs_in_gunicorn() -> bool:
    """Whether gunicorn serves this process's app, or may later."""
    return GUNICORN_ABORTS[0] in sys.modules


def gunicorn_aborted(error: BaseException) -> tuple[object] | None:
    """The worker's ``timeout`` in seconds, or None in its place if it cannot be read, for the
    SystemExit of gunicorn's handler of SIGABRT; None for all other exceptions."""
    if not isinstance(error, SystemExit):
        return None
    module, name = GUNICORN_ABORTS
    handler = getattr(getattr(sys.modules.get(module), "Worker", None), name, None)
    code = getattr(handler, "__code__", None)
    traceback = error.__traceback__
    while traceback is not None and code is not None:
        frame = traceback.tb_frame
        if frame.f_code is code:
            config = getattr(frame.f_locals.get("self"), "cfg", None)
            return (getattr(config, "timeout", None),)
        traceback = traceback.tb_next
    return None


def sentry_sdk_drops_errors(transport: object) -> bool:
    """Whether a transport of sentry-sdk is known to drop an error event that it is given now: its
    server asked for no errors for a while that is not over, or its queue is full.

    Its thread looks for the first of these when the event has its id already. False for a transport
    of another make, and for None (2.0.0 to 2.75).
    """
    module = sys.modules.get("sentry_sdk.transport")
    # From 2.57 on, from 2.16 on, and before.
    names = "HttpTransportCore", "BaseHttpTransport", "HttpTransport"
    kind = next((getattr(module, name) for name in names if hasattr(module, name)), None)
    if kind is None or not isinstance(transport, kind):
        return False
    http: Any = transport
    try:
        if http._check_disabled("error"):
            return True
        if hasattr(http, "loop"):
            # The async one: it needs its loop, and its queue is made with the first event.
            if not http.loop.is_running():
                return True
            if http._worker._queue is None:
                return False
        return bool(http._worker.full())
    except Exception:
        # An app's own subclass.
        return False


def contain_texts_of_sentry_sdk() -> None:
    """Have sentry-sdk report an exception whose ``__str__`` exits as it does one where that raises.

    It stops nothing but an Exception there, and its receiver of Flask's signal has no containment:
    a ``SystemExit`` would end the request in the place of its page (2.0.0 to 2.75).
    """
    from sentry_sdk import utils

    known = utils.get_error_message
    if hasattr(known, "_by_flask_sentry_kit"):
        return

    @wraps(known)
    def get_error_message(exc_value: BaseException | None) -> str:
        try:
            return known(exc_value)
        except FOREIGN_ERRORS:
            return "<broken repr>"  # the SDK's own words for it

    get_error_message._by_flask_sentry_kit = True  # type: ignore[attr-defined]  # a mark
    utils.get_error_message = get_error_message


def sentry_sdk_trusts_the_system(options: Mapping[str, Any]) -> bool:
    """Whether a client of sentry-sdk with these options has a transport on httpcore, which trusts
    the system's CAs beside the others: HTTP/2 (2.16 to 2.75) or async (2.57 to 2.75)."""
    asked = options.get("_experiments")
    return (
        "httpcore" in sys.modules
        and isinstance(asked, Mapping)
        and any(asked.get(name) for name in ("transport_http2", "transport_async"))
    )


class OwnSockets(HTTPConnection):
    """Mixin for urllib3's connection classes (2.6 to 2.8) that lets the kit make the socket."""

    def open_socket(self, host: str, port: int) -> socket.socket:
        """A connected socket."""
        raise NotImplementedError

    def wrap_socket(self, connected: socket.socket) -> Any:
        """The object to read and write in place of the socket, once TLS and a tunnel are set up."""
        raise NotImplementedError

    def _new_conn(self) -> socket.socket:
        return self.open_socket(self._dns_host, self.port)

    def connect(self) -> None:
        super().connect()
        self.sock = self.wrap_socket(self.sock)


def merged_scope_of_sentry_sdk(sdk: Any) -> Any:
    """A scope with all that sentry-sdk's global, isolation and current scope hold (2.0 to 2.75)."""
    return sdk.Scope.get_current_scope()._merge_scopes()
