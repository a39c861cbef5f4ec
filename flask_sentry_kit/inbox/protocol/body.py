"""Reads and decodes request bodies within bounds. Does not know what they mean."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from flask import Request
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    RequestEntityTooLarge,
    ServiceUnavailable,
    TooManyRequests,
)

from .content_encoding import MissingBrotliError, unpack

MAX_WIRE: Final = 2 * 2**20
"""Bytes of a body as it is sent. Sentry's own events are under 1 MB."""

MAX_PLAIN: Final = 8 * 2**20
"""Bytes of a body after decompression. The largest event of raven's that was seen had 6 MB."""

MAX_FORM: Final = 64 * 2**10
"""Bytes of a visitor's report."""

MAX_PARTS: Final = 250_000
"""Values and keys of a request's JSON. Python needs up to 70 bytes for each: 17 MB for them all."""

_MAX_DIGITS: Final = 100
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
# In a body of brotli each byte may take ten times as long as in any other, whatever it unpacks to.
_LARGE_BROTLI: Final = 32 * 2**10
_PIECE: Final = 64 * 2**10

_log = logging.getLogger(__name__)


class Bodies:
    """Reads requests' bodies, the large ones one after the other.

    A large body takes up to a third of a second of the interpreter. Eight at a time would take all
    threads of the server, and keep every page waiting. So a few wait in line, further ones are
    asked to come again, and while some wait, small requests get as much time as the large ones.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._in_line = 0
        self.count_queued: Callable[[], int] = lambda: 0
        """How many requests with bodies wait for a thread; set by the server."""
        self._has_logged_brotli = False

    @contextmanager
    def reading(self, request: Request) -> Iterator[bytes]:
        """The request's body, decompressed. A large one keeps its turn while this context is open.

        :raises BadRequest: the body is not what its Content-Encoding says.
        :raises RequestEntityTooLarge: over :data:`MAX_WIRE`, or over :data:`MAX_PLAIN` when
            decompressed; nothing beyond the limit is decompressed. Or it takes too long.
        :raises TooManyRequests: too many requests, or large bodies, wait already; the client may
            try again.
        :raises UnsupportedMediaType: for an encoding that cannot be unpacked; the answer's
            ``Accept-Encoding`` names those that can (RFC 9110, section 12.5.3).
        """
        if (request.content_length or 0) > _ORDINARY and self.count_queued() > _QUEUED:
            raise _too_many()
        data = request.get_data(cache=False)
        if len(data) > MAX_WIRE:
            raise RequestEntityTooLarge("The body is too large.")
        encoding = request.headers.get("Content-Encoding", "").strip().lower()
        plain = None
        if encoding != "br" or len(data) <= _LARGE_BROTLI:
            plain = self._unpack(data, encoding, _LARGE)
        if plain is not None and _weight(plain) <= _LARGE:
            yield plain
            return
        with self._next_turn(_BODIES_IN_LINE, _too_many()):
            if plain is None:
                plain = self._unpack(data, encoding, MAX_PLAIN)
            if plain is None:
                raise RequestEntityTooLarge("The decompressed body is too large.")
            yield plain

    def _unpack(self, data: bytes, encoding: str, most: int) -> bytes | None:
        try:
            return unpack(data, encoding, most)
        except MissingBrotliError:
            if not self._has_logged_brotli:
                self._has_logged_brotli = True
                _log.warning(
                    "A request was refused (415): its body is packed with brotli, and brotli 1.2"
                    " or newer is not installed here. Its client loses all that it sends so. Run"
                    " pip install 'flask-sentry-kit[inbox]' and start the inbox again."
                )
            raise

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


class JsonReader:
    """Reads the JSON of one request. All of it counts against one bound."""

    def __init__(self, most: int = MAX_PARTS) -> None:
        self._left = most

    def parse(self, data: bytes) -> dict[str, Any]:
        """The JSON object in `data`, which is UTF-8 (RFC 8259, section 8.1).

        Values and keys are counted before Python makes objects of them. An integer of more than
        100 digits stays a text, since reading it takes time in the square of its length.

        :raises BadRequest: for anything else, such as JSON that is nested too deep.
        :raises RequestEntityTooLarge: over :data:`MAX_PARTS` values and keys in all.
        """
        self._left -= _count_parts(data, self._left)
        if self._left < 0:
            raise RequestEntityTooLarge("The JSON has too many values.")
        try:
            # Clients send half surrogates, escaped and raw. `clean` replaces them.
            text = data.decode("utf-8-sig", "surrogatepass")
        except UnicodeDecodeError:
            raise BadRequest("The body is not JSON in UTF-8.") from None
        try:
            value = _DECODER.decode(text)
        except (ValueError, RecursionError):
            raise BadRequest("The body is not JSON.") from None
        if not isinstance(value, dict):
            raise BadRequest("The body is not a JSON object.")
        return value


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else digits


_DECODER = json.JSONDecoder(parse_int=_integer)


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
    return sum(map(data.count, (b",", b":", b"[", b"{")))
