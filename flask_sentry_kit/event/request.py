"""Turns a Flask request into Sentry's http interface at crash time, bounded and scrubbed.

The body is read only if the request has failed for good and nobody has read from it. A request
that continues keeps its body.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Request

from ..addresses import app_path
from ..body_deadline import body_deadline
from ..compat import read_so_far
from ..containment import FOREIGN_ERRORS
from .scrub import MASK, Scrubber
from .serialize import Serializer, cut, safe_str

BODY_MAX: Final = 64_000
"""Largest body in bytes that is read for an event. For a longer one only the length is sent."""

BODY_SECONDS: Final = 0.5
"""Seconds until the whole body must have arrived, however slowly it is sent."""

_HEADERS_MAX: Final = 60
_NAMES_MAX: Final = 20
_URL_MAX: Final = 4_000
_PARSED_MAX: Final = 8_000  # longest header, in characters, that Werkzeug parses for us
# Headers that describe a browser and what it accepts. Many visitors send the same values.
_COMMON: Final = frozenset(
    "Accept Accept-Encoding Accept-Language Connection Content-Type Host User-Agent".split()
)
_FORM_TYPES: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_ENV: Final = ("REMOTE_ADDR", "SERVER_NAME", "SERVER_PORT")


def http_interface(request: Request, serializer: Serializer, *, failed: bool) -> dict[str, Any]:
    """Sentry's ``request``: url, method, query_string, headers, cookies, env and data.

    :param request: any Werkzeug request. Parts that it has already parsed are used unchanged.
    :param failed: nobody will read from this request any more, so an unread body of at most
        ``BODY_MAX`` bytes may be read now.
    """
    scrubber = serializer.scrubber
    environ = request.environ
    found: dict[str, Any] = {
        "url": scrubber.short_url(masked_url(request, scrubber), 2_000),
        "method": cut(request.method, 40),
        "query_string": scrubber.short_query(_query(request), 4_000),
        "headers": _headers(request, serializer),
        "env": {name: safe_str(environ[name]) for name in _ENV if name in environ},
    }
    if cookies := _cookies(request):
        found["cookies"] = cookies
    try:
        data = _data(request, serializer, failed)
    except FOREIGN_ERRORS as error:
        # The client is gone, the body exceeds the app's limit, or the form is invalid. The event
        # says so in place of the body.
        data = f"<not read: {type(error).__name__}>"
    if data not in (None, "", {}, []):
        found["data"] = data
    return found


def described_request(given: Mapping[str, Any], serializer: Serializer) -> dict[str, Any]:
    """Sentry's ``request`` from an app's own description, under the names of raven's
    ``http_context``. It is masked and bounded like ours."""
    scrubber = serializer.scrubber
    found: dict[str, Any] = {}
    for key, value in islice(given.items(), _NAMES_MAX):
        name = safe_str(key)
        if name == "url" and isinstance(value, str):
            found[name] = scrubber.short_url(value, 2_000)
        elif name == "query_string" and isinstance(value, str | bytes):
            text = value if isinstance(value, str) else value.decode("utf-8", "replace")
            found[name] = scrubber.short_query(text, 4_000)
        elif name == "headers" and isinstance(value, Mapping):
            pairs = ((safe_str(one), safe_str(said)) for one, said in value.items())
            found[name] = _shown_headers(pairs, serializer)
        elif name == "cookies" and isinstance(value, Mapping):
            found[name] = {cut(safe_str(one), 100): MASK for one in islice(value, 50)}
        elif name == "data" and isinstance(value, MultiDict):
            found[name] = _fields(value, serializer)
        elif name == "data" and isinstance(value, str | bytes):
            found[name] = _text_or_json(value, serializer)
        else:
            found[cut(name, 100)] = serializer.named(name, value)
    return found


def _text_or_json(data: str | bytes, serializer: Serializer) -> Any:
    if len(data) > BODY_MAX:
        return f"<body of {len(data)} bytes>"
    try:
        return serializer.value(json.loads(data))
    except (ValueError, RecursionError):
        text = data if isinstance(data, str) else data.decode("utf-8", "replace")
        return serializer.scrubber.short(text, 8_000)


def _query(request: Request) -> str:
    # Only the part of a long query that is used is decoded.
    return request.query_string[:20_000].decode("utf-8", "replace")


def masked_url(request: Request, scrubber: Scrubber) -> str:
    """The address without its query and without the secret arguments of its rule, such as
    ``/reset/<token>``."""
    arguments = getattr(request, "view_args", None) or {}
    hidden = [
        safe_str(value) for name, value in arguments.items() if scrubber.hides(name) and value
    ]
    path = app_path(request.environ)[:_URL_MAX]
    if not hidden:
        return _root(request) + _quoted(path)
    segments = path.split("/")
    for value in sorted(hidden, key=len, reverse=True):
        if value in segments:
            segments = [MASK if segment == value else segment for segment in segments]
        elif value in path or "/" in value:
            # Part of a segment, as in "/reset-<token>", or more than one.
            segments = "/".join(segments).replace(value[:_URL_MAX], MASK, 1).split("/")
        else:
            # A converter changed the value. The rule shows its position in the path.
            rule = getattr(request, "url_rule", None)
            segments = str(rule or MASK).split("/")
            break
    return _root(request) + _quoted("/".join(segments))


def _root(request: Request) -> str:
    root = f"{request.scheme}://{request.host}"[:_URL_MAX]
    return root + _quoted(request.root_path[:_URL_MAX].rstrip("/")) if request.root_path else root


def _quoted(path: str) -> str:
    if path.isascii() and path.replace("/", "").replace("_", "").isalnum():
        return path
    return quote(path, safe="/*:@!$&'()+,;=~<>", errors="replace")


def _headers(request: Request, serializer: Serializer) -> dict[str, str]:
    return _shown_headers(request.headers.items(), serializer)


def _shown_headers(headers: Iterable[tuple[Any, Any]], serializer: Serializer) -> dict[str, str]:
    scrubber = serializer.scrubber
    found = {}
    for name, value in islice(headers, _HEADERS_MAX):
        if len(name) > 100:
            name = cut(name, 100)
        if scrubber.hides(name):
            found[name] = MASK
        elif name in _COMMON:
            found[name] = scrubber.short_common(value, 2_000)
        elif name in ("Referer", "Location", "Origin") or value[:1] == "/":
            found[name] = scrubber.short_url(value, 2_000)
        else:
            found[name] = scrubber.short(value, 2_000)
    return found


def _cookies(request: Request) -> dict[str, str]:
    """The names of the cookies. Their values are never sent."""
    sent = len(request.environ.get("HTTP_COOKIE", ""))
    if (not sent or sent > _PARSED_MAX) and read_so_far(request).cookies is None:
        return {}
    return {cut(name, 100): MASK for name in islice(request.cookies, 50)}


def _data(request: Request, serializer: Serializer, failed: bool) -> Any:
    parsed = read_so_far(request)
    if parsed.form is not None:
        return _form(request, serializer)
    body = parsed.data
    if body is None:
        if not failed or parsed.stream is not None or request.method in ("GET", "HEAD"):
            return None
        length = request.content_length
        if length is None:
            return None
        if length > BODY_MAX:
            return f"<body of {length} bytes>"
        if len(request.headers.get("Content-Type", "")) > _PARSED_MAX:
            return f"<body of {length} bytes, of a type too long to read>"
        # The client may never send the announced bytes, or the view may have read them already.
        with body_deadline(request.environ, BODY_SECONDS):
            if request.mimetype in _FORM_TYPES:
                return _form(request, serializer)
            body = request.get_data(cache=True, parse_form_data=False)
    if not body:
        return None
    if len(body) > BODY_MAX:
        return f"<body of {len(body)} bytes>"
    if request.is_json:
        # silent, so that a broken body is shown as text.
        value = request.get_json(silent=True, cache=False)
        if value is not None:
            return serializer.value(value)
    text = body.decode("utf-8", "replace")
    if request.mimetype == _FORM_TYPES[0]:
        return serializer.scrubber.short_query(text, 8_000)
    if request.mimetype.startswith("text/") or request.is_json:
        return serializer.scrubber.short(text, 8_000)
    return f"<body of {len(body)} bytes, {cut(request.mimetype, 100) or 'no type'}>"


def _form(request: Request, serializer: Serializer) -> dict[str, Any]:
    found = _fields(request.form, serializer)
    for name, file in islice(request.files.items(multi=True), serializer.list_max):
        if len(found) > serializer.list_max:
            break
        found[serializer.text(name)] = f"<file {serializer.text(safe_str(file.filename))}>"
    return found


def _fields(form: MultiDict[Any, Any], serializer: Serializer) -> dict[str, Any]:
    found: dict[str, Any] = {}
    fields = list(islice(form.lists(), serializer.list_max))
    secret = serializer.secret_keys([(name, values[0]) for name, values in fields if values])
    for name, values in fields:
        shown = [
            MASK if name in secret and value else serializer.named(name, value)
            for value in values[: serializer.list_max]
        ]
        found[serializer.text(name)] = shown[0] if len(shown) == 1 else shown
    more = len(form) - serializer.list_max
    if more > 0:
        found["..."] = f"{more} more"
    return found
