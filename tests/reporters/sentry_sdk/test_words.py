"""The visitor's words on sentry-sdk: they go by the kit's outbox, and say what the event said."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk
from flask import Flask

from flask_sentry_kit import capture_feedback, sentry
from flask_sentry_kit.feedback import relay
from tests.support.outbox import count
from tests.support.sdk import Sdk
from tests.support.sentry import JSON, Answer, Received, RecordingSentry
from tests.support.types import MakeApp
from tests.support.visitor import WORDS, Visitor
from tests.watch.ways import Broken

FORM = ("POST", "error-page")


def tagged(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        sentry_sdk.set_tag("shop", "berlin")
        sentry_sdk.set_user({"id": "7", "email": "ada@shop.example"})
        raise Broken


@pytest.fixture
def visit(shop: MakeApp, serve: Callable[..., str]) -> Callable[..., Visitor]:
    """Serves an app that crashes at /x; returns a visitor of it."""
    return lambda **config: Visitor(serve(shop(tagged, **config)))


def item_of(wire: RecordingSentry) -> dict[str, Any]:
    [(kind, item)] = wire.wait_for_report().items
    assert kind == "feedback"
    found: dict[str, Any] = item
    return found


def test_words_by_the_form_name_the_event(
    sdk: Sdk, visit: Callable[..., Visitor], wire: RecordingSentry
) -> None:
    """As the hosted dialog sends them."""
    sdk.init()
    visitor = visit()
    page = visitor.crash("/x")
    visitor.send(page, comments=WORDS, name="Ada", email="ada@shop.example")
    report = wire.wait_for_report()
    assert report.query["eventId"] == sdk.event["event_id"] == page.headers["X-Sentry-ID"]
    assert report.fields["comments"].replace("\r\n", "\n") == WORDS


def test_words_by_an_item_say_what_the_event_said(
    sdk: Sdk, visit: Callable[..., Visitor], wire: RecordingSentry
) -> None:
    """Environment, release, user and tags, as they were after the app's before_send."""

    def before_send(event: Any, hint: Any) -> Any:
        event["tags"]["by"] = "before_send"
        del event["user"]["email"]
        return event

    sdk.init(environment="staging", release="shop@1.2.3", before_send=before_send)
    visitor = visit(SENTRY_KIT_SERVER="sentry")
    page = visitor.crash("/x")
    visitor.send(page, comments=WORDS)
    item, event = item_of(wire), sdk.event
    assert item["contexts"]["feedback"]["associated_event_id"] == event["event_id"]
    assert (item["environment"], item["release"]) == ("staging", "shop@1.2.3")
    assert item["tags"] == event["tags"] == {"shop": "berlin", "by": "before_send"}
    assert item["user"] == {"id": "7"}
    assert item["contexts"]["feedback"]["url"] == f"{visitor.base}/x"


def test_words_may_arrive_before_the_event(
    sdk: Sdk, visit: Callable[..., Visitor], wire: RecordingSentry
) -> None:
    """While the SDK's transport waits for an answer, they are sent by another way: they have the
    id."""
    sdk.init()
    visitor = visit()
    visitor.crash("/x")
    wire.wait_for(1)
    go_on = threading.Event()

    def answer(request: Received) -> Answer:
        if request.path.endswith("/envelope/"):
            assert go_on.wait(20)
        return 200, JSON, b"{}"

    wire.answer = answer
    first, second = visitor.crash("/x"), visitor.crash("/x")
    visitor.send(second, comments=WORDS)
    assert wire.wait_for_report().query["eventId"] == second.headers["X-Sentry-ID"]
    assert second.headers["X-Sentry-ID"] not in [event["event_id"] for event in wire.events]
    go_on.set()
    ids = [event["event_id"] for event in sdk.events]
    assert ids[1:] == [first.headers["X-Sentry-ID"], second.headers["X-Sentry-ID"]]


def test_words_wait_in_the_spool_across_a_restart(
    sdk: Sdk,
    shop: MakeApp,
    visit: Callable[..., Visitor],
    wire: RecordingSentry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While the server is down they are on disk; the next process sends them at its start, when it
    knows its reporter."""
    spool = str(tmp_path / "words.sqlite")
    wire.answers[FORM] = (503, {}, b"")
    monkeypatch.setattr(relay, "WAIT", 0.1)
    sdk.init()
    visitor = visit(SENTRY_KIT_SPOOL=spool)
    page = visitor.crash("/x")
    visitor.send(page, comments=WORDS)
    assert wire.wait(lambda: bool(wire.reports)) and count(spool) == 1
    del wire.answers[FORM]
    app = shop(SENTRY_KIT_SPOOL=spool)
    app.test_client().get("/nowhere")
    assert app.extensions["sentry_kit"].outbox.flush(10)
    assert wire.reports[-1].query["eventId"] == page.headers["X-Sentry-ID"]
    assert wire.wait(lambda: count(spool) == 0)


def test_words_without_a_crash(sdk: Sdk, shop: MakeApp, wire: RecordingSentry) -> None:
    """They have what an event of now would have."""
    sdk.init(environment="staging", release="shop@1.2.3")
    app = shop(SENTRY_KIT_SERVER="sentry")
    with app.test_request_context("/basket"):
        sentry_sdk.set_tag("shop", "berlin")
        sentry_sdk.set_user({"id": "7"})
        id = capture_feedback(WORDS)
    item = item_of(wire)
    assert item["event_id"] == id
    assert item["contexts"]["feedback"]["message"] == WORDS
    assert (item["environment"], item["release"]) == ("staging", "shop@1.2.3")
    assert item["tags"] == {"shop": "berlin"} and item["user"]["id"] == "7"
    assert sdk.events == []


def test_words_about_an_earlier_crash(
    sdk: Sdk, shop: MakeApp, visit: Callable[..., Visitor], wire: RecordingSentry
) -> None:
    """They say what that crash's event said, not what one of now would."""
    sdk.init()
    app = shop(tagged, SENTRY_KIT_SERVER="sentry")
    crash = app.test_client().get("/x").headers["X-Sentry-ID"]
    with app.app_context():
        sentry_sdk.set_tag("shop", "paris")
        capture_feedback(WORDS, event_id=crash)
    item = item_of(wire)
    assert item["contexts"]["feedback"]["associated_event_id"] == crash
    assert item["tags"] == {"shop": "berlin"}


def test_ravens_names(sdk: Sdk, shop: MakeApp) -> None:
    """The proxy ``sentry`` goes on working for code that was written for raven."""
    sdk.init()
    app = shop()
    with app.test_request_context("/"):
        sentry.user_context({"id": "7"})
        sentry.tags_context({"shop": "berlin"})
        sentry.extra_context({"basket": 3})
        first = sentry.captureMessage("hello %s", params=("you",), level="warning")
        try:
            raise Broken
        except Broken:
            second = sentry.captureException(tags={"where": "here"})
        assert sentry.last_event_id == second
        assert sentry.flush(10) and sentry.counters.sent == 0
    message, error = sdk.events
    assert (message["event_id"], error["event_id"]) == (first, second)
    assert message["level"] == "warning" and message["extra"]["basket"] == 3
    assert error["tags"] == {"shop": "berlin", "where": "here"} and error["user"]["id"] == "7"


@pytest.mark.parametrize("scrub", [True, False])
def test_secrets_are_masked_where_the_app_asks_for_it(scrub: bool, sdk: Sdk, shop: MakeApp) -> None:
    """SENTRY_KIT_SCRUB; without it an event stays as the SDK makes it."""

    def way(app: Flask) -> None:
        @app.post("/x")
        def x() -> str:
            basket = {"pin_code": "4711-0815"}  # noqa: F841
            raise Broken("password=hunter2")

    sdk.init(before_send=lambda event, hint: seen.append(str(event)) or event)
    seen: list[str] = []
    app = shop(way, SENTRY_KIT_SCRUB=scrub)
    app.test_client().post("/x", data={"password": "hunter2", "city": "Berlin"})
    assert ("hunter2" not in str(sdk.event)) is scrub
    assert ("hunter2" not in seen[0]) is scrub, "before_send gets what is sent"
