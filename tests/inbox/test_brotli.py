"""Bodies packed with brotli: read like any other, bounded in bytes and in time, and never lost in
silence where the package is missing."""

from __future__ import annotations

import json
import logging
import sys
import time
import tracemalloc
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import brotli
import pytest
from flask.testing import FlaskClient
from werkzeug.exceptions import RequestEntityTooLarge

from flask_sentry_kit.inbox import create_inbox
from flask_sentry_kit.inbox.protocol import content_encoding
from flask_sentry_kit.inbox.protocol.body import MAX_PLAIN

KEY = "a" * 32
EVENT_ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    app = create_inbox(tmp_path / "inbox.sqlite", public_key=KEY)
    yield app.test_client()
    app.extensions["sentry_kit_inbox"].store.close()


def send(client: FlaskClient, body: bytes, path: str = "store") -> Any:
    headers = {"Content-Encoding": "br"}
    return client.post(f"/api/1/{path}/?sentry_key={KEY}", data=body, headers=headers)


def test_an_envelope_packed_with_brotli_is_read(client: FlaskClient) -> None:
    """As sentry-sdk sends it."""
    event = json.dumps({"event_id": EVENT_ID, "message": "hello"})
    packed = brotli.compress(f'{{}}\n{{"type":"event"}}\n{event}\n'.encode(), quality=4)
    assert send(client, packed, "envelope").get_json() == {"id": EVENT_ID}
    kept = client.get(f"/api/v1/events/{EVENT_ID}").get_json()
    assert kept["event"]["message"] == "hello"


def test_the_largest_event_is_read(client: FlaskClient) -> None:
    """Up to the last byte that is allowed, and not one more."""
    head, end = b'{"event_id":"%s","message":"' % EVENT_ID.encode(), b'"}'
    room = MAX_PLAIN - len(head) - len(end)
    assert send(client, brotli.compress(head + b"m" * room + end, quality=1)).status_code == 200
    assert (
        send(client, brotli.compress(head + b"m" * (room + 1) + end, quality=1)).status_code == 413
    )


def test_a_bomb_of_brotli_is_never_unpacked(client: FlaskClient) -> None:
    """60 MB in a hundred bytes: what is beyond the limit costs nothing."""
    packed = brotli.compress(b" " * 60_000_000, quality=2)
    assert len(packed) < 1_000
    for path in ("store", "envelope"):
        tracemalloc.start()
        try:
            answer = send(client, packed, path)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert answer.status_code == 413
        assert peak < 3 * MAX_PLAIN


class Bits:
    """Writes a stream of brotli bit by bit (RFC 7932)."""

    def __init__(self) -> None:
        self.value = self.length = 0

    def put(self, value: int, bits: int) -> None:
        self.value |= value << self.length
        self.length += bits

    def code(self, symbol: int, bits: int) -> None:
        """A prefix code of one symbol, which then takes no bits."""
        self.put(0b0001, 4)
        self.put(symbol, bits)


def slow_tables(size: int) -> bytes:
    """The slowest stream of brotli that is known here: 83 bytes for each letter of its text.

    Each letter has a block of its own with a map of 16,384 contexts, written as two runs, of which
    each entry has to be moved to the front of a list.
    """
    block = Bits()
    block.put(0, 1 + 2 + 16 + 1)  # not the last block; of one letter; packed
    block.put(1 | 7 << 1 | 127 << 4, 11)  # 256 types of blocks of letters
    block.code(0, 9)  # the type
    block.code(0, 5)  # how many, and of that …
    block.put(0, 2)  # … the further bits
    block.put(0, 1 + 1)  # one type of commands, one of distances
    block.put(0, 2 + 4)
    block.put(0, 256 * 2)  # the mode of each type's contexts
    block.put(1, 4)  # two trees of letters, so that there is a map
    block.put(1 | 12 << 1, 5)  # runs of up to 2**14
    block.code(13, 4)
    block.put(0, 13 + 13)  # two runs of 2**13
    block.put(1, 1)  # move to front
    block.put(0, 1)  # one tree of distances
    block.code(ord("A"), 8)
    block.code(ord("A"), 8)
    block.code(8, 10)  # a command: one letter, no copy
    block.code(0, 6)
    count = size * 8 // block.length
    text = f"{block.value:0{block.length}b}" * count
    # Before it the size of the window, behind it an empty last block.
    whole = int(f"11{text}0", 2)
    return whole.to_bytes(1 + (2 + count * block.length) // 8, "little")


def test_tables_that_take_long_to_read_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """2 MB of them take 1.7 s without a bound. Here the bound is a fifth of what the body takes."""
    body = slow_tables(200_000)
    began = time.thread_time()
    assert set(brotli.decompress(body)) == {ord("A")}
    unbounded = time.thread_time() - began
    monkeypatch.setattr(content_encoding, "_SECONDS", unbounded / 5)
    began = time.thread_time()
    with pytest.raises(RequestEntityTooLarge, match="too long"):
        content_encoding.unpack(body, "br", MAX_PLAIN)
    assert time.thread_time() - began < unbounded / 2


class OldDecompressor:
    """As in brotli before 1.2."""

    def process(self, data: bytes) -> bytes:
        return data


@pytest.mark.parametrize("found", [None, types.SimpleNamespace(Decompressor=OldDecompressor)])
def test_without_brotli_it_is_415_that_says_what_to_install(
    client: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    found: object,
) -> None:
    """Not installed, or a release that cannot bound its output: the answer and the log, once, name
    the command; an unpacked event is taken as before."""
    monkeypatch.setitem(sys.modules, "brotli", found)
    for path in ("store", "envelope", "store"):
        answer = send(client, brotli.compress(b'{"message": "hello"}'), path)
        assert answer.status_code == 415
        assert "pip install 'flask-sentry-kit[inbox]'" in answer.headers["X-Sentry-Error"]
        assert answer.headers["Accept-Encoding"] == "gzip, deflate, zstd"
    warnings = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "pip install 'flask-sentry-kit[inbox]'" in warnings[0].getMessage()
    assert client.post(f"/api/1/store/?sentry_key={KEY}", data=b"{}").status_code == 200
