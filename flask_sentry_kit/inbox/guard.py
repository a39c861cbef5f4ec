"""Who may read and change the inbox: checks all requests but those for Sentry's addresses.

Pages of all origins may send to Sentry's addresses, as at Sentry, and the DSN's key is asked for
there. Everything else is for the developer alone: the name in Host, the page that a browser sends
from, and the password are checked here, and every answer gets the headers that keep it apart from
other sites.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    HTTPException,
    RequestEntityTooLarge,
    TooManyRequests,
    Unauthorized,
)

from .password import Password
from .paths import is_sentrys

# Only the inbox's own files are loaded, no text becomes a script, and no site may frame a page. An
# event or a visitor's words cannot bring a script, a style or an address that is loaded.
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self';"
    " img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'"
)

_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # A page copies a command or Markdown when its reader asks it to, and does nothing else.
    "Permissions-Policy": (
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), serial=(),"
        " usb=(), clipboard-read=(), clipboard-write=(self)"
    ),
    # Not "no-referrer", with which our own forms would send no Origin.
    "Referrer-Policy": "same-origin",
    # For browsers that do not know frame-ancestors.
    "X-Frame-Options": "DENY",
}

_PARAMETERS: Final = 100

# Bytes of a body for a page or the API: the marks of a thousand crashes. Werkzeug takes a minute
# for the millions of fields that a long form may have.
_BODY: Final = 64 * 2**10

_API: Final = "/api/"
"""The API for tools. It is no address of Sentry's, though it begins as those do."""

_SENTRYS_ROOMS: Final = ("wire", "error_page")

# What a form on another site can send (HTML, "Form submission"). For any other type a browser asks
# first, and the inbox never agrees.
_FORM_TYPES: Final = ("", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain")

# Fetch Metadata: a page may be opened, and may not be put into another site's page.
_EMBEDDED: Final = ("embed", "fencedframe", "frame", "iframe", "object")

_EXTENSION: Final = "sentry_kit_inbox_guard"


class MisdirectedRequest(HTTPException):
    """421: this name is not allowed (RFC 9110, section 15.5.20). Werkzeug has it from 3.1 on."""

    code = 421


@dataclass(frozen=True, slots=True)
class Guard:
    """The checks of one inbox.

    :param hosts: the allowed names, in lower case and without a dot at the end.
    :param password: without one, everyone who reaches the inbox may read it.
    """

    hosts: frozenset[str]
    password: Password | None = None

    def check(self) -> None:
        """Check the current request.

        :raises BadRequest: more parameters than any client sends.
        :raises MisdirectedRequest: a name that is not ours in Host. With DNS rebinding an attacker
            makes such a name lead to this machine; it is never an address or localhost.
        :raises Unauthorized: no password, or a wrong one.
        :raises TooManyRequests: too many wrong passwords from this address.
        :raises Forbidden: another site's page sends this.
        :raises RequestEntityTooLarge: a body that is longer than any page or program needs.
        """
        # Werkzeug parses all parameters when the first one is used.
        if request.query_string.count(b"&") >= _PARAMETERS:
            raise BadRequest(f"The address has more than {_PARAMETERS} parameters.")
        if is_for_sentry():
            return
        if not self._is_own_host(request.host):
            raise MisdirectedRequest(
                "The inbox is not read under this name; start it with --allow-host to allow it."
            )
        if not _is_from_here():
            raise Forbidden("This can only be done from the inbox's own pages.")
        if self.password is not None:
            self._ask_password(self.password)
        # The server knows the length also of a body that came in chunks.
        if (request.content_length or 0) > _BODY:
            raise RequestEntityTooLarge(f"The body has more than {_BODY // 2**10} kB.")

    def _ask_password(self, password: Password) -> None:
        # Werkzeug raises a ValueError for letters that base64 does not have.
        readable = request.headers.get("Authorization", "").isascii()
        given = request.authorization if readable else None
        if given is None or given.type != "basic" or not given.password:
            raise _unauthorized("The inbox asks for its password; any user name will do.")
        wait = password.wait_after(request.remote_addr or "", given.password)
        if wait is None:
            raise _unauthorized("This is not the inbox's password.")
        if wait:
            raise TooManyRequests(
                f"There were too many wrong passwords. Try again in {wait} seconds.",
                retry_after=wait,
            )

    def _is_own_host(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        name = name.rstrip(".")
        if name == "localhost" or name.endswith(".localhost") or name in self.hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def install(app: Flask, hosts: Collection[str], password: Password | None) -> None:
    """Have an app check each request.

    :param hosts: names besides ``localhost`` and addresses under which the pages may be read.
    """
    guard = Guard(frozenset(name.lower().rstrip(".") for name in hosts), password)
    app.extensions[_EXTENSION] = guard
    app.before_request(guard.check)


def has_password(app: Flask) -> bool:
    """Whether an inbox asks for a password before it is read."""
    guard: Guard = app.extensions[_EXTENSION]
    return guard.password is not None


def is_for_sentry() -> bool:
    """Whether the current request is for one of the addresses that Sentry has too.

    The router's own choice decides, so that no spelling of a path is one address to the guard and
    another to the router. Where it chose nothing, nothing is done but to refuse.
    """
    if request.url_rule is not None and request.blueprint not in _SENTRYS_ROOMS:
        return False
    return is_sentrys(request.path)


def protect(response: Response) -> Response:
    """Add the headers of everything that is not Sentry's."""
    for name, value in _HEADERS.items():
        # What a visitor attached is sent with a stricter policy of its own.
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response


def _is_from_here() -> bool:
    """Whether the request comes from our own page, from no page, or only opens a page."""
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site")
    if origin is not None:
        # Without the scheme, which differs behind a proxy that ends TLS.
        scheme, _, host = origin.partition("://")
        return scheme in ("http", "https") and host.lower() == request.host.lower()
    changes = request.method not in ("GET", "HEAD", "OPTIONS")
    if site is None:
        # Every browser says one of the two with a POST. This is curl, or a program.
        return not changes or _no_form_can_send_it()
    if site == "same-origin" or (site == "none" and not changes):
        return True
    # A link on another site.
    return (
        not changes
        and request.headers.get("Sec-Fetch-Mode") == "navigate"
        and request.headers.get("Sec-Fetch-Dest") not in _EMBEDDED
    )


def _no_form_can_send_it() -> bool:
    return request.path.startswith(_API) or request.mimetype not in _FORM_TYPES


def _unauthorized(reason: str) -> Unauthorized:
    return Unauthorized(
        reason,
        www_authenticate=WWWAuthenticate("basic", {"realm": "the inbox", "charset": "UTF-8"}),
    )
