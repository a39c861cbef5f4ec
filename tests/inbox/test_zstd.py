"""Bodies packed with zstd: read like any other, bounded in bytes and in time, and never lost in
silence where the package is missing."""

from __future__ import annotations

import json
import logging
import os
import random
import sys
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
import zstandard
from flask.testing import FlaskClient
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from flask_sentry_kit.inbox import create_inbox
from flask_sentry_kit.inbox.protocol import content_encoding
from flask_sentry_kit.inbox.protocol.body import MAX_PLAIN

KEY = "a" * 32
EVENT_ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    app = create_inbox(tmp_path_factory.mktemp("zstd") / "inbox.sqlite", public_key=KEY)
    yield app.test_client()
    app.extensions["sentry_kit_inbox"].store.close()


def send(client: FlaskClient, body: bytes, path: str = "store") -> Any:
    headers = {"Content-Encoding": "zstd"}
    return client.post(f"/api/1/{path}/?sentry_key={KEY}", data=body, headers=headers)


def pack(data: bytes, level: int = 3) -> bytes:
    """A frame that says the length of its text, as when all of it is known."""
    return zstandard.ZstdCompressor(level=level).compress(data)


def pack_stream(data: bytes) -> bytes:
    """A frame that does not say the length of its text, and has a checksum."""
    packer = zstandard.ZstdCompressor(write_content_size=False, write_checksum=True).compressobj()
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize("packed", [pack, pack_stream])
def test_an_envelope_packed_with_zstd_is_read(client: FlaskClient, packed: Any) -> None:
    """Whether or not the frame says how long its text is."""
    event = json.dumps({"event_id": EVENT_ID, "message": "hello"})
    body = packed(f'{{}}\n{{"type":"event"}}\n{event}\n'.encode())
    assert send(client, body, "envelope").get_json() == {"id": EVENT_ID}


@pytest.mark.parametrize("packed", [pack, pack_stream])
def test_the_text_is_bounded_to_the_byte(packed: Any) -> None:
    """Up to the last byte that is allowed, and not one more."""
    data = os.urandom(300_000)
    assert content_encoding.unpack(packed(data), "zstd", 300_000) == data
    assert content_encoding.unpack(packed(data), "zstd", 299_999) is None


@pytest.mark.parametrize("packed", [pack, pack_stream])
def test_a_bomb_of_zstd_is_never_unpacked(client: FlaskClient, packed: Any) -> None:
    """60 MB in two kilobytes: what is beyond the limit costs nothing."""
    body = packed(b" " * 60_000_000)
    assert len(body) < 3_000
    tracemalloc.start()
    try:
        answer = send(client, body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.status_code == 413
    assert peak < 3 * MAX_PLAIN


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        pack(b"{}")[:-1],
        pack_stream(b"{}")[:-1],
        pack_stream(b"{}")[:-4] + b"abcd",
        pack(b"{}") + b"more",
        pack(b"{}") * 2,
        pack_stream(b" " * 500_000)[:-1],
        # A frame to skip, which has no text.
        b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd",
    ],
)
def test_what_is_no_frame_of_zstd_is_400(client: FlaskClient, body: bytes) -> None:
    """Not packed at all, cut short, changed, or with something behind it."""
    assert send(client, body).status_code == 400


def test_a_frame_that_looks_back_too_far_is_refused() -> None:
    """A reader needs as much memory as a frame looks back: 128 MB here, and 8 MB is the most that
    a body may ask for (RFC 9659)."""
    wide = zstandard.ZstdCompressionParameters(window_log=27)
    packer = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    body = packer.compress(b'{"message": "hello"}') + packer.flush()
    assert zstandard.get_frame_parameters(body).window_size == 2**27
    with pytest.raises(BadRequest, match="8 MB"):
        content_encoding.unpack(body, "zstd", MAX_PLAIN)


def slow_blocks(size: int) -> bytes:
    """A frame of one block over and over, which has tables of its own, and little text."""
    letters = random.Random(0)
    text = b" ".join(bytes(letters.choices(range(40), k=5)) for _ in range(20)) * 2
    body = zstandard.ZstdCompressor(level=19, write_content_size=False).compress(text)
    start = zstandard.frame_header_size(body)
    head = int.from_bytes(body[start : start + 3], "little")
    assert head & 0b111 == 0b101, "it has to be one packed block"
    block = (head & ~1).to_bytes(3, "little") + body[start + 3 :]
    # Behind them an empty last block.
    return body[:start] + block * (size // len(block)) + b"\1\0\0"


def test_blocks_that_take_long_to_read_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as 2 MB hold are refused before the first one is unpacked."""
    body = slow_blocks(400_000)
    monkeypatch.setattr(content_encoding, "_BLOCKS", 10**6)
    began = time.thread_time()
    assert content_encoding.unpack(body, "zstd", MAX_PLAIN)
    unbounded = time.thread_time() - began
    monkeypatch.setattr(content_encoding, "_BLOCKS", 100)
    began = time.thread_time()
    with pytest.raises(RequestEntityTooLarge, match="too long"):
        content_encoding.unpack(body, "zstd", MAX_PLAIN)
    assert time.thread_time() - began < unbounded / 2


def test_without_zstandard_it_is_415_that_says_what_to_install(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer and the log, once, name the package and the command."""
    monkeypatch.setitem(sys.modules, "zstandard", None)
    for path in ("store", "envelope", "store"):
        answer = send(client, pack(b'{"message": "hello"}'), path)
        assert answer.status_code == 415
        assert "zstandard" in answer.headers["X-Sentry-Error"]
        assert "pip install 'flask-sentry-kit[inbox]'" in answer.headers["X-Sentry-Error"]
        assert answer.headers["Accept-Encoding"] == "gzip, deflate, br"
    warnings = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "pip install 'flask-sentry-kit[inbox]'" in warnings[0].getMessage()
