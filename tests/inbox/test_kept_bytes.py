"""What an event's client wrote is kept as it is, wherever it can be."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest

from flask_sentry_kit.inbox.protocol.body import JsonReader
from tests.support.inbox import EVENT_ID, RunningInbox


def read(data: bytes) -> Any:
    return JsonReader(len(data)).parse_event(data)


def nested(levels: int) -> bytes:
    return b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1.5, "b": [null, true, -7]}',
        b' \n{"a": 1}\n',
        '{"a": "é 한 😀"}'.encode(),
        json.dumps({"a": "é 한 😀😀 \\u"}).encode(),
        b'{"a": "\\uD83D\\uDE00"}',
        nested(60),
        b'{"a":' + b"9" * 100 + b"}",
    ],
)
def test_bytes_that_are_fine_are_kept(data: bytes) -> None:
    """Nothing is written again, which saves most of an event's time."""
    found = read(data)
    assert found.data is data
    assert found.body == json.loads(data)


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (b'{"a":NaN}', {"a": None}),
        (b'{"a":-Infinity}', {"a": None}),
        (b'{"a":1e999}', {"a": None}),
        (b'{"a":' + b"9" * 101 + b"}", {"a": "9" * 101}),
        (b'{"a":"\\ud83d"}', {"a": "?"}),
        (b'{"a":"\\uDE00\\uD83D"}', {"a": "??"}),
        # An escaped backslash, six letters, and half of a pair.
        (b'{"a":"\\\\ud83d\\ude00"}', {"a": "\\ud83d?"}),
        (b'{"a":"\xed\xa0\xbd"}', {"a": "?"}),
        (b'{"\\ud83d":1}', {"?": 1}),
        (b"\xef\xbb\xbf{}", {}),
    ],
)
def test_what_sqlite_or_a_page_cannot_hold_is_replaced(data: bytes, body: object) -> None:
    """No JSON, half a character, a number without end: the bytes are not kept then."""
    found = read(data)
    assert found.data is None
    assert found.body == body


def test_what_is_nested_too_deep_is_cut() -> None:
    """At the 60th level."""
    found = read(nested(61))
    assert found.data is None
    assert json.dumps(found.body).count("{") == 60


def test_one_event_of_an_envelope_does_not_spoil_the_next() -> None:
    """Each is looked at alone."""
    reader = JsonReader(100)
    assert reader.parse_event(b'{"a":NaN}').data is None
    assert reader.parse_event(b'{"a":1}').data == b'{"a":1}'


@pytest.mark.parametrize("pack", [zlib.compress, lambda data: zlib.compress(data)[2:-4]])
def test_what_raven_packed_is_read_again(served: RunningInbox, pack: Any) -> None:
    """Its zlib is kept as it came; deflate without zlib's header is packed anew."""
    event = {**served.event(), "message": "é 😀"}
    body = pack(json.dumps(event).encode())
    assert served.store(body, headers={"Content-Encoding": "deflate"}).status == 200
    assert served.api(f"events/{EVENT_ID}")["event"] == event


def test_an_event_that_gets_an_id_is_written_with_it(served: RunningInbox) -> None:
    """Though its bytes had none, or one with dashes, and came packed."""
    spelt = "01234567-89AB-cdef-0123-456789abcdef"
    body = zlib.compress(json.dumps(served.event(spelt)).encode())
    assert served.store(body, headers={"Content-Encoding": "deflate"}).json() == {"id": EVENT_ID}
    assert served.api(f"events/{EVENT_ID}")["event"]["event_id"] == EVENT_ID
