"""One attempt to deliver one request over HTTP. Decides nothing: no retry, no redirect.

The one file that loads urllib3, ssl and http.client, so that a process without a crash does not.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import socket
import ssl
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.response import HTTPResponse

from ..compat import OwnSockets
from ..dsn import secrets_in
from . import tls  # noqa: F401  # loaded here, since a fork waits for the loading of this file
from .connecting import Connection
from .item import NO_CONTENT, Answer, Request
from .proxy import Proxy

# Bytes of an answer's body that are read. The reason for a refusal is one line of JSON.
BODY_LIMIT = 16 * 1024
REASON_LIMIT = 200
# Connections kept at a time. An outbox has one destination, a spool that apps share has a few.
CONNECTIONS = 4


class _Deadline:
    """When the current attempt has to be over."""

    def __init__(self) -> None:
        self._at = 0.0
        self._socket_class = _timed_class(socket.socket, self)

    def start(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for one request is over")
        return left

    def connect(self, host: str, port: int) -> socket.socket:
        """Connect to the first address that answers.

        Every address gets an equal share of the time that is left, so that one which never
        answers (often IPv6) does not take all of it. Looking up the name has the resolver's limits.
        """
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        error: OSError = OSError(f"no address for {host}")
        for index, (family, kind, proto, _, address) in enumerate(addresses):
            sock: socket.socket = self._socket_class(family, kind, proto)
            try:
                sock.settimeout(self.left() / (len(addresses) - index))
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                # The TLS handshake, which is one call, has to end in this time too.
                sock.settimeout(self.left())
                return sock
            except OSError as exception:
                sock.close()
                error = exception
        raise error


def _timed_class(base: Any, deadline: _Deadline) -> Any:
    """A class of sockets for what reads a connection before it is a :class:`_TimedSocket`: the
    answer of a proxy, and TLS within TLS. Made for each client, since gevent may have patched."""

    class Timed(base):  # type: ignore[misc]  # a class that is given
        def recv(self, *arguments: Any) -> bytes:
            self.settimeout(deadline.left())
            data: bytes = super().recv(*arguments)
            return data

        def recv_into(self, *arguments: Any) -> int:
            self.settimeout(deadline.left())
            count: int = super().recv_into(*arguments)
            return count

    return Timed


class _TimedReader(io.RawIOBase):
    def __init__(self, raw: Any, sock: socket.socket, deadline: _Deadline) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.left())
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedSocket:
    """A connected socket on which every wait ends at the attempt's deadline.

    A socket's own time-out begins anew with every byte, so that a server which sends one byte at a
    time would hold the worker for ever.
    """

    def __init__(self, sock: socket.socket, deadline: _Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._sock.settimeout(self._deadline.left())
            view = view[self._sock.send(view) :]

    def makefile(self, mode: str = "rb", buffering: int | None = None) -> io.BufferedReader:
        raw = self._sock.makefile("rb", buffering=0)
        return io.BufferedReader(_TimedReader(raw, self._sock, self._deadline))


class _TimedSockets(OwnSockets):
    deadline: _Deadline
    connect_to: Callable[[str, int], socket.socket]

    def open_socket(self, host: str, port: int) -> socket.socket:
        return self.connect_to(host, port)

    def wrap_socket(self, connected: socket.socket) -> _TimedSocket:
        return _TimedSocket(connected, self.deadline)


class _Http(_TimedSockets, HTTPConnection):
    pass


class _Https(_TimedSockets, HTTPSConnection):
    pass


class HttpClient:
    """Sends requests, one at a time, over connections that it keeps open. For one thread."""

    def __init__(
        self,
        connection: Connection,
        context: ssl.SSLContext | None,
        proxy: Proxy | None,
        through: Callable[[Proxy, str, int, Callable[[], float]], socket.socket] | None,
    ) -> None:
        """:class:`~.send.Sender` makes it, and has checked the options.

        :param context: the connection's own, where its files were read in advance.
        :param proxy: the connection's own.
        :param through: connects through the proxy, where that is not done by HTTP.
        """
        self.timeout = connection.timeout
        self._connection = connection
        self._deadline = _Deadline()
        self._connections: dict[str, _Http | _Https] = {}
        self._context = context
        self._proxy_context: ssl.SSLContext | None = None
        self._proxy = None if through else proxy
        self._connect_to = self._deadline.connect
        if through is not None and proxy is not None:
            left = self._deadline.left
            self._connect_to = lambda host, port: through(proxy, host, port, left)

    def post(self, request: Request) -> Answer:
        """Make one attempt. Never raises."""
        self._deadline.start(self.timeout)
        try:
            return self._attempt(request)
        except Exception as error:
            # A certificate that does not verify is a ValueError and an OSError; it may be mended.
            unsendable = isinstance(error, http.client.InvalidURL) or (
                isinstance(error, ValueError | TypeError) and not isinstance(error, OSError)
            )
            said = f"{type(error).__name__}: {error}"
            return Answer(reason=_clean(said, request), unsendable=unsendable)

    def close(self) -> None:
        while self._connections:
            _, connection = self._connections.popitem()
            connection.close()

    def abandon(self) -> None:
        """Close the parent's sockets in a forked child, and send the server nothing."""
        for connection in list(self._connections.values()):
            try:
                if connection.sock is not None:
                    os.close(connection.sock.detach())
            except OSError:
                pass
        self._connections.clear()

    def _attempt(self, request: Request) -> Answer:
        url = urlsplit(request.url)
        origin = request.origin
        connection = self._connections.get(origin)
        if connection is not None and connection.is_connected:
            try:
                response = self._exchange(connection, url, request)
            except TimeoutError:
                self._drop(origin)
                raise
            except (OSError, http.client.HTTPException):
                # The server has closed a kept connection. That is not a failure: try a new one.
                response = None
        else:
            response = None
        try:
            if response is None:
                self._drop(origin)
                connection = self._connect(origin, url)
                response = self._exchange(connection, url, request)
            return self._read(origin, response, request)
        except BaseException:
            self._drop(origin)
            raise

    def _connect(self, origin: str, url: SplitResult) -> _Http | _Https:
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("the address is neither http nor https")
        port = url.port or (443 if url.scheme == "https" else 80)
        proxy = self._proxy
        address = (proxy.host, proxy.port) if proxy else (url.hostname, port)
        tls_proxy = proxy is not None and proxy.scheme == "https"
        if tls_proxy and self._proxy_context is None:
            self._proxy_context = self._connection.proxy_context()
            self._proxy_context.sslsocket_class = _timed_class(ssl.SSLSocket, self._deadline)
        connection: _Http | _Https
        if url.scheme == "https":
            if self._context is None:
                self._context = self._connection.ssl_context()
            by = ProxyConfig(self._proxy_context, False, None, None) if tls_proxy else None
            connection = _Https(*address, ssl_context=self._context, proxy_config=by)
            if proxy:
                connection.set_tunnel(
                    url.hostname, port, headers=proxy.headers, scheme=proxy.scheme
                )
        elif tls_proxy:
            connection = _Https(*address, ssl_context=self._proxy_context)
        else:
            connection = _Http(*address)
        connection.connect_to = self._connect_to
        connection.timeout = self.timeout
        connection.deadline = self._deadline
        while len(self._connections) >= CONNECTIONS:
            self._drop(next(iter(self._connections)))
        self._connections[origin] = connection
        return connection

    def _exchange(
        self, connection: _Http | _Https, url: SplitResult, request: Request
    ) -> HTTPResponse:
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        headers = dict(request.headers)
        if self._proxy and url.scheme == "http":
            target = f"{request.origin}{target}"
            headers.update(self._proxy.headers)
        connection.request(
            "POST",
            target,
            body=request.body,
            headers=headers,
            preload_content=False,
            decode_content=False,
        )
        return connection.getresponse()

    def _read(self, origin: str, response: HTTPResponse, request: Request) -> Answer:
        body = b""
        try:
            body = response.read(BODY_LIMIT + 1)
            whole = len(body) <= BODY_LIMIT
        except Exception:
            # The status was read, and it decides: an event that was taken is not sent again.
            whole = False
        if not whole:
            self._drop(origin)
        status, headers = response.status, response.headers
        limit = _rate_limit(headers.get("X-Sentry-Rate-Limits"))
        if 200 <= status < 300:
            return Answer(NO_CONTENT if whole and not body else status, "", limit, body=body)
        wait = _retry_after(headers.get("Retry-After"), headers.get("Date"))
        if wait is None:
            wait = limit
        said = headers.get("X-Sentry-Error") or _detail(body) or response.reason or ""
        return Answer(status, _clean(f"{status} {said}", request), wait)

    def _drop(self, origin: str) -> None:
        connection = self._connections.pop(origin, None)
        if connection is not None:
            connection.close()


def _retry_after(value: str | None, date: str | None) -> float | None:
    """Seconds of a Retry-After header: a number, or an HTTP date (RFC 9110, 10.2.3).

    A date is compared with the server's own clock if the answer has a Date header.
    """
    if value is None:
        return None
    value = value.strip()
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", value):
        # Twelve digits are 30,000 years, which is enough.
        return float(value[:12])
    try:
        now = parsedate_to_datetime(date).timestamp() if date else time.time()
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _rate_limit(value: str | None) -> float | None:
    """Seconds for which X-Sentry-Rate-Limits asks for no events.

    ``seconds:category;category:scope, …``; no category means all of them.
    """
    longest = None
    for limit in (value or "").split(","):
        seconds, _, rest = limit.strip().partition(":")
        categories = rest.partition(":")[0]
        if re.fullmatch(r"[0-9]{1,12}", seconds) and (
            not categories or "error" in categories.split(";")
        ):
            longest = max(longest or 0.0, float(seconds))
    return longest


def _detail(body: bytes) -> str:
    """The reason in a refusal's JSON body: ``detail`` or ``error``, else all of its fields."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if isinstance(data, dict) and isinstance(data.get("errors"), dict):
        data = data["errors"]
    if not isinstance(data, dict):
        return ""
    for key in ("detail", "error"):
        if isinstance(data.get(key), str) and data[key]:
            return str(data[key])
    parts = []
    for key, value in data.items():
        if isinstance(value, list):
            value = " ".join(part for part in value if isinstance(part, str))
        if isinstance(value, str) and value:
            parts.append(f"{key}: {value}")
    return "; ".join(parts)


def _clean(text: str, request: Request) -> str:
    """The text as one bounded line, without the secrets of the request."""
    for place in (request.url, *request.headers.values()):
        for secret in secrets_in(place):
            text = text.replace(secret, "…")
    for name, value in request.headers.items():
        if name.lower() in ("authorization", "cookie"):
            for secret in (value, value.rpartition(" ")[2]):
                text = text.replace(secret, "…") if secret else text
    text = "".join(char if char.isprintable() else " " for char in text[: 4 * REASON_LIMIT])
    text = " ".join(text.split())
    return text if len(text) <= REASON_LIMIT else f"{text[: REASON_LIMIT - 1]}…"
