"""Addresses within this app, in the form that the visitor's browser needs.

Ground floor: uses only the WSGI environment. Each result is a path on the host that the browser
is on, in ASCII, with all encoding that is required.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

MOUNT_MAX: Final = 2_000
ASKED_MAX: Final = 8_000
"""Characters. nginx, Apache httpd and gunicorn accept no longer request line by default."""

# Characters that need no encoding in a path (RFC 3986, section 3.3), and further ones in a query.
_PATH: Final = "/:@!$&'()*+,;=~"
_QUERY: Final = _PATH + "?%[]|^`{}"
_ABSOLUTE_FORM: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")


def _bytes(text: object) -> bytes:
    # WSGI's strings are bytes in Latin-1 (PEP 3333). A server that gives anything else is wrong,
    # but its visitors still get a page.
    return str(text or "").encode("latin-1", "replace")


def encoded(path: str) -> str:
    """One of the kit's own paths, percent-encoded."""
    return quote(path.encode("utf-8", "replace"), safe=_PATH)


def mount_point(environ: Mapping[str, Any]) -> str:
    """Where the app is mounted: empty, or ``/a/b`` with no slash at its end.

    ``SCRIPT_NAME`` may come from a header (``X-Forwarded-Prefix``), so it may be ``//evil`` or
    ``/\\evil``, which a browser takes for a host. If longer than ``MOUNT_MAX``, it is ignored.
    """
    script = str(environ.get("SCRIPT_NAME") or "").strip("/")
    if not script or len(script) > MOUNT_MAX:
        return ""
    return "/" + quote(_bytes(script), safe=_PATH)


def app_path(environ: Mapping[str, Any]) -> str:
    """The decoded path that the app routes by. It equals ``request.path`` unless the app overrides
    that (CTFd puts its mount point in front)."""
    return "/" + _bytes(environ.get("PATH_INFO")).decode("utf-8", "replace").lstrip("/")


def asked_for(environ: Mapping[str, Any]) -> str:
    """The path and query that the browser requested, as it encoded them.

    PEP 3333 gives the path decoded, so ``/a%2Fb`` and ``/a/b`` look the same. Most servers also
    give the path as they read it: gunicorn as ``RAW_URI``, waitress, uWSGI and mod_wsgi as
    ``REQUEST_URI``, Werkzeug as both. It is correct even if middleware or the server gave the app
    a different path. A prefix that a proxy removed (``X-Forwarded-Prefix``) is put in front. If
    the server gives no such path, the decoded path is encoded again.

    :return: empty if it is longer than ``ASKED_MAX``: a cut address would lead elsewhere.
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
    """The path of a request target (RFC 9112, section 3.2), with characters encoded that browsers
    never send in one; empty if there is no path."""
    if not isinstance(target, str) or len(target) > ASKED_MAX:
        return ""
    if (host := _ABSOLUTE_FORM.match(target)) is not None:
        target = target[host.end() :]
    path = re.split(r"[?#]", target, maxsplit=1)[0]
    return quote(_bytes(path), safe=_PATH + "%") if path.startswith("/") else ""
