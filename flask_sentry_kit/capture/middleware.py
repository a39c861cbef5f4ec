"""The thin WSGI layer: sees what Flask's own signals cannot (middleware, teardown, streams).

On a healthy request it sets one context variable and wraps the body; nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from flask import Flask
from werkzeug.wsgi import ClosingIterator

from .scope import Environ, current_environ

WSGIApp = Callable[[Any, Any], Iterable[bytes]]


class _Reports(Protocol):
    def escaped(self, app: Flask, environ: Environ, error: BaseException) -> None:
        """Report what escaped from the app; never raises."""


class Middleware:
    """Wraps an app's ``wsgi_app`` and reports what escapes from it, once.

    :param inner: the WSGI callable to wrap.
    :param app: the Flask app it belongs to.
    :param reports: takes what escapes; the exception goes on to the server all the same.
    """

    def __init__(self, inner: WSGIApp, app: Flask, reports: _Reports) -> None:
        self.inner = inner
        self.app = app
        self.reports = reports
        self.wrapped = False

    @classmethod
    def install(cls, app: Flask, reports: _Reports) -> None:
        """Put one around the app as it is now, and around all that is put around it later.

        What breaks in ProxyFix and its kin, usually added after us, is seen only from outside.
        """
        app.__dict__["wsgi_app"] = cls(app.wsgi_app, app, reports)
        try:
            app.__class__ = _watched(type(app))
        except TypeError:
            # A class that will not be derived from (by its metaclass, say): what is put around
            # this app later is not watched; all else is.
            pass

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        if self.wrapped and current_environ.get() is not None:
            return self.inner(environ, start_response)
        token = current_environ.set(environ)
        try:
            body = self.inner(environ, start_response)
        except BaseException as error:
            self._report(environ, error)
            raise
        finally:
            current_environ.reset(token)
        kind = type(body)
        if kind is not ClosingIterator and (
            kind in (list, tuple)
            # A server sends its own file wrapper by sendfile(2), if nobody hides it.
            or isinstance(body, environ.get("wsgi.file_wrapper", ()))
        ):
            return body
        return _Body(body, environ, self)

    def _report(self, environ: Environ, error: BaseException) -> None:
        if isinstance(error, SystemExit) and not error.code:
            return
        # A client that goes away closes the generator; that is no crash.
        if isinstance(error, GeneratorExit | StopIteration):
            return
        self.reports.escaped(self.app, environ, error)


def _watched(kind: type[Flask]) -> type[Flask]:
    """A class of apps, the same but for assigning to ``wsgi_app``: that stays inside of ours."""

    def get(app: Flask) -> Any:
        return app.__dict__["wsgi_app"]

    def put(app: Flask, value: Any) -> None:
        before = app.__dict__["wsgi_app"]
        before.wrapped = True
        if not isinstance(value, Middleware):
            value = Middleware(value, app, before.reports)
        value.wrapped = False
        app.__dict__["wsgi_app"] = value

    members = {
        "wsgi_app": property(get, put),
        "__module__": kind.__module__,
        "__doc__": kind.__doc__,
    }
    made: type[Flask] = type(kind.__name__, (kind,), members)
    made.__qualname__ = kind.__qualname__
    return made


class _Body:
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
            self._middleware._report(environ, error)
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
            self._middleware._report(self._environ, error)
            raise
        finally:
            current_environ.reset(token)
