"""Each server gets the visitor's words in its own dialect; "sent" is said where it keeps them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import raven
from flask import Flask
from raven.transport.http import HTTPTransport

from flask_sentry_kit import Sentry, SentryKit
from flask_sentry_kit.dsn import Dsn
from flask_sentry_kit.feedback.dialects import Report, dialect_of, feedback_item, report_item
from tests.support.sentry import SECRET_KEY, Received, RecordingSentry
from tests.support.types import MakeApp, NewSentry, Visit
from tests.support.visitor import WORDS, Visitor, crash_and_send

ID = "0123456789abcdef0123456789abcdef"
FORM, ENVELOPE, STORE = "error-page", "envelope", "store"


def answer(status: int) -> tuple[int, dict[str, str], bytes]:
    return status, {}, b"{}"


def own_event(sentry: RecordingSentry) -> dict[str, Any]:
    [event] = [event for event in sentry.events if event.get("logger") == "feedback"]
    return event


@pytest.mark.parametrize(
    ("server", "form", "envelope", "outcome", "paths"),
    [
        ("auto", 200, 200, "sent", [FORM]),
        ("auto", 404, 200, "sent", [FORM, STORE]),
        ("auto", 403, 200, "sent", [FORM, STORE]),
        ("auto", 405, 200, "sent", [FORM, STORE]),
        ("auto", 410, 200, "sent", [FORM, STORE]),
        ("auto", 302, 200, "passed", [FORM, ENVELOPE]),
        ("auto", 307, 404, "sent", [FORM, ENVELOPE, STORE]),
        ("auto", 301, 301, "sent", [FORM, ENVELOPE, STORE]),
        ("auto", 400, 200, "refused", [FORM]),
        ("sentry", 200, 200, "sent", [ENVELOPE]),
        ("sentry", 200, 404, "sent", [ENVELOPE, FORM]),
        ("sentry", 404, 403, "sent", [ENVELOPE, FORM, STORE]),
        ("sentry", 302, 405, "sent", [ENVELOPE, FORM, STORE]),
        ("sentry", 200, 302, "sent", [ENVELOPE, STORE]),
        ("sentry", 200, 400, "refused", [ENVELOPE]),
        ("bugsink", 200, 200, "sent", [STORE]),
        ("spotlight", 200, 200, "sent", [ENVELOPE]),
        ("glitchtip", 200, 200, "sent", [ENVELOPE, FORM]),
        ("glitchtip", 404, 404, "sent", [ENVELOPE, FORM, STORE]),
    ],
)
def test_the_words_go_where_the_server_keeps_them(
    server: str,
    form: int,
    envelope: int,
    outcome: str,
    paths: list[str],
    crashing_app: MakeApp,
    visit: Visit,
    sentry: RecordingSentry,
) -> None:
    """The next form of words is tried after a redirect or a missing address, and "Sent" is said
    only for one that is known to be kept."""
    sentry.answers = {("POST", FORM): answer(form), ("POST", ENVELOPE): answer(envelope)}
    visitor = visit(crashing_app(SENTRY_DSN=sentry.dsn, SENTRY_KIT_SERVER=server))
    assert crash_and_send(visitor, sentry) == (outcome, paths)


@pytest.mark.parametrize(
    "host",
    [
        "o1.ingest.sentry.io",
        "o1.ingest.us.sentry.io",
        "O1.INGEST.DE.SENTRY.IO.",
        "o1.ingest.sentry.io:443",
        "sentry.io",
    ],
)
def test_sentry_io_gets_the_feedback_item(host: str) -> None:
    """Its ingest hosts redirect the form; the item is kept there."""
    dsn = Dsn.parse(f"https://public:hidden@{host}/7")
    item = report_item(dsn, Report(ID, WORDS), "https://shop.example", "auto")
    assert [(request.name, request.keeps) for request in item.requests] == [
        ("feedback", True),
        ("event", True),
    ]


@pytest.mark.parametrize("host", ["sentry.io.example", "mysentry.io", "sentry.example", "[::1]"])
def test_a_host_that_only_looks_like_sentry_io_gets_the_form(host: str) -> None:
    """Whether it has feedback items is not known."""
    assert dialect_of(Dsn.parse(f"https://public@{host}/7"), "auto").steps[0][0] == "form"


def test_a_redirect_is_not_followed(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry, new_sentry: NewSentry
) -> None:
    """The host that it names gets neither the key nor the words."""
    elsewhere = new_sentry()
    location = {"Location": f"{elsewhere.url}/api/embed/error-page/"}
    for last in (FORM, ENVELOPE):
        sentry.answers["POST", last] = (307, location, b"")
    outcome, paths = crash_and_send(visit(crashing_app(SENTRY_DSN=sentry.dsn)), sentry)
    assert (outcome, paths) == ("sent", [FORM, ENVELOPE, STORE])
    assert elsewhere.connections == 0


# What the words look like


@pytest.fixture
def signed_in(crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry) -> Visitor:
    """A visitor who is signed in to an app with a release, an environment and tags."""
    return visit(
        crashing_app(
            SENTRY_DSN=sentry.dsn,
            SENTRY_KIT_SERVER="sentry",
            SENTRY_RELEASE="1.2.3",
            SENTRY_ENVIRONMENT="staging",
            SENTRY_TAGS={"shop": "berlin"},
            SENTRY_KIT_USER=lambda: {"id": 7, "email": "ada@shop.example"},
        )
    )


def test_a_feedback_item_says_what_the_specification_names(
    signed_in: Visitor, sentry: RecordingSentry
) -> None:
    """One item in an envelope of its own, under an id of its own, with the facts of its crash."""
    page = signed_in.crash("/boom?token=hunter2&page=3")
    signed_in.send(page, comments=WORDS, name="Zoë", email="z@shop.example")
    envelope = sentry.wait_for_report()
    crash = sentry.events[0]
    header = json.loads(envelope.body.split(b"\n")[0])
    [(kind, payload)] = envelope.items
    assert kind == payload["type"] == "feedback"
    assert header["event_id"] == payload["event_id"] != crash["event_id"]
    assert payload["contexts"]["feedback"] == {
        "message": WORDS,
        "contact_email": "z@shop.example",
        "name": "Zoë",
        "url": f"{signed_in.base}/boom?token=********&page=3",
        "associated_event_id": page.headers["X-Sentry-ID"],
    }
    for name in ("environment", "release", "tags"):
        assert payload[name] == crash[name]
    assert payload["tags"] == {"shop": "berlin"}
    assert payload["user"] == {
        name: value for name, value in crash["user"].items() if name != "data"
    }
    assert (payload["platform"], payload["level"]) == ("python", "info")
    assert payload["timestamp"].endswith("Z")
    assert "sentry_key=public" in envelope.headers["X-Sentry-Auth"]
    assert "Origin" not in envelope.headers
    assert SECRET_KEY not in f"{envelope.headers}{envelope.body!r}"


def test_who_is_anonymous_stays_so(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry
) -> None:
    """An item and an event of its own hold no made-up name and no made-up address."""
    for server in ("sentry", "bugsink"):
        app = crashing_app(SENTRY_DSN=sentry.dsn, SENTRY_KIT_SERVER=server, SENTRY_KIT_PII=False)
        assert crash_and_send(visit(app), sentry)[0] == "sent"
    [(_, item)] = sentry.wait_for_report().items
    assert item["contexts"]["feedback"].keys() == {"message", "url", "associated_event_id"}
    assert "user" not in item
    event = own_event(sentry)
    assert "user" not in event
    assert "From" not in event["message"] and "nonymous" not in json.dumps(event)


def test_an_event_of_its_own_says_it_all_to_a_reader(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry
) -> None:
    """The words come first, then who, where and which crash; it is grouped with nothing."""
    app = crashing_app(
        SENTRY_DSN=sentry.dsn, SENTRY_KIT_SERVER="bugsink", SENTRY_TAGS={"shop": "berlin"}
    )
    visitor = visit(app)
    page = visitor.crash()
    crash_id = page.headers["X-Sentry-ID"]
    for name in ("Zoë", ""):
        visitor.send(page, comments=WORDS, name=name, email="z@shop.example")
        page = visitor.crash()
    sentry.wait_for(4)
    first, second = [event for event in sentry.events if event.get("logger") == "feedback"]
    assert (
        first["message"]
        == first["logentry"]["formatted"]
        == (
            f"{WORDS}\n\nFrom: Zoë <z@shop.example>\nPage: {visitor.base}/boom\n"
            f"About the crash: {crash_id}"
        )
    )
    assert "\nFrom: <z@shop.example>\n" in second["message"]
    assert first["level"] == "info"
    assert first["tags"] == {"shop": "berlin", "crash.event_id": crash_id}
    assert first["request"] == {"url": f"{visitor.base}/boom"}
    assert first["fingerprint"] != second["fingerprint"]
    assert first["event_id"] not in (crash_id, second["event_id"])


def test_an_event_of_its_own_takes_the_road_of_the_crash(
    shop: Visitor, sentry: RecordingSentry
) -> None:
    """Where /store/ and the form are missing, both go as envelopes, and the words are sent."""
    sentry.answers = {("POST", STORE): answer(404), ("POST", FORM): answer(404)}
    outcome, paths = crash_and_send(shop, sentry)
    assert outcome == "sent"
    assert paths[-2:] == [FORM, ENVELOPE]
    kinds = [got.items[0] for got in sentry.received if got.path.endswith("envelope/")]
    assert [kind for kind, _ in kinds] == ["event", "event"]
    assert kinds[-1][1]["message"].startswith(WORDS)


def test_the_facts_of_another_processes_crash_are_what_all_crashes_have(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry
) -> None:
    """With several workers, the one that takes the words need not know the crash. The page is the
    one that the form was on."""
    config: dict[str, Any] = {
        "SENTRY_DSN": sentry.dsn,
        "SENTRY_KIT_SERVER": "sentry",
        "SENTRY_RELEASE": "1.2.3",
        "SENTRY_TAGS": {"shop": "berlin", "api_key": "hunter2"},
        "SENTRY_KIT_USER": lambda: {"id": 7},
    }
    crashed, other = visit(crashing_app(**config)), visit(crashing_app(**config))
    for referer in (
        f"{other.base}/boom?token=hunter2&page=3",
        f"{other.base}/_sentry_kit/feedback",
        "https://elsewhere.example/boom",
        f"{other.base}@elsewhere.example/",
        f"{other.base}/",
    ):
        other.send(crashed.crash(), headers={"Referer": referer}, comments=WORDS)
    sentry.wait_for(5)
    items = [envelope.items[0][1] for envelope in sentry.reports]
    urls = [item["contexts"]["feedback"].get("url") for item in items]
    assert urls == [f"{other.base}/boom?token=********&page=3", None, None, None, f"{other.base}/"]
    assert all(item["release"] == "1.2.3" and "user" not in item for item in items)
    assert items[0]["tags"] == {"shop": "berlin", "api_key": "********"}


def test_a_path_that_holds_a_secret_is_masked_in_the_pages_address(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry
) -> None:
    """As in the event of its crash: for the name of the argument in its rule."""
    app = crashing_app(SENTRY_DSN=sentry.dsn, SENTRY_KIT_SERVER="sentry")

    @app.post("/reset/<token>")
    def reset(token: str) -> str:
        return "done"

    visitor = visit(app)
    page = visitor.crash()
    kit = app.extensions["sentry_kit"]
    kit.reporter.client._latest._facts.clear()
    referer = f"{visitor.base}/reset/hello"
    visitor.send(page, headers={"Referer": referer}, comments=WORDS)
    [(_, item)] = sentry.wait_for_report().items
    assert item["contexts"]["feedback"]["url"] == f"{visitor.base}/reset/********"


def test_words_beyond_what_a_server_takes_are_cut_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A feedback item has at most 4,096 characters; form and event have all of them."""
    report = Report(ID, "ä" * 5_000)
    item = report_item(Dsn.parse("https://public@sentry.example/7"), report, "", "auto")
    form, feedback, event = item.requests
    payload = json.loads(feedback.body.split(b"\n")[2])
    assert payload["contexts"]["feedback"]["message"] == "ä" * 4_095 + "…"
    assert caplog.text.count("5000 characters") == 1
    assert form.body.count(b"%C3%A4") == 5_000
    assert json.loads(event.body)["message"].count("ä") == 5_000


@pytest.mark.parametrize(
    ("server", "host", "about", "names"),
    [
        ("auto", "sentry.example", ID, ["event"]),
        ("auto", "sentry.example", None, ["event"]),
        ("auto", "o1.ingest.sentry.io", ID, ["feedback", "event"]),
        ("sentry", "sentry.example", None, ["feedback", "event"]),
        ("bugsink", "sentry.example", ID, ["event"]),
        ("spotlight", "sentry.example", None, ["event"]),
    ],
)
def test_words_of_the_apps_own_keep_their_id(
    server: str, host: str, about: str | None, names: list[str]
) -> None:
    """A form has no id of its own and would replace what a visitor wrote, so there is none."""
    dsn = Dsn.parse(f"https://public@{host}/7")
    report = Report(about, WORDS)
    item = feedback_item(dsn, report, server)
    assert [request.name for request in item.requests] == names
    assert all(report.id.encode() in request.body for request in item.requests)


def test_the_page_leaves_out_a_dialog_that_its_server_does_not_have(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry
) -> None:
    """Bugsink and Spotlight have none; the page's own form is there."""
    for server in ("bugsink", "spotlight", "sentry"):
        app = crashing_app(SENTRY_DSN=sentry.dsn, SENTRY_KIT_SERVER=server)
        page = visit(app).crash().text
        assert ("showReportDialog" in page) == (server == "sentry")
        assert "sentry-kit-feedback" in page


def test_spotlight_gets_everything_as_envelopes_at_once(
    crashing_app: MakeApp, visit: Visit, sentry: RecordingSentry
) -> None:
    """It has no /store/, so none is asked."""
    visitor = visit(crashing_app(SENTRY_DSN=sentry.dsn, SENTRY_KIT_SERVER="spotlight"))
    assert crash_and_send(visitor, sentry) == ("sent", [ENVELOPE])
    seen: list[Received] = sentry.received
    assert [request.path.split("/")[-2] for request in seen] == [ENVELOPE, ENVELOPE]


def test_a_client_of_ravens_own_class_gives_what_all_its_events_have(
    visit: Visit, sentry: RecordingSentry
) -> None:
    """Those of one event are known to raven alone; the words arrive by the kit's own queue."""
    app = Flask("shop")
    app.config.update(SECRET_KEY="not secret in a test", SENTRY_KIT_SERVER="sentry")
    options = {"release": "1.2.3", "environment": "production", "tags": {"api_key": "hunter2"}}
    Sentry(app, client=raven.Client(sentry.dsn, transport=HTTPTransport, **options))
    app.add_url_rule("/boom", view_func=lambda: str(1 / 0), endpoint="boom")
    app.register_blueprint(SentryKit())
    assert crash_and_send(visit(app), sentry)[0] == "sent"
    [(_, item)] = sentry.wait_for_report().items
    assert (item["release"], item["environment"]) == ("1.2.3", "production")
    assert item["tags"] == {"api_key": "********"} and "user" not in item
    app.extensions["sentry_kit"].outbox.close(0)
