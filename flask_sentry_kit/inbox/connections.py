"""waitress with a bound on how long a connection may stall, so that slow ones keep nobody out.

waitress itself stops accepting at its limit until a connection has been silent for two minutes;
a client that drips a byte now and then is never silent. Here each request, and each answer, has
half a minute to pass, and where places run short, the connection that stalls longest is closed.
Where requests arrive faster than they are answered, the newest is answered first.
"""

from __future__ import annotations

import socket
import time
from collections import Counter
from contextlib import suppress
from typing import Any, Final

from flask import Flask
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

PLACES: Final = 200
"""Stalling connections at a time, and as many more whose requests wait for a thread."""

PATIENCE: Final = 30.0
"""Seconds for a request to arrive, for an answer to be taken, and between the two."""

# Connections accepted before those that are there are looked at: a client that sends its request
# at once has it read before this many newer ones can push it out.
_AT_ONCE: Final = 32


class Connection(HTTPChannel):
    """One client's connection, and since when it keeps us waiting."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.since = time.monotonic()
        self.pipelines = False
        """Whether its next request was sent before the one before it was answered."""
        self.runs = False
        """Whether a thread is answering it."""
        super().__init__(*args, **kwargs)

    @property
    def stalls(self) -> bool:
        """Whether nothing is to be done for it: it is idle, still sends, or is slow to read."""
        return not self.requests and not self.runs

    def received(self, data: bytes) -> bool:
        # Only the first bytes of a request count: dripping the rest wins no time.
        if self.request is None:
            self.since = time.monotonic()
        self.pipelines = False
        return bool(super().received(data))

    def service(self) -> None:
        # What is in its list behind this request is queued by waitress in here.
        self.pipelines = self.runs = True
        super().service()
        self.since = time.monotonic()
        self.runs = False

    def close(self) -> None:
        # waitress calls this where the server stops, and leaves the files of answers open then.
        self.handle_close()

    def handle_close(self) -> None:
        super().handle_close()
        if self.request is not None:
            self.request.close()

    def give_up(self) -> None:
        """Close it as soon as the server's loop comes to it."""
        self.will_close = True
        # A client that reads nothing never makes the socket writable, where waitress would close
        # it; shutting it down wakes the loop in any case.
        with suppress(OSError):
            if self.socket is not None:
                self.socket.shutdown(socket.SHUT_RDWR)


class Queue(ThreadedTaskDispatcher):
    """waitress's threads, and what waits for one.

    In a queue that grows, first come, first served means that everybody waits for the flood.
    Beyond what the threads take at once, the newest request is served first, and what a
    connection pipelines last.
    """

    def add_task(self, task: Any) -> None:
        with self.lock:
            if task.pipelines or len(self.queue) < len(self.threads):
                self.queue.append(task)
            else:
                self.queue.appendleft(task)
            self.queue_cv.notify()


class PatientServer(TcpWSGIServer):
    """waitress on one bound socket.

    :param connections: what waitress keeps its sockets in.
    :param threads: how many requests are answered at a time.
    :param adjustments: of waitress, as in its documentation.
    """

    channel_class = Connection
    active_channels: dict[int, Connection]  # type: ignore[assignment]

    def __init__(
        self,
        app: Flask,
        bound: socket.socket,
        connections: dict[int, Any],
        *,
        threads: int,
        **adjustments: Any,
    ) -> None:
        queue = Queue()
        queue.set_thread_count(threads)
        super().__init__(
            app,
            connections,
            _sock=bound,
            bind_socket=False,
            dispatcher=queue,
            sockinfo=(bound.family, bound.type, bound.proto, bound.getsockname()),
            adj=Adjustments(
                sockets=[bound],
                # Only a last resort, which is not reached: room is made long before.
                connection_limit=3 * PLACES,
                cleanup_interval=1,
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
        """Close what has stalled for too long; waitress calls this every `cleanup_interval`."""
        limit = time.monotonic() - PATIENCE
        for connection in self.active_channels.values():
            if connection.stalls and connection.since < limit:
                connection.give_up()
        self._make_room()

    def _make_room(self) -> None:
        open_ones = [one for one in self.active_channels.values() if not one.will_close]
        if len(open_ones) > PLACES:
            _close_surplus([one for one in open_ones if one.stalls], PLACES)
            _close_surplus([one for one in open_ones if one.requests and not one.runs], PLACES)


def _close_surplus(connections: list[Connection], most: int) -> None:
    """Close those that wait longest, of the client that has most of them."""
    connections.sort(key=lambda one: one.since)
    held = Counter(one.addr[0] for one in connections)
    for _ in range(len(connections) - most):
        largest = max(held.values())
        found = next(one for one in connections if held[one.addr[0]] == largest)
        held[found.addr[0]] -= 1
        connections.remove(found)
        found.give_up()
