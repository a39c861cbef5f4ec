"""``capture_feedback``: words of the app's own, without a crash or about an earlier one."""

from __future__ import annotations

import logging
import uuid
from typing import Any

import pytest
from flask import Flask

import flask_sentry_kit
from flask_sentry_kit import capture_feedback
from tests.support.sentry import Received, RecordingSentry
from tests.support.types import MakeApp, Visit

WORDS = "The basket forgets what is in it."
ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def app(crashing_app: MakeApp, sentry: RecordingSentry) -> Flask:
    return crashing_app(
        SENTRY_DSN=sentry.dsn,
        SENTRY_KIT_SERVER="sentry",
        SENTRY_RELEASE="1.2.3",
        SENTRY_ENVIRONMENT="production",
        SENTRY_TAGS={"shop": "berlin"},
    )


def item_of(request: Received) -> dict[str, Any]:
    [(kind, item)] = request.items
    assert kind == "feedback" and isinstance(item, dict)
    return item


def test_words_without_a_crash_arrive_under_the_id_that_is_returned(
    app: Flask, sentry: RecordingSentry
) -> None:
    """With what the app's events have, and with nothing made up."""
    with app.app_context():
        feedback_id = capture_feedback(WORDS)
    item = item_of(sentry.wait_for_report())
    assert feedback_id and feedback_id == item["event_id"]
    assert item["contexts"] == {"feedback": {"message": WORDS}}
    assert (item["release"], item["environment"]) == ("1.2.3", "production")
    assert item["tags"] == {"shop": "berlin"} and "user" not in item


def test_words_about_an_earlier_crash_name_it(
    app: Flask, visit: Visit, sentry: RecordingSentry
) -> None:
    """With its page, as the event has it, and with who wrote them."""
    visitor = visit(app)
    crash_id = visitor.crash().headers["X-Sentry-ID"]
    with app.app_context():
        capture_feedback(WORDS, name="Ada", email="ada@shop.example", event_id=uuid.UUID(crash_id))
    assert item_of(sentry.wait_for_report())["contexts"]["feedback"] == {
        "message": WORDS,
        "name": "Ada",
        "contact_email": "ada@shop.example",
        "url": f"{visitor.base}/boom",
        "associated_event_id": crash_id,
    }


def test_in_a_request_they_are_the_words_of_its_user(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry
) -> None:
    """As an event that is captured there; the address given is masked."""
    app = crashing_app(
        SENTRY_DSN=sentry.dsn, SENTRY_KIT_SERVER="sentry", SENTRY_KIT_USER=lambda: {"id": 7}
    )

    @app.get("/say")
    def say() -> str:
        return str(capture_feedback(WORDS, url="https://shop.example/basket?token=hunter2"))

    feedback_id = visit(app).request("GET", "/say").text
    item = item_of(sentry.wait_for_report())
    assert item["event_id"] == feedback_id
    assert item["user"]["id"] in (7, "7")
    assert item["contexts"]["feedback"]["url"] == "https://shop.example/basket?token=********"


def test_where_the_server_may_not_have_feedback_they_are_an_event(
    crashing_app: MakeApp, sentry: RecordingSentry
) -> None:
    """Every server keeps events."""
    with crashing_app(SENTRY_DSN=sentry.dsn).app_context():
        feedback_id = capture_feedback(WORDS, event_id=ID)
    [event] = sentry.wait_for(1)
    assert event["event_id"] == feedback_id
    assert event["level"] == "info" and event["message"].startswith(WORDS)
    assert event["tags"]["crash.event_id"] == ID


def test_a_long_message_is_cut_and_that_is_logged(
    app: Flask, sentry: RecordingSentry, caplog: pytest.LogCaptureFixture
) -> None:
    """Sentry takes 4,096 characters."""
    with app.app_context():
        assert capture_feedback("ä" * 5_000)
    message = item_of(sentry.wait_for_report())["contexts"]["feedback"]["message"]
    assert message == "ä" * 4_095 + "…"
    [record] = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert "5000 characters; it is cut to 4096" in record.getMessage()


@pytest.mark.parametrize(
    ("message", "others", "said"),
    [
        ("", {}, "empty"),
        (" \n\x00\t", {}, "empty"),
        (WORDS, {"event_id": "17"}, "32 hexadecimal digits"),
        (WORDS, {"event_id": ID + "0"}, "32 hexadecimal digits"),
        (WORDS, {"url": "javascript:alert(1)"}, "http:// or https://"),
        (WORDS, {"url": "/basket"}, "http:// or https://"),
    ],
)
def test_what_cannot_be_sent_is_a_value_error(
    message: str, others: dict[str, str], said: str, app: Flask, sentry: RecordingSentry
) -> None:
    """The text says what is accepted. Nothing is sent."""
    with app.app_context(), pytest.raises(ValueError, match=said):
        capture_feedback(message, **others)
    assert not sentry.received


@pytest.mark.parametrize(
    ("message", "others"), [(None, {}), (b"words", {}), (WORDS, {"name": 7}), (WORDS, {"url": 7})]
)
def test_what_is_no_text_is_a_type_error(message: Any, others: dict[str, Any], app: Flask) -> None:
    """It names the argument and the type."""
    with app.app_context(), pytest.raises(TypeError, match=r"takes a str as \w+; got \w+"):
        capture_feedback(message, **others)


def test_what_is_not_accepted_has_no_id(
    crashing_app: MakeApp, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a DSN, and where the queue takes nothing more."""
    monkeypatch.delenv("SENTRY_DSN", raising=False)
    with crashing_app(SENTRY_DSN="").app_context():
        assert capture_feedback(WORDS) is None
    app.extensions["sentry_kit"].outbox.close(1)
    with app.app_context():
        assert capture_feedback(WORDS) is None


def test_it_is_a_public_name_that_needs_an_app() -> None:
    """Outside of one, the error is Flask's own."""
    assert "capture_feedback" in flask_sentry_kit.__all__
    with pytest.raises(RuntimeError, match="application context"):
        capture_feedback(WORDS)
