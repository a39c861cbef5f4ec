"""The thin WSGI layer: sees what Flask's own signals cannot (middleware, teardown, streams).

On a healthy request it sets one context variable and looks whether the body can still fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any, Final, Protocol

from flask import Flask
from werkzeug.wsgi import ClosingIterator

from ..event.scope import Environ, current_environ

WSGIApp = Callable[[Any, Any], Iterable[bytes]]

_RUNS_ON: Final = "flask_sentry_kit.body_runs_on"


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
        _note_bodies(app)
        wrapped = cls(app.wsgi_app, app, reports)
        app.__dict__["wsgi_app"] = app.__dict__["_sentry_kit_wsgi_app"] = wrapped
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
        if kind is ClosingIterator:
            # Flask's own: whether any code runs while it is sent was noted with the response.
            return _Body(body, environ, self) if _RUNS_ON in environ else body
        # A server sends its own file wrapper by sendfile(2), if nobody hides it.
        if kind in (list, tuple) or isinstance(body, environ.get("wsgi.file_wrapper", ())):
            return body
        return _Body(body, environ, self)

    def _report(self, environ: Environ, error: BaseException) -> None:
        if isinstance(error, SystemExit) and not error.code:
            return
        # A client that goes away closes the generator; that is no crash.
        if isinstance(error, GeneratorExit | StopIteration):
            return
        self.reports.escaped(self.app, environ, error)


def _note_bodies(app: Flask) -> None:
    """Note in the environ which responses run code after they are made: those that stream, and
    those with something to call when they are closed. Most do neither, and are left alone."""
    process = app.process_response

    def process_response(*args: Any, **kwargs: Any) -> Any:
        response = process(*args, **kwargs)
        try:
            runs_on = not response.is_sequence or response._on_close
        except AttributeError:
            runs_on = True
        if runs_on:
            environ = current_environ.get()
            if environ is not None:
                environ[_RUNS_ON] = True
        return response

    app.process_response = process_response  # type: ignore[method-assign]  # of this app alone


def _watched(kind: type[Flask]) -> type[Flask]:
    """A class of apps, the same but for assigning to ``wsgi_app``: that stays inside of ours."""

    def put(app: Flask, value: Any) -> None:
        before = app.__dict__["_sentry_kit_wsgi_app"]
        before.wrapped = True
        if not isinstance(value, Middleware):
            value = Middleware(value, app, before.reports)
        value.wrapped = False
        app.__dict__["_sentry_kit_wsgi_app"] = value

    members = {
        "wsgi_app": property(attrgetter("_sentry_kit_wsgi_app"), put),
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
