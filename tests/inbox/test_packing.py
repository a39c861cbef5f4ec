"""How an event's bytes are kept."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from uuid import uuid4

import pytest

from tests.support.inbox import RunningInbox


def _with_name(data: bytes) -> bytes:
    """gzip whose header also names a file (RFC 1952, section 2.3)."""
    plain = gzip.compress(data)
    return plain[:3] + b"\x08" + plain[4:10] + b"event.json\0" + plain[10:]


@pytest.mark.parametrize(
    "pack, encoding",
    [(zlib.compress, "deflate"), (gzip.compress, "gzip"), (_with_name, "gzip")],
    ids=["deflate", "gzip", "gzip with a name"],
)
def test_a_packed_event_is_read_as_it_was_sent(
    served: RunningInbox, pack: Callable[[bytes], bytes], encoding: str
) -> None:
    """Whatever of the client's packing is kept, it is unpacked to the same bytes."""
    event_id = uuid4().hex
    sent = json.dumps({"event_id": event_id, "message": "no sum " * 500}).encode()
    assert served.store(pack(sent), headers={"Content-Encoding": encoding}).status == 200
    assert sent in served.request("GET", f"/api/v1/events/{event_id}").data
