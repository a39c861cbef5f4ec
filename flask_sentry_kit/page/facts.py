"""The page's data besides the crash itself; templates know it as ``sentry_kit``.

Gathered before any template runs, so that the bundled page needs nothing from the app.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from flask import Flask, Request, g
from markupsafe import Markup
from werkzeug.exceptions import HTTPException

from .. import headers
from ..crash import Crash, FeedbackForm
from ..phrases import Language
from ..settings import Brand
from ..text import well_formed

# Browsers read "//" and "/\" as the start of a host name, and drop tabs and line ends.
_PATH: Final = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")
_NONCE: Final = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")


@dataclass(frozen=True, slots=True)
class Script:
    """A script element of the page."""

    url: str
    integrity: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Every field is safe to print: addresses are checked, ``dialog`` is escaped for script."""

    lang: str
    dir: str
    brand: Brand
    nonce: str
    """The request's Content-Security-Policy nonce from the app, or empty."""
    stylesheet: str
    icon: str
    """The kit's own icon. Without one a browser requests /favicon.ico, which may crash as well."""
    scripts: tuple[Script, ...]
    dialog: Markup
    """The options of showReportDialog as a JavaScript object; empty where there is no dialog."""
    sentry_browser: bool
    """The app's page has @sentry/browser, which opens the dialog."""
    sent_by_visitor: bool
    """The failed request may have sent data: its method was not GET or HEAD."""
    retry_url: str
    """Path of the failed page if the method was GET; else empty."""
    back_url: str
    """Path of the previous page if the browser named one on this host; else empty."""
    home_url: str
    support_url: str
    """A ``mailto:`` address with the reference filled in, or empty."""


EVERYTHING: Final = Facts(
    lang="en",
    dir="ltr",
    brand=Brand(name="name", logo_url="/logo", support_email="support@example.com"),
    nonce="nonce",
    stylesheet="/crash.css",
    icon="/icon.png",
    scripts=(Script("/dialog.js", "sha384-"),),
    dialog=Markup("{}"),
    sentry_browser=True,
    sent_by_visitor=True,
    retry_url="/retry",
    back_url="/back",
    home_url="/",
    support_url="mailto:support@example.com",
)
"""An example in which no field is empty."""


def local_path(url: str) -> str:
    """The address if it is a path on this host, else an empty string."""
    return url if _PATH.fullmatch(url) else ""


def retry_url(crash: Crash) -> str:
    """The address for trying again. GET only: a link must not send a form a second time."""
    return local_path(crash.url) if crash.method == "GET" else ""


def back_url(crash: Crash, request: Request, feedback: FeedbackForm | None = None) -> str:
    """The previous page, if the Referer names one with the same scheme, host and port.

    :param feedback: the page's form; its address is no page to go back to.
    """
    referer = headers.value(request.environ, "HTTP_REFERER")
    if not referer:
        return ""
    try:
        parts = urlsplit(referer)
        here = urlsplit(request.host_url)
    except (ValueError, HTTPException):
        # A malformed address, or (SecurityError) a host that this app does not trust. The client
        # sent it, so it is not an error of the app and is not reported.
        return ""
    if (parts.scheme, parts.netloc) != (here.scheme, here.netloc):
        return ""
    path = local_path((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    if feedback is not None and path == feedback.action:
        return ""
    # After a GET, a link back to the same page is useless; after a POST it leads to the form.
    return "" if path == crash.url and crash.method == "GET" else path


def support_url(brand: Brand, crash: Crash, language: Language) -> str:
    """A ``mailto:`` address with a subject, and with the reference in its body (RFC 6068)."""
    if not brand.support_email:
        return ""
    subject = language.say("Something broke on our side.")
    address = "mailto:" + quote(well_formed(brand.support_email), safe="@")
    if not crash.event_id:
        return f"{address}?subject={quote(subject)}"
    body = f"\r\n\r\n{language.say('Reference:')} {well_formed(crash.event_id)}\r\n"
    return f"{address}?subject={quote(subject)}&body={quote(body)}"


def nonce(app: Flask, request: Request) -> str:
    """The nonce of this request, as Flask-Talisman and other extensions provide it.

    Read from ``csp_nonce`` in the Jinja globals, on ``request`` and on ``g``; a string or a
    callable. A value that is not a valid nonce (CSP 3, section 2.3.1) is skipped.
    """
    of_request = g._get_current_object()
    for found in (
        app.jinja_env.globals.get("csp_nonce"),
        getattr(request, "csp_nonce", None),
        getattr(of_request, "csp_nonce", None),
    ):
        value = found() if callable(found) else found
        if value and _NONCE.fullmatch(str(value)):
            return str(value)
    return ""
