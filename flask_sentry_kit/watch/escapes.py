"""Captures exceptions that escape from an app, with a thin WSGI layer. It sees exceptions that
Flask sends no signal for: in middleware, teardown functions and streams.

On a healthy request it checks whether the body can still fail. Around middleware, which runs
outside of Flask's context, it also sets one context variable.

``__traceback_hide__`` in a function of this room keeps its calls, which say nothing about the app,
out of events: raven, sentry-sdk and the kit's own events honour it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any, Protocol

from flask import Flask
from werkzeug.wsgi import ClosingIterator

from .. import headers
from ..compat import CONTEXT_COMES_FIRST, ends_with_its_list, runs_in_gunicorn
from ..containment import contained
from ..event.scope import Environ, current_environ, found_on_stack, running_environ
from ..event.worker_timeout import is_worker_timeout
from ..outbox import request_end
from ..user import without_queries

WSGIApp = Callable[[Any, Any], Iterable[bytes]]


class Capture(Protocol):
    """Reports an exception that ended a request; never raises.

    :param environ: the request's WSGI environ, given if Flask's context no longer exists.
    :param handled: one of the app's handlers has answered the exception.
    :returns: the event's id, or None where there is none.
    """

    def __call__(
        self, error: BaseException, *, environ: Environ | None = None, handled: bool = False
    ) -> str | None: ...


class Middleware:
    """Wraps an app's ``wsgi_app`` and captures each exception that escapes from it, once.

    :param inner: the WSGI callable to wrap.
    :param app: the Flask app it belongs to.
    :param capture: reports the exception, which is then raised on to the server.
    """

    def __init__(self, inner: WSGIApp, app: Flask, capture: Capture) -> None:
        self.inner = inner
        self.app = app
        self.capture = capture
        self.wrapped = False

    @classmethod
    def install(cls, app: Flask, capture: Capture) -> None:
        """Wrap the app as it is now, and again each time that middleware is added later.

        Errors in ProxyFix and other middleware, usually added after the kit, can be seen only
        from outside of it.
        """
        inner = app.wsgi_app
        layer = outermost = DeliveringMiddleware if request_end.threads_stop() else cls
        try:
            app.__class__ = _watched_class(type(app), outermost)
            if layer is cls and getattr(inner, "__func__", None) is Flask.wsgi_app:
                layer = PlainMiddleware
        except TypeError:
            # The app's class allows no subclass, because of its metaclass for example. Middleware
            # that is added to this app later is not watched; everything else is.
            pass
        # The method and not the layer itself: calling an object is slower than calling its method.
        made = layer(inner, app, capture).__call__
        app.__dict__["wsgi_app"] = app.__dict__["_sentry_kit_wsgi_app"] = made

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        __traceback_hide__ = True
        if self.wrapped and current_environ.get() is not None:
            return self.inner(environ, start_response)
        token = current_environ.set(environ)
        try:
            body = self.inner(environ, start_response)
        except BaseException as error:
            self.escaped(environ, error)
            raise
        finally:
            current_environ.reset(token)
        return self.watched(body, environ)

    def watched(self, body: Iterable[bytes], environ: Environ) -> Iterable[bytes]:
        """The response's body, watched if any code runs while it is sent or closed."""
        kind = type(body)
        if kind is ClosingIterator and ends_with_its_list(body):
            return body
        # Not wrapped: a server recognises its own file wrapper and sends it with sendfile(2).
        if kind in (list, tuple) or is_servers_file(body, environ):
            return body
        return Body(body, environ, self)

    def escaped(self, environ: Environ, error: BaseException) -> None:
        """Capture an exception on its way to the server, if it is a crash."""
        if isinstance(error, SystemExit) and not error.code:
            return
        # A client that disconnects closes the generator; that is not a crash.
        if isinstance(error, GeneratorExit | StopIteration):
            return
        # A WebSocket library raises this after closing, so that the server drops the connection.
        if type(error) is ConnectionError and not error.args and is_upgraded(environ):
            return
        self.capture(error, environ=environ)


def is_servers_file(body: Iterable[bytes], environ: Environ) -> bool:
    """Whether a body is what the server's ``wsgi.file_wrapper`` made of a file (PEP 3333).

    It is a class, or a function in uWSGI and mod_wsgi; uWSGI's returns the file itself.
    """
    wrapper = environ.get("wsgi.file_wrapper")
    if isinstance(wrapper, type):
        return isinstance(body, wrapper)
    return wrapper is not None and hasattr(body, "read")


def is_upgraded(environ: Environ) -> bool:
    """Whether a request asks for a WebSocket: then the client expects no HTTP response."""
    return headers.says(environ, "HTTP_UPGRADE", "websocket")


class PlainMiddleware(Middleware):
    """The layer for an app without middleware: it wraps Flask's own ``wsgi_app`` directly.

    There the app's code runs in the request's context, except for ``teardown_appcontext``
    functions before Flask 3.2; for these the environ is found on the stack. So a healthy request
    needs no context variable.
    """

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        __traceback_hide__ = True
        if current_environ.get() is not None:
            # This app runs inside middleware, or inside another app that has middleware.
            return super().__call__(environ, start_response)
        inner = self.inner
        try:
            body = inner(environ, start_response)
        except BaseException as error:
            self.escaped(environ, error)
            raise
        # True of most responses; watched() checks the others.
        if type(body) is ClosingIterator and ends_with_its_list(body):
            return body
        return self.watched(body, environ)


found_on_stack(PlainMiddleware.__call__.__code__)


class DeliveringMiddleware(Middleware):
    """The layer for a server whose threads run only while a request does: what a request queued is
    sent before it ends, if possible after its answer."""

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        __traceback_hide__ = True
        if self.wrapped:
            return super().__call__(environ, start_response)
        request_end.begin()
        try:
            body = super().__call__(environ, start_response)
        except BaseException:
            request_end.finish()
            raise
        if is_servers_file(body, environ):
            request_end.finish()
            return body
        return DeliveringBody(body)


class DeliveringBody:
    """A response's body, at whose end is delivered what was queued."""

    __slots__ = ("_body",)

    def __init__(self, body: Iterable[bytes]) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        __traceback_hide__ = True
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            request_end.finish()


def _watched_class(kind: type[Flask], layer: type[Middleware]) -> type[Flask]:
    """A subclass of the app's class with two changes. A value assigned to ``wsgi_app`` is wrapped
    in the given layer. Asynchronous functions get the environ in a context variable, because they
    run in a thread where it is not on the stack.

    In gunicorn there is a third: a worker's time-out is captured while the request's route and user
    are still known.
    """

    def layer_of(app: Flask) -> Middleware:
        made: Middleware = app.__dict__["_sentry_kit_wsgi_app"].__self__
        return made

    def wrap(app: Flask, value: Any) -> None:
        before = layer_of(app)
        before.wrapped = True
        made = getattr(value, "__self__", None)
        if not isinstance(made, Middleware):
            made = layer(value, app, before.capture)
            value = made.__call__
        made.wrapped = False
        app.__dict__["_sentry_kit_wsgi_app"] = value

    def async_to_sync(app: Flask, function: Callable[..., Any]) -> Callable[..., Any]:
        call = kind.async_to_sync(app, function)

        def call_with_environ(*args: Any, **kwargs: Any) -> Any:
            __traceback_hide__ = True
            token = current_environ.set(running_environ())
            try:
                return call(*args, **kwargs)
            finally:
                current_environ.reset(token)

        return call_with_environ

    def capture_timeout(app: Flask, error: BaseException | None) -> None:
        # Contained: an error in here would leave the request's context where it is.
        with contained("A worker's time-out could not be looked for"), without_queries():
            if error is not None and is_worker_timeout(error):
                layer_of(app).capture(error)

    def should_ignore_error(app: Flask, error: BaseException | None) -> bool:
        __traceback_hide__ = True
        # Called for errors that end a request alone, just before its context ends.
        capture_timeout(app, error)
        return kind.should_ignore_error(app, error)

    def do_teardown_request(app: Flask, context: Any, error: BaseException | None = None) -> None:
        __traceback_hide__ = True
        capture_timeout(app, error)
        kind.do_teardown_request(app, context, error)  # type: ignore[call-arg]  # of Flask 3.2

    # Flask 3.2 warns of a should_ignore_error of one's own.
    ends = do_teardown_request if CONTEXT_COMES_FIRST else should_ignore_error
    members: dict[str, Any] = {
        "async_to_sync": async_to_sync,
        "wsgi_app": property(attrgetter("_sentry_kit_wsgi_app"), wrap),
        "__module__": kind.__module__,
        "__doc__": kind.__doc__,
    }
    if runs_in_gunicorn():
        members[ends.__name__] = ends
    made: type[Flask] = type(kind.__name__, (kind,), members)
    made.__qualname__ = kind.__qualname__
    return made


class Body:
    """A response's body, watched while it is sent and closed."""

    __slots__ = ("_body", "_environ", "_middleware")

    def __init__(self, body: Iterable[bytes], environ: Environ, middleware: Middleware) -> None:
        self._body = body
        self._environ = environ
        self._middleware = middleware

    def __iter__(self) -> Iterator[bytes]:
        __traceback_hide__ = True
        # The variable is set only while the body's code runs, not while the server's code runs.
        environ = self._environ
        running = True
        token = current_environ.set(environ)
        try:
            for chunk in self._body:
                current_environ.reset(token)
                running = False
                yield chunk
                token = current_environ.set(environ)
                running = True
        except BaseException as error:
            self._middleware.escaped(environ, error)
            raise
        finally:
            if running:
                current_environ.reset(token)

    def close(self) -> None:
        __traceback_hide__ = True
        close = getattr(self._body, "close", None)
        if close is None:
            return
        token = current_environ.set(self._environ)
        try:
            close()
        except BaseException as error:
            self._middleware.escaped(self._environ, error)
            raise
        finally:
            current_environ.reset(token)
