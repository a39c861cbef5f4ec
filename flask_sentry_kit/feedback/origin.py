"""The origin that a visitor's words are passed on with: the browser's own, else the app's.

Sentry accepts words from the hosts that a project allows, which are those in visitors' address
bars. Behind a proxy that rewrites ``Host`` the app does not know its own; the browser does.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from flask import Request
from werkzeug.exceptions import HTTPException

from .. import headers

LENGTH_MAX: Final = 300
"""Characters: the longest name there is (RFC 1035, section 2.3.4), a scheme and a port."""

_LABEL: Final = "[a-z0-9_-]{1,63}"
_ORIGIN: Final = re.compile(
    rf"https?://(?:{_LABEL}(?:\.{_LABEL})*\.?|\[(?P<ipv6>[0-9a-f:.]+)\])(?::(?P<port>[0-9]{{1,5}}))?"
)


def well_formed(text: str) -> str:
    """One http(s) origin, as browsers write it (RFC 6454, section 6.2), in lower case.

    :return: empty for anything else: ``null``, two origins, a path, a user name, a name that is
        not in Punycode, a port or an IPv6 address that cannot be.
    """
    if len(text) > LENGTH_MAX or not text.isascii():
        return ""
    origin = text.lower()
    found = _ORIGIN.fullmatch(origin)
    if found is None or not 0 < int(found["port"] or 1) < 65_536:
        return ""
    if found["ipv6"]:
        try:
            ipaddress.IPv6Address(found["ipv6"])
        except ValueError:
            return ""
    return origin


def origin_of(request: Request) -> str:
    """The origin of the page from which a form was sent; empty if it is not known.

    It is the ``Origin`` that the browser sent, unless ``Sec-Fetch-Site`` says that the form is
    another site's. A program may send any; but it needs a token, and with the public DSN of the
    page it could as well write to Sentry itself. ``null``, which browsers send from a page with
    ``Referrer-Policy: no-referrer``, counts as none: then it is the app's own.
    """
    environ = request.environ
    if "HTTP_SEC_FETCH_SITE" not in environ or headers.says(
        environ, "HTTP_SEC_FETCH_SITE", "same-origin"
    ):
        origin = well_formed(headers.value(environ, "HTTP_ORIGIN"))
        if origin:
            return origin
    try:
        # Not request.host_url, which writes an international name in its own letters.
        return well_formed(f"{request.scheme}://{request.host}")
    except (HTTPException, ValueError):
        return ""
