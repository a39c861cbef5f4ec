"""The fixture sentry_kit_reports: what an app reports, in memory, whichever way it reports."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import raven.base
import raven.contrib.flask
import urllib3
from flask import Flask, current_app

from flask_sentry_kit import Client, Sentry, capture_feedback, sentry
from flask_sentry_kit.outbox.diversion import let_through
from flask_sentry_kit.testing import Reports, collect_reports
from tests.support.sentry import RecordingSentry

from .conftest import make_shop

# raven's own calls, as its own client and class make them.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Client.get_ident:DeprecationWarning"),
    pytest.mark.filterwarnings(r"ignore:setDaemon\(\) is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings(r"ignore:datetime.datetime.utcnow\(\):DeprecationWarning"),
]

MakeShop = Callable[..., Flask]


class OwnClient(Client):
    """As apps subclass the kit's client: every step of sending is theirs."""

    def send(self, auth_header: str | None = None, **data: Any) -> None:
        data.setdefault("tags", {})["till"] = "3"
        super().send(auth_header, **data)

    def send_remote(self, *args: Any, **kwargs: Any) -> None:
        raise AssertionError("this would leave the process")


REPORTERS: dict[str, Callable[[Flask], object] | None] = {
    "the kit's": None,
    "made by the app": lambda app: Sentry(app),
    "a subclass of Client": lambda app: Sentry(app, client_cls=OwnClient),
    "raven's own Client": lambda app: Sentry(app, client_cls=raven.base.Client),
    "raven's own Sentry": lambda app: raven.contrib.flask.Sentry(app),
}


@pytest.mark.parametrize("dsn", [None, "", "real"])
@pytest.mark.parametrize("reporter", REPORTERS)
def test_a_crash_is_one_event_with_its_page_and_words(
    reporter: str, dsn: str | None, wire: RecordingSentry, sentry_kit_reports: Reports
) -> None:
    """Whatever reports for the app, and without a DSN too. Nothing is sent."""
    app = make_shop(REPORTERS[reporter], SENTRY_DSN=wire.dsn if dsn == "real" else dsn)
    answer = app.test_client().get("/checkout")
    event = sentry_kit_reports.one()
    assert (event.type, event.value) == ("ZeroDivisionError", "division by zero")
    assert event.where == f"{make_shop.__module__}.checkout"
    assert event.json["event_id"].replace("-", "") == event.id
    page = sentry_kit_reports.page(answer)
    assert page.event_id == event.id
    assert page.dialog is not None and page.dialog["eventId"] == event.id
    thanks = page.write("I pressed “Pay”", name="Ann", email="ann@shop.example")
    assert thanks.status_code == 200 and "Sent. Thank you." in thanks.text
    (words,) = sentry_kit_reports.words
    assert (words.comments, words.name, words.email) == (
        "I pressed “Pay”",
        "Ann",
        "ann@shop.example",
    )
    assert words.event_id == event.id
    assert app.extensions["sentry_kit"].outbox.flush(1) and not wire.received


MODULE_LEVEL = make_shop()


@pytest.mark.parametrize("served", [False, True])
def test_an_app_that_was_made_before_reports(served: bool, request: pytest.FixtureRequest) -> None:
    """At module level too, and whether or not it has answered a request."""
    if served:
        assert MODULE_LEVEL.test_client().get("/").status_code == 200
    reports: Reports = request.getfixturevalue("sentry_kit_reports")
    answer = MODULE_LEVEL.test_client().get("/checkout")
    assert reports.page(answer).event_id == reports.one().id


def test_afterwards_the_app_is_as_before(shop: MakeShop, wire: RecordingSentry) -> None:
    """It raises crashes on to the test again, and sends its events."""
    app = shop(SENTRY_DSN=wire.dsn)
    with collect_reports() as reports:
        assert app.test_client().get("/checkout").status_code == 500
        reports.one()
    assert app.config["PROPAGATE_EXCEPTIONS"] is None
    with pytest.raises(ZeroDivisionError):
        app.test_client().get("/checkout")
    assert wire.one_event(app)["event_id"] != reports.one().id
    without = shop()
    with pytest.raises(ZeroDivisionError):
        without.test_client().get("/checkout")
    assert without.extensions["sentry_kit"].dsn is None
    assert len(reports.events) == 1


@pytest.mark.parametrize("client", [Client, raven.base.Client])
def test_what_a_thread_of_the_test_reports_later_is_dropped(
    client: Any, shop: MakeShop, wire: RecordingSentry
) -> None:
    """It was started in a test that is over. What other threads report is sent."""
    app = shop(lambda app: Sentry(app, client_cls=client), SENTRY_DSN=wire.dsn)
    go_on = threading.Event()

    def work() -> None:
        with app.app_context():
            sentry.captureMessage("in the test")
            go_on.wait(10)
            sentry.captureMessage("too late")

    with collect_reports() as reports:
        thread = threading.Thread(target=work)
        thread.start()
        while not reports.events:
            thread.join(0.001)
    go_on.set()
    thread.join(10)
    with app.app_context():
        sentry.captureMessage("of another test")
    app.extensions["sentry_kit"].outbox.flush(10)
    wire.wait(lambda: len(wire.events) == 1)
    assert wire.events[0]["message"] == "of another test"
    assert [event.value for event in reports.events] == ["in the test"]


def test_a_spool_is_left_alone(shop: MakeShop, wire: RecordingSentry, tmp_path: Path) -> None:
    """Nothing is put into it, and what it holds from before is delivered after the test."""
    config = {"SENTRY_KIT_SPOOL": str(tmp_path / "spool.sqlite"), "SENTRY_DSN": wire.dsn}
    wire.answers["POST", "store"] = (500, {}, b"")
    before = shop(**config, PROPAGATE_EXCEPTIONS=False)
    event_id = before.test_client().get("/checkout").headers["X-Sentry-ID"]
    wire.wait_for_requests(1)
    before.extensions["sentry_kit"].outbox.close(0)
    del wire.answers["POST", "store"]
    arrived = len(wire.received)
    with collect_reports() as reports:
        app = shop(**config)
        app.test_client().get("/checkout")
        reports.one()
        outbox = app.extensions["sentry_kit"].outbox
        assert outbox.flush(5) and outbox.counters.queued == 1
        assert len(wire.received) == arrived
    assert outbox.flush(10)
    assert wire.received[-1].json()["event_id"] == event_id
    outbox.close(1)


def test_what_a_server_refused_before_does_not_count(
    shop: MakeShop, wire: RecordingSentry, sentry_kit_reports: Reports
) -> None:
    """In the test it has accepted the event, so that the page says so."""
    with let_through(wire.url):
        wire.answers["POST", "store"] = (403, {}, b"")
        app = shop(SENTRY_DSN=wire.dsn)
        app.test_client().get("/checkout")
        assert app.extensions["sentry_kit"].outbox.flush(10)
        assert app.extensions["sentry_kit"].reporter.refused
    page = sentry_kit_reports.page(app.test_client().get("/checkout"))
    assert "We have a report of this." in page.text


def test_no_event_is_sampled_out(shop: MakeShop, sentry_kit_reports: Reports) -> None:
    """A test is not left to chance."""
    shop(SENTRY_SAMPLE_RATE=0.0).test_client().get("/checkout")
    sentry_kit_reports.one()


def test_where_a_test_raises_for_the_app_its_caller_is_named(
    shop: MakeShop, sentry_kit_reports: Reports
) -> None:
    """places has every function of the app's own code, the innermost first."""

    def stub() -> str:
        raise OSError("the database is gone")

    app = shop()
    app.add_url_rule("/stubbed", view_func=lambda: stub())
    app.test_client().get("/stubbed")
    event = sentry_kit_reports.one()
    assert event.places == [f"{__name__}.stub", f"{__name__}.<lambda>"]
    assert event.where == event.places[0]


def test_several_apps_and_reports_in_their_order(
    shop: MakeShop, sentry_kit_reports: Reports
) -> None:
    """Each page leads to its own app; clear() begins anew."""
    answers = [shop().test_client().get(path) for path in ("/checkout", "/async")]
    events = sentry_kit_reports.events
    assert [event.request["url"] for event in events] == [
        "http://localhost/checkout",
        "http://localhost/async",
    ]
    for answer, event in zip(answers, events, strict=True):
        sentry_kit_reports.page(answer).write(f"about {event.id}")
    assert [words.comments for words in sentry_kit_reports.words] == [
        f"about {event.id}" for event in events
    ]
    sentry_kit_reports.clear()
    sentry_kit_reports.none()
    assert not sentry_kit_reports.words


def test_a_server_in_this_process_reports(
    shop: MakeShop, serve: Callable[..., str], sentry_kit_reports: Reports
) -> None:
    """From its threads. page() takes the answers of requests and httpx, which look like this."""
    address = serve(shop())
    answer = urllib3.request("GET", f"{address}/checkout", headers={"Accept": "text/html"})

    class Answer:
        status_code, headers, text = answer.status, answer.headers, answer.data.decode()
        url = f"{address}/checkout"

    page = sentry_kit_reports.page(Answer)
    assert page.event_id == sentry_kit_reports.one().id
    page.write("I pressed pay")
    assert sentry_kit_reports.words[0].url == f"{address}/checkout"


def test_a_setting_of_the_apps_own_decides_whether_it_raises(
    shop: MakeShop, sentry_kit_reports: Reports
) -> None:
    """PROPAGATE_EXCEPTIONS is not changed where the app has set it."""
    app = shop(PROPAGATE_EXCEPTIONS=True)
    with pytest.raises(ZeroDivisionError):
        app.test_client().get("/checkout")
    sentry_kit_reports.one()


def test_words_without_a_crash_are_words(shop: MakeShop, sentry_kit_reports: Reports) -> None:
    """Though they are sent as an event of their own."""
    with shop().test_request_context("/shop"):
        assert capture_feedback("More colours, please", name="Ann")
    (words,) = sentry_kit_reports.words
    assert (words.comments, words.name, words.event_id) == ("More colours, please", "Ann", None)
    sentry_kit_reports.none()


def test_what_the_event_says(shop: MakeShop, sentry_kit_reports: Reports) -> None:
    """User, tags, extra data, request and chained exceptions, scrubbed as when they are sent."""
    app = shop(SENTRY_TAGS={"till": "3"})

    @app.post("/pay")
    def pay() -> str:
        sentry.user_context({"id": "7", "email": "ann@shop.example"})
        sentry.extra_context({"basket": 2})
        try:
            return {}["price"]  # type: ignore[index]
        except KeyError:
            raise RuntimeError("no price") from None

    app.test_client().post("/pay?page=2", data={"password": "hunter2", "size": "L"})
    event = sentry_kit_reports.one()
    assert (event.type, event.value, event.level) == ("RuntimeError", "no price", "error")
    assert event.user["email"] == "ann@shop.example"
    assert event.tags["till"] == "3" and event.extra["basket"] == 2
    assert event.request["method"] == "POST" and event.request["query_string"] == "page=2"
    assert event.request["data"]["size"] == "L" and "hunter2" not in str(event.json)
    assert event.exception is not None and event.exception.place is not None
    assert event.exception.place.function == "pay"


def test_an_event_that_is_looked_at_is_seen(shop: MakeShop, sentry_kit_reports: Reports) -> None:
    """By one(), events or page(); none_unseen() lists the others."""
    client = shop().test_client()
    sentry_kit_reports.none_unseen()
    sentry_kit_reports.page(client.get("/checkout"))
    sentry_kit_reports.none_unseen()
    client.get("/async")
    with pytest.raises(AssertionError, match="did not ask") as found:
        sentry_kit_reports.none_unseen()
    assert "GET /async" in str(found.value) and "/checkout" not in str(found.value)
    assert len(sentry_kit_reports.events) == 2
    sentry_kit_reports.none_unseen()


def test_a_message_lists_what_was_reported_instead(
    shop: MakeShop, sentry_kit_reports: Reports
) -> None:
    """Type, value and place, and nothing that is masked in the event."""
    app = shop()

    @app.get("/leak")
    def leak() -> str:
        raise ConnectionError("no login with password=hunter2")

    app.test_client().get("/leak?token=hunter2")
    app.test_client().get("/checkout")
    for check in (sentry_kit_reports.one, sentry_kit_reports.none):
        with pytest.raises(AssertionError) as found:
            check()
        said = str(found.value)
        assert "2. ZeroDivisionError: division by zero" in said
        assert f"in {make_shop.__module__}.checkout (" in said and "GET /checkout" in said
        assert "GET /leak" in said and "hunter2" not in said


def test_without_an_event_the_message_says_why(shop: MakeShop, sentry_kit_reports: Reports) -> None:
    """The app has no kit, or its reporter ignores the exception."""
    with pytest.raises(AssertionError, match=r"none was reported\.\Z"):
        sentry_kit_reports.one()
    bare = Flask("bare")
    bare.add_url_rule("/", view_func=lambda: current_app.config["NO_SUCH"])
    assert bare.test_client().get("/").status_code == 500
    with pytest.raises(AssertionError, match="'bare' raised KeyError, and has no kit"):
        sentry_kit_reports.one()
    sentry_kit_reports.clear()
    app = shop(RAVEN_IGNORE_EXCEPTIONS=["ZeroDivisionError"])
    page = sentry_kit_reports.page(app.test_client().get("/checkout"))
    assert page.event_id is None and page.dialog is None
    with pytest.raises(AssertionError, match="made no event of it: look at ignore_exceptions"):
        sentry_kit_reports.one()


def test_collections_may_be_nested(shop: MakeShop, sentry_kit_reports: Reports) -> None:
    """The innermost takes."""
    client = shop().test_client()
    with collect_reports() as inner:
        client.get("/checkout")
        inner.one()
    sentry_kit_reports.none()
    assert client.get("/checkout").status_code == 500
    sentry_kit_reports.one()
