"""Large bodies wait in a short line of their own, and all else passes them."""

from __future__ import annotations

import os
import threading
import time
import zlib

import brotli
import pytest
from flask import Request
from werkzeug.exceptions import TooManyRequests
from werkzeug.test import EnvironBuilder

from flask_sentry_kit.inbox.protocol.body import MAX_PARTS, Bodies
from tests.support.inbox import RunningInbox


def request_of(data: bytes, encoding: str = "") -> Request:
    headers = [("Content-Encoding", encoding)]
    return Request(EnvironBuilder(method="POST", data=data, headers=headers).get_environ())


def test_large_bodies_wait_in_a_short_line_and_small_ones_pass() -> None:
    """One is read at a time and one waits; a further one is 429, and a small one never waits."""
    bodies = Bodies()
    large = b"," * 100_000
    done = threading.Event()
    read_now: list[int] = []

    def take() -> None:
        with bodies.reading(request_of(large)):
            read_now.append(1)
            done.wait(30)
            assert read_now == [1]
            read_now.pop()

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        deadline = time.monotonic() + 20
        while bodies._in_line < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(TooManyRequests), bodies.reading(request_of(large)):
            pass
        # How long brotli takes to unpack does not show in the length of the text.
        packed = request_of(brotli.compress(os.urandom(40_000)), "br")
        with pytest.raises(TooManyRequests), bodies.reading(packed):
            pass
        with bodies.reading(request_of(b"{}")) as small:
            assert small.plain == b"{}"
    finally:
        done.set()
        for thread in threads:
            thread.join(20)
    with bodies.reading(request_of(large)) as body:
        assert body.plain == large


def test_an_ordinary_event_and_the_list_pass_while_large_ones_are_read(
    served: RunningInbox,
) -> None:
    """Eight clients that send the most that is taken, over and over, make others wait little."""
    body = zlib.compress(b'{"extra":[' + b'{"":0},' * (MAX_PARTS // 4) + b"0]}")
    stop = threading.Event()
    answers: set[int] = set()

    def attack() -> None:
        while not stop.is_set():
            answers.add(served.store(body, headers={"Content-Encoding": "deflate"}).status)

    def median() -> float:
        found = []
        for number in range(9):
            began = time.perf_counter()
            assert served.store(served.event(f"{number:032x}")).status == 200
            assert served.request("GET", "/").status == 200
            found.append(time.perf_counter() - began)
        return sorted(found)[4]

    median()
    calm = median()
    clients = [threading.Thread(target=attack) for _ in range(8)]
    for client in clients:
        client.start()
    try:
        attacked = median()
    finally:
        stop.set()
        for client in clients:
            client.join(20)
    assert answers <= {200, 429} and 200 in answers
    # Both ends run in this one process here: the attack takes their time too.
    assert attacked < 10 * calm + 0.5
