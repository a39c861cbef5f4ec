"""The crash page for Flask: reports the exception to Sentry and lets the visitor say what happened.

``app.register_blueprint(sentry_kit)`` is all it takes; the README has the rest.
"""

from typing import Any

from flask import current_app
from werkzeug.local import LocalProxy

from .blueprint import SentryKit, crash_response, sentry_kit
from .dsn import DsnError
from .feedback import limit_feedback
from .page.dialog import csp_sources
from .release import fetch_git_sha
from .reporters.raven.sentry import Sentry
from .settings import SettingError

sentry: Any = LocalProxy(lambda: current_app.extensions["sentry"])
"""The current app's reporter: ``sentry.captureMessage("hello")``."""

__all__ = [
    "DsnError",
    "Sentry",
    "SentryKit",
    "SettingError",
    "crash_response",
    "csp_sources",
    "fetch_git_sha",
    "limit_feedback",
    "sentry",
    "sentry_kit",
]
