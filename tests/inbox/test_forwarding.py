"""Forwarding an event to a Sentry: as it was received, and with a plain word about the answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flask_sentry_kit.inbox import InboxError, create_inbox
from flask_sentry_kit.inbox.pages.forwarding import Forwarder
from flask_sentry_kit.inbox.storage.attachment_table import Attachment
from tests.support.certificates import Certificates
from tests.support.inbox import EVENT_ID, RunningInbox, feedback_item
from tests.support.sentry import PUBLIC_KEY, SECRET_KEY, Answer, Received, RecordingSentry
from tests.support.types import NewSentry

Serve = Callable[..., RunningInbox]


def forward(inbox: RunningInbox, **how: Any) -> str:
    """Press the button, and read the page it leads to."""
    headers = {"Origin": inbox.url, **how.pop("headers", {})}
    answer = inbox.request("POST", f"/events/{EVENT_ID}/forward", headers=headers, **how)
    assert answer.status == 303
    page = inbox.request("GET", answer.headers["Location"].partition("#")[0]).data.decode()
    assert SECRET_KEY not in page
    return page


def test_an_event_arrives_as_it_was_received(serve_inbox: Serve, wire: RecordingSentry) -> None:
    """In an envelope with its attachments, and each visitor's words as feedback about it."""
    inbox = serve_inbox(forward_to=wire.dsn)
    body = inbox.event(extra={"odd": ["é", None, 1.5, {}]}, unknown={"kept": True})
    inbox.store(body)
    inbox.report("I pressed pay")
    inbox.envelope(feedback_item(7, "again", said={"name": "Bob"}))
    store = inbox.server.app.extensions["sentry_kit_inbox"].store
    store.add_attachments(EVENT_ID, [Attachment("a\nb.log", "text/plain", b"line\n\0\xff\n")])
    page = forward(inbox)
    assert f"accepted as {EVENT_ID}" in page and f"Forward to {wire.url[7:]}" in page
    first, *others = wire.wait_for_requests(3)
    assert (first.method, first.path) == ("POST", "/api/1/envelope/")
    assert f"sentry_key={PUBLIC_KEY}" in first.headers["X-Sentry-Auth"]
    assert SECRET_KEY.encode() not in first.body
    assert [kind for kind, _ in first.items] == ["event", "attachment"]
    assert {**first.items[0][1], "event_id": EVENT_ID} == body
    assert first.items[1][1] == b"line\n\0\xff\n"
    said = [request.items[0][1]["contexts"]["feedback"] for request in others]
    assert [(one["message"], one["name"]) for one in said] == [
        ("I pressed pay", "Ann"),
        ("again", "Bob"),
    ]
    assert {one["associated_event_id"] for one in said} == {EVENT_ID}
    again = json.dumps([request.items for request in others])
    forward(inbox)
    assert again == json.dumps([request.items for request in wire.wait_for_requests(6)[4:]])


ANSWERS: list[tuple[Any, str]] = [
    ((200, {}, b""), "accepted"),
    ((200, {}, b'{"id": "<b>"}'), "accepted"),
    ((401, {}, b'{"detail": "bad key"}'), "refused: 401 bad key"),
    ((403, {"X-Sentry-Error": "no  project"}, b""), "refused: 403 no project"),
    ((403, {}, f'{{"detail": "{SECRET_KEY}?"}}'.encode()), "refused: 403 …?"),
    ((413, {}, b"<html>" + b"x" * 300_000), "refused: 413 "),
    ((429, {"Retry-After": "60"}, b""), "refused: 429 try again in 60 s"),
    ((403, {}, b"<html>"), "refused: 403 Forbidden"),
    ((500, {}, b'{"detail": {"a": "<script>"}}'), "refused: 500 {&#39;a&#39;: &#39;&lt;script"),
    ((302, {"Location": "http://127.0.0.1:1/"}, b""), "refused: 302, a redirect"),
    (None, "the connection broke before there was an answer"),
]


def test_what_came_back_is_said(serve_inbox: Serve, new_sentry: NewSentry) -> None:
    """In a line, whatever the server answers; a redirect is not followed."""
    answers = iter(ANSWERS)
    sentry = new_sentry(answer=lambda request: next(answers)[0])
    inbox = serve_inbox(forward_to=sentry.dsn)
    inbox.store()
    for number, (_, said) in enumerate(ANSWERS, 1):
        page = forward(inbox)
        assert said in page
        assert ("Not forwarded to" in page) == (not said.startswith("accepted"))
        assert len(sentry.received) == number


def test_words_that_are_refused_are_said(serve_inbox: Serve, new_sentry: NewSentry) -> None:
    """The event is there all the same."""

    def answer(request: Received) -> Answer:
        taken = request.event is not None
        return (200, {}, b"{}") if taken else (400, {}, b'{"detail": "no feedback here"}')

    inbox = serve_inbox(forward_to=new_sentry(answer=answer).dsn)
    inbox.store()
    inbox.report()
    said = "accepted, but not what visitors wrote: refused: 400 no feedback here"
    assert said in forward(inbox)


def test_a_server_that_is_not_there_is_said(
    serve_inbox: Serve, new_sentry: NewSentry, tmp_path: Path
) -> None:
    """No connection, no name, and a certificate that nobody vouches for."""
    gone = new_sentry()
    gone.close()
    strange = new_sentry(Certificates(tmp_path).context("localhost"))
    inbox = serve_inbox()
    inbox.store()
    kept = inbox.server.app.extensions["sentry_kit_inbox"].store.event(EVENT_ID)
    for dsn, said in (
        (gone.dsn, "the server takes no connections"),
        (f"http://a:{SECRET_KEY}@nothing.invalid/1", "the server's name is not known"),
        (strange.dsn, "the server's certificate or TLS was not accepted"),
    ):
        outcome = Forwarder(dsn).forward(kept, [], [])
        assert (outcome.accepted, outcome.text) == (False, said)
    assert strange.received == []


def test_no_request_chooses_the_address(serve_inbox: Serve, wire: RecordingSentry) -> None:
    """Not by query, form, header or event, so that nobody reaches a machine through the inbox."""
    other = "http://a@127.0.0.1:1/9"
    inbox = serve_inbox(forward_to=wire.dsn)
    inbox.store(inbox.event(dsn=other, project="9", request={"url": other}))
    fields = {"dsn": other, "to": other, "forward_to": other, "url": other}
    page = forward(inbox, fields=fields, headers={"X-Forward-To": other, "Referer": inbox.url})
    assert "accepted as" in page
    assert [request.path for request in wire.received] == ["/api/1/envelope/"]


def test_only_our_own_page_forwards(serve_inbox: Serve, wire: RecordingSentry) -> None:
    """Another site's form is refused, and without --forward-to there is nothing to forward to."""
    inbox = serve_inbox(forward_to=wire.dsn)
    inbox.store()
    path = f"/events/{EVENT_ID}/forward"
    evil = {"Origin": "https://evil.example"}
    assert inbox.request("POST", path, headers=evil).status == 403
    assert inbox.request("GET", path).status == 405
    assert wire.received == []
    plain = serve_inbox()
    plain.store()
    assert plain.request("POST", path, headers={"Origin": plain.url}).status == 404
    assert "Forward" not in plain.request("GET", f"/events/{EVENT_ID}/").data.decode()


def test_what_is_no_dsn_is_refused_at_the_start(tmp_path: Any) -> None:
    """With what is accepted, and without the secret."""
    with pytest.raises(InboxError) as error:
        create_inbox(tmp_path / "a.sqlite", forward_to=f"ftp://key:{SECRET_KEY}@sentry.example/1")
    assert "--forward-to is not a Sentry DSN" in str(error.value)
    assert SECRET_KEY not in str(error.value)


def test_one_inbox_takes_what_another_forwards(serve_inbox: Serve) -> None:
    """Event, words and place in the list."""
    there = serve_inbox()
    here = serve_inbox(forward_to=there.dsn)
    here.store()
    here.report("I pressed pay")
    assert f"accepted as {EVENT_ID}" in forward(here)
    found = there.api("events")["events"][0]
    assert (found["event_id"], found["latest_words"]["comments"]) == (EVENT_ID, "I pressed pay")
