"""Subclasses of ``flask_sentry_kit.Client``: overridden methods are called as by raven."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import raven.base
from flask import Flask
from flask_login import LoginManager, UserMixin

from flask_sentry_kit import Client, Sentry, SentryKit
from flask_sentry_kit.dsn import Dsn
from tests.support.sentry import RecordingSentry


@pytest.fixture
def shop(wire: RecordingSentry) -> Flask:
    """Crashes at /boom."""
    app = Flask("shop")
    app.config.update(SECRET_KEY="app-secret", SENTRY_DSN=wire.dsn)

    @app.get("/boom")
    def boom() -> str:
        raise ValueError("boom")

    return app


def crash_of(kind: type[Client], shop: Flask) -> Any:
    """The response to a crash of an app with this client class."""
    Sentry(shop, client_cls=kind)
    shop.register_blueprint(SentryKit())
    return shop.test_client().get("/boom", headers={"Accept": "text/html"})


def test_a_client_that_overrides_capture(shop: Flask, wire: RecordingSentry) -> None:
    """``flask_sentry_kit.Client`` can be subclassed: ``capture`` takes raven's arguments and is
    called for every event."""

    class Tagging(Client):
        def capture(self, event_type: str, *args: Any, **kwargs: Any) -> str | None:
            kwargs["tags"] = {**(kwargs.get("tags") or {}), "kind": event_type}
            return super().capture(event_type, *args, **kwargs)

    answer = crash_of(Tagging, shop)
    event = wire.one_event(shop)
    assert event["tags"] == {"kind": "raven.events.Exception"}
    assert answer.headers["X-Sentry-ID"] == event["event_id"]


@pytest.mark.parametrize("base", [Client, raven.base.Client])
def test_a_capture_that_returns_nothing(shop: Flask, base: type[Client]) -> None:
    """The page has the event's id even if ``capture`` forgets to return it, as some clients do."""
    events = []

    class Forgetful(base):  # type: ignore[misc, valid-type]  # one of two
        def capture(self, event_type: str, tags: Any = None, **kwargs: Any) -> None:
            super().capture(event_type, tags={**(tags or {}), "kind": "mine"}, **kwargs)

        def send(self, **event: Any) -> None:
            events.append(event)

    answer = crash_of(Forgetful, shop)
    (event,) = events
    assert event["tags"]["kind"] == "mine"
    assert event["event_id"] in answer.text
    assert answer.headers["X-Sentry-ID"] == event["event_id"]


@pytest.mark.parametrize("name", ["capture", "captureException"])
def test_a_capture_that_raises(
    shop: Flask, wire: RecordingSentry, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """If the client's ``capture`` raises, the crash is still reported, the page shows, and it is
    logged."""

    def broken(*args: Any, **kwargs: Any) -> None:
        raise LookupError("a client of the app's")

    answer = crash_of(type("Broken", (Client,), {name: broken}), shop)
    event = wire.one_event(shop)
    assert event["message"] == "ValueError: boom"
    assert answer.headers["X-Sentry-ID"] == event["event_id"]
    assert "The client's own capture() failed" in caplog.text


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_client_that_overrides_send(shop: Flask, wire: RecordingSentry, goes_on: bool) -> None:
    """``send`` gets the finished event, and may change it or send it elsewhere."""
    taken = []

    class Sending(Client):
        def send(self, auth_header: str | None = None, **data: Any) -> None:
            taken.append(data["event_id"])
            if goes_on:
                super().send(auth_header=auth_header, **{**data, "tags": {"sent": "here"}})

    answer = crash_of(Sending, shop)
    assert shop.extensions["sentry"].flush(10)
    assert answer.headers["X-Sentry-ID"] == taken[0]
    assert [event["tags"] for event in wire.events] == ([{"sent": "here"}] if goes_on else [])


def test_a_client_that_overrides_a_later_step(shop: Flask, wire: RecordingSentry) -> None:
    """``send_remote`` and the steps before it are called with raven's arguments."""
    seen = []

    class Remote(Client):
        def send_remote(self, url: str, data: bytes, headers: Any = None) -> Any:
            seen.append((url, self.decode(data)["event_id"], sorted(headers)))
            return super().send_remote(url, data, headers)

    answer = crash_of(Remote, shop)
    (url, event_id, headers) = seen[0]
    assert url == Dsn.parse(wire.dsn).store_url
    assert headers == ["Content-Encoding", "Content-Type", "User-Agent", "X-Sentry-Auth"]
    assert wire.one_event(shop)["event_id"] == event_id == answer.headers["X-Sentry-ID"]


def test_what_nobody_calls_is_said(shop: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """If a client overrides a method that is never called, the log names it and a replacement."""

    class Building(Client):
        def build_msg(self, *args: Any, **kwargs: Any) -> Any:
            return super().build_msg(*args, **kwargs)

    with caplog.at_level(logging.WARNING, "flask_sentry_kit"):
        Sentry(shop, client_cls=Building)
    (said,) = [one.getMessage() for one in caplog.records if one.name == "flask_sentry_kit"]
    assert said.startswith("Building.build_msg() is never called: processors=")


def test_a_client_without_an_app_takes_the_running_ones_settings(
    shop: Flask, wire: RecordingSentry
) -> None:
    """``SENTRY_USER_ATTRS`` applies to a client that was made elsewhere, as with raven."""

    class User(UserMixin):
        id = "7"
        plan = "gold"

    @LoginManager(shop).request_loader
    def load(request: Any) -> User:
        return User()

    shop.config["SENTRY_USER_ATTRS"] = ["plan"]
    Sentry(shop, client=Client(wire.dsn))
    shop.test_client().get("/boom")
    assert wire.one_event(shop)["user"]["data"] == {"plan": "gold"}


def test_hooks_are_called_with_a_client_of_ravens_own_class(shop: Flask) -> None:
    """Overridden methods of ``Sentry`` are also called for raven's clients, once per crash."""
    events = []

    class Keeping(raven.base.Client):
        def send(self, **event: Any) -> None:
            events.append(event)

    class Hooked(Sentry):
        def captureException(self, *args: Any, **kwargs: Any) -> None:
            self.tags_context({"kind": "mine"})
            super().captureException(*args, **kwargs)

        def get_user_info(self, request: Any) -> dict[str, Any]:
            return {"id": "7"}

        def handle_exception(self, *args: Any, **kwargs: Any) -> str | None:
            if isinstance(kwargs["exception"], KeyError):
                return None
            return super().handle_exception(*args, **kwargs)

    @shop.get("/passed-over")
    def passed_over() -> str:
        raise KeyError("passed over")

    shop.config["SENTRY_CONFIG"] = {"install_sys_hook": False, "install_logging_hook": False}
    Hooked(shop, client_cls=Keeping)
    shop.register_blueprint(SentryKit())
    visitor = shop.test_client()
    answer = visitor.get("/boom", headers={"Accept": "text/html"})
    assert visitor.get("/passed-over").status_code == 500
    (event,) = events
    assert (event["user"], event["tags"]["kind"]) == ({"id": "7"}, "mine")
    assert event["event_id"] in answer.text
    assert answer.headers["X-Sentry-ID"] == event["event_id"]
