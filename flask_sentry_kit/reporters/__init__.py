"""Sends an app's events. The rest of the kit only uses the :class:`~.base.Reporter` interface."""

from __future__ import annotations

from typing import Any

from flask import Flask

from .base import NoReporter, Reporter

__all__ = ["NoReporter", "Reporter", "make_reporter", "reporter_for"]


def reporter_for(app: Flask, made: Any) -> Reporter:
    """The reporter that belongs to an app's ``app.extensions["sentry"]``.

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
    """Create a ``Sentry`` from the settings of an app that has none.

    :raises SettingError, DsnError: the text names the setting and shows no secret.
    """
    from .raven.sentry import make_sentry

    make_sentry(app)
