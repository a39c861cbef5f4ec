"""Slow connections, and floods of them: everybody else is served all the same."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import urllib3
from waitress.buffers import TempfileBasedBuffer

from flask_sentry_kit.inbox.server import connections
from flask_sentry_kit.inbox.server.connections import PLACES
from flask_sentry_kit.inbox.server.lanes import Queue
from tests.support.inbox import RunningInbox

# Twice what may stall at a time, and four times what waitress takes by default.
MANY = 2 * PLACES

Connect = Callable[..., socket.socket]


@pytest.fixture
def connect(served: RunningInbox) -> Iterator[Connect]:
    """Open a connection to the inbox and send something."""
    opened: list[socket.socket] = []

    def run(data: bytes, source: str = "127.0.0.1", window: int | None = None) -> socket.socket:
        sock = socket.socket()
        opened.append(sock)
        sock.settimeout(10)
        if window is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        sock.bind((source, 0))
        sock.connect(("127.0.0.1", served.server.port))
        sock.sendall(data)
        return sock

    yield run
    for sock in opened:
        sock.close()


def is_open(sock: socket.socket) -> bool:
    """Whether the server has left it open; without waiting."""
    sock.setblocking(False)
    try:
        return sock.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


SLOW = {
    "idle": b"",
    "headers": b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: ",
    "body": b"POST /api/1/store/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{",
    "chunked body": b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r",
    "promised body": b"POST /api/1/store/ HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
    b"Content-Length: 100000\r\n\r\n",
    "kept alive": b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("kind", SLOW)
def test_slow_connections_shut_nobody_out(
    served: RunningInbox, connect: Connect, kind: str
) -> None:
    """Clients that never end their request, or never go, leave room for those who do."""
    for _ in range(MANY):
        connect(SLOW[kind])
    with urllib3.PoolManager(timeout=10, retries=False) as fresh:
        assert fresh.request("GET", served.url + "/").status == 200
    assert served.store().status == 200


def test_answers_that_nobody_takes_shut_nobody_out(served: RunningInbox, connect: Connect) -> None:
    """A client that reads nothing holds neither a thread nor its place for ever."""
    served.store({"event_id": "f" * 32, "message": "m" * 300_000})
    asked = f"GET /api/v1/events/{'f' * 32} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    for _ in range(MANY):
        connect(asked, window=1_024)
    # Connections are accepted in their order: once this one was looked at, all of them were.
    with suppress(urllib3.exceptions.HTTPError):
        served.request("GET", "/")
    wait_until(lambda: len(served.server._server.active_channels) <= PLACES + 8)
    assert served.request("GET", "/").status == 200


def test_a_stop_closes_the_files_of_what_is_under_way(
    served: RunningInbox, connect: Connect
) -> None:
    """Long answers that nobody takes, and long bodies that still arrive, wait in files."""
    served.store({"event_id": "f" * 32, "message": "m" * 300_000})
    asked = f"GET /api/v1/events/{'f' * 32} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    sent = b"POST /api/1/store/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n"
    connect(asked * 12, window=1_024)
    connect(sent + b"{" * 150_000)

    def files() -> list[Any]:
        buffers = []
        for channel in list(served.server._server.active_channels.values()):
            buffers += channel.outbufs
            if channel.request is not None and channel.request.body_rcv is not None:
                buffers.append(channel.request.body_rcv.getbuf())
        return [one.buf.file for one in buffers if isinstance(one.buf, TempfileBasedBuffer)]

    wait_until(lambda: len(files()) >= 5)
    kept = files()
    served.server.stop()
    wait_until(lambda: all(file.closed for file in kept))


@pytest.mark.parametrize("kind", ["headers", "body", "chunked body"])
def test_dripping_wins_no_time(
    served: RunningInbox, connect: Connect, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request has so long to arrive as a whole, however often a byte of it comes."""
    monkeypatch.setattr(connections, "PATIENCE", 0.5)
    sock = connect(SLOW[kind])

    def drip() -> bool:
        sock.setblocking(True)
        try:
            sock.sendall(b"\n" if kind == "chunked body" else b"a")
        except ConnectionError:
            return True
        return not is_open(sock)

    wait_until(drip)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127/8")
def test_the_client_with_most_connections_loses_them(
    served: RunningInbox, connect: Connect
) -> None:
    """One address that opens very many takes no place from another's slow connection."""
    modest = connect(SLOW["headers"], source="127.0.0.2")
    greedy = [connect(SLOW["headers"]) for _ in range(MANY)]
    wait_until(lambda: sum(map(is_open, greedy)) <= PLACES)
    assert is_open(modest)
    # The newest are still there.
    assert is_open(greedy[-1])


def test_an_ordinary_request_waits_little_among_slow_ones(
    served: RunningInbox, connect: Connect
) -> None:
    """The median with hundreds of slow connections is near the median without."""

    def median() -> float:
        found = []
        for _ in range(15):
            began = time.perf_counter()
            with urllib3.PoolManager(timeout=10, retries=False) as fresh:
                assert fresh.request("GET", served.url + "/").status == 200
            found.append(time.perf_counter() - began)
        return sorted(found)[7]

    median()
    calm = median()
    for kind in SLOW:
        for _ in range(MANY // len(SLOW)):
            connect(SLOW[kind])
    assert median() < 5 * calm + 0.1


class Job:
    """A request as the queue sees it."""

    def __init__(self, done: list[str], name: str, pipelines: bool = False) -> None:
        self.done, self.name, self.pipelines = done, name, pipelines
        self.go = threading.Event()
        self.go.set()

    def service(self) -> None:
        self.go.wait(10)
        self.done.append(self.name)


def test_in_a_flood_the_newest_request_is_first() -> None:
    """Who comes last waits for what is being answered, not for all that others have queued."""
    queue, done = Queue(most=1), list[str]()
    queue.set_thread_count(1)
    holding = Job(done, "running")
    holding.go.clear()
    queue.add_task(holding)
    wait_until(lambda: not queue.queue)
    for job in (
        Job(done, "first"),
        Job(done, "flood"),
        Job(done, "pipelined", pipelines=True),
        Job(done, "newest"),
    ):
        queue.add_task(job)
    holding.go.set()
    wait_until(lambda: len(done) == 5)
    queue.shutdown()
    assert done == ["running", "newest", "flood", "first", "pipelined"]


def test_more_headers_than_any_client_sends_are_refused(served: RunningInbox) -> None:
    """431 over 64 kB: waitress joins headers of one name anew with each."""
    many = {"Cookie": "a" * 60_000}
    assert served.request("GET", "/", headers=many).status == 200
    many["X-More"] = "b" * 60_000
    assert served.request("GET", "/", headers=many).status == 431
