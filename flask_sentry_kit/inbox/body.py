"""Request bodies within bounds: read, decompressed, decoded. Knows nothing of what is in them."""

from __future__ import annotations

import json
import zlib
from typing import Any, Final

from flask import Request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

MAX_WIRE: Final = 2 * 2**20
"""Bytes of a body as it comes over the wire. Sentry's own events stay under 1 MB."""

MAX_PLAIN: Final = 8 * 2**20
"""Bytes of a body after decompression. raven's largest event seen was 6 MB."""

MAX_FORM: Final = 64 * 2**10
"""Bytes of a visitor's report."""


def read(request: Request) -> bytes:
    """The request's body, decompressed.

    :raises BadRequest: for a body that is not what its Content-Encoding says.
    :raises RequestEntityTooLarge: over :data:`MAX_WIRE`, or over :data:`MAX_PLAIN` when
        decompressed; what is beyond the limit is never decompressed.
    :raises UnsupportedMediaType: for an encoding other than gzip, deflate or none; says in
        ``Accept-Encoding`` which are taken (RFC 9110, section 12.5.3).
    """
    data = request.get_data(cache=False)
    if len(data) > MAX_WIRE:
        raise RequestEntityTooLarge("The body is too large.")
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return data
    if encoding in ("gzip", "x-gzip"):
        return _inflate(data, zlib.MAX_WBITS | 16)
    if encoding == "deflate":
        # raven sends zlib's format, as RFC 9110 has it; some clients send it bare.
        try:
            return _inflate(data, zlib.MAX_WBITS)
        except BadRequest:
            return _inflate(data, -zlib.MAX_WBITS)
    raise UnsupportedMediaType("Content-Encoding must be gzip, deflate or none.")


def _inflate(data: bytes, wbits: int) -> bytes:
    machine = zlib.decompressobj(wbits)
    try:
        plain = machine.decompress(data, MAX_PLAIN + 1)
    except zlib.error:
        raise BadRequest("The body is not what its Content-Encoding says.") from None
    if len(plain) > MAX_PLAIN:
        raise RequestEntityTooLarge("The decompressed body is too large.")
    if not machine.eof or machine.unused_data:
        raise BadRequest("The compressed body is cut short or has something behind it.")
    return plain


def parse(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`.

    :raises BadRequest: for anything else, however deep, odd or long.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        # UnicodeDecodeError and a number of over 4,300 digits are ValueErrors too.
        raise BadRequest("The body is not JSON.") from None
    if not isinstance(value, dict):
        raise BadRequest("The body is not a JSON object.")
    return value
