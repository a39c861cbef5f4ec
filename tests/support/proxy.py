"""Proxies on loopback that record what they are asked for: HTTP, the same within TLS, and SOCKS."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from base64 import b64encode
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit


class RecordingProxy:
    """Listens as soon as it is made; ``close`` lets go of everything.

    :param tls: speak TLS with this context, as ``localhost``.
    :param login: ``user:password`` that every client has to give.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, *, login: str = "") -> None:
        self.asked: list[str] = []
        """The first line of each request, or what SOCKS was asked for, as ``socks5 host:port``."""
        self.heads: list[bytes] = []
        """The requests to an HTTP proxy, up to the empty line."""
        self.shown: list[Any] = []
        """The certificates that clients showed, where ``tls`` asks for them."""
        self._tls = tls
        self._login = login
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.host = "localhost" if tls else "127.0.0.1"
        self.url = f"{'https' if tls else 'http'}://{self.host}:{self.port}"
        self._thread = threading.Thread(target=self._accept, name="recording-proxy", daemon=True)
        self._thread.start()

    def __enter__(self) -> RecordingProxy:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        for sock in (self._listener, *self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        self._thread.join(5)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                self._open.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError, EOFError, ValueError):
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
                self._open.append(client)
                self.shown.append(client.getpeercert() or None)
            first = _read(client, 1)
            if first in (b"\x04", b"\x05"):
                upstream = self._socks4(client) if first == b"\x04" else self._socks5(client)
            else:
                upstream = self._http(client, first)
            if upstream is not None:
                self._open.append(upstream)
                threading.Thread(target=_pump, args=(upstream, client), daemon=True).start()
                _pump(client, upstream)
                return
        client.close()

    def _http(self, client: socket.socket, head: bytes) -> socket.socket | None:
        while b"\r\n\r\n" not in head:
            head += _read(client, 1)
        line, _, rest = head.partition(b"\r\n")
        self.heads.append(head)
        self.asked.append(line.decode())
        if self._login:
            wanted = b"Basic " + b64encode(self._login.encode())
            lines = (line.partition(b": ") for line in rest.split(b"\r\n"))
            given = {name.lower(): value for name, _, value in lines}
            if given.get(b"proxy-authorization") != wanted:
                client.sendall(b"HTTP/1.1 407 Login\r\nContent-Length: 0\r\n\r\n")
                return None
        method, target, version = line.split(b" ")
        url = urlsplit((b"//" + target if method == b"CONNECT" else target).decode())
        upstream = socket.create_connection((url.hostname or "", url.port or 80), timeout=10)
        if method == b"CONNECT":
            client.sendall(b"HTTP/1.1 200 ok\r\n\r\n")
        else:
            upstream.sendall(b" ".join((method, url.path.encode(), version)) + b"\r\n" + rest)
        return upstream

    def _socks5(self, client: socket.socket) -> socket.socket | None:
        offered = _read(client, _read(client, 1)[0])
        method = b"\x02" if self._login else b"\x00"
        if method not in offered:
            client.sendall(b"\x05\xff")
            return None
        client.sendall(b"\x05" + method)
        if self._login:
            assert _read(client, 1) == b"\x01"
            given = b":".join(_read(client, _read(client, 1)[0]) for _ in range(2))
            client.sendall(b"\x01" + (b"\x00" if given == self._login.encode() else b"\x01"))
            if given != self._login.encode():
                return None
        kind = _read(client, 4)[3]
        if kind == 3:
            host = _read(client, _read(client, 1)[0]).decode()
        else:
            host = socket.inet_ntop(
                *(
                    (socket.AF_INET, _read(client, 4))
                    if kind == 1
                    else (socket.AF_INET6, _read(client, 16))
                )
            )
        (port,) = struct.unpack(">H", _read(client, 2))
        self.asked.append(f"socks5 {host}:{port}")
        upstream = socket.create_connection((host, port), timeout=10)
        client.sendall(b"\x05\x00\x00\x01" + bytes(6))
        return upstream

    def _socks4(self, client: socket.socket) -> socket.socket:
        _, port, address = struct.unpack(">BH4s", _read(client, 7))
        _read_text(client)
        host = socket.inet_ntoa(address)
        if host.startswith("0.0.0."):
            host = _read_text(client)
        self.asked.append(f"socks4 {host}:{port}")
        upstream = socket.create_connection((host, port), timeout=10)
        client.sendall(b"\x00\x5a" + bytes(6))
        return upstream


def _read(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _read_text(sock: socket.socket) -> str:
    text = b""
    while (char := _read(sock, 1)) != b"\x00":
        text += char
    return text.decode()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
