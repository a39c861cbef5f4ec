"""The options of the hosted dialog, and the Content-Security-Policy sources that it needs.

Only the options: the page prints them, and ``static/dialog.js`` turns them into an address or has
@sentry/browser do so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ..crash import Crash
from ..dsn import Dsn
from ..settings import Settings
from ..text import well_formed


def report_dialog(
    crash: Crash, settings: Settings, lang: str | None = None
) -> dict[str, Any] | None:
    """The options of ``showReportDialog`` for one crash.

    :param lang: the page's language tag; an app's own ``lang`` in ``SENTRY_KIT_DIALOG`` wins.
    :return: ``eventId``, ``dsn`` (the public one), ``user`` when someone is signed in and
        ``SENTRY_KIT_PREFILL`` is on, then ``SENTRY_KIT_DIALOG``; None when there is no event
        or the dialog is switched off. Not escaped: the caller escapes it when printing.
    """
    if (
        settings.dialog is None
        or not crash.hosted_dialog
        or not crash.event_id
        or crash.dsn is None
    ):
        return None
    extra = dict(settings.dialog)
    user = extra.pop("user", None)
    user = dict(user) if isinstance(user, Mapping) else {}
    if settings.prefill:
        known = {"name": crash.user_name, "email": crash.user_email}
        user |= {key: value for key, value in known.items() if value}
    # eventId and dsn are set last, so that an app's options cannot attach a report to another
    # event. Their keys come first: the order of the keys is the order in the dialog's address.
    options: dict[str, Any] = {"eventId": "", "dsn": ""}
    if user:
        options["user"] = user
    options |= extra
    if lang:
        options.setdefault("lang", lang)
    options |= {"eventId": crash.event_id, "dsn": crash.dsn.public}
    return {key: _well_formed(value) for key, value in options.items()}


def _well_formed(value: Any) -> Any:
    """The option with every text in it well formed, so that the dialog's address can hold it."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, dict):
        return {key: _well_formed(inner) for key, inner in value.items()}
    return value


def policy_sources(dsn: Dsn | None, settings: Settings) -> dict[str, list[str]]:
    """The Content-Security-Policy sources that the hosted dialog needs, by directive.

    Every list begins with ``'self'``, because a specific directive replaces
    ``default-src 'self'``.

    :return: empty where there is no dialog.
    """
    if dsn is None or settings.dialog is None:
        return {}
    hosts = dsn.dialog_origins
    scripts = ["'self'", *hosts]
    if settings.raven_js.url:
        raven_js = urlsplit(settings.raven_js.url)
        if raven_js.netloc:
            scripts.append(f"{raven_js.scheme or 'https'}://{raven_js.netloc}")
    return {
        "script-src": scripts,
        "connect-src": ["'self'", *hosts],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
    }
