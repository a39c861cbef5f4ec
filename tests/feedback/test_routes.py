"""The visitor's words over the wire: browser to app to Sentry, and back (feedback/)."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask, abort, request, request_started
from flask.sessions import SecureCookieSessionInterface
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import TooManyRequests
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_sentry_kit.feedback import limit_feedback
from tests.support.sentry import SECRET_KEY, RecordingSentry

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_the_words_reach_sentry_with_their_event(shop: Any, sentry: Any) -> None:
    """What was typed arrives at the dialog's own address, tied to the event of the page."""
    page = shop.crash()
    answer = shop.send(
        page, comments="I pressed “Pay” twice.\r\nThen this.", name="Zoë", email="z@shop.example"
    )
    report = sentry.wait_for_report()
    assert report.path == "/api/embed/error-page/"
    assert report.query == {"eventId": page.headers["X-Sentry-ID"], "dsn": sentry.public_dsn}
    assert report.fields == {
        "name": "Zoë",
        "email": "z@shop.example",
        "comments": "I pressed “Pay” twice.\nThen this.",
    }
    assert report.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert shop.follow(answer).status == 200


def test_the_words_come_after_their_event(shop: Any, sentry: Any) -> None:
    """Sentry knows the event before the words on it come."""
    shop.send(shop.crash(), comments="Words")
    sentry.wait_for_report()
    assert [seen.path.split("/")[-2] for seen in sentry.received] == ["store", "error-page"]


def test_the_words_come_from_the_apps_own_origin(shop: Any, sentry: Any) -> None:
    """Origin and Referer name the app and nothing of the page: its address may hold secrets."""
    shop.send(shop.crash("/boom?token=hunter2"), comments="Words")
    report = sentry.wait_for_report()
    assert report.headers["Origin"] == shop.base
    assert report.headers["Referer"] == f"{shop.base}/"


def test_behind_a_proxy_the_origin_is_the_browsers(
    crashing_app: Any, visit: Any, sentry: Any
) -> None:
    """With ProxyFix, the origin is the one in the visitor's address bar."""
    app = crashing_app(SENTRY_DSN=sentry.dsn)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1)
    visitor = visit(app)
    action, typed = visitor.form_of(visitor.crash())
    headers = {**FORM, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example"}
    visitor.request("POST", action, urlencode({**typed, "comments": "Hi"}).encode(), headers)
    assert sentry.wait_for_report().headers["Origin"] == "https://shop.example"


def test_who_stays_anonymous_is_named_so(shop: Any, sentry: Any) -> None:
    """Empty fields become values that say so and pass Sentry's own form."""
    shop.send(shop.crash(), comments="Words")
    fields = sentry.wait_for_report().fields
    assert fields["name"] == "Anonymous"
    assert fields["email"] == "anonymous@example.invalid"


def test_sent_is_said_when_sentry_took_it(shop: Any) -> None:
    """Without JavaScript: a page that thanks, at an address that a reload does not send again."""
    page = shop.crash()
    thanks = shop.follow(shop.send(page, comments="Words"))
    assert thanks.status == 200
    assert "Sent. Thank you." in thanks.text
    assert page.headers["X-Sentry-ID"] in thanks.text
    assert thanks.headers["Cache-Control"] == "no-store"


def test_in_place_the_answer_is_json(shop: Any) -> None:
    """With JavaScript: the same outcome, in words to show."""
    answer = shop.send(shop.crash(), json=True, comments="Words")
    assert answer.status == 200
    assert json.loads(answer.text) == {
        "outcome": "sent",
        "message": "Sent. Thank you.",
        "errors": {},
    }
    assert answer.headers["Cache-Control"] == "no-store"


def test_saved_is_said_while_sentry_is_down(
    crashing_app: Any, visit: Any, sentry: Any, free_port: int
) -> None:
    """Nothing is called sent that was not; when Sentry is back, the words arrive."""
    dsn = f"http://public@127.0.0.1:{free_port}/7"
    visitor = visit(crashing_app(SENTRY_DSN=dsn))
    answer = visitor.send(visitor.crash(), comments="Words from the outage")
    assert "Saved. It will be sent as soon as we can." in visitor.follow(answer).text
    with RecordingSentry(port=free_port, project="7") as back:
        assert back.wait_for_report().fields["comments"] == "Words from the outage"


def test_with_a_spool_the_words_survive_a_restart(
    crashing_app: Any, visit: Any, sentry: Any, free_port: int, tmp_path: Any
) -> None:
    """Saved by one process while Sentry is down, sent by the next one when it is back."""
    config = {
        "SENTRY_DSN": f"http://public@127.0.0.1:{free_port}/7",
        "SENTRY_KIT_SPOOL": str(tmp_path / "spool"),
    }
    before = crashing_app(**config)
    visitor = visit(before)
    page = visitor.crash()
    assert visitor.send(page, comments="Words from before").status == 303
    before.extensions["sentry_kit"].outbox.close(0.1)
    with RecordingSentry(port=free_port, project="7") as back:
        after = visit(crashing_app(**config))
        after.crash()
        report = back.wait_for_report()
    assert report.fields["comments"] == "Words from before"
    assert report.query["eventId"] == page.headers["X-Sentry-ID"]


def test_an_origin_that_is_refused_takes_the_other_door(shop: Any, sentry: Any) -> None:
    """A project that does not list the host still gets the words: envelopes need no origin."""
    sentry.answers["POST", "error-page"] = (403, {}, b"{}")
    answer = shop.send(shop.crash(), comments="Words")
    assert "Sent. Thank you." in shop.follow(answer).text
    assert sentry.reports[-1].path == "/api/7/envelope/"


@pytest.mark.parametrize("status", [404, 405, 410])
def test_a_server_without_the_address_gets_an_envelope(shop: Any, sentry: Any, status: int) -> None:
    """Bugsink and Spotlight have no crash dialog: a user_report in an envelope reaches them."""
    sentry.answers["POST", "error-page"] = (status, {}, b"")
    page = shop.crash()
    answer = shop.send(page, comments="Words", name="Ada")
    assert "Sent. Thank you." in shop.follow(answer).text
    [_, envelope] = sentry.reports
    assert envelope.path == "/api/7/envelope/"
    assert "sentry_key=public" in envelope.headers["X-Sentry-Auth"]
    assert "Origin" not in envelope.headers
    header, kind, payload, rest = envelope.body.split(b"\n")
    event_id = page.headers["X-Sentry-ID"]
    assert json.loads(header)["event_id"] == event_id
    assert json.loads(kind) == {"type": "user_report", "length": len(payload)}
    assert json.loads(payload) == {
        "event_id": event_id,
        "name": "Ada",
        "email": "anonymous@example.invalid",
        "comments": "Words",
    }
    assert rest == b"" and SECRET_KEY.encode() not in envelope.body


def test_a_refusal_is_said_and_logged(
    shop: Any, sentry: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """When no door of Sentry's takes the words, the visitor hears it and the log has the reason."""
    sentry.answers["POST", "error-page"] = (400, {}, b'{"errors": {}}')
    sentry.answers["POST", "envelope"] = (400, {}, b"{}")
    answer = shop.send(shop.crash(), comments="Words")
    assert answer.status == 502
    assert "This could not be sent:" in answer.text
    assert answer.typed["comments"] == "Words"
    assert [record for record in caplog.records if "400" in record.getMessage()]


SPOILED = {
    "forged": ({"token": "IjAwIg.aaaa.bbbb"}, 403, "which crash"),
    "no token": ({"token": ""}, 403, "which crash"),
    "too large": ({"comments": "ä" * 9000}, 413, "too long"),
    "empty": ({"comments": " \n "}, 400, "what happened"),
    "bad email": ({"email": "ada at shop"}, 400, "not an email address"),
    "email with no dot": ({"email": "ada@shop"}, 400, "not an email address"),
    "long email": ({"email": f"{'a' * 70}@shop.example"}, 400, "at most 75"),
    "long name": ({"name": "n" * 129}, 400, "at most 128"),
    "honeypot": ({"website": "http://spam.example"}, 400, "stays empty"),
}


@pytest.mark.parametrize("case", SPOILED)
@pytest.mark.parametrize("in_place", [False, True])
def test_what_cannot_be_sent_is_said_and_kept(
    shop: Any, sentry: Any, case: str, in_place: bool
) -> None:
    """A clear page in the visitor's words, with what was typed still in it; nothing is relayed."""
    fields, status, words = SPOILED[case]
    typed = {"comments": "My <b>long</b> story & more", "name": "Ada", "email": "a@shop.example"}
    answer = shop.send(shop.crash(), json=in_place, **{**typed, **fields})
    assert answer.status == status
    if in_place:
        told = json.loads(answer.text)
        assert told["outcome"] == "refused"
        assert words in told["message"] + " ".join(told["errors"].values())
    else:
        assert words in answer.text
        for name, value in {**typed, **fields}.items():
            if name in typed:
                assert answer.typed[name].strip() == value.strip()
    assert sentry.reports == []


def test_a_wrong_field_is_mended_and_sent(shop: Any, sentry: Any) -> None:
    """The page that refuses has a working form: mend the field, send again."""
    refused = shop.send(shop.crash(), comments="Words", email="ada at shop")
    assert "Sent. Thank you." in shop.follow(shop.send(refused, email="")).text
    assert sentry.wait_for_report().fields["comments"] == "Words"


def test_an_old_page_is_told_so(shop: Any, sentry: Any, later: Any) -> None:
    """After 30 minutes Sentry would refuse the words, so the visitor hears it from us."""
    page = shop.crash()
    later(30 * 60 + 2)
    answer = shop.send(page, comments="Words after lunch")
    assert answer.status == 410
    assert "30 minutes" in answer.text
    assert answer.typed["comments"] == "Words after lunch"
    assert sentry.reports == []


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b'{"comments": "x"}', 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("text/plain", b"comments=x", 415),
        ("application/x-www-form-urlencoded", b"", 400),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 50), 400),
        ("application/x-www-form-urlencoded", b"\xff\x00%zz=%", 403),
    ],
)
def test_what_is_no_form_gets_a_clear_page(
    shop: Any, sentry: Any, kind: str, body: bytes, status: int
) -> None:
    """Another content type, nothing at all, or noise: a page, never an error of ours."""
    action, _ = shop.form_of(shop.crash())
    answer = shop.request("POST", action, body, {"Content-Type": kind})
    assert answer.status == status
    assert "This could not be sent:" in answer.text
    assert sentry.reports == []


def test_the_limit_holds_without_a_length(shop: Any, sentry: Any) -> None:
    """A chunked body has no Content-Length; 16 kB is 16 kB all the same."""
    action, typed = shop.form_of(shop.crash())
    body = urlencode({**typed, "comments": "w" * 20_000}).encode()
    pieces = iter([body[:7000], body[7000:14000], body[14000:]])
    answer = shop.request("POST", action, pieces, FORM)
    assert answer.status == 413
    assert answer.typed["comments"] == "w" * 20_000
    assert sentry.reports == []


def test_a_huge_body_is_not_kept(shop: Any) -> None:
    """Of megabytes, the visitor gets the first 64 kB back, and an answer, not a reset."""
    action, typed = shop.form_of(shop.crash())
    body = urlencode({**typed, "comments": "w" * 1_000_000}).encode()
    answer = shop.request("POST", action, body, FORM)
    assert answer.status == 413
    assert 60_000 < len(answer.typed["comments"]) < 65_536


@pytest.mark.parametrize("limit", [64, 50_000_000])
def test_the_apps_own_limit_is_for_its_own_routes(
    crashing_app: Any, visit: Any, sentry: Any, limit: int
) -> None:
    """A smaller MAX_CONTENT_LENGTH loses no words, and a larger one lifts no limit of ours."""
    visitor = visit(crashing_app(SENTRY_DSN=sentry.dsn, MAX_CONTENT_LENGTH=limit))
    page = visitor.crash()
    assert visitor.send(page, comments="w" * 20_000).status == 413
    assert visitor.send(page, comments="w" * 10_000).status == 303


def test_sending_twice_sends_once(shop: Any, sentry: Any) -> None:
    """The same words again get the same answer, and Sentry gets them once."""
    page = shop.crash()
    for _ in range(2):
        assert "Sent. Thank you." in shop.follow(shop.send(page, comments="Words")).text
    assert len(sentry.reports) == 1


def test_clicks_at_once_send_once(shop: Any, sentry: Any) -> None:
    """Of several submissions at the same moment one is relayed and waits for the answer; the
    others hear what is known by then."""
    page = shop.crash()
    told: list[str] = []

    def click() -> None:
        told.append(json.loads(shop.send(page, json=True, comments="Words").text)["outcome"])

    threads = [threading.Thread(target=click) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "sent" in told and set(told) <= {"sent", "saved"}
    assert len(told) == 6
    assert len(sentry.reports) == 1


def test_one_report_a_token(shop: Any, sentry: Any) -> None:
    """Other words for the same event would overwrite the first: they are refused, and kept."""
    page = shop.crash()
    shop.send(page, comments="First words")
    answer = shop.send(page, comments="Other words")
    assert answer.status == 409
    assert answer.typed["comments"] == "Other words"
    assert [report.fields["comments"] for report in sentry.reports] == ["First words"]


def test_two_crashes_have_a_report_each(shop: Any, sentry: Any) -> None:
    """Two tabs, two crashes: each token writes to its own event."""
    first, second = shop.crash(), shop.crash()
    shop.send(second, comments="second")
    shop.send(first, comments="first")
    arrived = {seen.query["eventId"]: seen.fields["comments"] for seen in sentry.reports}
    assert arrived == {
        first.headers["X-Sentry-ID"]: "first",
        second.headers["X-Sentry-ID"]: "second",
    }


def test_a_limiter_is_asked_first(crashing_app: Any, visit: Any, sentry: Any) -> None:
    """A rate limiter's 429 is told the visitor with the words kept, and when to come again."""
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
    crashing_app: Any, visit: Any, sentry: Any, caplog: pytest.LogCaptureFixture
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
    crashing_app: Any, visit: Any, sentry: Any
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


def test_the_apps_hooks_do_not_stand_in_the_way(crashing_app: Any, visit: Any, sentry: Any) -> None:
    """A login wall, or a hook that crashes on every request, stops neither form nor thanks."""
    app = crashing_app(SENTRY_DSN=sentry.dsn)

    @app.before_request
    def wall() -> None:
        raise RuntimeError("the session store is down")

    visitor = visit(app)
    answer = visitor.send(visitor.crash(), comments="Words")
    assert "Sent. Thank you." in visitor.follow(answer).text


def test_words_get_through_while_no_session_can_be_opened(
    crashing_app: Any, visit: Any, sentry: Any
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
    crashing_app: Any, visit: Any, sentry: Any, what: str
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


def test_under_a_prefix_and_a_mount_point(crashing_app: Any, visit: Any, sentry: Any) -> None:
    """The form's address, the thanks and the words work wherever the app is mounted."""
    app = crashing_app(SENTRY_DSN=sentry.dsn)
    visitor = visit(DispatcherMiddleware(Flask("none"), {"/shop": app.wsgi_app}))
    page = visitor.crash("/shop/boom")
    assert visitor.form_of(page)[0].startswith("/shop/_sentry_kit/")
    assert "Sent. Thank you." in visitor.follow(visitor.send(page, comments="Words")).text


def test_no_cookie_and_no_session(shop: Any) -> None:
    """Neither page, answer nor thanks set a cookie."""
    page = shop.crash()
    answer = shop.send(page, comments="Words")
    thanks = shop.follow(answer)
    assert all("Set-Cookie" not in each.headers for each in (page, answer, thanks))


def test_what_was_typed_never_becomes_markup(shop: Any) -> None:
    """Whatever is typed, the page that gives it back shows it as text."""
    nasty = "</textarea><script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    answer = shop.send(shop.crash(), comments=nasty, name=nasty, email=nasty, token=nasty)
    assert answer.status == 403
    assert "<script>alert" not in answer.text and "<img src=x" not in answer.text
    assert answer.typed["comments"] == nasty


def test_thanks_cannot_be_made_up(shop: Any) -> None:
    """A link that thanks without a report behind it is not found."""
    page = shop.crash()
    action, typed = shop.form_of(page)
    assert shop.request("GET", f"{action}/sent/{typed['token']}").status == 404
    saved = shop.send(page, comments="Words").headers["Location"]
    assert shop.request("GET", saved.replace("/sent/", "/saved/")).status == 404


def test_without_a_secret_there_is_no_form(
    crashing_app: Any, visit: Any, sentry: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """No SECRET_KEY: the page shows without a form, and the log says so in one line."""
    with caplog.at_level(logging.WARNING):
        visitor = visit(crashing_app(SENTRY_DSN=sentry.dsn, SECRET_KEY=None))
        pages = [visitor.crash(), visitor.crash()]
    assert all(page.status == 500 and "<form" not in page.text for page in pages)
    assert len([r for r in caplog.records if "SECRET_KEY" in r.getMessage()]) == 1


def test_without_an_event_there_is_no_form(crashing_app: Any, visit: Any) -> None:
    """No DSN, no event, no form: nothing is offered that leads nowhere."""
    page = visit(crashing_app()).crash()
    assert page.status == 500 and "<form" not in page.text


@pytest.mark.parametrize("prefill", [True, False])
def test_a_signed_in_user_finds_the_form_filled_in(
    crashing_app: Any, visit: Any, sentry: Any, prefill: bool
) -> None:
    """Name and address are there already, unless SENTRY_KIT_PREFILL says no."""
    who = {"id": "7", "username": "Ada <b>", "email": "ada@shop.example"}
    app = crashing_app(
        SENTRY_DSN=sentry.dsn, SENTRY_KIT_USER=lambda: who, SENTRY_KIT_PREFILL=prefill
    )
    typed = visit(app).crash().typed
    assert typed["name"] == ("Ada <b>" if prefill else "")
    assert typed["email"] == ("ada@shop.example" if prefill else "")


def test_the_form_can_be_turned_off(crashing_app: Any, visit: Any, sentry: Any) -> None:
    """SENTRY_KIT_FEEDBACK=False removes the form and its address."""
    visitor = visit(crashing_app(SENTRY_DSN=sentry.dsn, SENTRY_KIT_FEEDBACK=False))
    assert "<form" not in visitor.crash().text
    assert visitor.request("POST", "/_sentry_kit/feedback", b"comments=x", FORM).status == 404


def test_a_failing_handler_of_404_is_the_apps_own(
    crashing_app: Any, visit: Any, sentry: Any
) -> None:
    """What is not found under the kit's prefix is the app's 404, as anywhere."""
    app = crashing_app(SENTRY_DSN=sentry.dsn)

    @app.errorhandler(404)
    def lost(error: Exception) -> tuple[str, int]:
        return "the shop's own 404", 404

    @app.get("/gone")
    def gone() -> None:
        abort(404)

    visitor = visit(app)
    assert visitor.request("GET", "/gone").text == "the shop's own 404"
    assert visitor.request("GET", "/_sentry_kit/feedback/sent/x").text == "the shop's own 404"
