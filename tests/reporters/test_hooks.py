"""raven's hooks: what a subclass of ``Sentry`` overrides is called where raven calls it."""

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
    """As Invenio has it: nobody's address, and of who is signed in the id."""

    def get_user_info(self, request: Any) -> dict[str, Any]:
        return {"id": current_user.get_id()} if current_user.is_authenticated else {}


class AlsoItsPlan(Sentry):
    """As Pillar has it: what the class above says, changed."""

    def get_user_info(self, request: Any) -> dict[str, Any]:
        found = super().get_user_info(request)
        found.pop("id", None)
        if len(found) > 1:
            found["plan"] = current_user.plan
        return found


def test_the_user_is_what_the_app_says(shop: Flask, wire: RecordingSentry) -> None:
    """``get_user_info`` says all that an event has of a visitor; the address is not added."""
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
    """``super().get_user_info()`` has the address, and more where somebody is signed in."""
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
    """Outside of the request's context nobody can be asked, so that nothing is said of anybody."""
    WithoutAddress(shop)

    def broken_middleware(environ: Any, start_response: Any) -> Any:
        raise KeyError("middleware")

    shop.wsgi_app = broken_middleware  # type: ignore[method-assign]
    with pytest.raises(KeyError):
        shop.test_client().get("/hello")
    assert "user" not in wire.one_event(shop)


# What was asked for


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
    """``get_http_info`` and what it asks for say what an event has of a request; what is secret
    in it is masked as ever."""
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
    """raven's own ``get_http_info`` reads no body that a view has not read yet."""
    kind(shop)
    answer = shop.test_client().post("/captured", json={"item": "lamp"})
    assert json.loads(answer.text) == {"item": "lamp"}
    assert not wire.one_event(shop)["request"].get("data")


def test_a_body_that_is_json_is_read_as_json(shop: Flask, wire: RecordingSentry) -> None:
    """``get_json_data`` returns bytes, as raven's does; their secrets are masked all the same."""
    NoHeaders(shop)
    shop.test_client().post("/boom", json={"item": "lamp", "password": "hunter2"})
    data = wire.one_event(shop)["request"]["data"]
    assert data["item"] == "lamp"
    assert data["password"] != "hunter2"


# A crash


class SaysMore(Sentry):
    """Adds what it knows, and returns nothing, as apps do."""

    def update_context(self) -> None:
        if "request" not in self.client.context:
            self.client.http_context(self.get_http_info(request))
        self.client.tags_context({"plan": "gold"})

    def captureException(self, *args: Any, **kwargs: Any) -> None:
        self.update_context()
        super().captureException(*args, **kwargs)


class Chooses(Sentry):
    """Reports no ValueError."""

    def handle_exception(self, *args: Any, **kwargs: Any) -> str | None:
        if isinstance(kwargs["exception"], ValueError):
            return None
        return super().handle_exception(*args, **kwargs)


class ChoosesLater(Sentry):
    def captureException(self, *args: Any, **kwargs: Any) -> str | None:
        return None


def test_a_crash_passes_the_apps_capture(shop: Flask, wire: RecordingSentry) -> None:
    """``captureException`` is given every crash of a view; its event is one, unhandled, and on the
    page also where the method returns nothing."""
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
    """A hook that passes a crash over is asked once; the page claims no report."""
    kind(shop)
    answer = page_of(shop)
    assert answer.status_code == 500
    assert "X-Sentry-ID" not in answer.headers
    assert shop.extensions["sentry"].flush(10)
    assert not wire.events


def test_a_message_of_the_apps_own_is_the_reference(shop: Flask, wire: RecordingSentry) -> None:
    """A hook that sends something else in the crash's place gives the page its reference."""

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
    """``before_request`` may answer and abort as any function of Flask's; ``after_request`` gets
    the app and the response."""
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
    """One ``Sentry`` for many apps, as tests make them, keeps none of them alive."""
    sentry = Along()
    app = Flask("shop")
    sentry.init_app(app)
    app.test_client().get("/")
    gone = weakref.ref(app)
    del app
    gc.collect()
    assert gone() is None


def test_a_request_pays_for_no_hook_that_is_not_there(shop: Flask) -> None:
    """Where nothing is overridden, nothing is registered that runs with each request."""
    before = dict(shop.before_request_funcs)
    sentry = Sentry(shop)
    assert dict(shop.before_request_funcs) == before
    assert not list(request_finished.receivers_for(shop))
    found = hooks_of(sentry, Sentry)
    assert (found.capture, found.user, found.request) == (None, None, None)
    WithoutAddress(shop)
    assert dict(shop.before_request_funcs) == before
    assert len(list(got_request_exception.receivers_for(shop))) == 1


# What fails


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
    """The crash is reported, once, and the page shows; the log says it once, with a traceback."""
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
    """A method that is set on a ``Sentry`` is a hook as well as a subclass's."""
    sentry = Sentry()
    sentry.get_user_info = lambda request: {"username": "ada"}  # type: ignore[method-assign]
    sentry.init_app(shop)
    shop.test_client().get("/boom")
    assert wire.one_event(shop)["user"] == {"username": "ada"}


# Subclasses that do more themselves


class OwnSetUp(Sentry):
    """Sets an app up itself, with raven's parts."""

    def init_app(self, app: Flask, *args: Any, **kwargs: Any) -> None:
        if not self.client:
            self.client = make_client(self.client_cls, app, self.dsn)
        app.before_request(self.before_request)
        got_request_exception.connect(self.handle_exception, sender=app)
        request_finished.connect(self.after_request, sender=app)
        app.extensions["sentry"] = self


class OwnClient(Sentry):
    """Keeps its client elsewhere."""

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
    """An ``init_app`` that does not call ours, and a ``client`` of its own, work as with raven."""
    sentry = kind(shop)
    answer = page_of(shop)
    assert sentry.client.flush(10)
    (event,) = wire.wait_for(1)
    assert answer.headers["X-Sentry-ID"] == event["event_id"]
    assert event["request"]["url"] == "http://localhost/boom"


def test_a_method_may_be_called_by_hand(shop: Flask, wire: RecordingSentry) -> None:
    """What apps do where somebody signs in: raven's methods return what raven's return."""
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
