"""Serves an inbox with waitress: binds, knows its address, stops cleanly."""

from __future__ import annotations

import errno
import ipaddress
import socket
import threading
from typing import TYPE_CHECKING, Any, Final

from flask import Flask

from ..errors import InboxError
from ..guard import has_password
from ..paths import is_sentrys, may_wait
from ..protocol.body import MAX_WIRE

if TYPE_CHECKING:
    from ..project import Project
    from .connections import PatientServer
    from .lanes import Lane, Lanes

_MAX_HEADER: Final = 64 * 2**10


class InboxServer:
    """An inbox that is bound and, once :meth:`run` is called, answers.

    :param app: what :func:`create_inbox` made.
    :param host: an address, or a name, of which the first address is taken.
    :param port: 0 takes a free one, which is then in :attr:`port`.
    :raises InboxError: for a host that other machines can reach, where the inbox has no password,
        or an address that cannot be bound.
    """

    def __init__(self, app: Flask, host: str = "127.0.0.1", port: int = 0) -> None:
        self.app = app
        self._map: dict[int, Any] = {}
        self._left: dict[int, Any] = {}
        self._stopping = threading.Lock()
        self._stopped = False
        patient_server, lanes = load_server()
        self._socket = _bind(host, port, has_password(app))
        self.host, self.port = self._socket.getsockname()[:2]
        answering = lanes(_lane_of)
        self._project.bodies.count_queued = lambda: answering.waiting("events")
        self._project.bodies.let_others_go = answering.one_event.leave
        try:
            self._server: Any = patient_server(
                # Not app itself: where sentry-sdk is initialised in this process it makes a
                # transaction of each call, and sending that is the next call.
                app.wsgi_app,
                self._socket,
                self._map,
                lanes=answering,
                ident="",
                # The dialog's texts are in the address, and a browser sends the cookies of all
                # programs on this machine.
                max_request_header_size=_MAX_HEADER,
                # More than the app's own limit: a body that is a little too large gets the app's
                # answer, and a much larger one is not read at all.
                max_request_body_size=MAX_WIRE + 2**20,
                # Of a body that is arriving, or an answer that is not taken yet, the rest is kept
                # in a file.
                inbuf_overflow=64 * 2**10,
                outbuf_overflow=256 * 2**10,
            )
        except BaseException:
            self._socket.close()
            raise

    @property
    def netloc(self) -> str:
        """Host and port for an address; the loopback address if all interfaces are bound."""
        address = ipaddress.ip_address(self.host.partition("%")[0])
        if address.is_unspecified:
            return f"127.0.0.1:{self.port}" if address.version == 4 else f"[::1]:{self.port}"
        return f"[{self.host}]:{self.port}" if address.version == 6 else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ipaddress.ip_address(self.host.partition("%")[0]).is_loopback

    @property
    def url(self) -> str:
        """The inbox's address, without a slash at its end."""
        return f"http://{self.netloc}"

    @property
    def dsn(self) -> str:
        """The DSN to paste."""
        return self._project.dsn("http", self.netloc).public

    @property
    def _project(self) -> Project:
        found: Project = self.app.extensions["sentry_kit_inbox"]
        return found

    def run(self) -> None:
        """Answer until :meth:`stop`, KeyboardInterrupt or SystemExit; then close everything."""
        try:
            self._server.run()
        finally:
            # Requests that are being answered are finished first, since they need the sockets.
            store = self._project.store
            store.live.close()
            self._server.task_dispatcher.shutdown()
            store.close()
            with self._stopping:
                self._stopped = True
                from waitress.wasyncore import close_all

                close_all(self._left)
                close_all(self._map)

    def stop(self) -> None:
        """Make :meth:`run` return; from any thread."""
        # Pulling the trigger may end the loop, which must not close the pipe meanwhile.
        with self._stopping:
            if not self._stopped:
                self._server.trigger.pull_trigger(self._leave)

    def _leave(self) -> None:
        # waitress's loop ends when its map is empty, and only its own thread may empty it.
        self._left.update(self._map)
        self._map.clear()


def load_server() -> tuple[type[PatientServer], type[Lanes]]:
    """The server's classes, whose waitress comes with the extra ``[inbox]``.

    :raises InboxError: waitress is missing; says how to install it.
    """
    try:
        from .connections import PatientServer
        from .lanes import Lanes
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "waitress":
            raise
        raise InboxError(
            "The inbox is served by waitress, which is not installed. Install it with:"
            " pip install 'flask-sentry-kit[inbox]'"
        ) from None
    return PatientServer, Lanes


def _lane_of(path: str, query: str) -> Lane:
    # waitress hands the app a path with one slash at its beginning.
    path = f"/{path.lstrip('/')}"
    if may_wait(path, query):
        return "waits"
    return "events" if is_sentrys(path) else "pages"


def _bind(host: str, port: int, may_be_reached: bool) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise InboxError(f"There is no host {host!r}.") from None
    family, _, _, _, address = found[0]
    loopback = ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback
    if not loopback and not may_be_reached:
        raise InboxError(
            f"{host} can be reached by other machines, so the inbox needs a password there. Write"
            " one into a file that only you may read, and give it with --password-file; or take"
            " 127.0.0.1."
        )
    try:
        # create_server() sets SO_REUSEADDR, except on Windows, where it would share the port.
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InboxError(
                f"Port {port} of {host} is in use. Take another with --port, or 0 for a free one."
            ) from None
        if error.errno == errno.EACCES:
            raise InboxError(f"Port {port} needs more rights; take one above 1023.") from None
        raise InboxError(f"Cannot listen on {host}, port {port}: {error.strerror}") from None
