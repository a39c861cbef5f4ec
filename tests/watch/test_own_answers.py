"""The app's own answers to a crash stay, byte for byte, and none of them takes the page down."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, abort, g, jsonify
from flask.sessions import SecureCookieSessionInterface
from werkzeug.exceptions import HTTPException, InternalServerError, NotFound

from flask_sentry_kit import SentryKit
from tests.support.sentry import RecordingSentry

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
CURL = {"Accept": "*/*"}
SCRIPT = {"Accept": "application/json"}
NOTHING: dict[str, str] = {}

OWN = b'{"own": "answer"}\n'

Build = Callable[..., Flask]
Handlers = Callable[[Any], None]


class Broken(Exception):
    """The exception of the views."""


class Second(Exception):
    """The exception of a handler."""


def answer(error: Exception) -> Any:
    code = error.code if isinstance(error, HTTPException) else 500
    return Response(OWN, code or 500, mimetype="application/json")


def of_http_exception(where: Any) -> None:
    """The handler for an API from Flask's documentation."""
    where.register_error_handler(HTTPException, answer)


def of_exception(where: Any) -> None:
    where.register_error_handler(Exception, answer)


GENERIC = [of_http_exception, of_exception]


@pytest.fixture
def build(wire: RecordingSentry) -> Iterator[Build]:
    """Make an app whose view crashes at /x, with the kit registered before or after the handlers
    and these on the app or on the view's blueprint; keywords are its config."""
    made: list[Flask] = []

    def make(
        handlers: Handlers = lambda where: None,
        when: str = "before",
        where: str = "app",
        view: Callable[[], Any] | None = None,
        **config: Any,
    ) -> Flask:
        app = Flask("shop")
        app.config.update({"SENTRY_DSN": wire.dsn, "SECRET_KEY": "k", **config})

        def crash() -> str:
            raise Broken("in the view")

        part = Blueprint("part", "part")
        part.add_url_rule("/x", view_func=view or crash, endpoint="x")
        if when == "after":
            app.register_blueprint(SentryKit())
        handlers(part if where == "blueprint" else app)
        app.register_blueprint(part)
        if when == "before":
            app.register_blueprint(SentryKit())
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions["sentry_kit"].outbox.close(1)


def get(app: Flask, headers: dict[str, str] = BROWSER, path: str = "/x") -> Any:
    return app.test_client().get(path, headers=headers)


def events_of(app: Flask, wire: RecordingSentry) -> list[dict[str, Any]]:
    assert app.extensions["sentry"].flush(10)
    return wire.events


def is_page(response: Any) -> bool:
    return response.mimetype == "text/html" and "Something broke on our side." in response.text


@pytest.mark.parametrize("accept", [CURL, SCRIPT, NOTHING], ids=["curl", "script", "nothing"])
@pytest.mark.parametrize("where", ["app", "blueprint"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("handlers", GENERIC)
def test_a_handler_for_all_errors_answers_as_without_the_kit(
    build: Build,
    wire: RecordingSentry,
    handlers: Handlers,
    when: str,
    where: str,
    accept: dict[str, str],
) -> None:
    """Status and body byte for byte; the crash is one event all the same."""
    app = build(handlers, when, where)
    response = get(app, accept)
    assert (response.status_code, response.data, response.mimetype) == (
        500,
        OWN,
        "application/json",
    )
    assert response.headers["X-Sentry-ID"] == wire.one_event(app)["event_id"]


@pytest.mark.parametrize("where", ["app", "blueprint"])
@pytest.mark.parametrize("handlers", GENERIC)
@pytest.mark.parametrize("view", [None, lambda: abort(500)], ids=["raises", "aborts"])
def test_a_browser_gets_the_page_where_a_500_is_not_html(
    build: Build, wire: RecordingSentry, handlers: Handlers, where: str, view: Any
) -> None:
    """The page shows the reference of the one event."""
    app = build(handlers, where=where, view=view)
    response = get(app)
    assert response.status_code == 500 and is_page(response)
    assert wire.one_event(app)["event_id"] in response.text


@pytest.mark.parametrize("handlers", GENERIC)
def test_a_404_stays_the_apps_in_a_browser_too(
    build: Build, wire: RecordingSentry, handlers: Handlers
) -> None:
    """A handler for all errors still answers those that are no crashes, without an event."""
    app = build(handlers)
    response = get(app, path="/nowhere")
    assert (response.status_code, response.data) == (404, OWN)
    assert "X-Sentry-ID" not in response.headers
    assert events_of(app, wire) == []


@pytest.mark.parametrize("accept", [BROWSER, CURL], ids=["browser", "curl"])
@pytest.mark.parametrize("kind", [HTTPException, Exception])
def test_html_of_the_apps_own_stays_in_a_browser(
    build: Build, kind: type[Exception], accept: dict[str, str]
) -> None:
    """The page shows only if the app's answer is not HTML."""
    app = build(lambda where: where.register_error_handler(kind, lambda e: ("<p>Own.</p>", 500)))
    assert get(app, accept).text == "<p>Own.</p>"


@pytest.mark.parametrize("kind", [HTTPException, Exception])
def test_a_handler_that_makes_no_500_of_a_crash_is_left_alone(
    build: Build, kind: type[Exception]
) -> None:
    """An API that answers every error with 200 or 503 goes on doing so."""
    for status in (200, 503):
        app = build(
            lambda where, status=status: where.register_error_handler(
                kind, lambda e: ({"ok": False}, status)
            )
        )
        response = get(app)
        assert (response.status_code, response.json) == (status, {"ok": False})


def test_a_client_that_likes_json_better_keeps_it(build: Build) -> None:
    """Naming text/html is not enough if the client prefers another type."""
    app = build(of_http_exception)
    assert get(app, {"Accept": "application/json, text/html;q=0.5"}).data == OWN
    assert get(app, {"Accept": "text/html;q=0, */*"}).data == OWN


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("where", ["app", "blueprint"])
@pytest.mark.parametrize("accept", [BROWSER, CURL], ids=["browser", "curl"])
def test_a_handler_for_500_stays(
    build: Build, wire: RecordingSentry, when: str, where: str, accept: dict[str, str]
) -> None:
    """With any answer, to every client."""
    app = build(lambda on: on.register_error_handler(500, answer), when, where)
    response = get(app, accept)
    assert (response.status_code, response.data) == (500, OWN)
    assert response.headers["X-Sentry-ID"] == wire.one_event(app)["event_id"]


@pytest.mark.parametrize("view", [None, lambda: abort(500)], ids=["raises", "aborts"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("where", ["app", "blueprint"])
@pytest.mark.parametrize("kind", [500, HTTPException, Exception])
def test_the_kit_answers_in_place_of_all_where_it_is_asked_to(
    build: Build, wire: RecordingSentry, kind: Any, when: str, where: str, view: Any
) -> None:
    """SENTRY_KIT_REPLACE_HANDLERS; the app's handlers still answer errors that are no crash."""
    app = build(
        lambda on: on.register_error_handler(kind, answer),
        when,
        where,
        view,
        SENTRY_KIT_REPLACE_HANDLERS=True,
    )
    assert is_page(get(app))
    assert get(app, SCRIPT).mimetype == "application/problem+json"
    assert len(events_of(app, wire)) == 2
    if kind != 500 and where == "app":
        assert get(app, path="/nowhere").data == OWN


def test_a_handler_for_one_error_is_never_replaced(build: Build) -> None:
    """A handler for one error was written for that error, so it stays."""
    app = build(
        lambda on: on.register_error_handler(Broken, answer), SENTRY_KIT_REPLACE_HANDLERS=True
    )
    assert get(app).data == OWN


def test_in_tests_of_the_app_exceptions_go_on_reaching_the_test(build: Build) -> None:
    """As in Flask, with and without handlers, whether the app or the kit answers."""
    for config in ({}, {"SENTRY_KIT_REPLACE_HANDLERS": True}):
        app = build(of_http_exception, TESTING=True, **config)
        with pytest.raises(Broken):
            get(app)

    def breaks(error: Exception) -> Any:
        raise Second

    app = build(lambda on: on.register_error_handler(500, breaks), TESTING=True)
    with pytest.raises(Broken):
        get(app)
    app = build(
        lambda on: on.register_error_handler(HTTPException, breaks),
        view=lambda: abort(500),
        TESTING=True,
    )
    with pytest.raises(Second):
        get(app)


@pytest.mark.parametrize("view", [None, lambda: abort(500)], ids=["raises", "aborts"])
@pytest.mark.parametrize("where", ["app", "blueprint"])
@pytest.mark.parametrize("kind", [500, HTTPException, Exception])
def test_a_handler_that_breaks_shows_the_page_of_the_first_error(
    build: Build,
    wire: RecordingSentry,
    caplog: pytest.LogCaptureFixture,
    kind: Any,
    where: str,
    view: Any,
) -> None:
    """The page has the first reference; the second error is reported too, once."""

    def breaks(error: Exception) -> Any:
        raise Second("in the handler")

    app = build(lambda on: on.register_error_handler(kind, breaks), where=where, view=view)
    response = get(app)
    assert response.status_code == 500 and is_page(response)
    first, second = events_of(app, wire)
    kinds = [event["exception"]["values"][-1]["type"] for event in (first, second)]
    assert kinds == ["InternalServerError" if view else "Broken", "Second"]
    assert first["event_id"] in response.text
    assert response.headers["X-Sentry-ID"] == first["event_id"]


def test_the_log_says_once_who_answers_and_how_to_change_it(
    build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    """At registration for handlers that exist then, at the first crash for later ones."""
    caplog.set_level(logging.INFO, "flask_sentry_kit")

    def lines() -> list[logging.LogRecord]:
        return [one for one in caplog.records if "REPLACE_HANDLERS" in one.getMessage()]

    for when, at_registration in (("before", 1), ("after", 0)):
        for kind, level in ((500, logging.WARNING), (HTTPException, logging.INFO)):
            caplog.clear()
            app = build(lambda on, kind=kind: on.register_error_handler(kind, answer), when)
            assert len(lines()) == at_registration
            get(app, CURL)
            get(app, CURL)
            (line,) = lines()
            assert line.levelno == level
            assert f"handler for {getattr(kind, '__name__', kind)}" in line.getMessage()


def test_an_api_answers_in_its_own_shape(build: Build, wire: RecordingSentry) -> None:
    """SENTRY_KIT_PROBLEM gets the event's id and the app's exception; a dict is JSON."""
    seen: list[Any] = []

    def problem(event_id: str | None, error: BaseException) -> Any:
        seen.append(error)
        return {"error": {"code": "internal", "reference": event_id}}

    app = build(SENTRY_KIT_PROBLEM=problem)
    response = get(app, SCRIPT)
    event_id = wire.one_event(app)["event_id"]
    assert response.status_code == 500
    assert response.json == {"error": {"code": "internal", "reference": event_id}}
    assert response.headers["Cache-Control"] == "no-store"
    assert [type(error) for error in seen] == [Broken]
    # A client that asks for HTML gets the page.
    assert is_page(get(app))


def test_an_api_answers_with_a_response_of_its_own(build: Build) -> None:
    """Status and headers are those of the app; without a DSN there is no id."""

    def problem(event_id: str | None, error: BaseException) -> Any:
        return jsonify(id=event_id), 503, {"Content-Type": "application/vnd.shop+json"}

    app = build(SENTRY_KIT_PROBLEM=problem, SENTRY_DSN="")
    response = get(app, SCRIPT)
    assert (response.status_code, response.mimetype) == (503, "application/vnd.shop+json")
    assert json.loads(response.data) == {"id": None}


@pytest.mark.parametrize("made", ["raises", None, 7, object()], ids=repr)
def test_an_apis_answer_that_breaks_is_problem_json(
    build: Build, wire: RecordingSentry, made: Any
) -> None:
    """Contained and reported; the client gets problem details with the first error's reference."""

    def problem(event_id: str | None, error: BaseException) -> Any:
        if made == "raises":
            raise Second
        return made

    app = build(SENTRY_KIT_PROBLEM=problem)
    response = get(app, SCRIPT)
    first, _ = events_of(app, wire)
    assert response.mimetype == "application/problem+json"
    assert response.json["event_id"] == first["event_id"]


@pytest.mark.parametrize("own", [False, True], ids=["page", "own handler"])
def test_the_id_is_on_the_answer_where_every_hook_breaks(
    build: Build, wire: RecordingSentry, own: bool
) -> None:
    """Flask stops at the first hook that raises; X-Sentry-ID does not depend on one."""
    app = build(lambda on: on.register_error_handler(500, answer) if own else None)

    @app.before_request
    def plan() -> None:
        from flask import after_this_request

        @after_this_request
        def hook(response: Response) -> Response:
            raise Second

    response = get(app)
    assert response.status_code == 500
    assert response.headers["X-Sentry-ID"] == events_of(app, wire)[0]["event_id"]
    assert (response.data == OWN) is own


def test_an_ordinary_answer_that_is_signalled_is_no_crash(
    build: Build, wire: RecordingSentry
) -> None:
    """A signalled 404, 405 or redirect: no event, no id. One that an app traps is a crash."""
    from flask import got_request_exception

    def view() -> str:
        for code in (301, 400, 404, 405, 429):
            error = NotFound() if code == 404 else HTTPException(response=Response(status=code))
            got_request_exception.send(app, exception=error)
        return str(g.sentry_event_id)

    app = build(view=view)
    assert get(app).text == "None"
    assert events_of(app, wire) == []
    app = build(TRAP_HTTP_EXCEPTIONS=True)
    assert is_page(get(app, path="/nowhere"))
    assert wire.one_event(app)["exception"]["values"][-1]["type"] == "NotFound"


def test_the_words_of_abort_are_in_the_event(build: Build, wire: RecordingSentry) -> None:
    """abort(500, "why") says why."""
    app = build(view=lambda: abort(500, "the warehouse does not answer"))
    assert is_page(get(app))
    (value,) = wire.one_event(app)["exception"]["values"]
    assert "the warehouse does not answer" in value["value"]


def test_errors_around_the_view_keep_the_kits_routes(build: Build) -> None:
    """With a handler for all errors too: a broken session takes no stylesheet down."""
    app = build(of_http_exception)

    class NoSession(SecureCookieSessionInterface):
        def open_session(self, *args: Any) -> Any:
            raise Broken

    app.session_interface = NoSession()  # Flask's own is one for all apps
    assert get(app, path="/_sentry_kit/static/crash.css").status_code == 200
    assert is_page(get(app))


def test_a_subclass_of_internal_server_error_is_a_crash(
    build: Build, wire: RecordingSentry
) -> None:
    """Its handler is called as Flask would call it."""

    class NoDisk(InternalServerError):
        description = "no disk"

    def view() -> str:
        raise NoDisk

    app = build(of_http_exception, view=view)
    assert get(app, CURL).data == OWN
    assert len(events_of(app, wire)) == 1
