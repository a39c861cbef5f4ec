"""Serves an inbox with waitress: binds, tells the address, stops cleanly."""

from __future__ import annotations

import errno
import ipaddress
import socket
import threading
from typing import TYPE_CHECKING, Any, Final

from flask import Flask

from .body import MAX_WIRE
from .errors import InboxError

if TYPE_CHECKING:
    from .connections import PatientServer
    from .wire import Project

_MAX_HEADER: Final = 64 * 2**10


class InboxServer:
    """An inbox that is bound and, once :meth:`run` is called, answers.

    :param app: what :func:`create_inbox` made.
    :param host: an address, or a name of which the first address is taken.
    :param port: 0 takes a free one; :attr:`port` tells which.
    :param open_to_network: allow a host that other machines can reach. There is no login:
        whoever reaches the inbox reads it.
    :raises InboxError: for a host that is not loopback and was not allowed, or an address that
        cannot be bound.
    """

    def __init__(
        self,
        app: Flask,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        open_to_network: bool = False,
    ) -> None:
        self.app = app
        self._map: dict[int, Any] = {}
        self._left: dict[int, Any] = {}
        self._stopping = threading.Lock()
        self._stopped = False
        patient_server = load_server()
        self._socket = _bind(host, port, open_to_network)
        self.host, self.port = self._socket.getsockname()[:2]
        try:
            self._server: Any = patient_server(
                app,
                self._socket,
                self._map,
                threads=8,
                ident="",
                # The dialog's texts come in an address, and so do a browser's cookies for all that
                # runs on this machine.
                max_request_header_size=_MAX_HEADER,
                # Above the app's own limit, so that a body a little too large gets the app's
                # answer, and one far too large is not read at all.
                max_request_body_size=MAX_WIRE + 2**20,
                # What is beyond this, of a body that still arrives or an answer that nobody takes
                # yet, is in a file.
                inbuf_overflow=64 * 2**10,
                outbuf_overflow=256 * 2**10,
            )
        except BaseException:
            self._socket.close()
            raise

    @property
    def netloc(self) -> str:
        """Host and port for an address: where all interfaces are bound, this machine's own."""
        address = ipaddress.ip_address(self.host.partition("%")[0])
        if address.is_unspecified:
            return f"127.0.0.1:{self.port}" if address.version == 4 else f"[::1]:{self.port}"
        return f"[{self.host}]:{self.port}" if address.version == 6 else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The inbox's address, without a slash at its end."""
        return f"http://{self.netloc}"

    @property
    def dsn(self) -> str:
        """The DSN to paste."""
        project: Project = self.app.extensions["sentry_kit_inbox"]
        return project.dsn("http", self.netloc).public

    def run(self) -> None:
        """Answer until :meth:`stop`, KeyboardInterrupt or SystemExit; then close everything."""
        try:
            self._server.run()
        finally:
            # What is being answered is answered first: the workers still need the sockets.
            self._server.task_dispatcher.shutdown()
            with self._stopping:
                self._stopped = True
                from waitress.wasyncore import close_all

                close_all(self._left)
                close_all(self._map)

    def stop(self) -> None:
        """Make :meth:`run` return; from any thread."""
        # The loop may end by this very pull: its pipe must stay open until the pull is done.
        with self._stopping:
            if not self._stopped:
                self._server.trigger.pull_trigger(self._leave)

    def _leave(self) -> None:
        # waitress's loop ends when its map is empty, and only its own thread may empty it.
        self._left.update(self._map)
        self._map.clear()


def load_server() -> type[PatientServer]:
    """What serves the inbox: it comes with the extra ``[inbox]``.

    :raises InboxError: says how to install waitress, where it is missing.
    """
    try:
        from .connections import PatientServer
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "waitress":
            raise
        raise InboxError(
            "The inbox is served by waitress, which is not installed. Install it with:"
            " pip install 'flask-sentry-kit[inbox]'"
        ) from None
    return PatientServer


def _bind(host: str, port: int, open_to_network: bool) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise InboxError(f"There is no host {host!r}.") from None
    family, _, _, _, address = found[0]
    loopback = ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback
    if not loopback and not open_to_network:
        raise InboxError(
            f"{host} can be reached by other machines, and the inbox has no login: whoever"
            " reaches it reads it. Take 127.0.0.1, or say --open-to-network if that is meant."
        )
    try:
        # SO_REUSEADDR where it means "though old connections linger", as create_server knows.
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InboxError(
                f"Port {port} of {host} is in use. Take another with --port, or 0 for a free one."
            ) from None
        if error.errno == errno.EACCES:
            raise InboxError(f"Port {port} needs more rights; take one above 1023.") from None
        raise InboxError(f"Cannot listen on {host}, port {port}: {error.strerror}") from None
