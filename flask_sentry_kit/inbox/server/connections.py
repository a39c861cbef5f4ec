"""waitress with a limit on how long a connection may stall, so that slow ones keep nobody out.

At its limit of connections, waitress stops accepting until one has been silent for two minutes, and
a client that sends a byte now and then is never silent. Here each request and each answer has half
a minute to pass, and if there are too many connections, the one that stalls longest is closed.
``lanes.py`` decides which request is answered next. Failure drills of ``drills.py`` that no app can
play are played here.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import WSGITask

from ..protocol.drills import NoAnswer
from .lanes import Lane, Lanes
from .request_parser import Limits, RequestParser

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

PLACES: Final = 200
"""Connections that may stall at a time, and as many again whose requests wait for a thread."""

PATIENCE: Final = 30.0
"""Seconds for a request to arrive, for an answer to be read, and between two requests."""

# Connections that are accepted before the others are served, so that a client which sends its
# request at once is read before newer connections can push it out.
_AT_ONCE: Final = 32


# What a drill answers so slowly. It says that nothing was kept.
_DRIPPED: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
    b"Content-Length: 2\r\nConnection: close\r\n\r\n{}"
)


class Task(WSGITask):
    """One request, whose answer a drill may withhold."""

    channel: Connection

    def service(self) -> None:
        try:
            super().service()
        except NoAnswer as drill:
            self.channel.withhold(drill.kind)
            self.close_on_finish = drill.kind == "refuse"


class Connection(HTTPChannel):
    """One client's connection, and since when it stalls."""

    parser_class = RequestParser
    server: PatientServer
    task_class = Task

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.since = time.monotonic()
        self.pipelines = False
        """Whether its next request was sent before the one before it was answered."""
        self.runs = False
        """Whether a thread is answering it."""
        self.lane: Lane = "pages"
        """Of the request that a thread is to answer next."""
        self.withheld: bytes | None = None
        """What is left of an answer that a drill lets drip; empty where it never comes."""
        super().__init__(*args, **kwargs)

    @property
    def stalls(self) -> bool:
        """Whether the server waits for the client: it is idle, still sends, or reads slowly."""
        return not self.requests and not self.runs

    def received(self, data: bytes) -> bool:
        # Only a request's first bytes count, so that sending the rest slowly gains no time.
        if self.request is None:
            self.since = time.monotonic()
        if self.withheld is not None:
            return False
        if not self.runs:
            self.pipelines = False
        return bool(super().received(data))

    def service(self) -> None:
        # In service() waitress queues the connection's next request, if it has one.
        self.pipelines = self.runs = True
        lanes = self.server.lanes
        with lanes.pages_first.turn(self.lane), lanes.one_event.turn(self.lane):
            super().service()
        self.since = time.monotonic()
        self.runs = False

    def withhold(self, kind: str) -> None:
        """Play a drill. It takes no thread: the connection is among those that stall.

        :param kind: ``hang``, ``drip`` or ``refuse``.
        """
        if kind == "drip":
            self.withheld = _DRIPPED
        elif kind == "hang":
            self.withheld = b""
        elif self.socket is not None:
            # Closed so, a connection is reset (SO_LINGER in socket(7)).
            linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
            with suppress(OSError):
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def drip(self) -> None:
        """Send the next byte of an answer that drips; in the server's loop."""
        if self.withheld and self.send(self.withheld[:1]):
            self.withheld = self.withheld[1:]
            self.close_when_flushed = not self.withheld

    def close(self) -> None:
        # waitress calls this when the server stops, and leaves the files of answers open.
        self.handle_close()

    def handle_close(self) -> None:
        super().handle_close()
        if self.request is not None:
            self.request.close()

    def give_up(self) -> None:
        """Have the server's loop close it."""
        self.will_close = True
        # waitress closes it when the socket is writable, which it never is if the client reads
        # nothing. Shutting it down wakes the loop.
        with suppress(OSError):
            if self.socket is not None:
                self.socket.shutdown(socket.SHUT_RDWR)


class PatientServer(TcpWSGIServer):
    """waitress on one bound socket.

    :param connections: waitress's dictionary of its sockets.
    :param lanes: the threads that answer.
    :param adjustments: of waitress, as in its documentation.
    """

    channel_class = Connection
    lanes: Lanes
    active_channels: dict[int, Connection]  # type: ignore[assignment]  # ours, by channel_class

    def __init__(
        self,
        app: WSGIApplication,
        bound: socket.socket,
        connections: dict[int, Any],
        *,
        lanes: Lanes,
        **adjustments: Any,
    ) -> None:
        self.lanes = lanes
        super().__init__(
            app,
            connections,
            _sock=bound,
            bind_socket=False,
            dispatcher=lanes,
            sockinfo=(bound.family, bound.type, bound.proto, bound.getsockname()),
            adj=Limits(
                sockets=[bound],
                # Never reached, since connections are closed long before.
                connection_limit=3 * PLACES,
                cleanup_interval=1,
                # Reads on while a thread answers, and so notices a client that goes meanwhile.
                channel_request_lookahead=1,
                # select() takes no file descriptor above 1,023.
                asyncore_use_poll=True,
                **adjustments,
            ),
        )

    def handle_accept(self) -> None:
        for _ in range(_AT_ONCE):
            known = len(self.active_channels)
            super().handle_accept()
            if len(self.active_channels) == known:
                break
        self._make_room()

    def maintenance(self, now: float) -> None:
        """Close connections that stall for too long; called every `cleanup_interval` seconds."""
        limit = time.monotonic() - PATIENCE
        for connection in list(self.active_channels.values()):
            if connection.withheld is not None:
                connection.drip()  # which may close it
            elif connection.stalls and connection.since < limit:
                connection.give_up()
        self._make_room()

    def _make_room(self) -> None:
        open_ones = [one for one in self.active_channels.values() if not one.will_close]
        if len(open_ones) > PLACES:
            _close_surplus([one for one in open_ones if one.stalls], PLACES)
            _close_surplus([one for one in open_ones if one.requests and not one.runs], PLACES)


def _close_surplus(connections: list[Connection], most: int) -> None:
    """Close those that stall longest, of the client with the most connections."""
    connections.sort(key=lambda one: one.since)
    held = Counter(one.addr[0] for one in connections)
    for _ in range(len(connections) - most):
        largest = max(held.values())
        found = next(one for one in connections if held[one.addr[0]] == largest)
        held[found.addr[0]] -= 1
        connections.remove(found)
        found.give_up()
