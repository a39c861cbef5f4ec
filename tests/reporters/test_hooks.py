"""raven's hooks: a subclass's overridden methods are called at the same points as by raven."""

from __future__ import annotations

import gc
import json
import logging
import weakref
from typing import Any

import pytest
import raven.contrib.flask
from flask import Flask, abort, g, request
from flask.signals import got_request_exception, request_finished
from flask_login import LoginManager, UserMixin, current_user, login_user
from raven.contrib.flask import make_client

from flask_sentry_kit import Sentry, SentryKit
from flask_sentry_kit.reporters.raven.hooks import hooks_of
from tests.support.sentry import RecordingSentry


class User(UserMixin):
    id = "7"
    plan = "gold"


@pytest.fixture
def shop(wire: RecordingSentry) -> Flask:
    """Crashes at /boom, captures at /captured and says hello at /hello; /login signs in."""
    app = Flask("shop")
    app.config.update(SECRET_KEY="app-secret", SENTRY_DSN=wire.dsn)
    LoginManager(app).user_loader(lambda user_id: User())

    @app.route("/boom", methods=["GET", "POST"])
    def boom() -> str:
        raise ValueError("boom")

    @app.route("/captured", methods=["POST"])
    def captured() -> str:
        try:
            raise ValueError("handled")
        except ValueError:
            app.extensions["sentry"].captureException()
        return request.get_data(as_text=True)

    @app.get("/login")
    def login() -> str:
        login_user(User())
        return "welcome"

    @app.get("/hello")
    def hello() -> str:
        return "hello"

    return app


def page_of(app: Flask, **options: Any) -> Any:
    app.register_blueprint(SentryKit())
    return app.test_client().get("/boom", headers={"Accept": "text/html"}, **options)


# Who


class WithoutAddress(Sentry):
    """As in Invenio: no address, and only the id of a signed-in user."""

    def get_user_info(self, request: Any) -> dict[str, Any]:
        return {"id": current_user.get_id()} if current_user.is_authenticated else {}


class AlsoItsPlan(Sentry):
    """As in Pillar: changes the result of the base class."""

    def get_user_info(self, request: Any) -> dict[str, Any]:
        found = super().get_user_info(request)
        found.pop("id", None)
        if len(found) > 1:
            found["plan"] = current_user.plan
        return found


def test_the_user_is_what_the_app_says(shop: Flask, wire: RecordingSentry) -> None:
    """``get_user_info`` returns all user data of an event, and the address is not added."""
    WithoutAddress(shop)
    visitor = shop.test_client()
    visitor.get("/boom")
    visitor.get("/login")
    visitor.get("/boom")
    assert shop.extensions["sentry"].flush(10)
    nobody, somebody = wire.wait_for(2)
    assert "user" not in nobody
    assert somebody["user"] == {"id": "7"}


def test_the_class_above_says_what_ravens_says(shop: Flask, wire: RecordingSentry) -> None:
    """``super().get_user_info()`` has the address, and more data for a signed-in user."""
    AlsoItsPlan(shop)
    visitor = shop.test_client()
    visitor.get("/boom")
    visitor.get("/login")
    visitor.get("/boom")
    assert shop.extensions["sentry"].flush(10)
    nobody, somebody = (event["user"] for event in wire.wait_for(2))
    assert nobody == {"ip_address": "127.0.0.1"}
    assert somebody["ip_address"] == "127.0.0.1"
    assert (somebody["is_authenticated"], somebody["data"]) == (True, {"plan": "gold"})


def test_what_escapes_has_no_user_that_the_app_did_not_name(
    shop: Flask, wire: RecordingSentry
) -> None:
    """Outside the request's context the hook cannot be called, so the event has no user."""
    WithoutAddress(shop)

    def broken_middleware(environ: Any, start_response: Any) -> Any:
        raise KeyError("middleware")

    shop.wsgi_app = broken_middleware  # type: ignore[method-assign]
    with pytest.raises(KeyError):
        shop.test_client().get("/hello")
    assert "user" not in wire.one_event(shop)


# The request


class NoForm(Sentry):
    def get_form_data(self, request: Any) -> Any:
        return {"fields": sorted(request.form)}


class NoHeaders(Sentry):
    def get_http_info(self, request: Any) -> Any:
        found = super().get_http_info(request)
        del found["headers"]
        return {**found, "env": {"secret_key": "hunter2"}}


@pytest.mark.parametrize(
    ("kind", "data"), [(NoForm, {"fields": ["item", "password"]}), (NoHeaders, None)]
)
def test_the_request_is_what_the_app_says(
    shop: Flask, wire: RecordingSentry, kind: type[Sentry], data: Any
) -> None:
    """``get_http_info`` and the methods it calls return the request data of an event. Secrets in
    it are still masked."""
    kind(shop)
    form = {"item": "lamp", "password": "hunter2"}
    shop.test_client().post("/boom?token=hunter3", data=form, headers={"X-Api-Key": "hunter4"})
    sent = wire.one_event(shop)["request"]
    assert sent["method"] == "POST"
    assert sent["url"] == "http://localhost/boom"
    if data is None:
        assert "headers" not in sent
        assert sent["data"]["item"] == "lamp"
        assert sent["data"]["password"] != "hunter2"
    else:
        assert sent["data"] == data
    assert "hunter" not in str(sent)


@pytest.mark.parametrize("kind", [NoHeaders, Sentry])
def test_a_view_that_continues_keeps_its_body(
    shop: Flask, wire: RecordingSentry, kind: type[Sentry]
) -> None:
    """raven's own ``get_http_info`` does not read a body before the view has read it."""
    kind(shop)
    answer = shop.test_client().post("/captured", json={"item": "lamp"})
    assert json.loads(answer.text) == {"item": "lamp"}
    assert not wire.one_event(shop)["request"].get("data")


def test_a_body_that_is_json_is_read_as_json(shop: Flask, wire: RecordingSentry) -> None:
    """``get_json_data`` returns bytes, as in raven, and their secrets are masked."""
    NoHeaders(shop)
    shop.test_client().post("/boom", json={"item": "lamp", "password": "hunter2"})
    data = wire.one_event(shop)["request"]["data"]
    assert data["item"] == "lamp"
    assert data["password"] != "hunter2"


# A crash


class SaysMore(Sentry):
    """Adds extra data and returns nothing, as apps do."""

    def update_context(self) -> None:
        if "request" not in self.client.context:
            self.client.http_context(self.get_http_info(request))
        self.client.tags_context({"plan": "gold"})

    def captureException(self, *args: Any, **kwargs: Any) -> None:
        self.update_context()
        super().captureException(*args, **kwargs)


class Chooses(Sentry):
    """Does not report a ValueError."""

    def handle_exception(self, *args: Any, **kwargs: Any) -> str | None:
        if isinstance(kwargs["exception"], ValueError):
            return None
        return super().handle_exception(*args, **kwargs)


class ChoosesLater(Sentry):
    def captureException(self, *args: Any, **kwargs: Any) -> str | None:
        return None


def test_a_crash_passes_the_apps_capture(shop: Flask, wire: RecordingSentry) -> None:
    """``captureException`` receives every crash of a view. There is one unhandled event, and its
    id is on the page even if the method returns nothing."""
    SaysMore(shop)
    answer = page_of(shop)
    event = wire.one_event(shop)
    assert event["tags"]["plan"] == "gold"
    assert event["exception"]["values"][-1]["mechanism"]["handled"] is False
    assert answer.headers["X-Sentry-ID"] == event["event_id"]
    assert event["event_id"] in answer.text


@pytest.mark.parametrize("kind", [Chooses, ChoosesLater])
def test_what_the_app_does_not_report_is_not_reported(
    shop: Flask, wire: RecordingSentry, kind: type[Sentry]
) -> None:
    """A hook that ignores a crash is called once, and the page does not claim a report."""
    kind(shop)
    answer = page_of(shop)
    assert answer.status_code == 500
    assert "X-Sentry-ID" not in answer.headers
    assert shop.extensions["sentry"].flush(10)
    assert not wire.events


def test_a_message_of_the_apps_own_is_the_reference(shop: Flask, wire: RecordingSentry) -> None:
    """If a hook sends something else instead of the crash, the page shows that event's id."""

    class Message(Sentry):
        def handle_exception(self, *args: Any, **kwargs: Any) -> None:
            self.captureMessage("the till is stuck")

    Message(shop)
    answer = page_of(shop)
    event = wire.one_event(shop)
    assert event["message"] == "the till is stuck"
    assert answer.headers["X-Sentry-ID"] == event["event_id"]


# Every request


class Along(Sentry):
    seen: list[Any]

    def before_request(self, *args: Any, **kwargs: Any) -> Any:
        self.seen = ["before", args, kwargs, request.path]
        super().before_request(*args, **kwargs)
        if request.path == "/closed":
            abort(403)
        return "early" if request.path == "/early" else None

    def after_request(self, sender: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        assert isinstance(sender, Flask)
        response.headers["X-Along"] = str(self.last_event_id)
        return super().after_request(sender, response, *args, **kwargs)


def test_two_hooks_go_along_with_each_request(shop: Flask) -> None:
    """``before_request`` may return a response or abort, as in Flask. ``after_request`` gets the
    app and the response."""
    sentry = Along(shop)
    sentry.init_app(shop)
    visitor = shop.test_client()
    answer = visitor.get("/hello")
    assert (answer.text, answer.headers["X-Along"]) == ("hello", "None")
    assert sentry.seen == ["before", (), {}, "/hello"]
    assert visitor.get("/early").text == "early"
    assert visitor.get("/closed").status_code == 403
    assert len(shop.before_request_funcs[None]) == 1
    Sentry(shop)
    assert "X-Along" not in visitor.get("/hello").headers


def test_an_app_with_hooks_can_be_freed() -> None:
    """One ``Sentry`` shared by many apps, as in tests, keeps none of the apps alive."""
    sentry = Along()
    app = Flask("shop")
    sentry.init_app(app)
    app.test_client().get("/")
    gone = weakref.ref(app)
    del app
    gc.collect()
    assert gone() is None


def test_a_request_pays_for_no_hook_that_is_not_there(shop: Flask) -> None:
    """If nothing is overridden, no function is registered that runs with each request."""
    before = dict(shop.before_request_funcs)
    sentry = Sentry(shop)
    assert dict(shop.before_request_funcs) == before
    assert not list(request_finished.receivers_for(shop))
    found = hooks_of(sentry, Sentry)
    assert (found.capture, found.user, found.request) == (None, None, None)
    WithoutAddress(shop)
    assert dict(shop.before_request_funcs) == before
    assert len(list(got_request_exception.receivers_for(shop))) == 1


# Failing hooks


def broken(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("a hook of the app's")


@pytest.mark.parametrize(
    "name",
    [
        "get_user_info",
        "get_http_info",
        "get_form_data",
        "before_request",
        "after_request",
        "handle_exception",
        "captureException",
    ],
)
def test_a_hook_that_raises_changes_nothing(
    shop: Flask, wire: RecordingSentry, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """If a hook raises, the crash is reported once, the page shows, and one traceback is logged."""
    kind: type[Sentry] = type("Broken", (Sentry,), {name: broken})
    kind(shop)
    with caplog.at_level(logging.ERROR, "flask_sentry_kit"):
        answer = page_of(shop)
        shop.test_client().get("/boom")
    assert shop.extensions["sentry"].flush(10)
    first, _ = wire.wait_for(2)
    assert answer.status_code == 500
    assert first["event_id"] in answer.text
    assert first["exception"]["values"][-1]["value"] == "boom"
    assert ("user" in first) is (name != "get_user_info")
    described = "url" in first["request"]
    assert described is (name not in ("get_http_info", "get_form_data"))
    said = [one for one in caplog.records if one.name == "flask_sentry_kit"]
    assert len(said) == 1
    called = "get_http_info" if name == "get_form_data" else name
    assert said[0].getMessage().startswith(f"Broken.{called}() failed: ")
    assert said[0].exc_info


def test_a_hook_on_the_object_counts(shop: Flask, wire: RecordingSentry) -> None:
    """A method that is set on a ``Sentry`` object is a hook, like a subclass's method."""
    sentry = Sentry()
    sentry.get_user_info = lambda request: {"username": "ada"}  # type: ignore[method-assign]
    sentry.init_app(shop)
    shop.test_client().get("/boom")
    assert wire.one_event(shop)["user"] == {"username": "ada"}


# Subclasses that replace more


class OwnSetUp(Sentry):
    """Sets up an app in its own ``init_app``, with raven's parts."""

    def init_app(self, app: Flask, *args: Any, **kwargs: Any) -> None:
        if not self.client:
            self.client = make_client(self.client_cls, app, self.dsn)
        app.before_request(self.before_request)
        got_request_exception.connect(self.handle_exception, sender=app)
        request_finished.connect(self.after_request, sender=app)
        app.extensions["sentry"] = self


class OwnClient(Sentry):
    """Stores its client in its own attribute."""

    kept: Any = None

    @property
    def client(self) -> Any:
        return self.kept

    @client.setter
    def client(self, client: Any) -> None:
        if client is not None:
            type(self).kept = client


@pytest.mark.parametrize("kind", [OwnSetUp, OwnClient])
def test_a_subclass_that_does_it_itself(
    shop: Flask, wire: RecordingSentry, kind: type[Sentry]
) -> None:
    """A subclass's own ``init_app`` without ours, and its own ``client``, work as with raven."""
    sentry = kind(shop)
    answer = page_of(shop)
    assert sentry.client.flush(10)
    (event,) = wire.wait_for(1)
    assert answer.headers["X-Sentry-ID"] == event["event_id"]
    assert event["request"]["url"] == "http://localhost/boom"


def test_a_method_may_be_called_by_hand(shop: Flask, wire: RecordingSentry) -> None:
    """The methods that apps call when a user signs in return the same values as raven's."""
    sentry = Sentry(shop)
    address = {"REMOTE_ADDR": "127.0.0.1"}
    with shop.test_request_context("/boom?page=2", method="POST", environ_base=address):
        login_user(User())
        user = sentry.get_user_info(request)
        assert (user["id"], user["ip_address"]) == ("7", "127.0.0.1")
        found = sentry.get_http_info(request)
        assert set(found) == {"url", "query_string", "method", "data", "headers", "env"}
        assert g.get("sentry_event_id") is None
    assert isinstance(sentry, raven.contrib.flask.Sentry)
