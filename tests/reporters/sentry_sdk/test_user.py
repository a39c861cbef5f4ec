"""Who it happened to, in events of sentry-sdk: found at the crash, where the app asks for it."""

from __future__ import annotations

from typing import Any

import pytest
import sentry_sdk
from flask import Flask
from flask_login import LoginManager, UserMixin, login_user

from tests.support.sdk import Sdk
from tests.support.types import MakeApp
from tests.watch.ways import Broken, answer_of, view

ASKED: list[str] = []


class User(UserMixin):
    def __init__(self, number: str) -> None:
        self.id = number
        self.email = f"user{number}@shop.example"

    @property
    def broken(self) -> str:
        raise ConnectionError("the database is down")


def signed_in(app: Flask) -> None:
    """An app whose users Flask-Login loads; it crashes at /x."""
    ASKED.clear()
    manager = LoginManager(app)

    @manager.user_loader
    def load(number: str) -> User:
        ASKED.append(number)
        return User(number)

    @app.get("/in")
    def sign_in() -> str:
        login_user(User("7"))
        return "in"

    app.add_url_rule("/fine", "fine", lambda: "fine")
    view(app)


def crash(app: Flask) -> Any:
    client = app.test_client()
    client.get("/in")
    for path in ("/fine", "/nowhere", "/static/none.css"):
        client.get(path)
    assert ASKED == []
    return client.get("/x", headers={"Accept": "text/html"})


@pytest.mark.parametrize("integrations", [True, False])
def test_the_user_is_asked_for_at_the_crash_alone(
    sdk: Sdk, shop: MakeApp, integrations: bool
) -> None:
    """Once; healthy requests, 404s and static files ask no user_loader."""
    sdk.init(default_integrations=integrations)
    crash(shop(signed_in, SENTRY_USER_ATTRS=["email"]))
    user = sdk.event["user"]
    assert (user["id"], user["email"]) == ("7", "user7@shop.example")
    assert ASKED == ["7"]


def test_nobody_is_asked_for_where_the_app_asks_for_nobody(sdk: Sdk, shop: MakeApp) -> None:
    """The event says as much of the user as the SDK says alone: nothing."""
    sdk.init()
    crash(shop(signed_in, SENTRY_KIT_PREFILL=False))
    assert not sdk.event.get("user") and ASKED == []


def test_a_callable_of_the_apps(sdk: Sdk, shop: MakeApp) -> None:
    """SENTRY_KIT_USER is called at the crash."""
    sdk.init()
    crash(shop(signed_in, SENTRY_KIT_USER=lambda: {"id": 5, "plan": "free"}))
    assert sdk.event["user"] == {"id": "5", "data": {"plan": "free"}}


def test_what_the_app_has_said_of_the_user_stays(sdk: Sdk, shop: MakeApp) -> None:
    """set_user() of the same user is completed, and that of another one left alone."""
    sdk.init()

    def way(app: Flask) -> None:
        signed_in(app)

        @app.get("/say/<number>")
        def say(number: str) -> str:
            sentry_sdk.set_user({"id": number, "email": "said@shop.example", "plan": "free"})
            raise Broken

    client = shop(way, SENTRY_USER_ATTRS=["email"]).test_client()
    client.get("/in")
    for number in ("7", "8"):
        client.get(f"/say/{number}")
    said = [{name: one["user"].get(name) for name in ("id", "email", "plan")} for one in sdk.events]
    assert said == [
        {"id": number, "email": "said@shop.example", "plan": "free"} for number in ("7", "8")
    ]


def test_a_user_that_fails_costs_the_event_nothing_else(sdk: Sdk, shop: MakeApp) -> None:
    """An attribute that raises is left out."""
    sdk.init()
    response = crash(shop(signed_in, SENTRY_USER_ATTRS=["broken", "email"]))
    assert sdk.event["event_id"] == response.headers["X-Sentry-ID"]
    assert sdk.event["user"]["email"] == "user7@shop.example"


def test_a_callable_that_logs_an_error_is_not_asked_without_end(sdk: Sdk, shop: MakeApp) -> None:
    """Its record is an event of its own."""

    def who() -> Any:
        app.logger.error("who is it")
        raise LookupError("nobody")

    sdk.init()
    app = shop(SENTRY_KIT_USER=who, SENTRY_KIT_PREFILL=False)
    id = answer_of(app).headers["X-Sentry-ID"]
    assert [event["event_id"] for event in sdk.events if "exception" in event] == [id]
    assert len(sdk.events) == 2


@pytest.mark.filterwarnings("ignore:The send_default_pii option is deprecated:DeprecationWarning")
def test_the_sdks_own_user_stays(sdk: Sdk, shop: MakeApp) -> None:
    """With send_default_pii the SDK says who was signed in, and where from."""
    sdk.init(send_default_pii=True)
    client = shop(signed_in).test_client()
    client.get("/in")
    client.get("/x")
    assert sdk.event["user"]["id"] == "7" and sdk.event["user"]["ip_address"] == "127.0.0.1"
