"""Reads requests as waitress does, with a limit on what all of them hold together."""

from __future__ import annotations

import threading
from typing import Any, Final

from waitress.adjustments import Adjustments
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import Error

MOST_HELD: Final = 128 * 2**20
"""Bytes of all bodies that arrive or wait for a thread. Their files may be in memory too."""

# A body of an ordinary event, which is taken in any case.
_ORDINARY: Final = 64 * 2**10
_SECONDS_TO_WAIT: Final = 5


class TooManyRequests(Error):
    """429, before a body is there as a whole."""

    code = 429
    reason = "Too Many Requests"

    def to_response(self, ident: Any = None) -> Any:
        status, headers, body = super().to_response(ident)
        return status, [*headers, ("Retry-After", str(_SECONDS_TO_WAIT))], body


class Limits(Adjustments):
    """waitress's settings, and what its parsers hold together."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._lock = threading.Lock()
        self.held = 0
        """Bytes of bodies."""

    def hold(self, count: int) -> None:
        with self._lock:
            self.held += count


class RequestParser(HTTPRequestParser):
    """waitress's parser, which counts what it holds.

    It refuses a body with two lengths. waitress would take the chunks and go on with what is behind
    them; a proxy in front that takes the Content-Length reads another request there (RFC 9112,
    section 6.1).
    """

    adj: Limits

    def __init__(self, adj: Limits) -> None:
        super().__init__(adj)
        self._held = 0

    def parse_header(self, header_plus: Any) -> None:
        super().parse_header(header_plus)
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("Content-Length beside Transfer-Encoding")

    def received(self, data: bytes) -> int:
        consumed = int(super().received(data))
        grown = self.body_bytes_received - self._held
        self._held += grown
        self.adj.hold(grown)
        if not self.completed and self._held > _ORDINARY and self.adj.held > MOST_HELD:
            self.error = TooManyRequests("Too many bodies arrive at once.")
            self.completed = True
        return consumed

    def close(self) -> None:
        super().close()
        self.adj.hold(-self._held)
        self._held = 0
