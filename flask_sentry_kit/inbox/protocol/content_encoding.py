"""Unpacks a body by its Content-Encoding, bounded in bytes and in time.

brotli is an optional package. sentry-sdk packs with it wherever it is installed beside an app.
"""

from __future__ import annotations

import time
import zlib
from typing import Any, Final

from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

# brotli gets its input in pieces of so many bytes, and gives its output in pieces of about as many.
_PIECE: Final = 16 * 2**10
_SECONDS: Final = 0.25
"""Processor time for one body of brotli. The largest real events take a tenth of it; 2 MB that are
made to be slow would take 1.7 s."""


class MissingBrotliError(UnsupportedMediaType):
    """A body is packed with brotli, and no package is here to unpack it."""

    description = (
        "The body is packed with brotli (Content-Encoding: br), and the inbox has no package to"
        " unpack it. Install it where the inbox runs, and start the inbox again:"
        " pip install 'flask-sentry-kit[inbox]'"
    )


def accepted() -> str:
    """The encodings that can be unpacked here, for ``Accept-Encoding``."""
    return "gzip, deflate" if _brotli() is None else "gzip, deflate, br"


def unpack(data: bytes, encoding: str, most: int) -> bytes | None:
    """The unpacked data; None if it has more than `most` bytes.

    :param encoding: the value of ``Content-Encoding``, in lower case.
    :raises BadRequest: the data is not what its encoding says.
    :raises RequestEntityTooLarge: it takes too long to unpack.
    :raises UnsupportedMediaType: the encoding is not known, or is br and brotli is missing.
    """
    if encoding in ("", "identity"):
        return data
    if encoding in ("gzip", "x-gzip"):
        return _inflate(data, zlib.MAX_WBITS | 16, most)
    if encoding == "deflate":
        # raven sends zlib's format, as RFC 9110 says; some clients send deflate without its header.
        try:
            return _inflate(data, zlib.MAX_WBITS, most)
        except BadRequest:
            return _inflate(data, -zlib.MAX_WBITS, most)
    if encoding == "br":
        return _unpack_brotli(data, most)
    raise UnsupportedMediaType("This Content-Encoding cannot be read here.")


def _inflate(data: bytes, wbits: int, most: int) -> bytes | None:
    machine = zlib.decompressobj(wbits)
    try:
        plain = machine.decompress(data, most + 1)
    except zlib.error:
        raise BadRequest("The body is not what its Content-Encoding says.") from None
    if len(plain) > most:
        return None
    if not machine.eof or machine.unused_data:
        raise BadRequest("The compressed body is cut short or has something behind it.")
    return plain


def _unpack_brotli(data: bytes, most: int) -> bytes | None:
    brotli = _brotli()
    if brotli is None:
        raise MissingBrotliError
    machine = brotli.Decompressor()
    parts: list[bytes] = []
    size = 0
    latest = time.thread_time() + _SECONDS
    try:
        for at in range(0, len(data), _PIECE):
            piece = data[at : at + _PIECE]
            while part := machine.process(piece, output_buffer_limit=_PIECE):
                parts.append(part)
                size += len(part)
                if size > most:
                    return None
                piece = b""
                if machine.is_finished():
                    break
            # A few bytes may hold tables that take long to read, and no text.
            if time.thread_time() > latest:
                raise RequestEntityTooLarge("The body takes too long to unpack.")
    except brotli.error:
        # Also where something is behind the end.
        raise BadRequest("The body is not what its Content-Encoding says.") from None
    if not machine.is_finished():
        raise BadRequest("The compressed body is cut short.")
    return b"".join(parts)


def _brotli() -> Any | None:
    """The package brotli, if it is here and can bound its output, as it can from 1.2 on."""
    try:
        import brotli

        brotli.Decompressor().process(b"", output_buffer_limit=1)
    except (ImportError, AttributeError, TypeError):
        return None
    return brotli
