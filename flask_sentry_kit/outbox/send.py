"""Sends requests, and loads the HTTP client when there is something to send.

The client needs urllib3, ssl and http.client. Most processes never crash, so the thread that
delivers loads them, also at the end of a process and after a fork.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ..threads import lock_at_use
from .item import Answer, Request
from .proxy import parse_proxy

if TYPE_CHECKING:
    import ssl

    from .http_client import HttpClient

loading: Final = lock_at_use()
"""Held while modules are loaded. A fork waits for it: a child that is forked in the middle of an
import can never import that module."""


class Connection(NamedTuple):
    """How a server is reached."""

    timeout: float
    """Seconds for one attempt as a whole, connecting included."""
    ca_certs: str | None = None
    """File or directory of the CAs to trust instead of the system's."""
    verify_ssl: bool = True
    proxy: str | None = None
    """``http://[user:password@]host[:port]``; the environment is never asked."""

    def ssl_context(self) -> ssl.SSLContext:
        """A new context that trusts these CAs.

        :raises ValueError: for CAs that cannot be read.
        """
        from .tls import make_context

        return make_context(self.ca_certs, verify=self.verify_ssl)


class Sender:
    """Sends requests, one at a time. For one thread.

    :raises ValueError: for CAs that cannot be read, or for a proxy that is not a URL.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._proxy = None if connection.proxy is None else parse_proxy(connection.proxy)
        self._client: HttpClient | None = None
        # Read now and kept: a wrong path is an error at start, and the process may lose the right
        # to read the file before its first crash.
        self._context = None if connection.ca_certs is None else connection.ssl_context()

    def post(self, request: Request) -> Answer:
        """Make one attempt. Raises only where urllib3 cannot be loaded."""
        if self._client is None:
            with loading.get():
                from .http_client import HttpClient
            self._client = HttpClient(
                timeout=self._connection.timeout,
                context=self._context,
                verify_ssl=self._connection.verify_ssl,
                proxy=self._proxy,
            )
        return self._client.post(request)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def abandon(self) -> None:
        """Close the parent's sockets in a forked child, and send the server nothing."""
        if self._client is not None:
            self._client.abandon()
