"""SENTRY_KIT_PII: the visitor's data that is sent and filled in."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, request

from flask_sentry_kit import SentryKit

KitApp = Callable[..., Flask]

ADDRESS = "203.0.113.77"
BEFORE = "https://clinic.example/patients/ada"
HEADERS = {
    "X-Forwarded-For": f"{ADDRESS}, 10.0.0.1",
    "X-Real-IP": ADDRESS,
    "Forwarded": f"for={ADDRESS};proto=https",
    "CF-Connecting-IP": ADDRESS,
    "True-Client-IP": ADDRESS,
    "Referer": BEFORE,
    "Accept": "text/html",
}


def _visit(serve: Callable[..., str], app: Flask) -> str:
    connection = http.client.HTTPConnection(serve(app).partition("://")[2], timeout=10)
    try:
        connection.request("GET", "/seen", headers=HEADERS)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def _with_view(app: Flask) -> Flask:
    @app.get("/seen")
    def seen() -> str:
        address = request.headers["X-Real-IP"]
        environ = request.environ
        raise RuntimeError(f"{address} came, {len(environ)}")

    return app


@pytest.mark.parametrize("prefill", [True, False])
@pytest.mark.parametrize("by", ["config", "keyword"])
def test_without_pii_no_address_leaves(
    kit_app: KitApp, wire: Any, serve: Callable[..., str], by: str, prefill: bool
) -> None:
    """No address, no Referer and no prefill go out, with any SENTRY_KIT_PREFILL; the user
    that the app names does."""
    who = {"id": 7, "name": "Ada", "email": "ada@example.org"}
    config = {"SENTRY_KIT_USER": lambda: who, "SENTRY_KIT_PREFILL": prefill}
    if by == "config":
        app = kit_app(**config, SENTRY_KIT_PII=False)
    else:
        app = kit_app(blueprint=SentryKit(pii=False), **config)
    page = _visit(serve, _with_view(app))
    event = wire.one_event(app)
    text = json.dumps(event)
    assert ADDRESS not in text
    assert "clinic.example" not in text
    assert "REMOTE_ADDR" not in event["request"]["env"]
    assert "ip_address" not in event["user"]
    assert not {name.lower() for name in event["request"]["headers"]} & {
        "referer",
        "x-forwarded-for",
        "forwarded",
        "x-real-ip",
    }
    assert event["user"]["id"] == "7"
    assert event["user"]["email"] == "ada@example.org"
    assert "ada@example.org" not in page
    assert "Ada" not in page
    assert event["event_id"] in page


def test_with_pii_the_address_is_sent(
    kit_app: KitApp, wire: Any, serve: Callable[..., str]
) -> None:
    """By default the address and the page before are part of the event, as raven has them."""
    app = _with_view(kit_app())
    _visit(serve, app)
    event = wire.one_event(app)
    assert event["user"]["ip_address"] == "127.0.0.1"
    assert event["request"]["env"]["REMOTE_ADDR"] == "127.0.0.1"
    assert event["request"]["headers"]["Referer"] == BEFORE


def test_an_address_the_app_gave_stays_home_too(kit_app: KitApp, wire: Any) -> None:
    """raven's user_context and http_context cannot bring it back."""
    app = kit_app(SENTRY_KIT_PII=False)

    @app.get("/given")
    def given() -> str:
        client = app.extensions["sentry"].client_of(app)
        client.user_context({"id": 5, "ip_address": ADDRESS})
        client.http_context(
            {"url": "http://x/", "headers": {"X-Real-Ip": ADDRESS}, "env": {"REMOTE_ADDR": ADDRESS}}
        )
        raise RuntimeError

    app.test_client().get("/given")
    event = wire.one_event(app)
    assert ADDRESS not in json.dumps(event)
    assert event["user"] == {"id": 5}
