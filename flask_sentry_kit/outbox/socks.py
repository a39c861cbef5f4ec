"""Connections through a SOCKS proxy, by PySocks. The one file that loads it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import socks

from .proxy import Proxy


class _TimedSocket(socks.socksocket):  # type: ignore[misc]  # PySocks carries no types
    """PySocks reads the proxy's answers one by one, each with the socket's whole time-out."""

    left: Callable[[], float]

    def recv_into(self, *arguments: Any) -> int:
        self.settimeout(self.left())
        count: int = super().recv_into(*arguments)
        return count


def connect_through(proxy: Proxy, host: str, port: int, left: Callable[[], float]) -> socket.socket:
    """Connect to a server through the first address of the proxy that answers.

    :param left: the seconds that are left; raises TimeoutError where none are.
    :raises OSError: the proxy did not answer, refused, or did not reach the server.
    """
    kind = socks.SOCKS4 if proxy.scheme.startswith("socks4") else socks.SOCKS5
    addresses = socket.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
    error: OSError = OSError(f"no address for {proxy.host}")
    for index, (family, type_, proto, _, address) in enumerate(addresses):
        sock = _TimedSocket(family, type_, proto)
        sock.left = left
        sock.set_proxy(kind, *address[:2], proxy.scheme in ("socks4a", "socks5h"), *proxy.login)
        try:
            sock.settimeout(left() / (len(addresses) - index))
            sock.connect((host, port))
            # As from here on it is a socket like any other: ssl and the deadline take it over.
            connected = socket.socket(family, type_, proto, sock.detach())
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connected.settimeout(left())
            return connected
        except OSError as exception:
            sock.close()
            error = exception
    raise error
