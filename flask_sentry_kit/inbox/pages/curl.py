"""Writes an event's request as a curl command, to be read and pasted; nothing here runs one.

Every part of an event is a value between quotes: none can end the command, name an option, or have
curl read a file, as it does for ``@name`` in many of its options.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from ..content.event_parts import dict_of, either
from ..content.request_headers import by_need

_LONGEST: Final = 64_000
"""Characters of the body. Linux takes 128 KiB in one argument."""

_PAIRS: Final = 200
_VALUE: Final = 8_000
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_METHOD = re.compile(r"[A-Za-z]{1,20}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_KEPT: Final = "!#$%&'()*+,/:;=?@[]~"

# What curl says itself, and what only a browser says.
_LEFT_OUT: Final = frozenset(
    "connection content-length transfer-encoding content-encoding keep-alive te upgrade priority"
    " upgrade-insecure-requests accept-encoding cache-control pragma dnt expect trailer".split()
)


@dataclass(frozen=True, slots=True)
class Curl:
    """A command, and what it leaves out."""

    command: str
    """Empty if the event has no HTTP address."""
    notes: tuple[str, ...] = ()


def curl_of(body: Mapping[str, Any]) -> Curl:
    """The command that repeats the event's request.

    Values that the client masked stay as they are: what replaces them is seen, and has to be filled
    in.

    :param body: the event, cleaned.
    """
    request = dict_of(either(body, "request", "sentry.interfaces.Http"))
    url = _url(request)
    if not url:
        return Curl("")
    method = request.get("method")
    method = method.upper() if isinstance(method, str) and _METHOD.fullmatch(method) else "GET"
    headers = _headers(request, urlsplit(url).netloc)
    notes: list[str] = []
    data = _data(request.get("data"), headers, notes)
    words = ["curl"]
    if any(char in url for char in "[]{}"):
        words.append("--globoff")
    if "/." in url:
        words.append("--path-as-is")
    if method == "HEAD":
        words.append("--head")
    elif method != ("POST" if data else "GET"):
        words += ["-X", method]
    lines = [" ".join([*words, shlex.quote(url)])]
    lines += [
        f"-H {shlex.quote(f'{name}: {value}' if value else f'{name};')}" for name, value in headers
    ]
    lines += [f"{option} {shlex.quote(value)}" for option, value in data]
    return Curl(" \\\n  ".join(lines), tuple(notes))


def _url(request: Mapping[str, Any]) -> str:
    url = request.get("url")
    try:
        if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
            return ""
        if not urlsplit(url).hostname:
            return ""
    except ValueError:
        return ""
    query = request.get("query_string")
    if not isinstance(query, str):
        query = urlencode(list(_pairs(query)), errors="replace")
    if query and "?" not in url:
        url = f"{url.partition('#')[0]}?{query}"
    return quote(url[:_VALUE], safe=_KEPT, errors="replace")


def _headers(request: Mapping[str, Any], host: str) -> list[tuple[str, str]]:
    found = [
        (name, _one_line(value))
        for name, value in _pairs(request.get("headers"))
        if _TOKEN.fullmatch(name)
        and name.lower() not in _LEFT_OUT
        and not name.lower().startswith("sec-")
        and not (name.lower() == "host" and value == host)
    ]
    cookies = _one_line(
        "; ".join(f"{name}={value}" for name, value in _pairs(request.get("cookies")))
    )
    if cookies and not any(name.lower() == "cookie" for name, _ in found):
        found.append(("Cookie", cookies))
    first, last = by_need(tuple(found))
    return [*first, *last]


def _data(data: Any, headers: list[tuple[str, str]], notes: list[str]) -> list[tuple[str, str]]:
    """The options that send the body. May take the Content-Type out of the headers."""
    if data is None or data in ("", {}, []):
        return []
    kind = next((value for name, value in headers if name.lower() == "content-type"), "")
    kind = kind.partition(";")[0].strip().lower()
    if kind == "multipart/form-data" and isinstance(data, dict | list):
        # curl chooses the boundary, so it has to write this header.
        headers[:] = [pair for pair in headers if pair[0].lower() != "content-type"]
        fields = list(_pairs(data))
        sent = [(name, value) for name, value in fields if name and "=" not in name]
        if len(sent) < len(fields):
            notes.append("curl has no way to send a field with = in its name: some are left out.")
        return [("--form-string", f"{_plain(name)}={_plain(value)}") for name, value in sent]
    if isinstance(data, str):
        whole = _plain(data[: _LONGEST + 1])
    elif kind == "application/x-www-form-urlencoded":
        # What replaces a masked value stays legible.
        whole = urlencode(list(_pairs(data)), safe="*[]", errors="replace")
        if len(data) > _PAIRS:
            notes.append(f"Only the first {_PAIRS} of {len(data):,} fields are in it.")
    else:
        whole = _json_of(data)
        whole = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", whole)
        if not kind:
            headers.append(("Content-Type", "application/json"))
    if len(whole) > _LONGEST:
        notes.append(f"The body is left out: it has more than {_LONGEST:,} characters.")
        return []
    return [("--data-raw", whole)]


def _json_of(value: Any) -> str:
    """The value as JSON; the beginning of it if it is too long."""
    parts: list[str] = []
    left = _LONGEST
    for part in json.JSONEncoder(ensure_ascii=False).iterencode(value):
        parts.append(part)
        left -= len(part)
        if left < 0:
            break
    return "".join(parts)


def _pairs(value: Any) -> Iterable[tuple[str, str]]:
    """A mapping or a list of pairs as pairs of text; a list in it is that name several times."""
    items = value.items() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in list(items)[:_PAIRS]:
        if isinstance(item, list | tuple) and len(item) == 2 and isinstance(item[0], str):
            for one in item[1] if isinstance(item[1], list) else [item[1]]:
                yield item[0][:_VALUE], _text(one)


def _text(value: Any) -> str:
    if isinstance(value, dict | list):
        return _json_of(value)[:_VALUE]
    return "" if value is None else str(value)[:_VALUE]


def _plain(text: str) -> str:
    """Text that a terminal can take: no control character may end a paste or move the cursor."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _one_line(text: str) -> str:
    return " ".join(_plain(text).split())
