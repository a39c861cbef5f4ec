"""The user and the address in an event, as in raven's documentation for Flask."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask_login import LoginManager, UserMixin, login_user
from werkzeug.middleware.proxy_fix import ProxyFix

import flask_sentry_kit
from tests.support.types import CrashEvent, MakeApp


class _User(UserMixin):
    def __init__(self, number: str) -> None:
        self.id = number
        self.username = "alice"
        self.first_name = "Alice"
        self.last_name = "Liddell"
        self.email = "alice@example.org"


def _with_login(app: Flask) -> Flask:
    manager = LoginManager(app)
    manager.user_loader(_User)

    @app.get("/login")
    def login() -> str:
        login_user(_User("7"))
        return "in"

    return app


def test_the_user_is_flask_logins(make_app: MakeApp, wire: Any) -> None:
    """By default the user has id, is_authenticated and is_anonymous, and nothing else."""
    app = _with_login(make_app())
    client = app.test_client()
    client.get("/login")
    client.get("/boom")
    assert wire.one_event(app)["user"] == {
        "id": "7",
        "is_authenticated": True,
        "is_anonymous": False,
        "ip_address": "127.0.0.1",
    }


def test_user_attributes(make_app: MakeApp, wire: Any) -> None:
    """From SENTRY_USER_ATTRS, email is a key of the user interface and the others are its data."""
    app = _with_login(
        make_app(SENTRY_USER_ATTRS=["username", "first_name", "last_name", "email", "no_such"])
    )
    client = app.test_client()
    client.get("/login")
    client.get("/boom")
    user = wire.one_event(app)["user"]
    assert user["id"] == "7"
    assert user["email"] == "alice@example.org"
    assert user["data"] == {"username": "alice", "first_name": "Alice", "last_name": "Liddell"}


def test_a_message_has_the_user_too(make_app: MakeApp, wire: Any) -> None:
    """User information is captured with both exceptions and messages."""
    app = _with_login(make_app())

    @app.get("/say")
    def say() -> str:
        flask_sentry_kit.sentry.captureMessage("hello, world!")
        return "said"

    client = app.test_client()
    client.get("/login")
    client.get("/say")
    assert wire.one_event(app)["user"]["id"] == "7"


def test_an_anonymous_visitor(make_app: MakeApp, wire: Any) -> None:
    """An anonymous user is reported as anonymous."""
    app = _with_login(make_app())
    app.test_client().get("/boom")
    user = wire.one_event(app)["user"]
    assert user == {"is_authenticated": False, "is_anonymous": True, "ip_address": "127.0.0.1"}


def test_the_address_behind_a_proxy_is_proxy_fixs(make_app: MakeApp, wire: Any) -> None:
    """app.wsgi_app = ProxyFix(app.wsgi_app) makes the visitor's address the user's."""
    app = make_app()
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]  # Flask's documented way
    app.test_client().get("/boom", headers={"X-Forwarded-For": "203.0.113.9"})
    assert wire.one_event(app)["user"]["ip_address"] == "203.0.113.9"


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Real-Ip", "Client-Ip", "Forwarded", "X-Client-Ip"]
)
def test_without_proxy_fix_no_header_is_believed(
    make_app: MakeApp, crash_event: CrashEvent, header: str
) -> None:
    """A visitor cannot forge an address: without ProxyFix the connection's address is used."""
    event = crash_event(make_app(), headers={header: "<script>1.2.3.4</script>, 6.6.6.6"})
    assert event["user"]["ip_address"] == "127.0.0.1"
    assert event["request"]["env"]["REMOTE_ADDR"] == "127.0.0.1"
