"""The log line about an app that reports: what its process uses. A command that runs elsewhere,
such as ``flask sentry-kit check``, may see it otherwise."""

from __future__ import annotations

import logging
import os

from flask import Flask

from .dsn import Dsn
from .kit import Kit

logger = logging.getLogger("flask_sentry_kit")


def log_start(app: Flask, kit: Kit, dsn: Dsn) -> None:
    """Log, in one line at INFO, where this process's crashes go, by whom, and what is kept."""
    spool = kit.settings.spool
    logger.info(
        "Crashes of the app %r go to project %s at %s, reported by %s; the server is %r, %s",
        app.name,
        dsn.project,
        dsn.origin,
        kit.reporter.name,
        kit.settings.server,
        "what is queued is in memory" if spool is None else f"spool: {os.path.abspath(spool)}",
    )
