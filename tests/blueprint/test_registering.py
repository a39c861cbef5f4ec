"""``app.register_blueprint(sentry_kit)``: the effects of one line, for any number of apps."""

from __future__ import annotations

import gc
import logging
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import raven.contrib.flask
from flask import Blueprint, Flask, abort, redirect

from flask_sentry_kit import Sentry, SentryKit, SettingError, sentry_kit
from tests.support.types import MakeApp

# raven's own class calls what Python has deprecated since.
with_ravens_own = pytest.mark.filterwarnings("ignore::DeprecationWarning:raven")


def test_one_line_gives_page_event_and_reference(kit_app: MakeApp, wire: Any) -> None:
    """Registering is enough: a crash is a 500 page that shows the id of the one event sent."""
    app = kit_app()
    response = app.test_client().get("/boom", headers={"Accept": "text/html"})
    event = wire.one_event(app)
    assert response.status_code == 500
    assert response.mimetype == "text/html"
    assert event["exception"]["values"][-1]["type"] == "Boom"
    assert event["event_id"] in response.text
    assert response.headers["X-Sentry-ID"] == event["event_id"]
    assert response.headers["Cache-Control"] == "no-store"
    assert "Accept" in response.headers["Vary"]


def test_the_snippet_has_event_id_and_public_dsn(
    kit_app: MakeApp, wire: Any, snippet_options: Callable[[str], dict[str, Any]]
) -> None:
    """The dialog gets the event's id and the public DSN, never the secret."""
    app = kit_app()
    html = app.test_client().get("/boom", headers={"Accept": "text/html"}).text
    options = snippet_options(html)
    assert options["eventId"] == wire.one_event(app)["event_id"]
    assert options["dsn"] == wire.public_dsn
    assert "hidden-secret" not in html


def test_a_healthy_answer_is_left_alone(kit_app: MakeApp, wire: Any) -> None:
    """Without a crash nothing is added and nothing is sent."""
    app = kit_app()
    response = app.test_client().get("/")
    assert response.text == "fine"
    assert set(response.headers.keys()) == {"Content-Type", "Content-Length"}
    assert app.extensions["sentry"].flush(1)
    assert wire.received == []


def test_other_errors_are_not_crashes(kit_app: MakeApp, wire: Any) -> None:
    """404 and the views' own error responses are left to Flask and the app."""
    app = kit_app()

    @app.get("/teapot")
    def teapot() -> str:
        abort(418)

    client = app.test_client()
    assert client.get("/nowhere").status_code == 404
    assert client.get("/teapot").status_code == 418
    assert client.post("/").status_code == 405
    assert app.extensions["sentry"].flush(1)
    assert wire.received == []


def test_nothing_global_is_hooked(kit_app: MakeApp) -> None:
    """Registering touches neither logging nor sys.excepthook."""
    before = (
        sys.excepthook,
        list(logging.getLogger().handlers),
        logging.Logger.handle,
        logging.Logger._log,
    )
    kit_app()
    after = (
        sys.excepthook,
        list(logging.getLogger().handlers),
        logging.Logger.handle,
        logging.Logger._log,
    )
    assert after == before


def test_each_app_has_its_own_state(kit_app: MakeApp, wire: Any) -> None:
    """One blueprint serves many apps; each reports with its own DSN and settings."""
    apps = [
        kit_app(
            f"shop{number}",
            SENTRY_DSN=wire.dsn.rpartition("/")[0] + f"/{number}",
            SENTRY_RELEASE=f"r{number}",
            SENTRY_KIT_DIALOG={"title": f"Shop {number}"},
        )
        for number in range(3)
    ]
    pages = [app.test_client().get("/boom", headers={"Accept": "text/html"}).text for app in apps]
    for app in apps:
        assert app.extensions["sentry"].flush(10)
    wire.wait_for(3)
    assert sorted((one.path, one.json()["release"]) for one in wire.stored) == [
        (f"/api/{number}/store/", f"r{number}") for number in range(3)
    ]
    for number, html in enumerate(pages):
        assert f"Shop {number}" in html
        assert sum(event["event_id"] in html for event in wire.events) == 1


def test_factories_leave_nothing_behind(bare_app: MakeApp, wire: Any) -> None:
    """An app made by a factory is freed with all its state when nothing refers to it."""

    def create_app() -> Flask:
        app = bare_app(SENTRY_DSN=wire.dsn, SENTRY_KIT_LOGGING=True, SECRET_KEY="k")
        app.register_blueprint(sentry_kit)
        app.test_client().get("/")
        return app

    alive = [weakref.ref(create_app()) for _ in range(5)]
    gc.collect()
    assert [ref() for ref in alive] == [None] * 5
    logging.getLogger("anything").error("handlers of apps that are gone go too")
    left = [h for h in logging.getLogger().handlers if "sentry_kit" in type(h).__module__]
    assert left == []


def test_url_prefix_moves_every_route(bare_app: MakeApp, wire: Any) -> None:
    """register_blueprint's url_prefix is where the page's own files are."""
    app = bare_app(SENTRY_DSN=wire.dsn, SECRET_KEY="k")
    app.register_blueprint(sentry_kit, url_prefix="/help/crash")
    client = app.test_client()
    html = client.get("/boom", headers={"Accept": "text/html"}).text
    assert 'href="/help/crash/static/crash.css' in html
    assert "/_sentry_kit" not in html
    response = client.get("/help/crash/static/crash.css")
    assert response.status_code == 200
    response.close()
    assert wire.one_event(app)["event_id"] in html


def test_a_prefix_with_variables_is_refused(bare_app: MakeApp) -> None:
    """The page must know its own address, so a variable prefix is an error that says so."""
    with pytest.raises(SettingError, match="url_prefix"):
        bare_app().register_blueprint(sentry_kit, url_prefix="/<lang>/crash")


def test_another_name_works(bare_app: MakeApp, wire: Any) -> None:
    """register_blueprint's name renames the endpoints, and nothing else changes."""
    app = bare_app(SENTRY_DSN=wire.dsn, SECRET_KEY="k")
    app.register_blueprint(sentry_kit, name="crashes")
    app.before_request(lambda: redirect("/login"))
    response = app.test_client().get("/_sentry_kit/static/crash.css")
    assert response.status_code == 200
    response.close()


def test_nested_in_another_blueprint(bare_app: MakeApp, wire: Any) -> None:
    """Nested registration gives the whole app the page, below the parent's prefix, one event."""
    app = bare_app(SENTRY_DSN=wire.dsn, SECRET_KEY="k")
    parent = Blueprint("site", "site", url_prefix="/site")
    parent.register_blueprint(sentry_kit)
    app.register_blueprint(parent)
    client = app.test_client()
    response = client.get("/boom", headers={"Accept": "text/html"})
    assert response.status_code == 500
    assert "/site/_sentry_kit/static/crash.css" in response.text
    asset = client.get("/site/_sentry_kit/static/crash.css")
    assert asset.status_code == 200
    asset.close()
    assert wire.one_event(app)["event_id"] in response.text


@pytest.mark.parametrize("nested", [False, True])
def test_registering_twice_is_a_clear_error(bare_app: MakeApp, wire: Any, nested: bool) -> None:
    """The second registration says what is wrong; the first one still works, with one event."""
    app = bare_app(SENTRY_DSN=wire.dsn, SECRET_KEY="k")
    app.register_blueprint(sentry_kit)
    second: Blueprint = SentryKit()
    if nested:
        second = Blueprint("site", "site", url_prefix="/site")
        second.register_blueprint(sentry_kit)
    with pytest.raises(SettingError, match="'shop' has the kit already"):
        app.register_blueprint(second, **({} if nested else {"name": "again"}))
    html = app.test_client().get("/boom", headers={"Accept": "text/html"}).text
    assert wire.one_event(app)["event_id"] in html


@with_ravens_own
@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("theirs", [Sentry, raven.contrib.flask.Sentry], ids=["ours", "raven's"])
@pytest.mark.parametrize("way", ["raise", "abort"])
def test_the_apps_own_sentry_is_used(
    bare_app: MakeApp, wire: Any, theirs: Any, order: str, way: str
) -> None:
    """A Sentry that the app makes itself, before or after, reports the crash: once."""
    app = bare_app(SENTRY_CONFIG={"tags": {"whose": "mine"}}, SECRET_KEY="k")

    @app.get("/abort")
    def aborts() -> str:
        abort(500)

    if order == "after":
        app.register_blueprint(sentry_kit)
    own = theirs(app, dsn=wire.dsn + "?timeout=3")
    if order == "before":
        app.register_blueprint(sentry_kit)
    try:
        assert app.extensions["sentry"] is own
        response = app.test_client().get(
            "/boom" if way == "raise" else "/abort", headers={"Accept": "text/html"}
        )
        wire.wait_for(1)
        if theirs is Sentry:
            assert own.flush(5)
    finally:
        if theirs is not Sentry:
            own.client.remote.get_transport().get_worker().stop(5)
    [event] = wire.events
    assert event["tags"]["whose"] == "mine"
    assert response.status_code == 500
    assert event["event_id"] in response.text
    assert wire.public_dsn in response.text


@with_ravens_own
@pytest.mark.parametrize("theirs", [Sentry, raven.contrib.flask.Sentry], ids=["ours", "raven's"])
def test_a_later_sentry_takes_over_completely(
    bare_app: MakeApp, wire: Any, theirs: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """With a DSN in app.config too, the reporter made at registration falls silent: crashes and
    log records arrive once, from the app's own."""
    app = bare_app(SENTRY_DSN=wire.dsn, SENTRY_KIT_LOGGING=True, SECRET_KEY="k")
    app.register_blueprint(sentry_kit)
    own = theirs(app, logging=True, level=logging.ERROR)

    @app.get("/log")
    def logs() -> str:
        logging.getLogger("till").error("till is open")
        return "ok"

    root = logging.getLogger()
    try:
        client = app.test_client()
        assert client.get("/log").text == "ok"
        assert client.get("/boom").status_code == 500
        wire.wait_for(2)
        if theirs is Sentry:
            assert own.flush(5)
    finally:
        if theirs is not Sentry:
            own.client.remote.get_transport().get_worker().stop(5)
        for handler in list(root.handlers):
            if "sentry_kit" in type(handler).__module__ or "raven" in type(handler).__module__:
                root.removeHandler(handler)
        for name in raven.conf.EXCLUDE_LOGGER_DEFAULTS:
            # raven's setup_logging cuts these off for the whole process.
            logging.getLogger(name).propagate = True
            logging.getLogger(name).handlers.clear()
    assert len([e for e in wire.events if "till is open" in str(e["message"])]) == 1
    assert len([e for e in wire.events if "exception" in e]) == 1


def test_the_order_of_sentries_does_not_matter_between_apps(bare_app: MakeApp, wire: Any) -> None:
    """One Sentry, init_app'ed on two apps with the kit, keeps the apps separate."""
    shared = Sentry()
    apps = []
    for number in (1, 2):
        app = bare_app(f"shop{number}", SECRET_KEY="k")
        shared.init_app(app, dsn=wire.dsn.rpartition("/")[0] + f"/{number}")
        app.register_blueprint(sentry_kit)
        apps.append(app)
    for app in apps:
        app.test_client().get("/boom")
    assert shared.flush(10)
    wire.wait_for(2)
    assert sorted((one.path, one.json()["message"]) for one in wire.stored) == [
        ("/api/1/store/", "Boom: in shop1"),
        ("/api/2/store/", "Boom: in shop2"),
    ]
