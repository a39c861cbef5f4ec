"""The log line about an app that reports nothing: WARNING where it is served, INFO elsewhere.

A command, a worker or a test that loads the app shows no crash page, so nobody misses a report
there. Whether a process serves is known when a server hands it the first request.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from flask import Flask, request, request_started

from .containment import contained
from .dsn import PLACES
from .kit import Kit, kit_of

logger = logging.getLogger("flask_sentry_kit")

_LINE: Final = (
    "The crash page of the app %r shows, but nothing is reported: there is no DSN in "
    + ", ".join(PLACES[:-1])
    + f" or {PLACES[-1]}. Set one of them to report crashes, or SENTRY_DSN to an empty string to"
    " report none without this line."
)

_logged: set[tuple[str, int]] = set()
# Names of apps and levels: an app that is made again, in each test say, is not news.


def log_missing_dsn(app: Flask, kit: Kit) -> None:
    """Say at INFO that an app has no DSN, and at WARNING when it serves its first request and
    still has none: an app may make its ``Sentry`` after the blueprint was registered."""
    if not kit.reporter.switched_off:
        _log(app, logging.INFO)
        # Public, and nothing is left of it after one request.
        request_started.connect(_serving, sender=app)


def _serving(app: Flask, **_: Any) -> None:
    # A test client calls itself that, where it is not given another name.
    if app.testing or request.environ.get("HTTP_USER_AGENT", "").startswith("Werkzeug/"):
        return
    request_started.disconnect(_serving, sender=app)
    with contained("Whether the app has a DSN could not be found out"):
        kit = kit_of(app)
        if kit is not None and kit.dsn is None and not kit.reporter.switched_off:
            _log(app, logging.WARNING)


def _log(app: Flask, level: int) -> None:
    if (app.name, level) not in _logged:
        _logged.add((app.name, level))
        logger.log(level, _LINE, app.name)
