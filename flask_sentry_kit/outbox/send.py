"""Sends requests, and loads the HTTP client when there is something to send.

The client needs urllib3, ssl and http.client. Most processes never crash, so the thread that
delivers loads them, also at the end of a process and after a fork.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..threads import lock_at_use
from .connecting import Connection
from .item import Answer, Request

if TYPE_CHECKING:
    from .http_client import HttpClient

loading: Final = lock_at_use()
"""Held while modules are loaded. A fork waits for it: a child that is forked in the middle of an
import can never import that module."""


class Sender:
    """Sends requests, one at a time. For one thread.

    :raises ValueError: for files that cannot be read, or for a proxy that is not a URL.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._proxy = connection.parsed_proxy()
        self._client: HttpClient | None = None
        # Read now and kept: a wrong path is an error at start, and the process may lose the right
        # to read the file before its first crash.
        early = connection.ca_certs is not None or connection.certificate is not None
        self._context = connection.ssl_context() if early else None

    def post(self, request: Request) -> Answer:
        """Make one attempt. Raises only where urllib3 cannot be loaded."""
        if self._client is None:
            with loading.get():
                from .http_client import HttpClient

                through = None
                if self._proxy is not None and self._proxy.is_socks:
                    from .socks import connect_through

                    through = connect_through
            self._client = HttpClient(self._connection, self._context, self._proxy, through)
        return self._client.post(request)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def abandon(self) -> None:
        """Close the parent's sockets in a forked child, and send the server nothing."""
        if self._client is not None:
            self._client.abandon()
