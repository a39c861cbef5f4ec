"""The crash page for Flask: reports the exception to Sentry and lets the visitor say what happened.

``app.register_blueprint(sentry_kit)`` is enough to use it; the README describes the rest. A public
name is loaded at its first use.

PYTEST_DONT_REWRITE keeps pytest from warning where a process has imported this before it starts.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .blueprint import SentryKit, crash_response, sentry, sentry_kit
    from .dsn import DsnError
    from .feedback import limit_feedback
    from .kit import capture_feedback, csp_sources
    from .release import fetch_git_sha
    from .reporters.raven.client import Client
    from .reporters.raven.sentry import Sentry
    from .settings import SettingError
    from .watch import EventIdFilter

__all__ = [
    "Client",
    "DsnError",
    "EventIdFilter",
    "Sentry",
    "SentryKit",
    "SettingError",
    "capture_feedback",
    "crash_response",
    "csp_sources",
    "fetch_git_sha",
    "limit_feedback",
    "sentry",
    "sentry_kit",
]

_HOMES: Final = {
    "Client": "reporters.raven.client",
    "DsnError": "dsn",
    "EventIdFilter": "watch",
    "Sentry": "reporters.raven.sentry",
    "SentryKit": "blueprint",
    "SettingError": "settings",
    "capture_feedback": "kit",
    "crash_response": "blueprint",
    "csp_sources": "kit",
    "fetch_git_sha": "release",
    "limit_feedback": "feedback",
    "sentry": "blueprint",
    "sentry_kit": "blueprint",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{home}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
