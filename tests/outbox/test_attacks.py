"""A spool that somebody else wrote rows into, or put a link in the place of."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from flask_sentry_kit.outbox.spool import Spool
from tests.support.outbox import HEADERS, count, plant
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeEvent, NewOutbox, NewSentry, Spawn, Until

# Who may send what


def test_a_row_for_a_server_of_no_app_here_is_left_for_its_own_process(
    path: str,
    server: RecordingSentry,
    new_sentry: NewSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
    until: Until,
) -> None:
    """It is counted as queued, and said once; what is ours goes past it, and flush() says no."""
    other = new_sentry()
    plant(path, other.url)
    outbox = new_outbox(spool=path)
    tickets = [outbox.put(event(server, id)) for id in "ab"]
    assert [ticket.wait(5) for ticket in tickets] == ["sent", "sent"]
    assert outbox.flush(5) is False
    until(lambda: "no app of this process" in caplog.text)
    assert outbox.flush(0.2) is False
    assert outbox.counters.queued == count(path) == 1
    assert other.received == []
    assert caplog.text.count("no app of this process sends to") == 1
    assert f"1 for {other.url}" in caplog.text
    # Its own process.
    assert new_outbox(spool=path, destination=f"{other.url}/1").flush(5) is True
    assert len(other.received) == 1
    assert outbox.flush(5) is True


def test_processes_with_different_servers_do_not_hold_each_other_up(
    path: str,
    server: RecordingSentry,
    dead_port: int,
    spawn: Spawn,
    new_outbox: NewOutbox,
    event: MakeEvent,
    until: Until,
) -> None:
    """One whose server is away lets the other deliver from the same file."""
    child = spawn(
        """
outbox = Outbox(spool=sys.argv[1])
outbox.put(event(sys.argv[2], "stuck"))
while not outbox.counters.retried: time.sleep(0.01)
print("waits", flush=True)
sys.stdin.readline()
""",
        path,
        f"http://127.0.0.1:{dead_port}",
    )
    assert child.stdout.readline() == "waits\n"
    outbox = new_outbox(spool=path)
    assert [outbox.put(event(server, str(i))).wait(8) for i in range(5)] == ["sent"] * 5
    assert count(path) == 1


def test_the_address_and_not_the_column_says_where_a_row_goes(
    path: str,
    server: RecordingSentry,
    new_sentry: NewSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
) -> None:
    """A row filed under our server whose request, or second request, names another goes nowhere."""
    attacker = new_sentry()
    steal = {"url": f"{attacker.url}/steal", "headers": HEADERS}
    elsewhere, other = json.dumps(steal), json.dumps([{**steal, "after": [404], "body": ""}])
    ours = json.dumps({"url": f"{server.url}/api/1/store/", "headers": HEADERS})
    plant(path, server.url, request=elsewhere)
    plant(path, server.url, request=ours, alternatives=other)
    plant(path, server.url, request=ours.replace("http://", "http://user@attacker@"))
    server.answer = lambda request: (404, {}, b"")
    outbox = new_outbox(spool=path, destination=server.url)
    assert outbox.flush(5) is True
    assert attacker.received == []
    assert outbox.counters.dropped == 3
    assert len(server.received) <= 2  # the third, by both of the addresses for events


def test_only_headers_that_are_ours_are_sent(
    path: str, server: RecordingSentry, new_outbox: NewOutbox
) -> None:
    """A row cannot make the app authorize itself elsewhere, or speak for a browser."""
    headers = {**HEADERS, "Authorization": "Bearer x", "Cookie": "a=b", "X-Forwarded-For": "::1",
               "Host": "admin.internal", "Transfer-Encoding": "chunked"}  # fmt: skip
    plant(path, server.url, request=json.dumps({"url": f"{server.url}/api/", "headers": headers}))
    assert new_outbox(spool=path, destination=server.url).flush(5)
    got = server.received[0].headers
    assert got["x-sentry-auth"] == HEADERS["X-Sentry-Auth"]
    assert not {name.lower() for name in got.keys()} & {
        "authorization",
        "cookie",
        "x-forwarded-for",
        "transfer-encoding",
    }
    assert got["host"] == f"127.0.0.1:{server.port}"


BAD: dict[str, dict[str, Any]] = {
    "no JSON": {"request": "nonsense"},
    "a list": {"request": "[]"},
    "a number": {"request": "5"},
    "no address": {"request": json.dumps({"url": None, "headers": {}})},
    "headers that are a list": {"request": json.dumps({"url": "URL", "headers": []})},
    "a header that is a number": {"request": json.dumps({"url": "URL", "headers": {"Accept": 5}})},
    "a second header in one": {
        "request": json.dumps({"url": "URL", "headers": {"Accept": "a\r\nHost: b"}})
    },
    "a second request in the address": {
        "request": json.dumps({"url": "URL/ HTTP/1.1\r\nHost: b", "headers": {}})
    },
    "deep JSON": {"request": "[" * 100_000},
    "a giant head": {"request": "x" * 2**20},
    "a body of text": {"body": "text"},
    "a body of nothing to read": {"body": 7},
    "another kind": {"kind": "secret"},
    "an id that is bytes": {"event_id": b"\xff"},
    "tries that are words": {"tries": "many"},
    "bytes that are no text": {"request": b"\xff\xfe"},
    "alternatives that are no list": {"alternatives": "{}"},
    "alternatives in bytes": {"alternatives": b"[]"},
    "deep alternatives": {"alternatives": "[" * 100_000},
    "an alternative without a body": {
        "alternatives": json.dumps([{"url": "URL", "headers": {}, "after": [404]}])
    },
    "an alternative after a word": {
        "alternatives": json.dumps([{"url": "URL", "headers": {}, "after": ["x"], "body": ""}])
    },
    "an alternative whose body is no bytes": {
        "alternatives": json.dumps([{"url": "URL", "headers": {}, "after": [], "body": "€"}])
    },
    "a name with a line in it": {
        "request": json.dumps({"url": "URL", "headers": {}, "name": "a\nb"})
    },
    "a place beyond its requests": {"at": 1},
    "a place before its requests": {"at": -1},
    "a negative id": {"id": -5, "request": "nonsense"},
}


@pytest.mark.parametrize("name", BAD)
def test_a_row_that_is_no_request_blocks_nobody(
    name: str,
    path: str,
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
    until: Until,
) -> None:
    """It goes, is counted and said; those behind it arrive."""
    columns = {
        key: value.replace("URL", server.url) if isinstance(value, str) else value
        for key, value in BAD[name].items()
    }
    plant(path, server.url, **columns)
    outbox = new_outbox(spool=path)
    assert outbox.put(event(server, "good")).wait(5) == "sent"
    assert outbox.flush(5) is True
    assert server.ids == ["good"]
    assert outbox.counters[1:] == (1, 0, 1)
    assert count(path) == 0
    until(lambda: "a row of the spool was no item" in caplog.text)


def test_a_giant_row_is_not_read(
    path: str, server: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """Larger than the whole spool may be: it goes without passing through memory."""
    plant(path, server.url, body=b"x" * 3_000_000)
    outbox = new_outbox(spool=path, max_bytes=1_000_000)
    assert outbox.put(event(server, "good")).wait(5) == "sent"
    assert outbox.flush(5) is True
    assert server.ids == ["good"]
    assert outbox.counters.dropped == 1


# Files of others


@pytest.mark.parametrize("suffix", ["", "-wal", ".lock"])
def test_a_spool_that_becomes_unsafe_is_not_used(
    suffix: str,
    path: str,
    server: RecordingSentry,
    new_outbox: NewOutbox,
    event: MakeEvent,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A link to another file, put there after the start: memory takes over, and that is said."""
    other = f"{path}.other"
    plant(other, server.url)
    if suffix:
        Spool(path, 1, 1).count()
    os.symlink(other + suffix, path + suffix)
    outbox = new_outbox(spool=path)
    assert outbox.put(event(server, "a")).wait(5) == "sent" or suffix
    outbox.flush(5)
    assert server.ids == ["a"]
    assert "symbolic link" in caplog.text
    assert count(other) == 1


def test_a_spool_is_not_begun_through_a_link(
    path: str, server: RecordingSentry, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """What a link to nothing would make there is not made."""
    os.symlink(f"{path}.target", path)
    assert new_outbox(spool=path).put(event(server, "a")).wait(5) == "sent"
    assert not os.path.exists(f"{path}.target")


def test_flush_says_false_where_the_spool_was_lost_with_something_in_it(
    path: str, server: RecordingSentry, dead_port: int, new_outbox: NewOutbox, event: MakeEvent
) -> None:
    """Nothing is in the queue any more, and something is left all the same."""
    outbox = new_outbox(spool=path)
    outbox.put(event(f"http://127.0.0.1:{dead_port}", "left"))
    # Another file, so that the open connection is not used on.
    with open(f"{path}.copy", "wb"):
        os.chmod(f"{path}.copy", 0o666)
    os.replace(f"{path}.copy", path)
    assert outbox.put(event(server, "b")).wait(5) == "sent"
    assert outbox.flush(1) is False
