"""Attacks on the inbox: bodies that unpack to more than they look, and clients that stay."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from .book import Visit, attack
from .site import Site

EVENT_ID = "0123456789abcdef0123456789abcdef"
REFUSED = (400, 413)

inbox_attack = partial(attack, server="inbox", kit_only=True)


def _send(site: Site, body: bytes, path: str = "envelope", encoding: str = "gzip") -> Visit:
    headers = {"Content-Encoding": encoding} if encoding else {}
    headers["X-Sentry-Auth"] = f"Sentry sentry_version=7, sentry_key={site.key}"
    return site.request("POST", f"/api/1/{path}/", body, headers)


def _stored(site: Site, **more: Any) -> list[Visit]:
    """Send an event, and look at its page if it was taken."""
    body = json.dumps({"event_id": EVENT_ID, "message": "hello", **more}, separators=(",", ":"))
    return _sent_and_seen(site, body.encode())


def _sent_and_seen(site: Site, body: bytes) -> list[Visit]:
    visits = [_send(site, gzip.compress(body), "store")]
    if visits[0].status == 200:
        visits += [site.get(f"/events/{EVENT_ID}/"), site.get(f"/api/v1/events/{EVENT_ID}")]
    return visits


@inbox_attack("an envelope of 232 bytes: gzip of newlines", 200_000, answers=(200, 400, 413))
@inbox_attack("an envelope of 7.8 kB: gzip of newlines", 8_000_000, answers=(200, 400, 413))
def newlines(site: Site, count: int) -> list[Visit]:
    return [_send(site, gzip.compress(b"{}\n" + b"\n" * count + b"{}"))]


@inbox_attack("an envelope of 8 MB of empty items", answers=REFUSED)
def items(site: Site) -> list[Visit]:
    return [_send(site, gzip.compress(b"{}\n" + b'{"type":"a"}\n\n' * 570_000))]


@inbox_attack("an envelope's item says it is longer than it is", answers=REFUSED)
def lengths(site: Site) -> list[Visit]:
    lengths = ("99999999999", "-1", "1e400", "9" * 5000, "true", '"1"', "[]")
    return [
        _send(site, b'{}\n{"type":"event","length":%s}\n{}\n' % one.encode(), encoding="")
        for one in lengths
    ]


@inbox_attack("a JSON list of 8 MB in 7.4 kB", answers=(200, *REFUSED))
def long_list(site: Site) -> list[Visit]:
    return _stored(site, extra={"list": [0] * 3_900_000})


@inbox_attack("a JSON object of 500,000 keys", answers=(200, *REFUSED))
def long_object(site: Site) -> list[Visit]:
    return _stored(site, extra={f"{number}": 0 for number in range(500_000)})


@inbox_attack("a text of 8 MB", answers=(200, *REFUSED))
def long_text(site: Site) -> list[Visit]:
    return _stored(site, extra={"text": "&" * 7_900_000})


@inbox_attack("an event of 300,000 frames", answers=(200, *REFUSED))
def many_frames(site: Site) -> list[Visit]:
    frames = [{"lineno": 1}] * 300_000
    values = [{"type": "A", "value": "b", "stacktrace": {"frames": frames}}]
    return _stored(site, exception={"values": values})


@inbox_attack("an event of 100,000 exceptions", answers=(200, *REFUSED))
def many_exceptions(site: Site) -> list[Visit]:
    return _stored(site, exception={"values": [{"type": "A", "value": "b"}] * 100_000})


@inbox_attack("JSON of 900 and of 8 million levels", answers=(200, *REFUSED))
def deep(site: Site) -> list[Visit]:
    visits: list[Visit] = []
    for levels in (900, 100_000, 3_900_000):
        body = b'{"event_id":"%s","extra":' % EVENT_ID.encode() + b"[" * levels + b"]" * levels
        visits += _sent_and_seen(site, body + b"}")
    return visits


@inbox_attack("a number of a million digits", answers=(200, *REFUSED))
def digits(site: Site) -> list[Visit]:
    head = b'{"event_id":"%s","extra":{"a":' % EVENT_ID.encode()
    return _sent_and_seen(site, head + b"9" * 1_000_000 + b"}}")


@inbox_attack("1 GB of zeros in 1 MB: gzip", zlib.MAX_WBITS | 16, "gzip", answers=REFUSED)
@inbox_attack("1 GB of zeros in 1 MB: deflate", zlib.MAX_WBITS, "deflate", answers=REFUSED)
def bomb(site: Site, format: int, encoding: str) -> list[Visit]:
    packer = zlib.compressobj(9, wbits=format)
    piece = bytes(16_000_000)
    body = b"".join(packer.compress(piece) for _ in range(64)) + packer.flush()
    site.begin()
    return [_send(site, body, path, encoding) for path in ("store", "envelope")]


@inbox_attack("200 packed bodies behind each other", answers=REFUSED)
def members(site: Site) -> list[Visit]:
    return [
        _send(site, gzip.compress(b"\n" * 1_000_000) * 200, path) for path in ("store", "envelope")
    ]


@inbox_attack("500 events, eight at a time", answers=(200,))
def events(site: Site) -> list[Visit]:
    def send(number: int) -> Visit:
        return _send(site, b'{"message":"hello %d"}' % number, "store", "")

    return site.at_once(500, send)


@inbox_attack("250 kB in every question to its pages", answers=(200, 308, 400, 404, 414, 431))
def questions(site: Site) -> list[Visit]:
    pages = ["/?q=", "/?before=", "/api/v1/events?limit=", "/api/v1/crashes?q="]
    pages += ["/events/", "/api/embed/error-page/?dsn=", "/api/embed/error-page/?eventId="]
    return [site.get(page + "a%22" * count) for page in pages for count in (1_500, 60_000)]


@contextmanager
def _connections(site: Site, count: int, said: bytes) -> Iterator[list[socket.socket]]:
    """Clients that begin a request and stay."""
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            try:
                one = socket.create_connection(("127.0.0.1", site.port), 2)
                stack.callback(one.close)
                one.sendall(said)
                found.append(one)
            except OSError:
                pass  # refused, which is as good
        yield found


HEAD = b"POST /api/1/store/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n"


@inbox_attack("1,000 connections that say nothing", b"", answers=(200,))
@inbox_attack("1,000 connections that drip a head", b"GET / HT", answers=(200,))
@inbox_attack("1,000 connections that drip a body", HEAD + b"\r\n", answers=(200,))
def slow_clients(site: Site, said: bytes) -> list[Visit]:
    with _connections(site, 1000, said) as clients:
        visits = []
        for _ in range(4):
            time.sleep(0.5)
            for client in clients if said else ():
                try:
                    client.sendall(b"a")
                except OSError:
                    pass  # closed by the inbox, as it may
            visits.append(site.get("/"))
        return visits
