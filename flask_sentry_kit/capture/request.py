"""A Flask request as Sentry's http interface: read at crash time, bounded, scrubbed.

Touches the body only where the request has failed for good and nobody has read from it; a
request that goes on keeps its body to itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote

from werkzeug.wrappers import Request

from .scope import Environ
from .scrub import MASK, Scrubber
from .serialize import HOSTILE, Serializer, cut, safe_str

BODY_MAX: Final = 64_000
"""Bytes of a body that are read for an event; of a longer one only the length is told."""

_PATIENCE: Final = 0.5  # seconds
_HEADERS_MAX: Final = 60
_FORM_TYPES: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_ENV: Final = ("REMOTE_ADDR", "SERVER_NAME", "SERVER_PORT")


def http_interface(request: Request, serializer: Serializer, *, failed: bool) -> dict[str, Any]:
    """Sentry's ``request``: url, method, query_string, headers, cookies, env and data.

    :param request: any Werkzeug request; what it has parsed already is used as it is.
    :param failed: nobody will read from this request any more, so an untouched body of at most
        ``BODY_MAX`` bytes may be read now.
    """
    scrubber = serializer.scrubber
    environ = request.environ
    found: dict[str, Any] = {
        "url": cut(scrubber.text(_url(request, scrubber)), 2_000),
        "method": cut(request.method, 40),
        "query_string": cut(scrubber.query(request.query_string.decode("utf-8", "replace")), 4_000),
        "headers": _headers(request, serializer),
        "env": {name: safe_str(environ[name]) for name in _ENV if name in environ},
    }
    if request.cookies:
        # Which cookies came is worth knowing; what is in any of them is not ours to send.
        found["cookies"] = {cut(name, 100): MASK for name in list(request.cookies)[:50]}
    try:
        with _impatient(environ):
            data = _data(request, serializer, failed)
    except HOSTILE as error:
        # Client gone, over the app's own limit, or no valid form: the crash matters more.
        data = f"<not read: {type(error).__name__}>"
    if data not in (None, "", {}, []):
        found["data"] = data
    return found


def _url(request: Request, scrubber: Scrubber) -> str:
    """The address without its query, and without what a rule like ``/reset/<token>`` took."""
    hidden = [
        safe_str(value)
        for name, value in (getattr(request, "view_args", None) or {}).items()
        if scrubber.hides(name) and value
    ]
    if not hidden:
        return request.base_url
    path = request.path
    for value in hidden:
        path = path.replace(value, MASK)
    return request.root_url.rstrip("/") + quote(path, safe="/*:@!$&'()+,;=~")


@contextmanager
def _impatient(environ: Environ) -> Iterator[None]:
    """Wait no longer than ``_PATIENCE`` for bytes of a body.

    A client may never send what it announced, or the view may have taken it past Flask: the
    answer must not wait for it. Servers that read from the client themselves show their socket
    (Werkzeug, gunicorn, gevent); the others have the body already.
    """
    connection: Any = (
        environ.get("werkzeug.socket")
        or environ.get("gunicorn.socket")
        or getattr(environ.get("wsgi.input"), "socket", None)
    )
    try:
        before = connection.gettimeout()
        connection.settimeout(_PATIENCE)
    except Exception:
        yield
        return
    try:
        yield
    finally:
        connection.settimeout(before)


def _headers(request: Request, serializer: Serializer) -> dict[str, str]:
    scrubber = serializer.scrubber
    found = {}
    for name, value in list(request.headers.items())[:_HEADERS_MAX]:
        if scrubber.hides(name):
            found[name] = MASK
        elif name == "Referer":
            found[name] = cut(scrubber.url(value), 2_000)
        else:
            found[name] = cut(scrubber.text(value[:4_000]), 2_000)
    return found


def _data(request: Request, serializer: Serializer, failed: bool) -> Any:
    parsed = request.__dict__
    if "form" in parsed:
        return _form(request, serializer)
    body = parsed.get("_cached_data")
    if body is None:
        if not failed or "stream" in parsed or request.method in ("GET", "HEAD"):
            return None
        length = request.content_length
        if length is None:
            return None
        if length > BODY_MAX:
            return f"<body of {length} bytes>"
        if request.mimetype in _FORM_TYPES:
            return _form(request, serializer)
        body = request.get_data(cache=True, parse_form_data=False)
    if not body:
        return None
    if len(body) > BODY_MAX:
        return f"<body of {len(body)} bytes>"
    if request.is_json:
        # silent: a broken body is shown as the text that it is.
        value = request.get_json(silent=True, cache=False)
        if value is not None:
            return serializer.value(value)
    text = body.decode("utf-8", "replace")
    if request.mimetype == _FORM_TYPES[0]:
        return cut(serializer.scrubber.query(text), 8_000)
    if request.mimetype.startswith("text/") or request.is_json:
        return cut(serializer.scrubber.text(text[:9_000]), 8_000)
    return f"<body of {len(body)} bytes, {cut(request.mimetype, 100) or 'no type'}>"


def _form(request: Request, serializer: Serializer) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, values in list(request.form.lists())[: serializer.list_max]:
        shown = [serializer.named(name, value) for value in values[: serializer.list_max]]
        found[serializer.text(name)] = shown[0] if len(shown) == 1 else shown
    more = len(request.form) - serializer.list_max
    if more > 0:
        found["..."] = f"{more} more"
    for name, file in request.files.items(multi=True):
        if len(found) > serializer.list_max:
            break
        found[serializer.text(name)] = f"<file {cut(safe_str(file.filename), 200)}>"
    return found
