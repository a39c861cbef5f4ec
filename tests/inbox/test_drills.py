"""Failure drills: what a client gets, how often, and what becomes of all else meanwhile."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import urllib3

from flask_sentry_kit.inbox import create_inbox
from flask_sentry_kit.inbox.command import main
from flask_sentry_kit.inbox.errors import InboxError
from flask_sentry_kit.inbox.protocol.drills import KINDS, Drills
from tests.support.inbox import EVENT_ID, RunningInbox, running


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningInbox]:
    """One for all drills here, which are changed while it runs."""
    with running(tmp_path_factory.mktemp("drills")) as start:
        yield start()


@pytest.fixture
def drill(inbox: RunningInbox) -> Iterator[Callable[..., None]]:
    """Set the inbox's drills; there are none afterwards."""
    drills: Drills = inbox.server.app.extensions["sentry_kit_inbox"].drills
    yield lambda *kinds: drills.set(kinds)
    drills.set(())


def is_kept(inbox: RunningInbox, event_id: str = EVENT_ID) -> bool:
    return inbox.request("GET", f"/api/v1/events/{event_id}").status == 200


@pytest.mark.parametrize("kind", ["429", "403", "500", "503"])
def test_a_status_is_what_a_failing_server_answers(
    inbox: RunningInbox, drill: Callable[..., None], kind: str
) -> None:
    """For events and for the dialog; nothing is kept, a browser may read the answer, and a 429 says
    for all kinds of data when to come again."""
    drill(kind)
    origin = {"Origin": "https://shop.example"}
    for answer in (inbox.store(headers=origin), inbox.error_page("GET", headers=origin)):
        assert answer.status == int(kind)
        assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert "drill" in answer.headers["X-Sentry-Error"]
        if kind == "429":
            seconds = int(answer.headers["Retry-After"])
            assert answer.headers["X-Sentry-Rate-Limits"] == f"{seconds}::project"
    assert inbox.report().status == int(kind)
    assert not is_kept(inbox)
    assert inbox.api("words")["words"] == []


def test_pages_the_api_and_preflight_requests_are_as_ever(
    inbox: RunningInbox, drill: Callable[..., None]
) -> None:
    """A drill concerns clients; who looks at the inbox sees what came before."""
    drill("500")
    assert inbox.request("GET", "/").status == 200
    assert inbox.request("GET", "/api/v1/events").status == 200
    assert inbox.request("OPTIONS", "/api/1/store/").status == 200


def connected(inbox: RunningInbox) -> socket.socket:
    """A connection on which an event was sent, and is not answered yet."""
    url = urlsplit(inbox.url)
    connection = socket.create_connection((str(url.hostname), url.port or 0), timeout=10)
    body = json.dumps(inbox.event()).encode()
    head = (
        f"POST /api/1/store/?sentry_key={inbox.key} HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
    return connection


def test_a_refused_connection_is_reset(inbox: RunningInbox, drill: Callable[..., None]) -> None:
    """Without an answer."""
    drill("refuse")
    with connected(inbox) as connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
    drill()
    assert not is_kept(inbox)


def test_one_that_hangs_takes_no_thread(inbox: RunningInbox, drill: Callable[..., None]) -> None:
    """Three times as many as the server has threads are left without an answer, each until its
    client gives up, and everybody else is answered. What is sent behind it gets no answer too."""
    counts = inbox.server.app.extensions["sentry_kit_inbox"].drills.counts
    before = counts["hang"]
    drill("hang")
    hanging = [connected(inbox) for _ in range(24)]
    try:
        deadline = time.monotonic() + 20
        while counts["hang"] < before + 24 and time.monotonic() < deadline:
            time.sleep(0.01)
        drill()
        hanging[0].sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert inbox.request("GET", "/").status == 200
        assert not is_kept(inbox)
        for connection in hanging:
            connection.settimeout(0)
            with pytest.raises(BlockingIOError):
                connection.recv(1)
    finally:
        for connection in hanging:
            connection.close()


def test_a_dripping_answer_comes_byte_by_byte(
    inbox: RunningInbox, drill: Callable[..., None]
) -> None:
    """From its first line on, so that a client which waits for each byte waits for long, and never
    reads that the event was kept."""
    drill("drip")
    with connected(inbox) as connection:
        assert [connection.recv(100) for _ in range(2)] == [b"H", b"T"]
    assert not is_kept(inbox)


def test_a_redirection_leads_to_an_address_that_works(
    inbox: RunningInbox, drill: Callable[..., None]
) -> None:
    """302, as sentry.io's ingest host was seen to answer. A client that sends the same there again
    arrives; one that asks for it with GET gets the dialog's script, and its words are not kept."""
    drill("redirect")
    words = {"name": "Ann", "email": "ann@shop.example", "comments": "I pressed pay"}
    answer = inbox.error_page("POST", fields=words)
    assert answer.status == 302
    where = answer.headers["Location"]
    assert where.startswith(f"{inbox.url}/redirected/api/embed/error-page/?eventId=")
    http = urllib3.PoolManager()
    asked = http.request("GET", where)
    assert asked.headers["Content-Type"].startswith("text/javascript")
    assert inbox.api("words")["words"] == []
    assert http.request("POST", where, fields=words).status == 200
    http.clear()
    assert [one["comments"] for one in inbox.api("words")["words"]] == ["I pressed pay"]


def test_drills_are_tried_in_their_order_by_chance() -> None:
    """Each has the probability of its own among what those before it left; a seed repeats them."""
    drills = Drills(["429:0.3", "hang:0.5"], seed=7)
    chosen = [drills.choose() for _ in range(10_000)]
    again = Drills(["429:0.3", "hang:0.5"], seed=7)
    assert [again.choose() for _ in range(10_000)] == chosen
    assert [Drills(["429:0.3", "hang:0.5"]).choose() for _ in range(100)] != chosen[:100]
    assert 2_700 < chosen.count("429") < 3_300
    assert 3_200 < chosen.count("hang") < 3_800
    assert drills.counts == {"429": chosen.count("429"), "hang": chosen.count("hang")}


def test_each_kind_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """With what becomes of the request."""
    drills = Drills(["403"])
    for _ in range(3):
        drills.choose()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "403" in record.getMessage() and "not kept" in record.getMessage()


@pytest.mark.parametrize(
    "text",
    ["", "418", "hang:", "hang:x", "hang:0", "hang:1.1", "hang:-0.1", "hang:nan", "hang:0.3:1"],
)
def test_a_malformed_drill_is_refused(text: str) -> None:
    """With what is accepted; those before it stay."""
    drills = Drills(["403"])
    with pytest.raises(InboxError) as raised:
        drills.set(["429", text])
    assert all(kind in str(raised.value) for kind in KINDS) or "such as hang:0.3" in str(
        raised.value
    )
    assert drills.choose() == "403"


def test_the_command_takes_drills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--drill may be repeated; a malformed one is one line on stderr, before there is a file."""
    monkeypatch.chdir(tmp_path)
    assert main(["--drill", "hang", "--drill", "slow", "--port", "0"]) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("inbox: There is no drill 'slow'.")
    assert list(tmp_path.iterdir()) == []


def test_one_that_needs_the_inboxs_server_says_so(tmp_path: Path) -> None:
    """Under another server, such as Flask's test client, nobody can leave a request unanswered."""
    app = create_inbox(tmp_path / "inbox.sqlite", drills=["hang"])
    try:
        with pytest.raises(Exception, match="needs the inbox's own server"):
            app.test_client().post("/api/1/store/?sentry_key=abc", data=b"{}")
    finally:
        app.extensions["sentry_kit_inbox"].store.close()
