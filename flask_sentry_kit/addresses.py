"""Addresses of this very app, as its visitor's browser must be given them.

Ground floor: knows a WSGI environment and nothing else. What comes out is always a path on the
host that the browser is on, in ASCII, with everything encoded that must be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

MOUNT_MAX: Final = 2_000
ASKED_MAX: Final = 8_000
"""Characters. nginx, Apache httpd and gunicorn take no longer request line by default."""

# What a path may hold unencoded (RFC 3986, section 3.3), and what a query may besides.
_PATH: Final = "/:@!$&'()*+,;=~"
_QUERY: Final = _PATH + "?%[]|^`{}"
_ABSOLUTE_FORM: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")


def _bytes(text: object) -> bytes:
    # WSGI's strings are bytes in Latin-1 (PEP 3333). A server that puts anything else there is
    # wrong, but its visitor gets a page.
    return str(text or "").encode("latin-1", "replace")


def encoded(path: str) -> str:
    """A path of the kit's own, percent-encoded."""
    return quote(path.encode("utf-8", "replace"), safe=_PATH)


def mount_point(environ: Mapping[str, Any]) -> str:
    """Where the app is mounted: empty, or ``/a/b`` with no slash at its end.

    ``SCRIPT_NAME`` may come from a header (``X-Forwarded-Prefix``), so it may be ``//evil`` or
    ``/\\evil``, which a browser takes for a host. One longer than ``MOUNT_MAX`` is no mount point.
    """
    script = str(environ.get("SCRIPT_NAME") or "").strip("/")
    if not script or len(script) > MOUNT_MAX:
        return ""
    return "/" + quote(_bytes(script), safe=_PATH)


def app_path(environ: Mapping[str, Any]) -> str:
    """The path that the app routes by, decoded: what ``request.path`` is, unless the app overrides
    that (CTFd puts its mount point in front)."""
    return "/" + _bytes(environ.get("PATH_INFO")).decode("utf-8", "replace").lstrip("/")


def asked_for(environ: Mapping[str, Any]) -> str:
    """The path and query that the browser asked for, as it encoded them.

    PEP 3333 gives the path decoded, where ``/a%2Fb`` and ``/a/b`` look the same. Most servers pass
    on what they read: gunicorn as ``RAW_URI``, waitress, uWSGI and mod_wsgi as ``REQUEST_URI``,
    Werkzeug as both. That is also right where middleware, or the server, gave the app another
    path. In front of it goes what a proxy took away before (``X-Forwarded-Prefix``). Where there
    is none, the decoded path is encoded again.

    :return: empty where it is longer than ``ASKED_MAX``: half an address leads elsewhere.
    """
    query = str(environ.get("QUERY_STRING") or "")
    script = str(environ.get("SCRIPT_NAME") or "").strip("/")
    script = f"/{script}" if script else ""
    path = str(environ.get("PATH_INFO") or "")
    if len(script) + len(path) + len(query) > ASKED_MAX:
        return ""
    decoded = _bytes(script + path)
    asked = quote(decoded, safe=_PATH)
    for name in ("RAW_URI", "REQUEST_URI"):
        raw = _raw_path(environ.get(name))
        behind_prefix = unquote_to_bytes(raw)
        if not behind_prefix:
            continue
        mounted = _bytes(script)
        if decoded.endswith(behind_prefix):
            prefix = decoded[: len(decoded) - len(behind_prefix)]
        else:
            is_inside = (behind_prefix + b"/").startswith(mounted + b"/")
            prefix = b"" if is_inside else mounted
        asked = quote(prefix, safe=_PATH) + raw
        break
    if asked.startswith("//"):
        # A browser takes "//evil" for a host, and "/.//evil" for the path "//evil" of this one.
        asked = f"/.{asked}"
    if query:
        asked += "?" + quote(_bytes(query), safe=_QUERY)
    return asked if len(asked) <= ASKED_MAX else ""


def _raw_path(target: object) -> str:
    """The path of a request target (RFC 9112, section 3.2), without anything that no browser
    sends in one; empty where there is none."""
    if not isinstance(target, str) or len(target) > ASKED_MAX:
        return ""
    if (host := _ABSOLUTE_FORM.match(target)) is not None:
        target = target[host.end() :]
    path = re.split(r"[?#]", target, maxsplit=1)[0]
    return quote(_bytes(path), safe=_PATH + "%") if path.startswith("/") else ""
