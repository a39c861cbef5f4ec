"""An app that answers its crashes itself: its handlers, its template, ``crash_response``."""

from __future__ import annotations

from typing import Any

import pytest
from flask import render_template_string

from flask_sentry_kit import crash_response, sentry, sentry_kit
from tests.support.types import MakeApp


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_apps_own_500_handler_stays(
    bare_app: MakeApp, wire: Any, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An app that answers 500 itself still does so, and finds the id on g."""
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


def test_crash_response_from_an_own_handler(kit_app: MakeApp, wire: Any, boom: Any) -> None:
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


def test_crash_response_after_an_explicit_capture(kit_app: MakeApp, wire: Any, boom: Any) -> None:
    """An exception that was captured is not captured again; the page shows its event."""
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


def test_crash_response_for_the_handler_of_500(kit_app: MakeApp, wire: Any) -> None:
    """In a handler of 500 the exception behind the InternalServerError is reported."""
    app = kit_app()

    @app.errorhandler(500)
    def handle(error: Exception) -> Any:
        return crash_response(error)

    response = app.test_client().get("/boom", headers={"Accept": "text/html"})
    assert wire.one_event(app)["event_id"] in response.text


def test_crash_response_without_the_kit_says_what_to_do(bare_app: MakeApp) -> None:
    """Without the blueprint the error names the line that is missing."""
    with bare_app().test_request_context("/"), pytest.raises(RuntimeError, match="register_bluep"):
        crash_response(ValueError())


@pytest.mark.parametrize("switch", ["TESTING", "PROPAGATE_EXCEPTIONS", "DEBUG"])
def test_where_flask_hands_the_exception_on(
    kit_app: MakeApp, wire: Any, boom: Any, switch: str
) -> None:
    """Where exceptions go to the developer, they still do, and each is one event."""
    app = kit_app(**{switch: True})
    with pytest.raises(boom):
        app.test_client().get("/boom")
    event = wire.one_event(app)
    assert [value["type"] for value in event["exception"]["values"]] == ["Boom"]
    assert event["request"]["url"] == "http://localhost/boom"


def test_the_page_shows_in_production_only(kit_app: MakeApp, wire: Any) -> None:
    """PROPAGATE_EXCEPTIONS=False shows the page under TESTING, for the app's own tests of it."""
    app = kit_app(TESTING=True, PROPAGATE_EXCEPTIONS=False)
    response = app.test_client().get("/boom", headers={"Accept": "text/html"})
    assert wire.one_event(app)["event_id"] in response.text


def test_a_template_of_the_apps_own_wins(kit_app: MakeApp, wire: Any, tmp_path: Any) -> None:
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
