"""Finds Sentry's addresses where clients really send to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..paths import split_sentrys

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class SentryPaths:
    """WSGI middleware for addresses below the path of a DSN such as ``http://key@host/sentry/1``,
    which a proxy may leave in front, and for those that lost the slash at their end."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        found = split_sentrys(environ.get("PATH_INFO", ""))
        if found:
            prefix, environ["PATH_INFO"] = found
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + prefix
        return self._app(environ, start_response)
