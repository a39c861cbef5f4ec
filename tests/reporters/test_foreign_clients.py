"""Clients of raven's own class behind our ``Sentry``: their events get the same data as with
raven's Flask integration, and data of one request is not in the next one's events."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import raven.base
import raven.contrib.flask
from flask import Flask, g, request
from flask_login import LoginManager, UserMixin, login_user

from flask_sentry_kit import Sentry, SentryKit


class KeepingClient(raven.base.Client):  # raven carries no types
    """Keeps its events in a list, like the test clients of raven's users."""

    def __init__(self, **options: Any) -> None:
        self.events: list[dict[str, Any]] = []
        super().__init__(**{"install_sys_hook": False, "install_logging_hook": False, **options})

    def is_enabled(self) -> bool:
        return True

    def send(self, **event: Any) -> None:
        self.events.append(event)


@pytest.fixture
def client() -> Iterator[KeepingClient]:
    made = KeepingClient(dsn="http://public:secret@sentry.example/1")
    yield made
    made.context.clear(deactivate=True)


@pytest.fixture
def shop() -> Iterator[Flask]:
    """An app that crashes at /boom, captures at /captured and says hello at /hello."""
    app = Flask("shop")
    app.config["SECRET_KEY"] = "app-secret"

    @app.route("/boom/<what>", methods=["GET", "POST"])
    def boom(what: str) -> str:
        raise ValueError(what)

    @app.route("/captured", methods=["GET", "POST"])
    def captured() -> str:
        try:
            raise ValueError("handled")
        except ValueError:
            app.extensions["sentry"].captureException()
        return request.get_data(as_text=True)

    @app.get("/message")
    def message() -> str:
        app.extensions["sentry"].captureMessage("hello")
        return "sent"

    @app.get("/named/<name>")
    def named(name: str) -> str:
        app.extensions["sentry"].user_context({"id": name})
        app.extensions["sentry"].tags_context({"cart": name})
        return "named"

    @app.get("/log")
    def log() -> str:
        logging.getLogger("shop.till").error("The till is stuck")
        return "logged"

    yield app
    root = logging.getLogger()
    for handler in list(root.handlers):
        if type(handler).__module__.startswith("flask_sentry_kit"):
            root.removeHandler(handler)


def test_an_event_has_its_request(shop: Flask, client: KeepingClient) -> None:
    """The crashed request is in the event, including its form."""
    Sentry(shop, client=client)
    shop.test_client().post("/boom/till?page=2", data={"item": "lamp"})
    (event,) = client.events
    assert event["request"]["url"] == "http://localhost/boom/till"
    assert event["request"]["query_string"] == "page=2"
    assert event["request"]["data"] == {"item": "lamp"}
    assert event["transaction"] == "/boom/<what>"
    assert event["user"]["ip_address"] == "127.0.0.1"


@pytest.mark.parametrize("path", ["/captured", "/message"])
def test_what_a_view_captures_has_it_too(shop: Flask, client: KeepingClient, path: str) -> None:
    """Events of explicit captures contain their request, and the response contains their id."""
    Sentry(shop, client=client)
    answer = shop.test_client().get(path)
    (event,) = client.events
    assert event["request"]["url"] == f"http://localhost{path}"
    assert answer.headers["X-Sentry-ID"] == event["event_id"]


def test_a_view_that_goes_on_keeps_its_body(shop: Flask, client: KeepingClient) -> None:
    """A body is not read for an event while the view may still read it."""
    Sentry(shop, client=client)
    answer = shop.test_client().post("/captured", data={"item": "lamp"})
    assert answer.text == "item=lamp"


def test_a_visitor_is_gone_after_the_request(shop: Flask, client: KeepingClient) -> None:
    """The user, tags and request of one visitor are not in the next visitor's event."""
    Sentry(shop, client=client)
    visitor = shop.test_client()
    visitor.get("/named/ada")
    visitor.get("/boom/till")
    client.captureMessage("nightly job")
    crash, job = client.events
    assert crash["user"] == {"ip_address": "127.0.0.1"}
    assert "cart" not in crash["tags"]
    assert "request" not in job
    assert "user" not in job


def test_who_is_signed_in(shop: Flask, client: KeepingClient) -> None:
    """Flask-Login's user is read when the crash happens, with SENTRY_USER_ATTRS."""

    class User(UserMixin):
        id = "7"
        plan = "gold"

    manager = LoginManager(shop)
    manager.user_loader(lambda user_id: User())

    @shop.get("/login")
    def login() -> str:
        login_user(User())
        raise ValueError("after signing in")

    shop.config["SENTRY_USER_ATTRS"] = ["plan"]
    Sentry(shop, client=client)
    shop.test_client().get("/login")
    user = client.events[0]["user"]
    assert (user["id"], user["plan"], user["is_authenticated"]) == ("7", "gold", True)


def test_one_crash_is_one_event_with_its_id_on_the_page(shop: Flask, client: KeepingClient) -> None:
    """The kit's page shows the id of the one event, with dialog and form."""
    Sentry(shop, client=client)
    shop.register_blueprint(SentryKit())
    answer = shop.test_client().get("/boom/till", headers={"Accept": "text/html"})
    (event,) = client.events
    assert answer.status_code == 500
    assert event["event_id"] in answer.text
    assert "showReportDialog" in answer.text
    assert "/_sentry_kit/feedback" in answer.text


def test_captured_then_raised_is_one_event(shop: Flask, client: KeepingClient) -> None:
    """A view that captures and raises the same exception makes one event, whose id is shown."""

    @shop.get("/both")
    def both() -> str:
        try:
            raise ValueError("twice")
        except ValueError:
            shop.extensions["sentry"].captureException()
            raise

    Sentry(shop, client=client)
    answer = shop.test_client().get("/both")
    (event,) = client.events
    assert answer.headers["X-Sentry-ID"] == event["event_id"]


def test_log_records_become_events_once(shop: Flask, client: KeepingClient) -> None:
    """With ``logging=True`` a record is an event. A crash that Flask logs makes no second one."""
    Sentry(shop, client=client, logging=True)
    visitor = shop.test_client()
    visitor.get("/boom/till")
    visitor.get("/log")
    assert [event["message"] for event in client.events] == [
        "ValueError: till",
        "The till is stuck",
    ]
    assert client.events[1]["request"]["url"] == "http://localhost/log"


def test_the_setup_signal_is_sent(shop: Flask, client: KeepingClient) -> None:
    """raven's ``logging_configured`` is sent with the exclusions."""
    heard: list[Any] = []

    def listener(sender: Any, **facts: Any) -> None:
        heard.append(facts["exclude"])

    with raven.contrib.flask.logging_configured.connected_to(listener):
        Sentry(shop, client=client, logging=True, logging_exclusions=("noisy",))
    assert heard == [("noisy",)]


@pytest.mark.parametrize(("debug", "expected"), [(True, False), (False, True)])
def test_wrap_wsgi_says_what_ravens_says(
    shop: Flask, client: KeepingClient, debug: bool, expected: bool
) -> None:
    """``sentry.wrap_wsgi`` is False for an app in debug mode, as existing code expects."""
    shop.debug = debug
    assert Sentry(shop, client=client).wrap_wsgi is expected


def test_a_client_class_of_the_apps_own(shop: Flask) -> None:
    """``client_cls=`` makes one client per app from its config."""
    shop.config["SENTRY_DSN"] = "http://public:secret@sentry.example/1"
    sentry = Sentry(shop, client_cls=KeepingClient)
    shop.test_client().get("/boom/till")
    (event,) = sentry.client_of(shop).events
    assert event["project"] == "1"


def test_a_client_that_is_shared_with_a_task_queue(shop: Flask, client: KeepingClient) -> None:
    """Two apps and a task share one client: each event has its own request, the task's has none."""
    other = Flask("blog")

    @other.get("/broken")
    def broken() -> str:
        raise KeyError("post")

    Sentry(shop, client=client)
    Sentry(other, client=client)
    shop.test_client().get("/boom/till")
    other.test_client().get("/broken")
    client.captureMessage("a task ended")
    urls = [event.get("request", {}).get("url") for event in client.events]
    assert urls == ["http://localhost/boom/till", "http://localhost/broken", None]


def test_a_client_that_hangs_up_while_its_form_is_read(
    shop: Flask, client: KeepingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the form cannot be read, the event is sent without it and nothing is raised."""

    def hang_up(self: Any) -> None:
        raise ConnectionError("the visitor is gone")

    Sentry(shop, client=client)
    monkeypatch.setattr("flask.Request._load_form_data", hang_up)
    answer = shop.test_client().post("/boom/till", data={"item": "lamp"})
    assert answer.status_code == 500
    assert [event["message"] for event in client.events] == ["ValueError: till"]


def test_the_id_is_told_as_raven_tells_it(shop: Flask, client: KeepingClient) -> None:
    """``sentry.last_event_id`` and ``g.sentry_event_id`` name the event just captured."""
    sentry = Sentry(shop, client=client)
    with shop.test_request_context("/"):
        event_id = sentry.captureMessage("hello")
        assert event_id == sentry.last_event_id == g.sentry_event_id == client.events[0]["event_id"]


def test_something_that_is_no_client_is_refused(shop: Flask) -> None:
    """A DSN passed as the client raises a TypeError, as with raven."""
    with pytest.raises(TypeError):
        Sentry(shop, "http://public@sentry.example/1")
