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
    """How an outbox reaches a server; the fields are :class:`Sender`'s parameters."""

    timeout: float
    ca_certs: str | None
    verify_ssl: bool
    proxy: str | None

    def ssl_context(self) -> ssl.SSLContext:
        """A context that trusts the same CAs.

        :raises ValueError: for CAs that cannot be read.
        """
        from .tls import make_context

        return make_context(self.ca_certs, verify=self.verify_ssl)


class Sender:
    """Sends requests, one at a time. For one thread."""

    def __init__(
        self,
        *,
        timeout: float,
        ca_certs: str | None = None,
        verify_ssl: bool = True,
        proxy: str | None = None,
    ) -> None:
        """
        :param timeout: seconds for one attempt as a whole, connecting included.
        :param ca_certs: file or directory of the CAs to trust instead of the system's.
        :param proxy: ``http://[user:password@]host[:port]``; the environment is never asked.
        :raises ValueError: for CAs that cannot be read, or for a proxy that is not a URL.
        """
        self._timeout = timeout
        self._verify_ssl = verify_ssl
        self._proxy = None if proxy is None else parse_proxy(proxy)
        self._client: HttpClient | None = None
        self._context: ssl.SSLContext | None = None
        if ca_certs is not None:
            # Read now and kept: a wrong path is an error at start, and the process may lose the
            # right to read the file before its first crash.
            from .tls import make_context

            self._context = make_context(ca_certs, verify=verify_ssl)

    def post(self, request: Request) -> Answer:
        """Make one attempt. Raises only where urllib3 cannot be loaded."""
        if self._client is None:
            with loading.get():
                from .http_client import HttpClient
            self._client = HttpClient(
                timeout=self._timeout,
                context=self._context,
                verify_ssl=self._verify_ssl,
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
