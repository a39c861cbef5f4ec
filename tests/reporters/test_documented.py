"""Every feature in raven's documentation for Flask works here too, tested over the wire."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import raven.contrib.flask
from flask import Flask, g

import flask_sentry_kit
from flask_sentry_kit import Sentry
from flask_sentry_kit.reporters.raven.client import Client
from tests.support.types import CrashEvent, MakeApp


def _crashing_app() -> Flask:
    app = Flask("shop")

    @app.get("/boom")
    def crash() -> str:
        raise ValueError("boom")

    return app


def _projects(wire: Any) -> list[str]:
    return [one.path.split("/")[2] for one in wire.stored]


def test_it_is_a_drop_in_subclass() -> None:
    """Code that checks for raven's classes accepts ours."""
    assert issubclass(Sentry, raven.contrib.flask.Sentry)
    assert issubclass(Client, raven.Client)


def test_setup_with_a_dsn(wire: Any) -> None:
    """Sentry(app, dsn=…) reports exceptions from views."""
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
    """Without a dsn, SENTRY_DSN from the environment is used."""
    monkeypatch.setenv("SENTRY_DSN", wire.dsn_of(9))
    app = _crashing_app()
    Sentry(app)
    app.test_client().get("/boom")
    wire.one_event(app)
    assert _projects(wire) == ["9"]


def test_precedence_of_dsns(wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """SENTRY_CONFIG overrides SENTRY_DSN in app.config, then come dsn= and the environment."""
    monkeypatch.setenv("SENTRY_DSN", wire.dsn_of(9))
    ladder: list[tuple[dict[str, Any], str | None, str]] = [
        (
            {"SENTRY_CONFIG": {"dsn": wire.dsn_of(1)}, "SENTRY_DSN": wire.dsn_of(2)},
            wire.dsn_of(3),
            "1",
        ),
        ({"SENTRY_DSN": wire.dsn_of(2)}, wire.dsn_of(3), "2"),
        ({}, wire.dsn_of(3), "3"),
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


def test_init_app_takes_all_parameters(wire: Any, make_app: MakeApp) -> None:
    """init_app(app, dsn=…, logging=True, level=…, logging_exclusions=…) uses each argument."""
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


def test_the_constructor_takes_logging_too(wire: Any, make_app: MakeApp) -> None:
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


def test_sentry_config_options(make_app: MakeApp, crash_event: CrashEvent) -> None:
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


def test_include_paths_say_what_is_the_apps_own(make_app: MakeApp, crash_event: CrashEvent) -> None:
    """With include_paths, only frames below them count as the app's own code."""
    here = crash_event(make_app(SENTRY_CONFIG={"include_paths": ["tests.support"]}))
    frames = here["exception"]["values"][-1]["stacktrace"]["frames"]
    assert [frame["function"] for frame in frames if frame["in_app"]] == ["crash"]


def test_include_paths_leave_others_out(make_app: MakeApp, crash_event: CrashEvent) -> None:
    """If include_paths names only other code, none of this code counts as the app's own."""
    event = crash_event(make_app(SENTRY_CONFIG={"include_paths": ["myproject"]}))
    frames = event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert [frame["function"] for frame in frames if frame["in_app"]] == []


def test_the_release_is_a_git_commit(
    make_app: MakeApp, crash_event: CrashEvent, tmp_path: Any
) -> None:
    """'release': fetch_git_sha(os.path.dirname(__file__)), raven's function or ours."""
    (tmp_path / ".git" / "refs" / "heads").mkdir(parents=True)
    (tmp_path / ".git" / "objects").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / ".git" / "refs" / "heads" / "main").write_text("a" * 40 + "\n")
    assert raven.fetch_git_sha(str(tmp_path)) == "a" * 40
    sha = flask_sentry_kit.fetch_git_sha(str(tmp_path))
    assert crash_event(make_app(SENTRY_CONFIG={"release": sha}))["release"] == "a" * 40


class MyExceptionType(Exception):
    """The exception from the documentation, with its own constructor."""

    def __init__(self, message: str) -> None:
        super().__init__(message)


class _Child(MyExceptionType):
    """A subclass of an ignored exception."""


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
    make_app: MakeApp, wire: Any, ignored: Any, raised: Any
) -> None:
    """ignore_exceptions takes classes, names, full names and prefixes: no event, no id."""
    app = make_app(SENTRY_CONFIG={"ignore_exceptions": ignored})

    @app.get("/ignored")
    def ignored_crash() -> str:
        raise raised("nobody wants to know")

    response = app.test_client().get("/ignored")
    assert response.status_code == 500
    assert "X-Sentry-ID" not in response.headers
    app.test_client().get("/boom")
    assert wire.one_event(app)["exception"]["values"][-1]["type"] == "Boom"


def test_a_name_is_not_a_prefix(make_app: MakeApp, crash_event: CrashEvent) -> None:
    """Ignoring Bo or a subclass does not ignore Boom."""
    event = crash_event(make_app(SENTRY_IGNORE_EXCEPTIONS=["Bo", "boom", "Boom2", _Child]))
    assert event["exception"]["values"][-1]["type"] == "Boom"


def test_without_a_dsn_nothing_is_reported_or_claimed(wire: Any) -> None:
    """Without a DSN the app works, and there is no id on g or in the headers."""
    app = _crashing_app()
    sentry = Sentry(app)
    response = app.test_client().get("/boom")
    assert response.status_code == 500
    assert "X-Sentry-ID" not in response.headers
    with app.test_request_context():
        assert sentry.captureMessage("hello") is None
        assert g.sentry_event_id is None
    assert sentry.client.get_public_dsn() is None
