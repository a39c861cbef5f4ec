"""Capturing in code and the error page recipe, as in raven's documentation for Flask."""

from __future__ import annotations

import logging
from typing import Any

import flask
import pytest
from flask import Flask, g, render_template

import flask_sentry_kit
from flask_sentry_kit import Sentry, sentry_kit
from tests.support.types import MakeApp


def test_capture_exception_in_an_except_block(make_app: MakeApp, wire: Any) -> None:
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
def test_capture_exception_takes_exc_info(make_app: MakeApp, wire: Any, form: str) -> None:
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


def test_capture_exception_without_one(make_app: MakeApp, wire: Any) -> None:
    """Without an exception, captureException sends nothing and nothing breaks."""
    app = make_app()
    assert app.extensions["sentry"].captureException() is None
    assert app.extensions["sentry"].captureException(exc_info=(None, None, None)) is None
    app.extensions["sentry"].captureMessage("only this")
    assert wire.one_event(app)["message"] == "only this"


def test_capture_message(make_app: MakeApp, wire: Any) -> None:
    """captureMessage sends a text with level, tags, extra, params and stack, as in raven."""
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


def test_the_proxy_finds_the_current_apps_reporter(make_app: MakeApp, wire: Any) -> None:
    """from flask_sentry_kit import sentry works in any app, for that app."""
    apps = [make_app(f"shop{n}", SENTRY_DSN=wire.dsn_of(n)) for n in (1, 2)]
    for app in apps:
        with app.app_context():
            flask_sentry_kit.sentry.captureMessage(f"from {app.name}")
        assert app.extensions["sentry"].flush(5)
    assert [(one.path, one.json()["message"]) for one in wire.stored] == [
        ("/api/1/store/", "from shop1"),
        ("/api/2/store/", "from shop2"),
    ]


def test_the_last_event_id_is_on_g(make_app: MakeApp, wire: Any) -> None:
    """g.sentry_event_id is None before a crash and is the event's id in the 500 handler."""
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


def test_no_event_no_header(make_app: MakeApp, wire: Any) -> None:
    """A healthy response has no X-Sentry-ID, even right after another request's crash."""
    app = make_app()
    client = app.test_client()
    client.get("/boom")
    assert "X-Sentry-ID" not in client.get("/").headers
    wire.one_event(app)


def test_the_documentations_own_recipe(wire: Any, tmp_path: Any) -> None:
    """raven's user feedback recipe works with our Sentry in place of raven's."""
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
    """With the blueprint registered too, the recipe's page is shown and one event is sent."""
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


def test_calls_before_init_app_break_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A Sentry without an app reports nothing and logs that."""
    sentry = Sentry()
    assert sentry.captureMessage("hello") is None
    assert sentry.captureException() is None
    sentry.tags_context({"a": "b"})
    assert "before init_app()" in caplog.text


def test_processors_see_what_is_sent_and_nothing_else(make_app: Any, wire: Any) -> None:
    """An app's own processor is called for each event, and never at registration."""
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
