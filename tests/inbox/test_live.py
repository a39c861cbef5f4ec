"""The stream of changes: what it sends, where it resumes, who may read it, and how it ends."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import urllib3
from flask import Flask
from playwright.sync_api import Page

from flask_sentry_kit.inbox import live
from flask_sentry_kit.inbox.live import MOST_STREAMS
from flask_sentry_kit.inbox.storage.store import Store
from tests.support.inbox import EVENT_ID, RunningInbox

OTHER = "f" * 32


def store_of(served: RunningInbox) -> Store:
    found: Store = served.server.app.extensions["sentry_kit_inbox"].store
    return found


def streams(served: RunningInbox) -> int:
    taken: int = served.server.app.extensions["sentry_kit_inbox_waiting"].streams.taken
    return taken


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class Stream:
    """A client of the stream, which reads it as the specification has it."""

    def __init__(self, answer: urllib3.BaseHTTPResponse) -> None:
        self.answer = answer
        self._lines = self._read()
        self.id = ""

    def _read(self) -> Iterator[str]:
        left = b""
        for piece in self.answer.stream(2**16):
            *lines, left = (left + piece).split(b"\n")
            yield from (line.decode() for line in lines)

    def block(self) -> dict[str, str]:
        """The fields of the next block, a comment under the empty name."""
        found: dict[str, str] = {}
        for line in self._lines:
            if not line:
                self.id = found.get("id", self.id)
                return found
            name, _, value = line.partition(":")
            found[name] = value.removeprefix(" ")
        raise EOFError

    def next(self) -> tuple[str, Any]:
        """Kind and data of the next event, of which the id is its number."""
        while "data" not in (found := self.block()):
            pass
        data = json.loads(found["data"])
        assert data["number"] == int(found["id"])
        return found["event"], data


@contextmanager
def opened(served: RunningInbox, query: str = "", **headers: str) -> Iterator[Stream]:
    answer = served.request(
        "GET",
        f"/api/v1/stream{query}",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        preload_content=False,
    )
    try:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        yield Stream(answer)
    finally:
        answer.close()


def test_every_change_is_sent_with_the_crash_in_short(served: RunningInbox) -> None:
    """Kind, number, crash, event, and the same object that the list of crashes has."""
    with opened(served) as stream:
        served.store()
        kind, data = stream.next()
        (listed,) = served.api("crashes")["crashes"]
        assert (kind, data["kind"], data["event_id"]) == ("event", "event", EVENT_ID)
        assert data["row"] == listed and data["crash"] == listed["crash"]
        served.report()
        kind, data = stream.next()
        assert (kind, data["row"]["latest_words"]["comments"]) == ("words", "I pressed pay")
        body = b'{"unread": false}'
        served.request(
            "PATCH", "/api/v1/crashes", body=body, headers={"Content-Type": "application/json"}
        )
        assert stream.next()[0] == "read"
        served.request("DELETE", "/api/v1/crashes")
        kind, data = stream.next()
        assert (kind, data["crash"], data["row"]) == ("deleted", listed["crash"], None)


def test_the_stream_resumes_where_a_client_was_interrupted(served: RunningInbox) -> None:
    """By Last-Event-ID as browsers send it, or by ``after``; without a change by the first id."""
    with opened(served) as stream:
        stream.block()
        known = stream.id
    served.store()
    with opened(served, "?after=999", Last_Event_ID=known) as stream:
        assert stream.next()[1]["event_id"] == EVENT_ID
        known = stream.id
    served.store(served.event(OTHER))
    served.report()
    with opened(served, f"?after={known}") as stream:
        assert [stream.next()[0] for _ in range(2)] == ["event", "words"]


def test_what_is_no_longer_known_is_a_reset(served: RunningInbox) -> None:
    """Too old, of another file, or of another program: read everything again, and go on."""
    for number in range(3):
        served.report(event_id=f"{number:032x}")
    store_of(served).live.start(3)  # as after a restart
    for known in ("0", "999999", "not a number"):
        with opened(served, Last_Event_ID=known) as stream:
            assert stream.next() == ("reset", {"number": 3})
    with opened(served, "?after=0") as stream:
        assert stream.next()[0] == "reset"
        served.store()
        assert stream.next()[1]["number"] == 4


def test_the_number_of_the_list_is_where_the_stream_goes_on(served: RunningInbox) -> None:
    """`changes` of a list and ``after``: nothing is missed in between."""
    served.store()
    known = served.api("crashes")["changes"]
    served.store(served.event(OTHER, "KeyError"))
    with opened(served, f"?after={known}") as stream:
        assert stream.next()[1]["row"]["type"] == "KeyError"


def test_a_quiet_stream_says_that_it_lives(
    served: RunningInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comment, so that no proxy ends it."""
    monkeypatch.setattr(live, "_COMMENT", 0.0)
    monkeypatch.setattr(live, "LOOK", 0.01)
    with opened(served) as stream:
        assert stream.block()["retry"] == "1000"
        assert stream.block() == {"": ""}


def test_streams_are_bounded_and_end_with_their_clients(served: RunningInbox) -> None:
    """64 at a time; a further one is 503 with the time to come again, until a client goes. All
    others are answered meanwhile."""
    with ExitStack() as stack:
        first = stack.enter_context(opened(served))
        for _ in range(MOST_STREAMS - 1):
            stack.enter_context(opened(served))
        refused = served.request("GET", "/api/v1/stream")
        assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
        assert "64 streams" in refused.json()["error"]
        assert served.request("HEAD", "/api/v1/stream").status == 200
        assert len(served.api("crashes?wait=1")["crashes"]) == 0
        assert served.store().status == 200
        assert first.next()[0] == "event"
        first.answer.close()
        until(lambda: streams(served) == MOST_STREAMS - 1)
        with opened(served):
            pass
    until(lambda: streams(served) == 0)


def test_all_streams_send_what_was_made_once(
    served: RunningInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a flood of events costs one look into the file for each, however many listen."""
    store, looks = store_of(served), []
    look = store.crash
    monkeypatch.setattr(store, "crash", lambda key: looks.append(key) or look(key))
    with ExitStack() as stack:
        clients = [stack.enter_context(opened(served)) for _ in range(5)]
        served.store()
        assert len({json.dumps(client.next()) for client in clients}) == 1
    assert len(looks) == 1


def test_stopping_the_inbox_ends_its_streams(serve_inbox: Callable[..., RunningInbox]) -> None:
    """At once, and the clients see a whole answer."""
    served = serve_inbox()
    with opened(served) as stream:
        stream.block()
        threading.Thread(target=served.server.stop).start()
        with pytest.raises(EOFError):
            stream.next()


LISTEN = """(url) => new Promise((done) => {
  const heard = [];
  const stream = new EventSource(url);
  stream.onopen = () => { window.opened = true; };
  stream.onerror = () => { stream.close(); done("refused"); };
  stream.addEventListener("event", (event) => {
    heard.push([event.type, JSON.parse(event.data).event_id, event.lastEventId]);
    if (heard.length === 2) { stream.close(); done(heard); }
  });
})"""


def test_a_browser_reads_it_from_the_inboxs_own_page_only(
    served: RunningInbox, serve: Callable[..., str], page: Page
) -> None:
    """What was published of Mailpit's WebSocket (CVE-2026-22689): here no other site's page reads
    the stream, also not of another port of this machine, nor with fetch, nor as a script."""
    served.store()
    served.store(served.event(OTHER))
    stream = f"{served.url}/api/v1/stream?after=0"
    page.goto(f"{served.url}/nothing")
    assert page.evaluate(LISTEN, stream) == [["event", EVENT_ID, "1"], ["event", OTHER, "2"]]
    app = Flask("evil")
    app.add_url_rule("/", view_func=lambda: "<!doctype html><title>evil</title>")
    for site in ("127.0.0.1", "localhost"):
        page.goto(serve(app).replace("127.0.0.1", site))
        assert page.evaluate(LISTEN, stream) == "refused"
        assert page.evaluate("window.opened") is None
        fetched = "(url) => fetch(url, {mode: 'no-cors'}).then((a) => a.type, () => 'refused')"
        assert page.evaluate(fetched, stream) == "refused"
        rebound = served.request("GET", "/api/v1/stream", headers={"Host": "evil.example"})
        assert rebound.status == 421
    until(lambda: streams(served) == 0)
