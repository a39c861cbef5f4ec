"""The log line about an app without a DSN: WARNING in a process that serves, INFO in others.

A command, a worker or a test that loads the app shows no crash page, so it needs no report. A
process is known to serve when it gets its first request from a server.
"""

from __future__ import annotations

import logging
from typing import Final

from flask import Flask, has_request_context, request

from .containment import contained
from .dsn import PLACES
from .kit import Kit, kit_of
from .watch import watch_requests

logger = logging.getLogger("flask_sentry_kit")

_LINE: Final = (
    "The crash page of the app %r shows, but nothing is reported: there is no DSN in "
    + ", ".join(PLACES[:-1])
    + f" or {PLACES[-1]}. Set one of them to report crashes, or SENTRY_DSN to an empty string to"
    " report none without this line."
)

_logged: set[tuple[str, int]] = set()
# Names of apps and levels: an app that is made again, in each test for example, logs only once.


def log_missing_dsn(app: Flask, kit: Kit) -> None:
    """Log at INFO that an app has no DSN. Log at WARNING if it still has none at its first request
    from a server: an app may make its ``Sentry`` after registering the blueprint."""
    if not kit.reporter.switched_off:
        _log(app, logging.INFO)
        if has_request_context() and _serving(app):
            return  # the reporter was chosen at the first request
        watch_requests(app, _serving)


def _serving(app: Flask) -> bool:
    """Whether a server has sent this request: then an app that has no DSN yet is logged."""
    # Werkzeug's test client sends this User-Agent by default, Flask 2.3's in small letters.
    if app.testing or request.environ.get("HTTP_USER_AGENT", "").lower().startswith("werkzeug/"):
        return False
    with contained("The check for a missing DSN failed"):
        kit = kit_of(app)
        if kit is not None and kit.dsn is None and not kit.reporter.switched_off:
            _log(app, logging.WARNING)
    return True


def _log(app: Flask, level: int) -> None:
    if (app.name, level) not in _logged:
        _logged.add((app.name, level))
        logger.log(level, _LINE, app.name)
