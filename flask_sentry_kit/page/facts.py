"""What the page's templates know besides the crash itself; they see it as ``sentry_kit``.

Looked up before any template runs, so that the bundled page needs nothing of the app's.
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

# A second slash or a backslash makes another host of it; browsers drop tabs and line ends.
_PATH: Final = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")
_NONCE: Final = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")


@dataclass(frozen=True, slots=True)
class Script:
    """A script element of the page."""

    url: str
    integrity: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything here is safe to print: addresses are checked, ``dialog`` is escaped for script."""

    lang: str
    dir: str
    brand: Brand
    nonce: str
    """The app's nonce for Content-Security-Policy, or empty."""
    stylesheet: str
    icon: str
    """Of the kit's own: a browser that is given none asks for /favicon.ico, which may crash too."""
    scripts: tuple[Script, ...]
    dialog: Markup
    """The options of showReportDialog as a JavaScript object, or empty: no dialog."""
    sent_by_visitor: bool
    """The failed request carried something to save: its method was not GET or HEAD."""
    retry_url: str
    """Path of the failed page, for a GET; else empty."""
    back_url: str
    """Path of the page before, where the browser named one of this host; else empty."""
    home_url: str
    support_url: str
    """A mailto with the reference filled in, or empty."""


EVERYTHING: Final = Facts(
    lang="en",
    dir="ltr",
    brand=Brand(name="name", logo_url="/logo", support_email="support@example.com"),
    nonce="nonce",
    stylesheet="/crash.css",
    icon="/icon.png",
    scripts=(Script("/dialog.js", "sha384-"),),
    dialog=Markup("{}"),
    sent_by_visitor=True,
    retry_url="/retry",
    back_url="/back",
    home_url="/",
    support_url="mailto:support@example.com",
)
"""Every fact present."""


def local_path(url: str) -> str:
    """The address if it is a path on this very host, else nothing."""
    return url if _PATH.fullmatch(url) else ""


def retry_url(crash: Crash) -> str:
    """Where trying again leads. Sending a form again is the visitor's choice, not a link's."""
    return local_path(crash.url) if crash.method == "GET" else ""


def back_url(crash: Crash, request: Request, feedback: FeedbackForm | None = None) -> str:
    """The page before this one, if the Referer names one of the same scheme, host and port.

    :param feedback: the page's form: where it posts to is no page.
    """
    referer = headers.value(request.environ, "HTTP_REFERER")
    if not referer:
        return ""
    try:
        parts = urlsplit(referer)
        here = urlsplit(request.host_url)
    except (ValueError, HTTPException):
        # No address, or (SecurityError) no host of this app's: the visitor wrote that, so it is no
        # fault to report.
        return ""
    if (parts.scheme, parts.netloc) != (here.scheme, here.netloc):
        return ""
    path = local_path((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    if feedback is not None and path == feedback.action:
        return ""
    # Back to where one stands is no way back; after a POST it is the form's page.
    return "" if path == crash.url and crash.method == "GET" else path


def support_url(brand: Brand, crash: Crash, language: Language) -> str:
    """A mail to the support address that says what it is about (RFC 6068)."""
    if not brand.support_email:
        return ""
    subject = language.say("Something broke on our side.")
    address = "mailto:" + quote(well_formed(brand.support_email), safe="@")
    if not crash.event_id:
        return f"{address}?subject={quote(subject)}"
    body = f"\r\n\r\n{language.say('Reference:')} {well_formed(crash.event_id)}\r\n"
    return f"{address}?subject={quote(subject)}&body={quote(body)}"


def nonce(app: Flask, request: Request) -> str:
    """The nonce of this request, as Flask-Talisman and others offer it.

    Looked for in the ``csp_nonce`` of the Jinja globals, of ``request`` and of ``g``; a string or
    a callable. What is no nonce (CSP 3, section 2.3.1) is passed over.
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
