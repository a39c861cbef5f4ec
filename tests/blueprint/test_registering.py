"""``app.register_blueprint(sentry_kit)``: what one line switches on, for any number of apps."""

from __future__ import annotations

import gc
import logging
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import raven.contrib.flask
from flask import Blueprint, Flask, abort, g, redirect, render_template_string
from flask.sessions import SecureCookieSessionInterface
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from flask_sentry_kit import (
    DsnError,
    Sentry,
    SentryKit,
    SettingError,
    crash_response,
    sentry,
    sentry_kit,
)

Make = Callable[..., Flask]

# raven's own class calls what Python has deprecated since.
with_ravens_own = pytest.mark.filterwarnings("ignore::DeprecationWarning:raven")


def test_one_line_gives_page_event_and_reference(kit_app: Make, wire: Any) -> None:
    """Registering is all: a crash is a 500 page that shows the id of the one event sent."""
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
    kit_app: Make, wire: Any, snippet_options: Callable[[str], dict[str, Any]]
) -> None:
    """The dialog is told the event sent and the DSN a browser may see; the secret stays home."""
    app = kit_app()
    html = app.test_client().get("/boom", headers={"Accept": "text/html"}).text
    options = snippet_options(html)
    assert options["eventId"] == wire.one_event(app)["event_id"]
    assert options["dsn"] == wire.public_dsn
    assert "hidden-secret" not in html


def test_a_healthy_answer_is_left_alone(kit_app: Make, wire: Any) -> None:
    """Without a crash nothing is added and nothing is sent."""
    app = kit_app()
    response = app.test_client().get("/")
    assert response.text == "fine"
    assert set(response.headers.keys()) == {"Content-Type", "Content-Length"}
    assert app.extensions["sentry"].flush(1)
    assert wire.received == []


def test_other_errors_are_not_crashes(kit_app: Make, wire: Any) -> None:
    """404 and what views answer on purpose are Flask's and the app's own."""
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


def test_nothing_global_is_hooked(kit_app: Make) -> None:
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


def test_each_app_has_its_own_state(kit_app: Make, wire: Any) -> None:
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


def test_factories_leave_nothing_behind(bare_app: Make, wire: Any) -> None:
    """An app made by a factory is freed with all its state when nobody holds it any more."""

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


def test_url_prefix_moves_every_route(bare_app: Make, wire: Any) -> None:
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


def test_a_prefix_with_variables_is_refused(bare_app: Make) -> None:
    """The page must know its own address, so a variable prefix is an error that says so."""
    with pytest.raises(SettingError, match="url_prefix"):
        bare_app().register_blueprint(sentry_kit, url_prefix="/<lang>/crash")


def test_another_name_works(bare_app: Make, wire: Any) -> None:
    """register_blueprint's name renames the endpoints, and nothing else changes."""
    app = bare_app(SENTRY_DSN=wire.dsn, SECRET_KEY="k")
    app.register_blueprint(sentry_kit, name="crashes")
    app.before_request(lambda: redirect("/login"))
    response = app.test_client().get("/_sentry_kit/static/crash.css")
    assert response.status_code == 200
    response.close()


def test_nested_in_another_blueprint(bare_app: Make, wire: Any) -> None:
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
def test_registering_twice_is_a_clear_error(bare_app: Make, wire: Any, nested: bool) -> None:
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
    bare_app: Make, wire: Any, theirs: Any, order: str, way: str
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
    bare_app: Make, wire: Any, theirs: Any, caplog: pytest.LogCaptureFixture
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


def test_the_order_of_sentries_does_not_matter_between_apps(bare_app: Make, wire: Any) -> None:
    """One Sentry of the app's making, init_app'ed on two apps with the kit, keeps them apart."""
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


def test_keywords_are_settings_and_win(kit_app: Make, wire: Any) -> None:
    """SentryKit(dialog=…) is SENTRY_KIT_DIALOG, and wins over app.config."""
    app = kit_app(
        blueprint=SentryKit(dialog={"title": "From the keyword"}, feedback=False),
        SENTRY_KIT_DIALOG={"title": "From the config"},
    )
    html = app.test_client().get("/boom", headers={"Accept": "text/html"}).text
    assert "From the keyword" in html
    assert "From the config" not in html
    assert "<form" not in html
    wire.one_event(app)


def test_keywords_belong_to_their_own_blueprint(kit_app: Make) -> None:
    """Two SentryKits in one process do not share options."""
    first = kit_app("first", SentryKit(template="own.html"))
    second = kit_app("second", SentryKit())
    assert first.extensions["sentry_kit"].settings.template == "own.html"
    assert second.extensions["sentry_kit"].settings.template == "500.html"


def test_an_unknown_keyword_is_told_at_once() -> None:
    """A misspelt keyword fails where it is written, with the name that was meant."""
    with pytest.raises(SettingError, match="'dialogue'.*did you mean dialog"):
        SentryKit(dialogue=False)


def test_without_a_dsn_the_page_claims_nothing(
    bare_app: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """No DSN: the page shows without reference, report or dialog, and a test's log is quiet."""
    app = bare_app(SECRET_KEY="k")
    with caplog.at_level(logging.WARNING, "flask_sentry_kit"):
        app.register_blueprint(sentry_kit)
        client = app.test_client()
        for _ in range(3):
            response = client.get("/boom", headers={"Accept": "text/html"})
    said = [r for r in caplog.records if r.name.startswith("flask_sentry_kit")]
    assert not said, [r.getMessage() for r in said]
    assert response.status_code == 500
    assert "X-Sentry-ID" not in response.headers
    for claim in ("showReportDialog", "Reference", "report of this", "<form", "<script"):
        assert claim not in response.text, claim
    for accept in ("application/json", "text/plain"):
        other = client.get("/boom", headers={"Accept": accept})
        assert other.status_code == 500
        assert "event_id" not in other.text


@pytest.mark.parametrize(
    "broken",
    [
        "not a dsn",
        "https://public:s3cr3t@/1",
        "https://public:s3cr3t@sentry.example",
        "https://public:s3cr3t@sentry.example:port/1",
        "https://:s3cr3t@sentry.example/1",
        "ftp://public:s3cr3t@sentry.example/1",
        "https://public:s3cr3t@sen try.example/1",
        "https://public:s3/cr3t@sentry.example/1",
        "https://public:s3cr3t@[::1/1",
        "https://public:s3cr3t@sentry.example/1#s3cr3t",
        "https://public:s3cr3t@sentry.example/1?timeout=s3cr3t",
        "https://public:s3cr3t@sentry.example/1?timeout=-1",
        "https://public:s3cr3t@sentry.example/1?ca_certs=/nowhere/at/all.pem",
    ],
)
@pytest.mark.parametrize("place", ["config", "SENTRY_CONFIG", "environment"])
def test_a_malformed_dsn_is_told_at_registration(
    bare_app: Make, monkeypatch: pytest.MonkeyPatch, broken: str, place: str
) -> None:
    """The error names the setting and shows no secret, in its text or in what it chains to;
    the app is as it was."""
    app = bare_app()
    if place == "config":
        app.config["SENTRY_DSN"] = broken
    elif place == "SENTRY_CONFIG":
        app.config["SENTRY_CONFIG"] = {"dsn": broken}
    else:
        monkeypatch.setenv("SENTRY_DSN", broken)
    rules, wsgi_app = len(list(app.url_map.iter_rules())), app.wsgi_app
    with pytest.raises((DsnError, SettingError)) as caught:
        app.register_blueprint(sentry_kit)
    named = {"SENTRY_CONFIG": "SENTRY_CONFIG['dsn']"}.get(place, "SENTRY_DSN")
    assert named in str(caught.value)
    error: BaseException | None = caught.value
    while error is not None:
        assert "s3cr3t" not in str(error)
        assert "cr3t" not in repr(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert "sentry" not in app.extensions
    assert "sentry_kit" not in app.extensions
    assert len(list(app.url_map.iter_rules())) == rules
    assert app.wsgi_app == wsgi_app


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("SENTRY_KIT_DIALOGUE", False),
        ("SENTRY_KIT_FEEDBACK", "yes"),
        ("SENTRY_KIT_DIALOG", "My title"),
        ("SENTRY_KIT_DIALOG", {"eventId": "0" * 32}),
        ("SENTRY_KIT_RAVEN_JS", "javascript:alert(1)"),
        ("SENTRY_KIT_BRAND", {"colour": "red"}),
        ("SENTRY_KIT_BRAND", {"accent": "red;}"}),
        ("SENTRY_KIT_LOGGING", "LOUD"),
        ("SENTRY_KIT_LOGGING", {"level": "ERROR", "exclusions": "noisy"}),
        ("SENTRY_KIT_USER", "current_user"),
        ("SENTRY_KIT_TEMPLATE", ""),
        ("SENTRY_KIT_PREFILL", 1),
        ("SENTRY_KIT_SPOOL", 5),
        ("SENTRY_KIT_REPORTER", "bugsnag"),
        ("SENTRY_IGNORE_EXCEPTIONS", "ValueError"),
        ("SENTRY_SAMPLE_RATE", "all"),
        ("SENTRY_SAMPLE_RATE", 2),
        ("SENTRY_TIMEOUT", "soon"),
        ("SENTRY_USER_ATTRS", "email"),
        ("SENTRY_TAGS", ["a"]),
        ("SENTRY_CONFIG", "https://public:s3cr3t@sentry.example/1"),
    ],
)
def test_a_wrong_setting_is_told_at_registration(
    bare_app: Make, wire: Any, key: str, value: Any
) -> None:
    """The error names the key, and what it takes or the name that was meant."""
    app = bare_app(SENTRY_DSN=wire.dsn, **{key: value})
    with pytest.raises(SettingError) as caught:
        app.register_blueprint(sentry_kit)
    assert key in str(caught.value)
    assert "takes" in str(caught.value) or "did you mean" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert "sentry_kit" not in app.extensions


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_apps_own_500_handler_stays(
    bare_app: Make, wire: Any, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An app that answers 500 itself goes on doing so, and finds the id on g."""
    app = bare_app(SENTRY_DSN=wire.dsn, SECRET_KEY="k")

    def own(error: Exception) -> tuple[str, int]:
        return render_template_string("own page {{ g.sentry_event_id }}"), 500

    if when == "before":
        app.register_error_handler(500, own)
    app.register_blueprint(sentry_kit)
    if when == "after":
        app.register_error_handler(500, own)
    response = app.test_client().get("/boom")
    event = wire.one_event(app)
    assert response.text == f"own page {event['event_id']}"
    assert response.headers["X-Sentry-ID"] == event["event_id"]


def test_crash_response_from_an_own_handler(kit_app: Make, wire: Any, boom: Any) -> None:
    """crash_response(error) is the page with its event, also for exceptions the app handles."""
    app = kit_app()

    @app.errorhandler(boom)
    def handle(error: Exception) -> Any:
        return crash_response(error)

    response = app.test_client().get("/boom", headers={"Accept": "text/html"})
    event = wire.one_event(app)
    assert response.status_code == 500
    assert event["event_id"] in response.text
    assert response.headers["X-Sentry-ID"] == event["event_id"]
    assert event["exception"]["values"][-1]["type"] == "Boom"


def test_crash_response_after_an_explicit_capture(kit_app: Make, wire: Any, boom: Any) -> None:
    """What was captured already is not captured again; the page shows that event."""
    app = kit_app()
    ids = []

    @app.errorhandler(boom)
    def handle(error: Exception) -> Any:
        ids.append(sentry.captureException())
        return crash_response(error)

    response = app.test_client().get("/boom", headers={"Accept": "text/html"})
    event = wire.one_event(app)
    assert ids == [event["event_id"]]
    assert event["event_id"] in response.text


def test_crash_response_for_the_handler_of_500(kit_app: Make, wire: Any) -> None:
    """In a handler of 500 the exception behind the InternalServerError is what is reported."""
    app = kit_app()

    @app.errorhandler(500)
    def handle(error: Exception) -> Any:
        return crash_response(error)

    response = app.test_client().get("/boom", headers={"Accept": "text/html"})
    assert wire.one_event(app)["event_id"] in response.text


def test_crash_response_without_the_kit_says_what_to_do(bare_app: Make) -> None:
    """Without the blueprint the error names the line that is missing."""
    with bare_app().test_request_context("/"), pytest.raises(RuntimeError, match="register_bluep"):
        crash_response(ValueError())


def _redirects() -> Any:
    return redirect("/login")


def _aborts() -> Any:
    abort(401)


def _raises() -> Any:
    raise RuntimeError("the database is down")


@pytest.mark.parametrize("hook", [_redirects, _aborts, _raises])
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_kits_own_routes_come_before_the_apps_hooks(
    bare_app: Make, wire: Any, hook: Any, when: str
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
    kit_app: Make, wire: Any, store: Any
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


def test_a_url_value_preprocessor_cannot_break_the_kits_routes(kit_app: Make, wire: Any) -> None:
    """Apps that take the language out of every URL know nothing of the kit's."""
    app = kit_app()

    @app.url_value_preprocessor
    def pull_language(endpoint: str | None, values: dict[str, Any] | None) -> None:
        g.lang = (values or {})["lang"]

    response = app.test_client().get("/_sentry_kit/static/crash.css")
    assert response.status_code == 200
    assert response.mimetype == "text/css"
    response.close()


def test_an_after_request_that_raises_cannot_break_the_kits_routes(
    kit_app: Make, wire: Any
) -> None:
    """Nor can a hook that fails on the way out."""
    app = kit_app()

    @app.after_request
    def broken(response: Any) -> Any:
        raise RuntimeError("after_request")

    response = app.test_client().get("/_sentry_kit/static/crash.css")
    assert response.status_code == 200
    assert response.mimetype == "text/css"
    response.close()


def test_mounted_below_a_prefix(kit_app: Make, wire: Any) -> None:
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


@pytest.mark.parametrize("switch", ["TESTING", "PROPAGATE_EXCEPTIONS", "DEBUG"])
def test_where_flask_hands_the_exception_on(
    kit_app: Make, wire: Any, boom: Any, switch: str
) -> None:
    """Where the exception is for the developer it gets there, and it is one event still."""
    app = kit_app(**{switch: True})
    with pytest.raises(boom):
        app.test_client().get("/boom")
    event = wire.one_event(app)
    assert [value["type"] for value in event["exception"]["values"]] == ["Boom"]
    assert event["request"]["url"] == "http://localhost/boom"


def test_the_page_shows_in_production_only(kit_app: Make, wire: Any) -> None:
    """PROPAGATE_EXCEPTIONS=False shows the page under TESTING, for the app's own tests of it."""
    app = kit_app(TESTING=True, PROPAGATE_EXCEPTIONS=False)
    response = app.test_client().get("/boom", headers={"Accept": "text/html"})
    assert wire.one_event(app)["event_id"] in response.text


def test_a_template_of_the_apps_own_wins(kit_app: Make, wire: Any, tmp_path: Any) -> None:
    """templates/500.html of the app is the page, with no setting."""
    (tmp_path / "500.html").write_text(
        '{% extends "flask_sentry_kit/crash.html" %}'
        "{% block heading %}<h1>Mine: {{ event_id }} {{ public_dsn }}</h1>{% endblock %}"
    )
    app = kit_app()
    app.jinja_loader.searchpath[:] = [str(tmp_path)]  # Flask's loader
    response = app.test_client().get("/boom", headers={"Accept": "text/html"})
    event = wire.one_event(app)
    assert f"Mine: {event['event_id']} {wire.public_dsn}" in response.text
    assert response.status_code == 500


def test_words_are_taken_once_though_a_hook_breaks_behind_them(kit_app: Make, wire: Any) -> None:
    """A session store that fails after the form was taken does not refuse it the second time."""
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
