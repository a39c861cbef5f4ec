"""Finds what reports for an app, and its reporter."""

from __future__ import annotations

import weakref
from typing import Any, Final

from flask import Flask

from ..dsn import Dsn, find_dsn
from ..event.scope import Environ
from .base import NoReporter, Reporter

CHOSEN: Final = "sentry_kit_reporter"
"""In ``app.extensions``: what reports by the app's own choice, whatever ``"sentry"`` there is."""


def made_for(app: Flask) -> Any:
    """What reports for an app: a ``Sentry``, or what is in its place; None if there is nothing."""
    return app.extensions.get(CHOSEN) or app.extensions.get("sentry")


def expected_dsn(app: Flask) -> Dsn | None:
    """Where an app's events go, as far as is known; no reporter is chosen for the answer.

    :raises DsnError: it is malformed, which registration has refused.
    """
    made = made_for(app)
    if hasattr(made, "is_undecided"):
        text = find_dsn(app.config).text
        return Dsn.parse(text) if text else None
    return reporter_for(app, made).dsn


def reporter_for(app: Flask, made: Any) -> Reporter:
    """The reporter of an app.

    :param made: what ``made_for`` returned: our ``Sentry``, a ``Sentry`` of raven's own class, what
        is in its place, or None.
    """
    if made is None:
        return NoReporter()
    for_app = getattr(made, "reporter_for", None)
    if for_app is not None:
        found: Reporter | None = for_app(app)
        return NoReporter() if found is None else found
    from .raven.foreign import RavenSentryReporter

    return RavenSentryReporter(made)


def capture_by_current(
    app: weakref.ref[Flask],
    error: BaseException,
    *,
    environ: Environ | None = None,
    handled: bool = False,
) -> str | None:
    """Report through the app's current reporter. None for a ``Sentry`` of raven's own class, which
    observes the app on its own."""
    watched = app()
    made = None if watched is None else made_for(watched)
    if watched is None or not hasattr(made, "reporter_for"):
        return None
    return reporter_for(watched, made).capture(error, environ=environ, handled=handled)
