"""The form in any app: with limiters, CSRF protection, hooks, prefixes, broken sessions."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask import Flask, abort, request, request_started
from flask.sessions import SecureCookieSessionInterface
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import TooManyRequests
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from flask_sentry_kit.feedback import limit_feedback
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeApp, Visit

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_a_limiter_is_asked_first(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry
) -> None:
    """A rate limiter's 429 is shown to the visitor, with the words and when to come again."""
    app = crashing_app(SENTRY_DSN=sentry.dsn)

    def never(function: Any) -> Any:
        def refuse() -> None:
            raise TooManyRequests(retry_after=60)

        return refuse

    limit_feedback(app, never)
    visitor = visit(app)
    answer = visitor.send(visitor.crash(), comments="Words")
    assert answer.status == 429
    assert answer.headers["Retry-After"] == "60"
    assert answer.typed["comments"] == "Words"
    assert sentry.reports == []


def test_a_broken_limiter_does_not_lose_the_words(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry, caplog: pytest.LogCaptureFixture
) -> None:
    """When the limiter itself fails, say its Redis is down, the report goes through."""
    app = crashing_app(SENTRY_DSN=sentry.dsn)

    def broken(function: Any) -> Any:
        def fail() -> None:
            raise ConnectionError("no redis")

        return fail

    limit_feedback(app, broken)
    visitor = visit(app)
    assert visitor.send(visitor.crash(), comments="Words").status == 303
    assert "limit on feedback" in caplog.text


def test_csrf_protection_does_not_stand_in_the_way(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry
) -> None:
    """The token does what Flask-WTF's CSRFProtect does, without a session."""
    app = crashing_app(SENTRY_DSN=sentry.dsn)
    CSRFProtect(app)

    @app.post("/pay")
    def pay() -> str:
        return "paid"

    visitor = visit(app)
    assert visitor.request("POST", "/pay", b"", FORM).status == 400
    assert visitor.send(visitor.crash(), comments="Words").status == 303
    assert sentry.wait_for_report().fields["comments"] == "Words"


def test_the_apps_hooks_do_not_stand_in_the_way(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry
) -> None:
    """A login wall, or a hook that crashes on every request, stops neither form nor thanks."""
    app = crashing_app(SENTRY_DSN=sentry.dsn)

    @app.before_request
    def wall() -> None:
        raise RuntimeError("the session store is down")

    visitor = visit(app)
    answer = visitor.send(visitor.crash(), comments="Words")
    assert "Sent. Thank you." in visitor.follow(answer).text


def test_words_get_through_while_no_session_can_be_opened(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry
) -> None:
    """Then capture has read the form before the route is found; it is not read a second time."""
    app = crashing_app(SENTRY_DSN=sentry.dsn)

    class Down(SecureCookieSessionInterface):
        def open_session(self, *_: Any) -> Any:
            raise ConnectionError("the session store is down")

    app.session_interface = Down()
    visitor = visit(app)
    answer = visitor.send(visitor.crash(), comments="Wörter & <words>")
    assert "Sent. Thank you." in visitor.follow(answer).text
    assert sentry.wait_for_report().fields["comments"] == "Wörter & <words>"


@pytest.mark.parametrize("what", ["form", "data", "stream"])
def test_words_get_through_where_the_app_has_read_the_body(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry, what: str
) -> None:
    """An app may need a field before any view: what it has read is used. From a stream that it
    has emptied nothing can be had, and the visitor is asked to send again."""
    app = crashing_app(SENTRY_DSN=sentry.dsn)

    def tenant(sender: Flask, **_: Any) -> None:
        read = getattr(request, what)
        if what == "stream":
            read.read()

    request_started.connect(tenant, app)
    visitor = visit(app)
    answer = visitor.send(visitor.crash(), comments="Words")
    if what == "stream":
        assert answer.status == 400
    else:
        assert answer.status == 303
        assert sentry.wait_for_report().fields["comments"] == "Words"


def test_under_a_prefix_and_a_mount_point(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry
) -> None:
    """The form's address, the thanks and the words work wherever the app is mounted."""
    app = crashing_app(SENTRY_DSN=sentry.dsn)
    visitor = visit(DispatcherMiddleware(Flask("none"), {"/shop": app.wsgi_app}))
    page = visitor.crash("/shop/boom")
    assert visitor.form_of(page)[0].startswith("/shop/_sentry_kit/")
    assert "Sent. Thank you." in visitor.follow(visitor.send(page, comments="Words")).text


def test_without_a_secret_there_is_no_form(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry, caplog: pytest.LogCaptureFixture
) -> None:
    """No SECRET_KEY: the page shows without a form, and the log says so in one line."""
    with caplog.at_level(logging.WARNING):
        visitor = visit(crashing_app(SENTRY_DSN=sentry.dsn, SECRET_KEY=None))
        pages = [visitor.crash(), visitor.crash()]
    assert all(page.status == 500 and "<form" not in page.text for page in pages)
    assert len([r for r in caplog.records if "SECRET_KEY" in r.getMessage()]) == 1


def test_without_an_event_there_is_no_form(crashing_app: MakeApp, visit: Visit) -> None:
    """No DSN, no event, no form: nothing is offered that leads nowhere."""
    page = visit(crashing_app()).crash()
    assert page.status == 500 and "<form" not in page.text


@pytest.mark.parametrize("prefill", [True, False])
def test_a_signed_in_user_finds_the_form_filled_in(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry, prefill: bool
) -> None:
    """Name and address are there already, unless SENTRY_KIT_PREFILL says no."""
    who = {"id": "7", "username": "Ada <b>", "email": "ada@shop.example"}
    app = crashing_app(
        SENTRY_DSN=sentry.dsn, SENTRY_KIT_USER=lambda: who, SENTRY_KIT_PREFILL=prefill
    )
    typed = visit(app).crash().typed
    assert typed["name"] == ("Ada <b>" if prefill else "")
    assert typed["email"] == ("ada@shop.example" if prefill else "")


def test_the_form_can_be_turned_off(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry
) -> None:
    """SENTRY_KIT_FEEDBACK=False removes the form and its address."""
    visitor = visit(crashing_app(SENTRY_DSN=sentry.dsn, SENTRY_KIT_FEEDBACK=False))
    assert "<form" not in visitor.crash().text
    assert visitor.request("POST", "/_sentry_kit/feedback", b"comments=x", FORM).status == 404


def test_a_failing_handler_of_404_is_the_apps_own(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry
) -> None:
    """What is not found under the kit's prefix is the app's 404, as anywhere."""
    app = crashing_app(SENTRY_DSN=sentry.dsn)

    @app.errorhandler(404)
    def lost(error: Exception) -> tuple[str, int]:
        return "the shop's own 404", 404

    @app.get("/gone")
    def gone() -> str:
        abort(404)

    visitor = visit(app)
    assert visitor.request("GET", "/gone").text == "the shop's own 404"
    assert visitor.request("GET", "/_sentry_kit/feedback/sent/x").text == "the shop's own 404"
