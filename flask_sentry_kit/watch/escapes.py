"""What escapes from an app: the thin WSGI layer that sees what Flask's own signals cannot
(middleware, teardown, streams).

On a healthy request it looks whether the body can still fail. Around middleware, which runs outside
of Flask's context, it sets one context variable too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any, Protocol

from flask import Flask
from werkzeug.wsgi import ClosingIterator

from .. import headers
from ..compat import ends_with_its_list
from ..event.scope import Environ, current_environ, found_on_stack, running_environ

WSGIApp = Callable[[Any, Any], Iterable[bytes]]


class Capture(Protocol):
    """Takes an exception that ended a request; never raises.

    :param environ: the request's WSGI environ, where Flask's context is gone already.
    :param handled: the app has answered it with a handler of its own.
    :returns: the event's id, or None where there is none.
    """

    def __call__(
        self, error: BaseException, *, environ: Environ | None = None, handled: bool = False
    ) -> str | None: ...


class Middleware:
    """Wraps an app's ``wsgi_app`` and captures what escapes from it, once.

    :param inner: the WSGI callable to wrap.
    :param app: the Flask app it belongs to.
    :param capture: takes what escapes; the exception goes on to the server all the same.
    """

    def __init__(self, inner: WSGIApp, app: Flask, capture: Capture) -> None:
        self.inner = inner
        self.app = app
        self.capture = capture
        self.wrapped = False

    @classmethod
    def install(cls, app: Flask, capture: Capture) -> None:
        """Put one around the app as it is now, and around all that is put around it later.

        What breaks in ProxyFix and other middleware, usually added after us, is seen only from
        outside.
        """
        inner = app.wsgi_app
        layer = cls
        try:
            app.__class__ = _watched_class(type(app))
            if getattr(inner, "__func__", None) is Flask.wsgi_app:
                layer = PlainMiddleware
        except TypeError:
            # A class that cannot be derived from (by its metaclass, say): what is put around
            # this app later is not watched; all else is.
            pass
        made = layer(inner, app, capture)
        app.__dict__["wsgi_app"] = app.__dict__["_sentry_kit_wsgi_app"] = made

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
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
        """The body of an answer, watched if any code runs while it is sent or closed."""
        kind = type(body)
        if kind is ClosingIterator and ends_with_its_list(body):
            return body
        # A server sends its own file wrapper by sendfile(2), if nobody hides it.
        if kind in (list, tuple) or isinstance(body, environ.get("wsgi.file_wrapper", ())):
            return body
        return Body(body, environ, self)

    def escaped(self, environ: Environ, error: BaseException) -> None:
        """Capture an exception on its way to the server, unless it is no crash."""
        if isinstance(error, SystemExit) and not error.code:
            return
        # A client that goes away closes the generator; that is no crash.
        if isinstance(error, GeneratorExit | StopIteration):
            return
        # An engine that has closed a WebSocket raises this for the server to drop the connection.
        if type(error) is ConnectionError and not error.args and is_upgraded(environ):
            return
        self.capture(error, environ=environ)


def is_upgraded(environ: Environ) -> bool:
    """Whether a request became a WebSocket: then nobody waits for an answer by HTTP."""
    return headers.says(environ, "HTTP_UPGRADE", "websocket")


class PlainMiddleware(Middleware):
    """The layer of an app that has no middleware: Flask's own ``wsgi_app`` is right inside.

    All code of the app's runs in its request's context there, but for functions of
    ``teardown_appcontext`` before Flask 3.2; for those the environ is found on the stack. So a
    healthy request needs no variable.
    """

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        if current_environ.get() is not None:
            # Inside of middleware, or of another app that has some.
            return super().__call__(environ, start_response)
        try:
            body = self.inner(environ, start_response)
        except BaseException as error:
            self.escaped(environ, error)
            raise
        # Most answers; the others are looked at again.
        if type(body) is ClosingIterator and ends_with_its_list(body):
            return body
        return self.watched(body, environ)


found_on_stack(PlainMiddleware.__call__.__code__)


def _watched_class(kind: type[Flask]) -> type[Flask]:
    """The app's class, but for assigning to ``wsgi_app``: the new value stays inside our layer. And
    for what is asynchronous, which runs in a thread where no environ is found on the stack."""

    def wrap(app: Flask, value: Any) -> None:
        before = app.__dict__["_sentry_kit_wsgi_app"]
        before.wrapped = True
        if not isinstance(value, Middleware):
            value = Middleware(value, app, before.capture)
        value.wrapped = False
        app.__dict__["_sentry_kit_wsgi_app"] = value

    def async_to_sync(app: Flask, function: Callable[..., Any]) -> Callable[..., Any]:
        call = kind.async_to_sync(app, function)

        def call_with_environ(*args: Any, **kwargs: Any) -> Any:
            token = current_environ.set(running_environ())
            try:
                return call(*args, **kwargs)
            finally:
                current_environ.reset(token)

        return call_with_environ

    members = {
        "async_to_sync": async_to_sync,
        "wsgi_app": property(attrgetter("_sentry_kit_wsgi_app"), wrap),
        "__module__": kind.__module__,
        "__doc__": kind.__doc__,
    }
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
        # The variable is set while the body's own code runs, never while the server's does.
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
