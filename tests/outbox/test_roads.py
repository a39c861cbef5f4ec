"""Events go to /store/, or as envelopes where a server has no such address."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from flask_sentry_kit.outbox import Item, Outbox, Request
from flask_sentry_kit.outbox.roads import ADDRESSES_MAX, UNPACKED_MAX, Roads, as_envelope
from tests.support.sentry import Received, RecordingSentry
from tests.support.types import MakeEvent, NewOutbox

STORE, ENVELOPE = "/api/1/store/", "/api/1/envelope/"
ID = "0123456789abcdef0123456789abcdef"


def without(*missing: str) -> Callable[[Received], tuple[int, dict[str, str], bytes]]:
    return lambda request: (404 if request.path in missing else 200, {}, b"{}")


def paths(server: RecordingSentry) -> str:
    return " ".join(request.path.split("/")[-2] for request in server.received)


@pytest.mark.parametrize("on_disk", [False, True], ids=["memory", "spool"])
def test_a_server_without_store_gets_envelopes_from_then_on(
    server: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent, tmp_path: Path, on_disk: bool
) -> None:
    """The first event is asked for at both addresses; no event is lost, and none is refused."""
    server.answer = without(STORE)
    outbox = new_outbox(spool=str(tmp_path / "spool") if on_disk else None)
    for id in "abc":
        assert outbox.put(event(server, id)).wait(5) == "sent"
    assert paths(server) == "store envelope envelope envelope"
    assert [request.items[0][1]["event_id"] for request in server.received[1:]] == list("abc")
    assert outbox.counters == (0, 3, 0, 0)
    assert not outbox.is_refused(f"{server.url}{STORE}")


def test_an_envelope_holds_the_same_event_with_the_same_key(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """Its header names the event, since a server would give it another id; a large one
    is packed."""
    server.answer = without(STORE)
    item = event(server, ID, size=5_000)
    assert outbox.put(item).wait(5) == "sent"
    got = server.received[-1]
    assert got.headers["X-Sentry-Auth"] == item.request.headers["X-Sentry-Auth"]
    assert got.headers["Content-Type"] == "application/x-sentry-envelope"
    assert got.headers["Content-Encoding"] == "gzip"
    assert json.loads(got.body.split(b"\n")[0])["event_id"] == ID
    assert got.items == [("event", json.loads(item.request.body))]


def test_where_both_addresses_are_missing_the_event_is_refused(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """And each next one is asked for at both again: the server may be mended."""
    server.answer = without(STORE, ENVELOPE)
    for id in "ab":
        assert outbox.put(event(server, id)).wait(5) == "refused"
    assert outbox.is_refused(f"{server.url}{STORE}")
    server.answer = without(STORE)
    assert outbox.put(event(server, "c")).wait(5) == "sent"
    assert paths(server) == "store envelope " * 2 + "store envelope"
    assert not outbox.is_refused(f"{server.url}{STORE}")


def test_a_server_that_lost_its_envelopes_is_asked_for_store_again(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """What is known of an address is forgotten when it is missing."""
    server.answer = without(STORE)
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    server.answer = without(ENVELOPE)
    assert outbox.put(event(server, "b")).wait(5) == "sent"
    assert outbox.put(event(server, "c")).wait(5) == "sent"
    assert paths(server) == "store envelope envelope store store"


def test_a_server_that_refuses_the_key_is_not_asked_at_the_other_address(
    server: RecordingSentry, outbox: Outbox, event: MakeEvent
) -> None:
    """Only a 404 says that the address is missing; and what an envelope is answered counts."""
    server.answer = lambda request: (401, {}, b"{}")
    assert outbox.put(event(server, "a")).wait(5) == "refused"
    server.answer = lambda request: (404 if request.path == STORE else 401, {}, b"{}")
    ticket = outbox.put(event(server, "b"))
    assert ticket.wait(5) == "refused" and str(ticket.reason).startswith("401")
    assert paths(server) == "store store envelope"


def test_envelopes_at_once_for_a_server_that_has_nothing_else(
    server: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """``envelopes=True``: /store/ is asked only if there is no address for envelopes."""
    outbox = new_outbox(envelopes=True)
    assert outbox.put(event(server, "a")).wait(5) == "sent"
    assert paths(server) == "envelope"
    server.answer = without(ENVELOPE)
    assert outbox.put(event(server, "b")).wait(5) == "sent"
    assert paths(server) == "envelope envelope store"


@pytest.mark.parametrize(
    ("encoding", "pack"), [("deflate", zlib.compress), ("gzip", gzip.compress)]
)
def test_an_event_that_its_client_packed_is_unpacked_for_an_envelope(
    encoding: str, pack: Callable[[bytes], bytes], server: RecordingSentry, outbox: Outbox
) -> None:
    """raven's own client deflates the bare JSON: that is no envelope."""
    server.answer = without(STORE)
    body = json.dumps({"event_id": ID, "message": "x" * 2_000}).encode()
    headers = {"Content-Encoding": encoding, "Content-Type": "application/octet-stream"}
    item = Item("event", "", Request(f"{server.url}{STORE}", headers, pack(body)))
    assert outbox.put(item).wait(5) == "sent"
    got = server.received[-1]
    assert got.headers.getlist("Content-Encoding") == ["gzip"]
    assert got.items == [("event", json.loads(body))]
    assert json.loads(got.body.split(b"\n")[0])["event_id"] == ID


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Encoding": "deflate"}, b"no such thing"),
        ({"content-encoding": "gzip"}, gzip.compress(b"{}")[:-5]),
        ({"Content-Encoding": "br"}, b"{}"),
        ({"Content-Encoding": "gzip"}, gzip.compress(bytes(UNPACKED_MAX + 1))),
        ({}, b"[]"),
        ({}, b"{"),
        ({}, b"[" * 100_000),
    ],
    ids=["noise", "half", "another encoding", "a bomb", "a list", "half an object", "deep"],
)
def test_what_is_no_event_is_made_no_envelope(headers: dict[str, str], body: bytes) -> None:
    """It keeps the answer of /store/, and the thread that delivers goes on."""
    assert as_envelope(Request("http://sentry.example/api/1/store/", headers, body)) is None


@pytest.mark.parametrize(
    ("url", "envelopes"),
    [
        ("https://a.example/api/7/store/", "https://a.example/api/7/envelope/"),
        ("https://a.example/sub/api/7/store/", "https://a.example/sub/api/7/envelope/"),
        ("https://a.example/api/store/", None),
        ("https://a.example/api/7/store/?x=/api/7/store/", None),
        ("https://a.example/api/embed/error-page/?x=/api/7/store/", None),
    ],
)
def test_only_the_address_for_events_has_one_for_envelopes(url: str, envelopes: str | None) -> None:
    """Below any prefix of the DSN's path, and for no other address."""
    found = as_envelope(Request(url, {}, b'{"event_id": "a"}'))
    assert (found and found.url) == envelopes


def test_few_addresses_are_remembered() -> None:
    """A spool that somebody filled with addresses costs no memory."""
    roads = Roads()
    for number in range(2 * ADDRESSES_MAX):
        roads._note(f"http://sentry.example/api/{number}/store/", True)
    assert len(roads._known) == ADDRESSES_MAX
