"""A client that sends events one after the other, in a process of its own.

``python -m benchmarks.inbox_sender <dsn> raven|kit|sentry-sdk <seed> <bodies>`` reads one event, as
JSON in a line of standard input, and prints ``ready`` when it has made its bodies of it. Then it
reads commands: ``send <events>`` is answered with one line of JSON, a :class:`Sent`.

It speaks HTTP over a socket that it keeps open, since a client that costs as much as the server
would measure itself.
"""

from __future__ import annotations

import json
import random
import socket
import sys
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from itertools import cycle
from urllib.parse import urlsplit

from .inbox_events import Variations, packed


@dataclass(frozen=True, slots=True)
class Sent:
    """What one command did."""

    stored: int
    """Events that were answered with 200."""
    refused: int
    latest: str
    """The id of the latest stored event."""
    seconds: float
    cpu: float
    """Seconds of processor time of this client."""
    slowest: float
    """Seconds of the slowest answer."""


class Sender:
    """One client.

    :param event: as JSON, of which it makes its variations.
    :param client: whose requests it sends: ``raven`` (``/store/``, deflate), ``kit`` (``/store/``,
        gzip), or ``sentry-sdk`` (``/envelope/``, gzip).
    :param seed: of its events, which differ from those of another seed.
    :param bodies: how many variations it makes; their ids and times are new each time.
    """

    def __init__(self, event: str, dsn: str, client: str, seed: int, bodies: int) -> None:
        url = urlsplit(dsn)
        envelope, gzip = client == "sentry-sdk", client != "raven"
        variations = Variations(event, seed)
        events = (variations.one() for _ in range(bodies))
        self._bodies = cycle(list(packed(events, envelope=envelope, gzip=gzip)))
        self._ids = random.Random()
        self._address = (url.hostname or "", url.port or 80)
        self._socket: socket.socket | None = None
        agent = "sentry.python/2.0" if envelope else "raven-python/6.10.0"
        path = f"/api{url.path}/{'envelope' if envelope else 'store'}/"
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: {url.hostname}:{url.port}\r\n"
            f"X-Sentry-Auth: Sentry sentry_version=7, sentry_key={url.username},"
            f" sentry_client={agent}\r\nUser-Agent: {agent}\r\n"
            f"Content-Type: application/{'x-sentry-envelope' if envelope else 'json'}\r\n"
            f"Content-Encoding: {'gzip' if gzip else 'deflate'}\r\nContent-Length: "
        )

    def send(self, events: int) -> Sent:
        """Send so many events over one connection, each when the one before it is answered."""
        self._close()
        stored = refused = 0
        slowest, latest = 0.0, ""
        began, began_cpu = time.perf_counter(), time.process_time()
        for _ in range(events):
            event_id = f"{self._ids.getrandbits(128):032x}"
            body = next(self._bodies).body(event_id, datetime.now(timezone.utc))
            asked = time.perf_counter()
            if self._ask(f"{self._head}{len(body)}\r\n\r\n".encode() + body) == 200:
                stored, latest = stored + 1, event_id
            else:
                refused += 1
            slowest = max(slowest, time.perf_counter() - asked)
        cpu = time.process_time() - began_cpu
        return Sent(stored, refused, latest, time.perf_counter() - began, cpu, slowest)

    def _ask(self, request: bytes) -> int:
        """The status of the answer."""
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=60)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        answer = self._socket.recv(65536)
        while b"\r\n\r\n" not in answer:
            answer += self._more()
        head, _, rest = answer.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        while len(rest) < length:
            rest += self._more()
        if b"connection: close" in lines:
            self._close()
        return int(head[9:12])

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _more(self) -> bytes:
        assert self._socket
        if not (data := self._socket.recv(65536)):
            raise ConnectionError("the server closed the connection before its answer's end")
        return data


def main() -> None:
    dsn, client, seed, bodies = sys.argv[1:]
    sender = Sender(sys.stdin.readline(), dsn, client, int(seed), int(bodies))
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(asdict(sender.send(int(line.split()[1])))), flush=True)


if __name__ == "__main__":
    main()
