"""The kit's routes work even if the app's hooks and session store fail."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, abort, g, redirect
from flask.sessions import SecureCookieSessionInterface
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from flask_sentry_kit import sentry_kit
from tests.support.types import MakeApp


def _redirects() -> Any:
    return redirect("/login")


def _aborts() -> Any:
    abort(401)


def _raises() -> Any:
    raise RuntimeError("the database is down")


@pytest.mark.parametrize("hook", [_redirects, _aborts, _raises])
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_kits_own_routes_come_before_the_apps_hooks(
    bare_app: MakeApp, wire: Any, hook: Any, when: str
) -> None:
    """A login wall or a dead database in before_request cannot take the stylesheet down."""
    app = bare_app(SENTRY_DSN=wire.dsn, SECRET_KEY="k")
    if when == "before":
        app.before_request(hook)
    app.register_blueprint(sentry_kit)
    if when == "after":
        app.before_request(hook)
    for name in ("crash.css", "dialog.js"):
        response = app.test_client().get(f"/_sentry_kit/static/{name}")
        assert response.status_code == 200, name
        assert response.data
        response.close()
    assert wire.received == []


class _DeadOnOpening(SecureCookieSessionInterface):
    def open_session(self, *args: Any) -> Any:
        raise ConnectionError("the session store is down")


class _DeadOnSaving(SecureCookieSessionInterface):
    def save_session(self, *args: Any) -> None:
        raise ConnectionError("the session store is down")


@pytest.mark.parametrize("store", [_DeadOnOpening, _DeadOnSaving])
def test_a_dead_session_store_does_not_take_the_page_down(
    kit_app: MakeApp, wire: Any, store: Any
) -> None:
    """With the session store down the page, its stylesheet and its script are still served."""
    app = kit_app()
    app.session_interface = store()
    client = app.test_client()
    page = client.get("/boom", headers={"Accept": "text/html"})
    assert page.status_code == 500
    assert "<h1>" in page.text
    for name, mimetype in (("crash.css", "text/css"), ("dialog.js", "text/javascript")):
        response = client.get(f"/_sentry_kit/static/{name}")
        assert response.status_code == 200
        assert response.mimetype == mimetype
        response.close()


def test_a_url_value_preprocessor_cannot_break_the_kits_routes(kit_app: MakeApp, wire: Any) -> None:
    """An app may take the language out of every URL, but the kit's URLs have none."""
    app = kit_app()

    @app.url_value_preprocessor
    def pull_language(endpoint: str | None, values: dict[str, Any] | None) -> None:
        g.lang = (values or {})["lang"]

    response = app.test_client().get("/_sentry_kit/static/crash.css")
    assert response.status_code == 200
    assert response.mimetype == "text/css"
    response.close()


def test_an_after_request_that_raises_cannot_break_the_kits_routes(
    kit_app: MakeApp, wire: Any
) -> None:
    """A hook that fails after the response is made cannot break them either."""
    app = kit_app()

    @app.after_request
    def broken(response: Any) -> Any:
        raise RuntimeError("after_request")

    response = app.test_client().get("/_sentry_kit/static/crash.css")
    assert response.status_code == 200
    assert response.mimetype == "text/css"
    response.close()


def test_mounted_below_a_prefix(kit_app: MakeApp, wire: Any) -> None:
    """Sub-mounted, the page's addresses start with the mount point and lead to its files."""
    app = kit_app()
    client = Client(DispatcherMiddleware(Flask("front"), {"/shop": app}))
    html = client.get("/shop/boom", headers={"Accept": "text/html"}).text
    assert 'href="/shop/_sentry_kit/static/crash.css' in html
    asset = client.get("/shop/_sentry_kit/static/crash.css")
    assert asset.status_code == 200
    asset.close()
    event = wire.one_event(app)
    assert event["event_id"] in html
    assert event["request"]["url"] == "http://localhost/shop/boom"


def test_words_are_taken_once_though_a_hook_breaks_behind_them(kit_app: MakeApp, wire: Any) -> None:
    """If a session store fails after the form was accepted, the form is not refused."""
    import re

    app = kit_app()
    client = app.test_client()
    html = client.get("/boom", headers={"Accept": "text/html"}).text
    action, token = (
        re.search(pattern, html)[1]  # type: ignore[index]  # the form is there
        for pattern in (r'<form[^>]* action="([^"]+)"', r'name="token" value="([^"]+)"')
    )
    app.session_interface = _DeadOnSaving()
    response = client.post(
        action, data={"token": token, "comments": "I pressed the button", "name": "", "email": ""}
    )
    assert app.extensions["sentry_kit"].outbox.flush(5)
    assert response.status_code in (200, 303)
    assert len(wire.reports) == 1
