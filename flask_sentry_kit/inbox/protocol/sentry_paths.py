"""Which addresses are Sentry's, also behind a proxy that leaves its prefix in front of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SKIPPED_PATHS: Final = (
    "attachments",
    "cron",
    "csp-report",
    "integration",
    "minidump",
    "nel",
    "playstation",
    "profiles",
    "replays",
    "security",
    "spans",
    "unreal",
    "upload",
)
"""Where other clients than an app's reporter post to, as in the routes of Sentry's Relay: CSP
reports of browsers, native crashes, cron jobs, OpenTelemetry. The inbox keeps nothing of these."""

_PATH: Final = re.compile(
    r"(?P<prefix>(?:/[^/]*)*?)"
    r"(?P<path>/api/(?:embed/error-page|[^/]+/(?:store|envelope)"
    rf"|[^/]+/(?:{'|'.join(SKIPPED_PATHS)})(?:/[^/]+)*?))/*"
)
# What the inbox has below /api/ itself.
_OWN: Final = re.compile(r"/api/v[0-9]+/")


def is_for_sentry(path: str) -> bool:
    """Whether a request with this path comes from a client of Sentry's, and not from a reader.

    :param path: decoded, with or without a proxy's prefix.
    """
    if _PATH.fullmatch(path):
        return True
    return path.startswith("/api/") and not _OWN.match(path)


class SentryPaths:
    """WSGI middleware that finds Sentry's addresses where clients really send to: below the path of
    a DSN such as ``http://key@host/sentry/1``, and without a slash at their end."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: Any = environ.get("PATH_INFO", "")
        found = _PATH.fullmatch(path)
        if found:
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + found["prefix"]
            environ["PATH_INFO"] = found["path"] + "/"
        return self._app(environ, start_response)
