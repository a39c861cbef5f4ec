"""Log records become events once and for the right app, and logging itself is not changed."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from flask_sentry_kit import Sentry, sentry

Make = Callable[..., Flask]


def _logging_app(make_app: Make, **options: Any) -> Flask:
    return make_app(sentry={"logging": True, **options})


def _flushed(wire: Any, *apps: Flask) -> list[dict[str, Any]]:
    for app in apps:
        assert app.extensions["sentry"].flush(5)
    return list(wire.events)


def test_a_record_becomes_an_event(make_app: Make, wire: Any) -> None:
    """The event has the message, level, logger, time, extra data and tags of its record."""
    app = _logging_app(make_app)
    logging.getLogger("till").warning(
        "%d left of %s",
        3,
        "tea",
        extra={"order": 5, "tags": {"aisle": "2"}, "fingerprint": ["tea"]},
    )
    event = wire.one_event(app)
    assert event["message"] == "3 left of tea"
    assert event["logentry"]["message"] == "%d left of %s"
    assert event["logentry"]["params"] == [3, "tea"]
    assert event["level"] == "warning"
    assert event["logger"] == "till"
    assert event["extra"]["order"] == 5
    assert event["tags"] == {"aisle": "2"}
    assert event["fingerprint"] == ["tea"]


def test_a_record_with_its_exception(make_app: Make, wire: Any) -> None:
    """logger.exception() sends an event with the exception, its frames and the record's message."""
    app = _logging_app(make_app)
    try:
        raise KeyError("tea")
    except KeyError:
        logging.getLogger("till").exception("cannot sell %s", "tea")
    event = wire.one_event(app)
    assert event["message"] == "cannot sell tea"
    assert event["exception"]["values"][-1]["type"] == "KeyError"
    assert event["exception"]["values"][-1]["stacktrace"]["frames"]


@pytest.mark.parametrize(
    "log",
    [
        lambda: logging.getLogger("x").error("%d", "no number"),
        lambda: logging.getLogger("x").error("%s %s", "too few"),
        lambda: logging.getLogger("x").error(None),
        lambda: logging.getLogger("x").error({(1, 2): 3}),
        lambda: logging.getLogger("x").error("%s", {(1, 2): 3}),
        lambda: logging.LoggerAdapter(logging.getLogger("x"), None).error("adapter"),
        lambda: logging.getLogger("x").error("x", extra={"data": "no dict", "stack": 5}),
        lambda: logging.getLogger("x").error("x", extra={"sample_rate": "all"}),
        lambda: logging.getLogger("x").error("x", exc_info=True),
        lambda: logging.getLogger("x").error("x", exc_info=(None, None, None)),
        lambda: logging.getLogger("x").error("x", stack_info=True),
        lambda: logging.getLogger("x").error("x", extra={"tags": ["no dict"]}),
    ],
)
def test_odd_records_are_reported_too(
    make_app: Make, wire: Any, log: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that cannot be formatted or has odd extras becomes an event and breaks nothing."""
    app = _logging_app(make_app)
    root = logging.getLogger()
    with monkeypatch.context() as patch:
        # pytest's own handlers raise at a record that cannot be formatted.
        ours = [handler for handler in root.handlers if "kit" in type(handler).__module__]
        patch.setattr(root, "handlers", ours)
        log()
    wire.one_event(app)


def test_each_app_reports_its_own(make_app: Make, wire: Any) -> None:
    """Inside an app's context a record belongs to that app. Outside, exactly one app reports it."""
    apps = [
        make_app(
            f"shop{n}",
            sentry={"logging": True},
            SENTRY_DSN=f"{wire.dsn.rpartition('/')[0]}/{n}",
        )
        for n in (1, 2)
    ]
    for app in apps:
        with app.app_context():
            logging.getLogger("lib").error("from %s", app.name)
        logging.getLogger(app.name).error("logger of %s", app.name)
    logging.getLogger("lib").error("from nobody")
    _flushed(wire, *apps)
    sent = [(one.path.split("/")[2], one.json()["message"]) for one in wire.stored]
    assert [text for project, text in sent if project == "1"][:2] == [
        "from shop1",
        "logger of shop1",
    ]
    assert [text for project, text in sent if project == "2"][:2] == [
        "from shop2",
        "logger of shop2",
    ]
    assert [text for _, text in sent].count("from nobody") == 1
    assert len(sent) == 5


def test_exclusions_are_each_apps_own_and_add_to_ravens(make_app: Make, wire: Any) -> None:
    """One app's exclusions do not affect another app. raven's default exclusions apply as well."""
    first = make_app("shop1", sentry={"logging": True, "logging_exclusions": ("noisy",)})
    second = make_app("shop2", sentry={"logging": True})
    for app in (first, second):
        with app.app_context():
            logging.getLogger("noisy.child").error("noise in %s", app.name)
            logging.getLogger("noisy_not").error("sound in %s", app.name)
            logging.getLogger("raven").error("never")
            logging.getLogger("sentry.errors").error("never")
            logging.getLogger("flask_sentry_kit.outbox").error("never")
            logging.getLogger("urllib3.connectionpool").error("never")
    assert sorted(event["message"] for event in _flushed(wire, first, second)) == [
        "noise in shop2",
        "sound in shop1",
        "sound in shop2",
    ]


def test_excluded_loggers_are_left_as_they_are(make_app: Make) -> None:
    """No handler, level or propagation of a logger changes, except for one handler on the root."""
    names = ("raven", "sentry.errors", "logger1", "werkzeug", "shop", "gunicorn")
    loggers = [logging.getLogger(), *map(logging.getLogger, names)]

    def state() -> list[Any]:
        return [(one.level, one.propagate, list(one.handlers), one.disabled) for one in loggers]

    before = state()
    functions = (logging.Logger._log, logging.Logger.callHandlers, logging.Logger.handle)
    hook = sys.excepthook
    make_app(sentry={"logging": True, "logging_exclusions": ("logger1",)})
    after = state()
    assert [one for one in after[0][2] if one not in before[0][2]][0].level == logging.NOTSET
    assert after[1:] == before[1:]
    assert functions == (
        logging.Logger._log,
        logging.Logger.callHandlers,
        logging.Logger.handle,
    )
    assert sys.excepthook is hook


def test_records_below_the_level_are_left_alone(make_app: Make, wire: Any) -> None:
    """level= is the lowest level that is reported."""
    app = _logging_app(make_app, level=logging.ERROR)
    logging.getLogger("till").warning("too low")
    logging.getLogger("till").error("high enough")
    assert wire.one_event(app)["message"] == "high enough"


def test_a_logger_of_the_app_that_does_not_propagate(make_app: Make, wire: Any) -> None:
    """With app.logger.propagate = False the app's records are still reported, and only once."""
    app = Flask("quiet_shop")
    app.logger.propagate = False
    reporter = Sentry(app, dsn=wire.dsn, logging=True)
    try:
        app.logger.error("heard")
        assert wire.one_event(app)["message"] == "heard"
    finally:
        reporter._release(app)
        app.logger.propagate = True


def test_init_app_again_does_not_double(make_app: Make, wire: Any) -> None:
    """Two calls of init_app add one handler."""
    app = _logging_app(make_app)
    app.extensions["sentry"].init_app(app)
    logging.getLogger("till").error("once")
    assert wire.one_event(app)["message"] == "once"


def test_what_reporting_logs_is_not_reported(make_app: Make, wire: Any) -> None:
    """If a value's repr logs while it is being reported, there is no second event and no loop."""
    app = _logging_app(make_app)

    class Chatty:
        def __repr__(self) -> str:
            logging.getLogger("chat").error("shown once more")
            return "<Chatty>"

    @app.get("/chat")
    def chat() -> str:
        chatty = Chatty()  # noqa: F841  # read from the frame
        raise ValueError

    app.test_client().get("/chat")
    logging.getLogger("x").error("plain", extra={"chatty": Chatty()})
    assert [event["message"] for event in _flushed(wire, app)] == ["ValueError", "plain"]


def test_a_captured_exception_that_is_logged_is_one_event(make_app: Make, wire: Any) -> None:
    """captureException and logger.exception with the same exception make one event."""
    app = _logging_app(make_app)

    @app.get("/both")
    def both() -> str:
        try:
            raise ValueError("both")
        except ValueError:
            first = sentry.captureException()
            logging.getLogger("till").exception("and logged")
            assert sentry.captureException() == first
        return "ok"

    assert app.test_client().get("/both").text == "ok"
    assert wire.one_event(app)["message"] == "ValueError: both"


def test_breadcrumbs_are_off_unless_asked_for(make_app: Make, wire: Any) -> None:
    """Without enable_breadcrumbs no record is kept and no handler is added."""
    before = list(logging.getLogger().handlers)
    app = make_app()
    assert logging.getLogger().handlers == before
    logging.getLogger("till").warning("not kept")
    app.test_client().get("/boom")
    assert "breadcrumbs" not in wire.one_event(app)
