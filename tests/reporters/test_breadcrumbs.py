"""Breadcrumbs, for apps that enable them: per request, per app, bounded and scrubbed."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from typing import Any

import pytest
import raven.breadcrumbs
import raven.transport.http
from flask import Flask

from flask_sentry_kit import Sentry, sentry

Make = Callable[..., Flask]

ON = {"SENTRY_CONFIG": {"enable_breadcrumbs": True}}


def _messages(event: dict[str, Any]) -> list[str]:
    return [crumb["message"] for crumb in event["breadcrumbs"]["values"]]


def _logs(app: Flask) -> None:
    @app.get("/logs/<who>")
    def logs(who: str) -> str:
        logging.getLogger("till").warning("hello %s", who)
        sentry.client.captureBreadcrumb(message=f"by hand {who}", category="c", data={"n": 1})
        raise ValueError


def test_a_requests_records_are_its_breadcrumbs(make_app: Make, wire: Any) -> None:
    """A request's log records and manual breadcrumbs are in its event, with time and level."""
    app = make_app(**ON)
    _logs(app)
    app.test_client().get("/logs/alice")
    event = wire.one_event(app)
    assert _messages(event) == ["hello alice", "by hand alice"]
    first, second = event["breadcrumbs"]["values"]
    assert (first["level"], first["category"]) == ("warning", "till")
    assert isinstance(first["timestamp"], float)
    assert second["data"] == {"n": 1}


def test_they_are_gone_with_the_request(make_app: Make, wire: Any) -> None:
    """The next request starts without breadcrumbs."""
    app = make_app(**ON)
    _logs(app)
    client = app.test_client()
    client.get("/logs/alice")
    client.get("/logs/bob")
    assert app.extensions["sentry"].flush(5)
    assert [_messages(event) for event in wire.events] == [
        ["hello alice", "by hand alice"],
        ["hello bob", "by hand bob"],
    ]


def test_they_are_each_apps_own(make_app: Make, wire: Any) -> None:
    """One app's breadcrumbs are not in another app's events."""
    first, second = make_app("one", **ON), make_app("two", **ON)
    _logs(first)
    _logs(second)
    first.test_client().get("/logs/alice")
    second.test_client().get("/logs/bob")
    for app in (first, second):
        assert app.extensions["sentry"].flush(5)
    assert sorted(_messages(event)[0] for event in wire.events) == ["hello alice", "hello bob"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:raven")  # Python has moved on
def test_beside_ravens_own_hook(make_app: Make, wire: Any) -> None:
    """A client of raven's own class, which patches logging, does not duplicate breadcrumbs."""
    raven.Client(transport=raven.transport.http.HTTPTransport).captureBreadcrumb(message="theirs")
    app = make_app(**ON)
    _logs(app)
    app.test_client().get("/logs/alice")
    assert _messages(wire.one_event(app)) == ["hello alice", "by hand alice"]


def test_ravens_own_function_records_too(make_app: Make, wire: Any) -> None:
    """raven.breadcrumbs.record(), for integrations, records into the current request."""
    app = make_app(**ON)

    @app.get("/records")
    def records() -> str:
        raven.breadcrumbs.record(message="by raven", category="cache")
        raise ValueError

    app.test_client().get("/records")
    assert _messages(wire.one_event(app)) == ["by raven"]


def test_they_are_bounded(make_app: Make, wire: Any) -> None:
    """The last hundred breadcrumbs are kept, and long ones are cut."""
    app = make_app(**ON)

    @app.get("/many")
    def many() -> str:
        for number in range(1_000):
            logging.getLogger("till").warning("%d %s", number, "x" * 10_000)
        raise ValueError

    app.test_client().get("/many")
    kept = _messages(wire.one_event(app))
    assert len(kept) == 100
    assert kept[-1].startswith("999 ")
    assert max(map(len, kept)) <= 1_024


def test_odd_records_cost_nothing(make_app: Make, wire: Any) -> None:
    """An unformattable record and values that raise break neither the request nor the event."""
    app = make_app(**ON)

    class Raises:
        def __str__(self) -> str:
            raise SystemExit

    handlers = logging.getLogger().handlers
    others = [one for one in handlers if "kit" not in type(one).__module__]
    for one in others:
        logging.getLogger().removeHandler(one)

    @app.get("/odd")
    def odd() -> str:
        logger = logging.getLogger("till")
        logger.warning("%d", "x")
        logger.warning("%s", Raises())
        logger.warning(Raises())
        logger.warning("%s", {(1, 2): 3})
        raise ValueError

    try:
        app.test_client().get("/odd")
    finally:
        for one in others:
            logging.getLogger().addHandler(one)
    assert len(_messages(wire.one_event(app))) == 4


def test_the_handler_goes_with_its_client(wire: Any) -> None:
    """A deleted app leaves no handler behind that would slow down every log record."""
    before = list(logging.getLogger().handlers)

    def create() -> None:
        app = Flask("shop")
        app.config.update(ON)
        Sentry(app, dsn=wire.dsn)
        assert len(logging.getLogger().handlers) == len(before) + 1

    create()
    gc.collect()
    assert logging.getLogger().handlers == before
