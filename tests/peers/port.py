"""A port that stays a server's own while the server is down."""

from __future__ import annotations

import socket


class Port:
    """Bound and not listening, so that a connection is refused until a server listens there too.

    :param host: the server's name. The shops are on ``127.0.0.1``, so that what is on ``localhost``
        is another site to them.
    """

    def __init__(self, host: str = "localhost") -> None:
        self._bound = socket.socket()
        self._bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._bound.bind(("127.0.0.1", 0))
        self.number: int = self._bound.getsockname()[1]
        self.netloc = f"{host}:{self.number}"

    def close(self) -> None:
        self._bound.close()
