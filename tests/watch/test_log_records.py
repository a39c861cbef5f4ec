"""The id of a request's event on the app's log records (watch/log_records.py)."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import raven.contrib.flask
from flask import Flask, g
from flask.logging import default_handler
from pythonjsonlogger.json import JsonFormatter

import flask_sentry_kit
from flask_sentry_kit import EventIdFilter, Sentry, crash_response, sentry, sentry_kit

FORMAT = "%(name)s [%(sentry_event_id)s] %(message)s"

Lines = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers, filters = root.level, list(root.handlers), list(default_handler.filters)
    yield
    root.level, root.handlers, default_handler.filters = level, handlers, filters
    default_handler.setFormatter(logging.Formatter("[%(asctime)s] %(levelname)s: %(message)s"))
    for name in ("shop", "shop.stock", "elsewhere"):
        logger = logging.getLogger(name)
        logger.handlers, logger.filters, logger.level = [], [], logging.NOTSET


@pytest.fixture
def app(wire: Any) -> Iterator[Flask]:
    """An app that can crash and log, not registered with the kit yet."""
    app = Flask("shop")
    app.config.update(SENTRY_DSN=wire.dsn, SECRET_KEY="k")

    @app.get("/boom")
    def boom() -> str:
        app.logger.warning("soon")
        raise ValueError("boom")

    @app.get("/fine")
    def fine() -> str:
        app.logger.warning("all is well")
        logging.getLogger("shop.stock").warning("plenty")
        return "fine"

    yield app
    app.extensions["sentry_kit"].outbox.close(1)


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def handler(stream: io.StringIO) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(FORMAT))
    return handler


def first_lines(stream: io.StringIO) -> list[str]:
    """The logged lines, without those of a traceback."""
    return [line for line in stream.getvalue().splitlines() if line.startswith(("shop", "else"))]


def test_flasks_own_line_about_the_crash_has_its_id(
    app: Flask, handler: logging.Handler, stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reference that a visitor gives to support finds the traceback in the app's log."""
    app.logger.addHandler(handler)
    app.register_blueprint(sentry_kit)
    response = app.test_client().get("/boom")
    assert first_lines(stream) == [
        "shop [] soon",
        f"shop [{response.headers['X-Sentry-ID']}] Exception on /boom [GET]",
    ]
    assert "Logging error" not in capsys.readouterr().err


def test_a_healthy_request_has_an_empty_one(
    app: Flask, handler: logging.Handler, stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """The field is there without an event too, outside of requests too, and so in loggers below
    the app's: a format that names it never fails."""
    app.logger.addHandler(handler)
    app.register_blueprint(sentry_kit)
    app.test_client().get("/boom")
    after_crash = len(first_lines(stream))
    app.test_client().get("/fine")
    app.logger.warning("at start")
    assert first_lines(stream)[after_crash:] == [
        "shop [] all is well",
        "shop.stock [] plenty",
        "shop [] at start",
    ]
    assert "Logging error" not in capsys.readouterr().err


@pytest.mark.parametrize("when", ["before", "after"])
def test_handlers_may_be_made_before_or_after(
    app: Flask, handler: logging.Handler, stream: io.StringIO, when: str
) -> None:
    """Logging that is configured, or configured anew, after the kit changes nothing."""
    if when == "before":
        logging.getLogger().addHandler(handler)
    app.register_blueprint(sentry_kit)
    if when == "after":
        config = {
            "version": 1,
            "disable_existing_loggers": True,
            "formatters": {"plain": {"format": FORMAT}},
            "handlers": {
                "all": {
                    "class": "logging.StreamHandler",
                    "stream": stream,
                    "formatter": "plain",
                }
            },
            "loggers": {"shop": {"handlers": ["all"], "propagate": False}},
        }
        logging.config.dictConfig(config)
    try:
        event_id = app.test_client().get("/boom").headers["X-Sentry-ID"]
    finally:
        logging.getLogger("shop").propagate = True
    assert f"shop [{event_id}] Exception on /boom [GET]" in first_lines(stream)


def test_registering_makes_no_handler(app: Flask) -> None:
    """app.logger is not used: Flask would add its own handler before the app configures
    logging, and every line would be there twice."""
    app.register_blueprint(sentry_kit)
    assert logging.getLogger("shop").handlers == []


def test_flasks_default_handler_knows_the_field(
    app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its format may be changed as Flask's documentation shows, for the loggers below as well."""
    stream = io.StringIO()
    app.register_blueprint(sentry_kit)
    own = default_handler.setStream(stream)
    default_handler.setFormatter(logging.Formatter(FORMAT))
    logging.getLogger("shop").addHandler(default_handler)
    try:
        app.test_client().get("/fine")
    finally:
        if own is not None:
            default_handler.setStream(own)
    assert first_lines(stream) == ["shop [] all is well", "shop.stock [] plenty"]


def test_a_filter_of_dictconfig_serves_every_logger(
    app: Flask, stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """A handler that is configured later and takes other loggers' records names the filter; JSON
    has the field like any other."""
    app.register_blueprint(sentry_kit)
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"event_id": {"()": "flask_sentry_kit.EventIdFilter"}},
        "formatters": {
            "json": {"()": JsonFormatter, "format": "%(name)s %(message)s %(sentry_event_id)s"}
        },
        "handlers": {
            "all": {
                "class": "logging.StreamHandler",
                "stream": stream,
                "filters": ["event_id"],
                "formatter": "json",
            }
        },
        "root": {"handlers": ["all"]},
    }
    logging.config.dictConfig(config)

    @app.after_request
    def log(response: Any) -> Any:
        logging.getLogger("elsewhere").warning("answered")
        return response

    event_id = app.test_client().get("/boom").headers["X-Sentry-ID"]
    logged = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(one["name"], one["sentry_event_id"]) for one in logged] == [
        ("shop", ""),
        ("shop", event_id),
        ("elsewhere", event_id),
    ]
    assert "Logging error" not in capsys.readouterr().err


def test_an_apps_own_field_stays(app: Flask, handler: logging.Handler, stream: io.StringIO) -> None:
    """extra={"sentry_event_id": …} goes on working, and wins."""
    app.register_blueprint(sentry_kit)
    app.logger.addHandler(handler)
    app.logger.warning("mine", extra={"sentry_event_id": "own"})
    assert first_lines(stream) == ["shop [own] mine"]


def test_what_a_handler_of_the_apps_logs_has_the_id(
    app: Flask, handler: logging.Handler, stream: io.StringIO
) -> None:
    """The line that an app's own handler for 500 logs has the id as well."""
    app.register_blueprint(sentry_kit)
    app.logger.addHandler(handler)

    @app.errorhandler(500)
    def broken(error: Exception) -> Any:
        app.logger.warning("broken")
        return crash_response(error)

    event_id = app.test_client().get("/boom").headers["X-Sentry-ID"]
    assert f"shop [{event_id}] broken" in first_lines(stream)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # raven's own
@pytest.mark.parametrize("kind", [Sentry, raven.contrib.flask.Sentry])
@pytest.mark.parametrize("order", ["sentry first", "kit first"])
def test_the_sentry_may_be_made_before_or_after(
    app: Flask, wire: Any, handler: logging.Handler, stream: io.StringIO, order: str, kind: Any
) -> None:
    """The crash is captured before Flask logs it, in either order of registration."""
    if order == "sentry first":
        kind(app, dsn=wire.dsn)
    app.register_blueprint(sentry_kit)
    if order == "kit first":
        kind(app, dsn=wire.dsn)
    app.logger.addHandler(handler)
    try:
        event_id = app.test_client().get("/boom").headers["X-Sentry-ID"]
    finally:
        if kind is not Sentry:
            app.extensions["sentry"].client.remote.get_transport().get_worker().stop(5)
    assert f"shop [{event_id}] Exception on /boom [GET]" in first_lines(stream)


def test_the_field_is_no_part_of_events(app: Flask, wire: Any) -> None:
    """Log records that become events (SENTRY_KIT_LOGGING) do not hold the field in extra."""
    app.config["SENTRY_KIT_LOGGING"] = True
    app.register_blueprint(sentry_kit)
    app.logger.warning("a record", extra={"shelf": 7})
    assert wire.one_event(app)["extra"].keys() & {"shelf", "sentry_event_id"} == {"shelf"}


def test_work_outside_requests_has_its_id_too(
    app: Flask, handler: logging.Handler, stream: io.StringIO
) -> None:
    """In an app context of a command or a thread the id is that of its last event."""
    app.register_blueprint(sentry_kit)
    app.logger.addHandler(handler)
    with app.app_context():
        event_id = sentry.captureMessage("done")
        app.logger.warning("reported")
        assert g.sentry_event_id == event_id
    app.logger.warning("later")
    assert first_lines(stream) == [f"shop [{event_id}] reported", "shop [] later"]


def test_two_apps_of_one_name_have_one_filter(wire: Any) -> None:
    """Apps that share a logger, as those of a test suite do, do not pile filters up on it."""
    for _ in range(3):
        app = Flask("shop")
        app.register_blueprint(sentry_kit)
    assert len(logging.getLogger("shop").filters) == 1
    assert isinstance(logging.getLogger("shop").filters[0], EventIdFilter)
    assert flask_sentry_kit.EventIdFilter is EventIdFilter
