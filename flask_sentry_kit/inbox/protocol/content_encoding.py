"""Unpacks a body by its Content-Encoding, bounded in bytes and in time.

brotli and zstandard are optional packages. sentry-sdk packs with brotli wherever it is installed
beside an app, and relays and newer clients pack with zstd.
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

_WINDOW: Final = 8 * 2**20
"""Bytes that zstd may look back, the most that a body may ask for (RFC 9659)."""

_BLOCKS: Final = 20_000
"""Blocks of one body of zstd. Each holds up to 128 kB, so the largest event has 64. Each may have
tables of its own, which take microseconds to read, and 2 MB can hold 150,000."""


class MissingPackageError(UnsupportedMediaType):
    """No package is here to unpack this body.

    :param package: its name, ``brotli`` or ``zstandard``.
    :param encoding: as ``Content-Encoding`` says it.
    """

    def __init__(self, package: str, encoding: str) -> None:
        self.package = package
        super().__init__(
            f"The body is packed with Content-Encoding: {encoding}, and the inbox has no package"
            f" {package} that can unpack it. Install it where the inbox runs, and start the inbox"
            " again: pip install 'flask-sentry-kit[inbox]'"
        )


GZIP: Final = ("gzip", "x-gzip")


def accepted() -> str:
    """The encodings that can be unpacked here, for ``Accept-Encoding``."""
    found = ["gzip", "deflate"]
    found += ["br"] if _brotli() is not None else []
    found += ["zstd"] if _zstandard() is not None else []
    return ", ".join(found)


def unpack(data: bytes, encoding: str, most: int) -> bytes | None:
    """The unpacked data; None if it has more than `most` bytes.

    :param encoding: the value of ``Content-Encoding``, in lower case.
    :raises BadRequest: the data is not what its encoding says.
    :raises RequestEntityTooLarge: it takes too long to unpack.
    :raises UnsupportedMediaType: the encoding is not known, or the package for it is missing.
    """
    if encoding in ("", "identity"):
        return data
    if encoding in GZIP:
        return _inflate(data, zlib.MAX_WBITS | 16, most)
    if encoding == "deflate":
        return unpack_deflate(data, most)[0]
    if encoding == "br":
        return _unpack_brotli(data, most)
    if encoding == "zstd":
        return _unpack_zstd(data, most)
    raise UnsupportedMediaType("This Content-Encoding cannot be read here.")


def unpack_deflate(data: bytes, most: int) -> tuple[bytes | None, bool]:
    """As `unpack`, and whether the data is in zlib's format, as raven and RFC 9110 have it: some
    clients send deflate without its header."""
    try:
        return _inflate(data, zlib.MAX_WBITS, most), True
    except BadRequest:
        return _inflate(data, -zlib.MAX_WBITS, most), False


def zlib_of_gzip(data: bytes, plain: bytes) -> bytes | None:
    """The same in zlib's format (RFC 1950), of which the compressed part is the same as in gzip's
    (RFC 1952); None where gzip's header has more than it must.

    :param data: in gzip's format, and without anything behind it.
    :param plain: the unpacked data.
    """
    if data[3]:
        return None
    return b"\x78\x9c" + data[10:-8] + zlib.adler32(plain).to_bytes(4, "big")


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
        raise MissingPackageError("brotli", "br")
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


def _unpack_zstd(data: bytes, most: int) -> bytes | None:
    zstandard = _zstandard()
    if zstandard is None:
        raise MissingPackageError("zstandard", "zstd")
    machine = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    try:
        frame = zstandard.get_frame_parameters(data)
        if most < frame.content_size < zstandard.CONTENTSIZE_UNKNOWN:
            return None
        if frame.window_size > _WINDOW:
            raise BadRequest("The body looks back over more than 8 MB, which RFC 9659 forbids.")
        start = zstandard.frame_header_size(data)
        end = _end_of_blocks(data, start) + (4 if frame.has_checksum else 0)
        if end != len(data):
            raise BadRequest("The compressed body is cut short or has something behind it.")
        with machine.stream_reader(data, read_across_frames=False) as reader:
            plain: bytes = reader.read(most + 1)
    except zstandard.ZstdError:
        raise BadRequest("The body is not what its Content-Encoding says.") from None
    return plain if len(plain) <= most else None


def _end_of_blocks(data: bytes, at: int) -> int:
    """Where the last block of a frame of zstd ends (RFC 8878, section 3.1.1.2).

    :param at: where the first one begins.
    :returns: a position behind the data, if the frame is cut short.
    :raises RequestEntityTooLarge: there are too many blocks.
    """
    for _ in range(_BLOCKS):
        head = int.from_bytes(data[at : at + 3], "little")
        # A block of type 1 holds one byte, which is repeated.
        at += 3 + (1 if head >> 1 & 3 == 1 else head >> 3)
        if head & 1 or at > len(data):
            return at
    raise RequestEntityTooLarge("The body takes too long to unpack.")


def _brotli() -> Any | None:
    """The package brotli, if it is here and can bound its output, as it can from 1.2 on."""
    try:
        import brotli

        brotli.Decompressor().process(b"", output_buffer_limit=1)
    except (ImportError, AttributeError, TypeError):
        return None
    return brotli


def _zstandard() -> Any | None:
    """The package zstandard, if it is here."""
    try:
        import zstandard
    except ImportError:
        return None
    return zstandard
