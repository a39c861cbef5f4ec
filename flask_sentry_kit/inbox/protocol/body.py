"""Reads and decodes request bodies within bounds. Does not know what they mean."""

from __future__ import annotations

import codecs
import json
import logging
import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from flask import Request
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    RequestEntityTooLarge,
    ServiceUnavailable,
    TooManyRequests,
)

from ..content.reading import MAX_DEPTH, clean
from .content_encoding import GZIP, MissingPackageError, unpack, unpack_deflate, zlib_of_gzip

MAX_WIRE: Final = 8 * 2**20
"""Bytes of a body as it is sent. Sentry's own events are under 1 MB; a picture of a large screen,
which comes with a visitor's words, has up to 6 MB."""

MAX_PLAIN: Final = 8 * 2**20
"""Bytes of a body after decompression. The largest event of raven's that was seen had 6 MB."""

MAX_FORM: Final = 64 * 2**10
"""Bytes of a visitor's report."""

MAX_PARTS: Final = 250_000
"""Values and keys of a request's JSON. Python needs up to 70 bytes for each: 17 MB for them all."""

_MAX_DIGITS: Final = 100
_CONTAINERS: Final = (dict, list)
# A body of more weight is a large one. So many of those may be in line, with the one that is read:
# fewer than there are threads that read events, so that a small one always finds a thread. Pages of
# large events have further places.
_LARGE: Final = 2**20
_BODIES_IN_LINE: Final = 2
_IN_LINE: Final = 5

# Requests that wait for a thread. While there are more, the client of a body that is longer than an
# ordinary event is asked to come again before anything is read; an ordinary event takes its turn.
_QUEUED: Final = 100
_ORDINARY: Final = 64 * 2**10
_SECONDS_TO_WAIT: Final = 5

# In a body of brotli or zstd each byte may take ten times as long as in any other, whatever it
# unpacks to.
_SLOW: Final = frozenset({"br", "zstd"})
_LARGE_SLOW: Final = 32 * 2**10
_PIECE: Final = 64 * 2**10

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body."""

    plain: bytes
    packed: bytes | None = None
    """The same in zlib's format, if it came in this one or in gzip's."""


class Bodies:
    """Reads requests' bodies, the large ones one after the other.

    A large body takes up to a third of a second of the interpreter. Four at a time would take all
    threads for clients, and keep every small event waiting. So one waits in line, further ones are
    asked to come again, and while it waits, small requests get as much time as the large ones.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._in_line = 0
        self.count_queued: Callable[[], int] = lambda: 0
        """How many requests with bodies wait for a thread; set by the server."""
        self.let_others_go: Callable[[], None] = lambda: None
        """Have the server answer others meanwhile; called before a large body waits in line."""
        self._missing: set[str] = set()

    @contextmanager
    def reading(self, request: Request) -> Iterator[Body]:
        """The request's body, decompressed. A large one keeps its turn while this context is open,
        and is not in memory before it has it.

        :raises BadRequest: the body is not what its Content-Encoding says.
        :raises RequestEntityTooLarge: over :data:`MAX_WIRE`, or over :data:`MAX_PLAIN` when
            decompressed; nothing beyond the limit is decompressed. Or it takes too long.
        :raises TooManyRequests: too many requests, or large bodies, wait already; the client may
            try again.
        :raises UnsupportedMediaType: for an encoding that cannot be unpacked; the answer's
            ``Accept-Encoding`` names those that can (RFC 9110, section 12.5.3).
        """
        size = request.content_length or 0
        if size > _ORDINARY and self.count_queued() > _QUEUED:
            raise _too_many()
        if size > MAX_WIRE:
            raise RequestEntityTooLarge("The body is too large.")
        encoding = request.headers.get("Content-Encoding", "").strip().lower()
        data = body = None
        if size <= (_LARGE_SLOW if encoding in _SLOW else _LARGE):
            data = request.get_data(cache=False)
            body = self._unpack(data, encoding, _LARGE)
        if body is not None and _weight(body.plain) <= _LARGE:
            yield body
            return
        with self._next_turn(_BODIES_IN_LINE, _too_many()):
            if body is None:
                if data is None:
                    data = request.get_data(cache=False)
                body = self._unpack(data, encoding, MAX_PLAIN)
            if body is None:
                raise RequestEntityTooLarge("The decompressed body is too large.")
            yield body

    def _unpack(self, data: bytes, encoding: str, most: int) -> Body | None:
        if encoding == "deflate":
            plain, is_zlib = unpack_deflate(data, most)
            return None if plain is None else Body(plain, data if is_zlib else None)
        try:
            plain = unpack(data, encoding, most)
        except MissingPackageError as error:
            if error.package not in self._missing:
                self._missing.add(error.package)
                _log.warning(
                    "A request was refused (415): its body is packed with %s, and %s is not"
                    " installed here, or too old. Its client loses all that it sends so. Run"
                    " pip install 'flask-sentry-kit[inbox]' and start the inbox again.",
                    encoding,
                    error.package,
                )
            raise
        if plain is None:
            return None
        return Body(plain, zlib_of_gzip(data, plain) if encoding in GZIP else None)

    @contextmanager
    def turn_for(self, data: bytes) -> Iterator[None]:
        """The turn of a kept event, while it is read to be shown.

        :raises ServiceUnavailable: too many large events are read already.
        """
        if _weight(data) <= _LARGE:
            yield
        else:
            with self._next_turn(_IN_LINE, ServiceUnavailable("Too many large events are read.")):
                yield

    @contextmanager
    def _next_turn(self, most: int, refusal: HTTPException) -> Iterator[None]:
        self.let_others_go()
        with self._lock:
            if self._in_line >= most:
                raise refusal
            self._in_line += 1
        try:
            with self._turn:
                began = time.monotonic()
                try:
                    yield
                finally:
                    if self._in_line > 1:
                        # Small requests get as much time as large ones.
                        time.sleep(time.monotonic() - began)
        finally:
            with self._lock:
                self._in_line -= 1


def _too_many() -> TooManyRequests:
    return TooManyRequests("Too many events arrive at once.", retry_after=_SECONDS_TO_WAIT)


def _weight(data: bytes) -> int:
    """The cost of reading a body, in bytes of plain text."""
    return len(data) + 50 * _count_marks(data)


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """An event that was read."""

    body: dict[str, Any]
    """Without anything that SQLite, UTF-8 or a page cannot handle: see `clean`."""
    data: bytes | None
    """The same as JSON in UTF-8, as the client wrote it; None if that cannot be kept."""


class JsonReader:
    """Reads the JSON of one request. All of it counts against one bound.

    :param size: bytes of the request's whole body. So many values have no room in a short one, that
        are not counted then.
    """

    def __init__(self, size: int, most: int = MAX_PARTS) -> None:
        self._left = most
        self._counts = size > most
        self._is_odd = False
        """Whether a number was read that JSON has not, or that was replaced."""
        self._decoder = json.JSONDecoder(
            parse_int=self._integer, parse_float=self._number, parse_constant=self._constant
        )

    def parse(self, data: bytes) -> dict[str, Any]:
        """The JSON object in `data`, which is UTF-8 (RFC 8259, section 8.1).

        Values and keys are counted before Python makes objects of them. An integer of more than
        100 digits stays a text, since reading it takes time in the square of its length.

        :raises BadRequest: for anything else, such as JSON that is nested too deep.
        :raises RequestEntityTooLarge: over :data:`MAX_PARTS` values and keys in all.
        """
        if self._counts:
            self._left -= _count_parts(data, self._left)
            if self._left < 0:
                raise RequestEntityTooLarge("The JSON has too many values.")
        try:
            # Clients send half surrogates, escaped and raw. `clean` replaces them.
            text = data.decode("utf-8-sig", "surrogatepass")
        except UnicodeDecodeError:
            raise BadRequest("The body is not JSON in UTF-8.") from None
        try:
            value = self._decoder.decode(text)
        except (ValueError, RecursionError):
            raise BadRequest("The body is not JSON.") from None
        if not isinstance(value, dict):
            raise BadRequest("The body is not a JSON object.")
        return value

    def parse_event(self, data: bytes) -> ReadEvent:
        """As `parse`, for an event to keep: its bytes are kept as they are where they can be, which
        saves most of the time that an event takes."""
        self._is_odd = False
        value = self.parse(data)
        if self._is_odd or _may_have_half_surrogates(data) or not _is_shallow(value):
            return ReadEvent(clean(value), None)
        return ReadEvent(value, None if data.startswith(codecs.BOM_UTF8) else data)

    def _integer(self, digits: str) -> int | str:
        if len(digits) <= _MAX_DIGITS:
            return int(digits)
        self._is_odd = True
        return digits

    def _number(self, digits: str) -> float:
        number = float(digits)
        self._is_odd = self._is_odd or math.isinf(number)
        return number

    def _constant(self, name: str) -> float:
        self._is_odd = True
        return float(name)


# A pair as clients write what is beyond the 65,536th character, such as an emoji. The backslash in
# front is no escape of this one.
_PAIR: Final = re.compile(
    rb"(?<!\\)\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}",
)
_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def _may_have_half_surrogates(data: bytes) -> bool:
    """Whether a half surrogate may be in the JSON, escaped or raw."""
    if b"\\u" in data and (b"\\ud" in data or b"\\uD" in data):
        if _HALF.search(_PAIR.sub(b"", data)):
            return True
    # In UTF-8 only half surrogates begin so.
    return b"\xed" in data and re.search(rb"\xed[\xa0-\xbf]", data) is not None


def _is_shallow(value: dict[str, Any]) -> bool:
    """Whether nothing is nested so deep that `clean` would cut it."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for outer in level
            for item in (outer.values() if type(outer) is dict else outer)
            if type(item) is not str and isinstance(item, _CONTAINERS)
        ]
        if not level:
            return True
    return False


def _count_parts(data: bytes, most: int) -> int:
    """How many values and keys the JSON has, at most; counted exactly only over the bound."""
    found = 1 + _count_marks(data)
    if found <= most:
        return found
    # Marks in strings do not count. A string ends at a quote, once escapes are taken out.
    data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    found, inside = 1, 0
    for at in range(0, len(data), _PIECE):
        parts = data[at : at + _PIECE].split(b'"')
        found += _count_marks(b"".join(parts[inside::2]))
        inside ^= (len(parts) - 1) & 1
        if found > most:
            break
    return found


def _count_marks(data: bytes) -> int:
    if len(data) > _PIECE:
        return sum(map(data.count, (b",", b":", b"[", b"{")))
    # A third of the time, and as much memory as the data again.
    return len(data) - len(data.translate(None, b",:[{"))
