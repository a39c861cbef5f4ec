"""What sends an app's events. The rest of the kit knows a :class:`~.base.Reporter` and no more."""

from __future__ import annotations

from typing import Any

from flask import Flask

from .base import NoReporter, Reporter

__all__ = ["NoReporter", "Reporter", "make_reporter", "reporter_for"]


def reporter_for(app: Flask, made: Any) -> Reporter:
    """The reporter behind what an app has as ``app.extensions["sentry"]``.

    :param made: our ``Sentry``, a ``Sentry`` of raven's own class, or None.
    """
    if made is None:
        return NoReporter()
    for_app = getattr(made, "reporter_for", None)
    if for_app is not None:
        found: Reporter | None = for_app(app)
        return NoReporter() if found is None else found
    from .raven.foreign import RavenSentryReporter

    return RavenSentryReporter(made)


def make_reporter(app: Flask) -> None:
    """Give an app that made no ``Sentry`` one, from its settings.

    :raises SettingError, DsnError: names the setting; shows no secret.
    """
    from .raven.sentry import make_sentry

    make_sentry(app)
