"""A Sentry on loopback, in a process of its own: well, or ill in one of several ways.

``python -m tests.attacks.sentry MODE`` prints its port. It counts the events it takes, and answers
``GET /count`` with their number.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import zlib

from tests.support.sentry import JSON, Answer, Received, RecordingSentry

_lock = threading.Lock()
_taken = 0


def takes(request: Received) -> Answer:
    return 200, JSON, b'{"id": "0"}'


def hangs(request: Received) -> None:
    threading.Event().wait()


def drips(request: Received) -> None:
    request.handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        request.handler.wfile.write(b".")
        time.sleep(0.2)


def redirects(request: Received) -> Answer:
    return 302, {"Location": f"http://{request.headers['Host']}{request.target}"}, b""


def floods(request: Received) -> None:
    request.handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while True:
        request.handler.wfile.write(b"[" * 65536)


def fails(request: Received) -> Answer:
    return 500, {}, b"{" * 10_000


def stammers(request: Received) -> None:
    request.handler.wfile.write(b"\xff\r\n" * 10_000)


def unpacks(request: Received) -> Answer:
    # A gigabyte, in an encoding that nobody asked for.
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    body = b"".join(packer.compress(bytes(2**24)) for _ in range(64)) + packer.flush()
    return 302, {"Content-Encoding": "gzip", "Location": request.target}, body


def counts(request: Received) -> None:
    # A chunk whose size has no end.
    request.handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        request.handler.wfile.write(b"1" * 65536)


MODES = {
    mode.__name__: mode
    for mode in (takes, hangs, drips, redirects, floods, fails, stammers, unpacks, counts)
}


def answer(request: Received) -> Answer | None:
    """Count an event and forget it: an attack sends more of them than memory is for."""
    global _taken
    sentry.received.clear()
    if request.method == "GET":
        return 200, JSON, json.dumps(_taken).encode()
    if request.project:
        with _lock:
            _taken += 1
    return MODES[sys.argv[1]](request)


if __name__ == "__main__":
    sentry = RecordingSentry(answer=answer)
    print(sentry.port, flush=True)
    threading.Event().wait()
