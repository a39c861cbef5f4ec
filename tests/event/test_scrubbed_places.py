"""Secrets are masked in every place of an event that may contain one, tested over the wire."""

from __future__ import annotations

import json
import logging
from collections import namedtuple
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from flask import render_template_string, request, session
from werkzeug.datastructures import Headers

from flask_sentry_kit import sentry
from flask_sentry_kit.event.scrub import MASK
from tests.support.types import CrashEvent, MakeApp

# over the wire

SECRET = "Zq9xhunter2"

Credentials = namedtuple("Credentials", "user password")


def _assert_home(event: dict[str, Any]) -> None:
    assert SECRET not in json.dumps(event)


def test_headers_cookies_and_query(make_app: MakeApp, wire: Any) -> None:
    """Sensitive headers, all cookies and sensitive query values are masked; the rest is there."""
    app = make_app()
    app.test_client(use_cookies=False).get(
        f"/boom?page=2&token={SECRET}&p%61ssword={SECRET}&code={SECRET}&user%5Bpwd%5D={SECRET}"
        f"&next={quote(f'/a?token={SECRET}', safe='')}&data={quote(json.dumps({'pin': SECRET}))}",
        headers={
            "Cookie": f"session={SECRET}; theme=dark-{SECRET}",
            "Authorization": f"Bearer {SECRET}",
            "Proxy-Authorization": f"Basic {SECRET}",
            "X-Api-Key": SECRET,
            "X-Auth-Token": SECRET,
            "X-Csrf-Token": SECRET,
            "X-CSRFToken": SECRET,
            "Referer": f"https://example.org/a?token={SECRET}&x=1#access_token={SECRET}",
            "X-Original-Url": f"/x?password={SECRET}",
            "X-Trace": "visible",
        },
    )
    event = wire.one_event(app)
    _assert_home(event)
    assert event["request"]["query_string"].startswith("page=2&token=")
    assert event["request"]["headers"]["X-Trace"] == "visible"
    assert event["request"]["headers"]["Cookie"] == MASK
    assert set(event["request"]["cookies"]) == {"session", "theme"}


@pytest.mark.parametrize("name", ["pwd", "password", "token", "pin", "cvv", "card_number", "otp"])
@pytest.mark.parametrize("kind", ["form", "multipart", "json", "text", "raw form"])
def test_bodies(make_app: MakeApp, wire: Any, name: str, kind: str) -> None:
    """Form fields and JSON keys of the list are masked, at any depth; the others are there."""
    app = make_app()

    @app.post("/raw")
    def raw() -> str:
        request.get_data()
        raise ValueError

    fields = {"amount": "12", name: SECRET}
    kinds: dict[str, dict[str, Any]] = {
        "form": {"data": fields},
        "multipart": {"data": fields, "content_type": "multipart/form-data"},
        "json": {"json": {"amount": "12", "deep": [{name: SECRET}], name: {"a": [SECRET]}}},
        "text": {"data": f"amount=12 {name}={SECRET}", "content_type": "text/plain"},
        "raw form": {
            "data": urlencode(fields).replace("w", "%77"),
            "content_type": "application/x-www-form-urlencoded",
        },
    }
    app.test_client().post("/raw" if kind == "raw form" else "/boom", **kinds[kind])
    event = wire.one_event(app)
    _assert_home(event)
    assert "12" in json.dumps(event["request"]["data"])


def test_a_secret_in_the_path(make_app: MakeApp, wire: Any) -> None:
    """The value of a rule such as /reset/<token> is masked in the address."""
    app = make_app()

    @app.get("/reset/<token>/<page>")
    def reset(token: str, page: str) -> str:
        raise ValueError

    app.test_client().get(f"/reset/{SECRET}%20é/2")
    event = wire.one_event(app)
    _assert_home(event)
    assert event["request"]["url"] == f"http://localhost/reset/{MASK}/2"
    assert event["transaction"] == "/reset/<token>/<page>"


def test_locals(make_app: MakeApp, wire: Any) -> None:
    """Local variables with a listed name are masked, and so are secrets inside other variables."""
    app = make_app()

    @app.get("/locals")
    def leaky() -> str:
        token = pwd = card = SECRET  # noqa: F841  # read from the frame
        headers = Headers([("Cookie", f"a={SECRET}")])  # noqa: F841
        login = Credentials("bob", SECRET)  # noqa: F841
        body = json.dumps({"password": SECRET}).encode()  # noqa: F841
        command = ["mysql", "--password", SECRET]  # noqa: F841
        environ = request.environ  # noqa: F841
        user = "bob"  # noqa: F841
        raise ValueError

    app.test_client().get("/locals", headers={"Cookie": f"a={SECRET}", "X-Api-Key": SECRET})
    event = wire.one_event(app)
    _assert_home(event)
    variables = event["exception"]["values"][-1]["stacktrace"]["frames"][-1]["vars"]
    assert variables["token"] == variables["pwd"] == variables["card"] == MASK
    assert variables["user"] == "bob"
    assert variables["login"] == {"user": "bob", "password": MASK}


def test_template_locals(make_app: MakeApp, wire: Any) -> None:
    """A crash in a template shows the template's variables without app.config's secrets."""
    app = make_app()

    @app.get("/template")
    def page() -> str:
        session["cart"] = SECRET
        return render_template_string(
            "{{ config.x }}{{ session.cart }}{% set password = secret %}{{ 1 / 0 }}", secret=SECRET
        )

    app.test_client().get("/template")
    event = wire.one_event(app)
    _assert_home(event)
    assert "app-secret" not in json.dumps(event)
    assert "hidden-secret" not in json.dumps(event)


def test_messages_params_and_chains(make_app: MakeApp, wire: Any) -> None:
    """Exception texts, notes, chained ones, log records and their params hold no secret."""
    app = make_app(sentry={"logging": True})

    @app.get("/log")
    def log() -> str:
        app.logger.error("sign in: password=%s for %s", SECRET, "bob")
        app.logger.error({"password": SECRET})
        app.logger.error("headers %s", {"Authorization": f"Bearer {SECRET}"})
        sentry.captureMessage("token=%s", params=(SECRET,))
        try:
            raise ValueError(f"token={SECRET}")
        except ValueError as error:
            last = KeyError(f"password={SECRET}")
            last.__notes__ = [f"api_key={SECRET}"]  # type: ignore[attr-defined]  # as add_note does
            try:
                raise last from error
            except KeyError:
                logging.getLogger("x").exception("login failed, password=%r", SECRET)
        return "ok"

    app.test_client().get("/log")
    assert app.extensions["sentry"].flush(5)
    assert len(wire.events) == 5
    for event in wire.events:
        _assert_home(event)
    assert wire.events[0]["message"] == f"sign in: password={MASK} for bob"


def test_context_tags_breadcrumbs_and_user(make_app: MakeApp, wire: Any) -> None:
    """Data that the app adds to an event is scrubbed like the rest."""
    app = make_app()
    app.extensions["sentry"].client.enable_breadcrumbs = True
    client = app.extensions["sentry"].client
    client.context._breadcrumbs = True

    @app.get("/context")
    def leaky() -> str:
        sentry.tags_context({"auth_token": SECRET, "note": f"password={SECRET}"})
        sentry.extra_context({"request": {"headers": {"Cookie": SECRET}}, "args": f"pin={SECRET}"})
        sentry.user_context({"id": 5, "password": SECRET, "email": "a@example.org"})
        client.http_context(
            {
                "url": f"http://x/?token={SECRET}",
                "query_string": f"token={SECRET}",
                "data": {"pwd": SECRET},
                "headers": {"X-Api-Key": SECRET},
            }
        )
        client.captureBreadcrumb(message=f"GET /x?token={SECRET}", data={"password": SECRET})
        raise ValueError

    app.test_client().get("/context")
    event = wire.one_event(app)
    _assert_home(event)
    assert event["user"]["email"] == "a@example.org"
    assert len(event["breadcrumbs"]["values"]) == 1


def test_sanitize_keys_add_to_the_list(make_app: MakeApp, wire: Any) -> None:
    """SENTRY_SANITIZE_KEYS masks further names everywhere, and takes none off the list."""
    app = make_app(SENTRY_SANITIZE_KEYS=["shoe_size", "Colour"])

    @app.post("/keys")
    def leaky() -> str:
        shoe_size = SECRET  # noqa: F841  # read from the frame
        raise ValueError(f"shoe_size={SECRET}, colour: {SECRET}")

    app.test_client().post(
        f"/keys?SHOE_SIZE={SECRET}",
        json={"colour": SECRET, "password": SECRET, "my_shoe_size_eu": SECRET},
        headers={"X-Colour": SECRET},
    )
    _assert_home(wire.one_event(app))


def test_locals_of_framework_frames_are_left_out(
    make_app: MakeApp, crash_event: CrashEvent
) -> None:
    """Flask's and Werkzeug's frames carry no locals: environ and req would repeat all secrets."""
    event = crash_event(make_app(), headers={"X-Trace": SECRET})
    frames = event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert any(frame["module"] == "flask.app" for frame in frames)
    assert all("vars" not in frame for frame in frames if not frame["in_app"])


def test_the_command_line_stays_home(make_app: MakeApp, crash_event: CrashEvent) -> None:
    """raven sends sys.argv with every event; it may hold a password, so ours does not."""
    assert "sys.argv" not in crash_event(make_app()).get("extra", {})
