"""Every feature of raven's documentation for Flask, over the wire: what worked there works here."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import flask
import pytest
import raven.contrib.flask
from flask import Flask, g, render_template
from flask_login import LoginManager, UserMixin, login_user
from werkzeug.middleware.proxy_fix import ProxyFix

import flask_sentry_kit
from flask_sentry_kit import Sentry, sentry_kit
from flask_sentry_kit.reporters.raven.client import Client

Make = Callable[..., Flask]
Crash = Callable[..., dict[str, Any]]


def _crashing_app() -> Flask:
    app = Flask("shop")

    @app.get("/boom")
    def crash() -> str:
        raise ValueError("boom")

    return app


def _projects(wire: Any) -> list[str]:
    return [one.path.split("/")[2] for one in wire.stored]


def _at(wire: Any, project: int) -> str:
    return f"{wire.dsn.rpartition('/')[0]}/{project}"


def test_it_is_a_drop_in_subclass() -> None:
    """Code that checks for raven's classes finds them."""
    assert issubclass(Sentry, raven.contrib.flask.Sentry)
    assert issubclass(Client, raven.Client)


def test_setup_with_a_dsn(wire: Any) -> None:
    """Sentry(app, dsn=…) reports what views raise."""
    app = _crashing_app()
    sentry = Sentry(app, dsn=wire.dsn)
    assert app.test_client().get("/boom").status_code == 500
    event = wire.one_event(app)
    assert event["message"] == "ValueError: boom"
    assert event["level"] == "error"
    assert app.extensions["sentry"] is sentry
    [sent] = wire.stored
    assert "sentry_key=public" in sent.headers["X-Sentry-Auth"]
    assert "sentry_secret=hidden-secret" in sent.headers["X-Sentry-Auth"]


def test_the_dsn_comes_from_the_environment(wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a dsn, SENTRY_DSN of the environment is taken."""
    monkeypatch.setenv("SENTRY_DSN", _at(wire, 9))
    app = _crashing_app()
    Sentry(app)
    app.test_client().get("/boom")
    wire.one_event(app)
    assert _projects(wire) == ["9"]


def test_precedence_of_dsns(wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """SENTRY_CONFIG wins over SENTRY_DSN in app.config, over dsn=, over the environment."""
    monkeypatch.setenv("SENTRY_DSN", _at(wire, 9))
    ladder: list[tuple[dict[str, Any], str | None, str]] = [
        ({"SENTRY_CONFIG": {"dsn": _at(wire, 1)}, "SENTRY_DSN": _at(wire, 2)}, _at(wire, 3), "1"),
        ({"SENTRY_DSN": _at(wire, 2)}, _at(wire, 3), "2"),
        ({}, _at(wire, 3), "3"),
        ({}, None, "9"),
    ]
    for config, dsn, _ in ladder:
        app = _crashing_app()
        app.config.update(config)
        Sentry(app, dsn=dsn)
        app.test_client().get("/boom")
        assert app.extensions["sentry"].flush(5)
    assert _projects(wire) == [project for _, _, project in ladder]


def test_init_app_takes_the_constructors_dsn(wire: Any) -> None:
    """sentry = Sentry(dsn=…); sentry.init_app(app)."""
    sentry = Sentry(dsn=wire.dsn)
    app = _crashing_app()
    sentry.init_app(app)
    app.test_client().get("/boom")
    assert wire.one_event(app)["message"] == "ValueError: boom"


def test_init_app_takes_all_parameters(wire: Any, make_app: Make) -> None:
    """init_app(app, dsn=…, logging=True, level=…, logging_exclusions=…) obeys each of them."""
    sentry = Sentry()
    app = Flask("shop")

    @app.get("/log")
    def log() -> str:
        logging.getLogger("logger1").error("excluded")
        logging.getLogger("logger1.child").error("excluded with it")
        logging.getLogger("logger3").warning("too low")
        logging.getLogger("logger3").error("heard %s", "well")
        return "ok"

    sentry.init_app(
        app,
        dsn=wire.dsn,
        logging=True,
        level=logging.ERROR,
        logging_exclusions=("logger1", "logger2"),
    )
    try:
        assert app.test_client().get("/log").text == "ok"
        event = wire.one_event(app)
    finally:
        sentry._release(app)
    assert event["message"] == "heard well"
    assert event["logentry"] == {
        "message": "heard %s",
        "params": ["well"],
        "formatted": "heard well",
    }
    assert event["logger"] == "logger3"
    assert event["level"] == "error"
    assert event["request"]["url"] == "http://localhost/log"


def test_the_constructor_takes_logging_too(wire: Any, make_app: Make) -> None:
    """Sentry(app, logging=True, level=logging.ERROR, logging_exclusions=(…))."""
    app = make_app(
        sentry={"logging": True, "level": logging.ERROR, "logging_exclusions": ("logger1",)}
    )

    @app.get("/log")
    def log() -> str:
        logging.getLogger("logger1").error("excluded")
        app.logger.error("heard")
        return "ok"

    app.test_client().get("/log")
    assert wire.one_event(app)["message"] == "heard"


def test_sentry_config_options(make_app: Make, crash_event: Crash) -> None:
    """SENTRY_CONFIG's options reach the event: release, environment, name, site, tags, context."""
    app = make_app(
        SENTRY_CONFIG={
            "release": "abc123",
            "environment": "staging",
            "name": "web-7",
            "site": "north",
            "tags": {"tier": "front"},
            "context": {"build": 5},
            "include_paths": ["myproject"],
        }
    )
    event = crash_event(app)
    assert event["release"] == "abc123"
    assert event["environment"] == "staging"
    assert event["server_name"] == "web-7"
    assert event["tags"] == {"tier": "front", "site": "north"}
    assert event["extra"] == {"build": 5}


def test_include_paths_say_what_is_the_apps_own(make_app: Make, crash_event: Crash) -> None:
    """With include_paths, only frames below them count as the app's own code."""
    here = crash_event(make_app(SENTRY_CONFIG={"include_paths": ["tests.support"]}))
    frames = here["exception"]["values"][-1]["stacktrace"]["frames"]
    assert [frame["function"] for frame in frames if frame["in_app"]] == ["crash"]


def test_include_paths_leave_others_out(make_app: Make, crash_event: Crash) -> None:
    """… and where they name other code, nothing of this is."""
    event = crash_event(make_app(SENTRY_CONFIG={"include_paths": ["myproject"]}))
    frames = event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert [frame["function"] for frame in frames if frame["in_app"]] == []


def test_the_release_is_a_git_commit(make_app: Make, crash_event: Crash, tmp_path: Any) -> None:
    """'release': fetch_git_sha(os.path.dirname(__file__)), raven's function or ours."""
    (tmp_path / ".git" / "refs" / "heads").mkdir(parents=True)
    (tmp_path / ".git" / "objects").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / ".git" / "refs" / "heads" / "main").write_text("a" * 40 + "\n")
    assert raven.fetch_git_sha(str(tmp_path)) == "a" * 40
    sha = flask_sentry_kit.fetch_git_sha(str(tmp_path))
    assert crash_event(make_app(SENTRY_CONFIG={"release": sha}))["release"] == "a" * 40


class MyExceptionType(Exception):
    """As in the documentation, with its own constructor."""

    def __init__(self, message: str) -> None:
        super().__init__(message)


class _Child(MyExceptionType):
    """A subclass of what is ignored."""


@pytest.mark.parametrize(
    ("ignored", "raised"),
    [
        ([MyExceptionType], MyExceptionType),
        ([MyExceptionType], _Child),
        (["MyExceptionType"], MyExceptionType),
        ([f"{__name__}.MyExceptionType"], MyExceptionType),
        ([f"{__name__}.*"], MyExceptionType),
        ((MyExceptionType,), MyExceptionType),
        ({KeyError, "MyExceptionType"}, MyExceptionType),
    ],
    ids=["class", "subclass", "name", "full name", "prefix", "tuple", "set"],
)
def test_ignored_exceptions_are_not_reported(
    make_app: Make, wire: Any, ignored: Any, raised: Any
) -> None:
    """ignore_exceptions takes classes, names, full names and prefixes; no event, no id."""
    app = make_app(SENTRY_CONFIG={"ignore_exceptions": ignored})

    @app.get("/ignored")
    def ignored_crash() -> str:
        raise raised("nobody wants to know")

    response = app.test_client().get("/ignored")
    assert response.status_code == 500
    assert "X-Sentry-ID" not in response.headers
    app.test_client().get("/boom")
    assert wire.one_event(app)["exception"]["values"][-1]["type"] == "Boom"


def test_a_name_is_not_a_prefix(make_app: Make, crash_event: Crash) -> None:
    """Ignoring Bo or a subclass does not ignore Boom."""
    event = crash_event(make_app(SENTRY_IGNORE_EXCEPTIONS=["Bo", "boom", "Boom2", _Child]))
    assert event["exception"]["values"][-1]["type"] == "Boom"


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


def test_the_user_is_flask_logins(make_app: Make, wire: Any) -> None:
    """By default id, is_authenticated and is_anonymous, and nothing more of the user."""
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


def test_user_attributes(make_app: Make, wire: Any) -> None:
    """SENTRY_USER_ATTRS: email is the user interface's own, the others are its data."""
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


def test_a_message_has_the_user_too(make_app: Make, wire: Any) -> None:
    """User information is captured with exceptions and messages alike."""
    app = _with_login(make_app())

    @app.get("/say")
    def say() -> str:
        flask_sentry_kit.sentry.captureMessage("hello, world!")
        return "said"

    client = app.test_client()
    client.get("/login")
    client.get("/say")
    assert wire.one_event(app)["user"]["id"] == "7"


def test_an_anonymous_visitor(make_app: Make, wire: Any) -> None:
    """Somebody who is not signed in is told as that."""
    app = _with_login(make_app())
    app.test_client().get("/boom")
    user = wire.one_event(app)["user"]
    assert user == {"is_authenticated": False, "is_anonymous": True, "ip_address": "127.0.0.1"}


def test_capture_exception_in_an_except_block(make_app: Make, wire: Any) -> None:
    """sentry.captureException() reports the exception being handled and returns its id."""
    app = make_app()
    ids = []

    @app.get("/handled")
    def handled() -> str:
        try:
            1 / 0  # noqa: B018  # the documentation's own example
        except ZeroDivisionError:
            ids.append(app.extensions["sentry"].captureException())
            ids.append(g.sentry_event_id)
        return "goes on"

    response = app.test_client().get("/handled")
    event = wire.one_event(app)
    assert response.text == "goes on"
    assert event["exception"]["values"][-1]["type"] == "ZeroDivisionError"
    assert ids == [event["event_id"]] * 2
    assert response.headers["X-Sentry-ID"] == event["event_id"]


@pytest.mark.parametrize("form", ["triple", "exception", "true"])
def test_capture_exception_takes_exc_info(make_app: Make, wire: Any, form: str) -> None:
    """exc_info is a triple, an exception, or True for the one being handled."""
    app = make_app()
    try:
        raise KeyError("here")
    except KeyError as error:
        exc_info = {
            "triple": (type(error), error, error.__traceback__),
            "exception": error,
            "true": True,
        }[form]
        event_id = app.extensions["sentry"].captureException(
            exc_info=exc_info, extra={"n": 1}, tags={"a": "b"}, data={"fingerprint": ["f"]}
        )
    event = wire.one_event(app)
    assert event["event_id"] == event_id
    assert event["exception"]["values"][-1]["type"] == "KeyError"
    assert event["extra"] == {"n": 1}
    assert event["tags"] == {"a": "b"}
    assert event["fingerprint"] == ["f"]


def test_capture_exception_without_one(make_app: Make, wire: Any) -> None:
    """With no exception to capture nothing is sent and nothing breaks."""
    app = make_app()
    assert app.extensions["sentry"].captureException() is None
    assert app.extensions["sentry"].captureException(exc_info=(None, None, None)) is None
    app.extensions["sentry"].captureMessage("only this")
    assert wire.one_event(app)["message"] == "only this"


def test_capture_message(make_app: Make, wire: Any) -> None:
    """captureMessage sends text, with level, tags, extra, params and stack as raven has them."""
    app = make_app()
    event_id = app.extensions["sentry"].captureMessage(
        "hello, %s!",
        params=("world",),
        formatted="hello, world!",
        level=logging.WARNING,
        tags={"a": 1},
        extra={"b": [1, 2]},
        stack=True,
    )
    event = wire.one_event(app)
    assert event["event_id"] == event_id
    assert event["message"] == "hello, world!"
    assert event["logentry"]["params"] == ["world"]
    assert event["level"] == "warning"
    assert event["tags"] == {"a": "1"}
    assert event["extra"] == {"b": [1, 2]}
    assert event["stacktrace"]["frames"][-1]["function"] == "test_capture_message"


def test_the_proxy_finds_the_current_apps_reporter(make_app: Make, wire: Any) -> None:
    """from flask_sentry_kit import sentry works in any app, for that app."""
    apps = [make_app(f"shop{n}", SENTRY_DSN=_at(wire, n)) for n in (1, 2)]
    for app in apps:
        with app.app_context():
            flask_sentry_kit.sentry.captureMessage(f"from {app.name}")
        assert app.extensions["sentry"].flush(5)
    assert [(one.path, one.json()["message"]) for one in wire.stored] == [
        ("/api/1/store/", "from shop1"),
        ("/api/2/store/", "from shop2"),
    ]


def test_the_last_event_id_is_on_g(make_app: Make, wire: Any) -> None:
    """g.sentry_event_id is None before, and in the 500 handler the id of the event sent."""
    app = make_app()
    seen: list[Any] = []

    @app.before_request
    def before() -> None:
        seen.append(g.sentry_event_id)

    @app.errorhandler(500)
    def page(error: Exception) -> Any:
        seen.append(g.sentry_event_id)
        seen.append(app.extensions["sentry"].last_event_id)
        return f"The error identifier is {g.sentry_event_id}", 500

    response = app.test_client().get("/boom")
    event_id = wire.one_event(app)["event_id"]
    assert seen == [None, event_id, event_id]
    assert response.text.endswith(event_id)
    assert response.headers["X-Sentry-ID"] == event_id


def test_no_event_no_header(make_app: Make, wire: Any) -> None:
    """A healthy answer has no X-Sentry-ID, also right after another request's crash."""
    app = make_app()
    client = app.test_client()
    client.get("/boom")
    assert "X-Sentry-ID" not in client.get("/").headers
    wire.one_event(app)


def test_the_documentations_own_recipe(wire: Any, tmp_path: Any) -> None:
    """raven's user feedback recipe, word for word in shape, with our Sentry in raven's place."""
    (tmp_path / "500.html").write_text(
        """<!-- Sentry JS SDK 2.1.+ required -->
<script src="https://cdn.ravenjs.com/2.3.0/raven.min.js"></script>

{% if event_id %}
  <script>
  Raven.showReportDialog({
    eventId: '{{ event_id }}',
    dsn: '{{ public_dsn }}'
  });
  </script>
{% endif %}
"""
    )
    app = Flask("shop", template_folder=str(tmp_path))
    sentry = Sentry(app, dsn=wire.dsn)

    @app.errorhandler(500)
    def internal_server_error(error: Exception) -> Any:
        return render_template(
            "500.html",
            event_id=flask.g.sentry_event_id,
            public_dsn=sentry.client.get_public_dsn(),
        )

    @app.get("/boom")
    def crash() -> str:
        raise ValueError("boom")

    html = app.test_client().get("/boom").text
    event = wire.one_event(app)
    assert f"eventId: '{event['event_id']}'" in html
    assert f"dsn: '//public@{wire.host}:{wire.port}/1'" in html
    assert "hidden-secret" not in html


def test_the_recipe_works_beside_the_kit(wire: Any, tmp_path: Any) -> None:
    """The same recipe with the blueprint registered too: the recipe's page, and one event."""
    (tmp_path / "500.html").write_text("recipe {{ event_id }} {{ public_dsn }}")
    app = Flask("shop", template_folder=str(tmp_path))
    app.secret_key = "k"
    sentry = Sentry(app, dsn=wire.dsn)
    app.register_blueprint(sentry_kit)

    @app.errorhandler(500)
    def internal_server_error(error: Exception) -> Any:
        return render_template(
            "500.html",
            event_id=g.sentry_event_id,
            public_dsn=sentry.client.get_public_dsn("http"),
        )

    @app.get("/boom")
    def crash() -> str:
        raise ValueError("boom")

    html = app.test_client().get("/boom").text
    assert html == f"recipe {wire.one_event(app)['event_id']} {wire.public_dsn}"


def test_the_address_behind_a_proxy_is_proxy_fixs(make_app: Make, wire: Any) -> None:
    """app.wsgi_app = ProxyFix(app.wsgi_app) makes the visitor's address the user's."""
    app = make_app()
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]  # Flask's documented way
    app.test_client().get("/boom", headers={"X-Forwarded-For": "203.0.113.9"})
    assert wire.one_event(app)["user"]["ip_address"] == "203.0.113.9"


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Real-Ip", "Client-Ip", "Forwarded", "X-Client-Ip"]
)
def test_without_proxy_fix_no_header_is_believed(
    make_app: Make, crash_event: Crash, header: str
) -> None:
    """A visitor cannot choose an address: without ProxyFix it is the connection's."""
    event = crash_event(make_app(), headers={header: "<script>1.2.3.4</script>, 6.6.6.6"})
    assert event["user"]["ip_address"] == "127.0.0.1"
    assert event["request"]["env"]["REMOTE_ADDR"] == "127.0.0.1"


def test_calls_before_init_app_break_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A Sentry without an app reports nothing, and says so in the log."""
    sentry = Sentry()
    assert sentry.captureMessage("hello") is None
    assert sentry.captureException() is None
    sentry.tags_context({"a": "b"})
    assert "before init_app()" in caplog.text


def test_without_a_dsn_nothing_is_reported_or_claimed(wire: Any) -> None:
    """No DSN: the app works, there is no id on g and none in the headers."""
    app = _crashing_app()
    sentry = Sentry(app)
    response = app.test_client().get("/boom")
    assert response.status_code == 500
    assert "X-Sentry-ID" not in response.headers
    with app.test_request_context():
        assert sentry.captureMessage("hello") is None
        assert g.sentry_event_id is None
    assert sentry.client.get_public_dsn() is None


def test_processors_see_what_is_sent_and_nothing_else(make_app: Any, wire: Any) -> None:
    """A processor of the app's own is called for each event, and never at registration."""
    seen = []

    class Noting:
        def __init__(self, client: Any) -> None:
            pass

        def process(self, event: dict[str, Any]) -> dict[str, Any]:
            seen.append(event["message"])
            return {"message": "noted"}

    app = make_app(SENTRY_CONFIG={"processors": [Noting]})
    assert seen == []
    app.test_client().get("/boom")
    assert wire.one_event(app)["message"] == "noted"
    assert len(seen) == 1
