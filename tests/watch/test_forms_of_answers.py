"""A handler's 500 is one event in every form; if the handler raises, the page shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, abort
from werkzeug.exceptions import HTTPException

from flask_sentry_kit import SentryKit
from tests.support.sentry import RecordingSentry

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
CURL = {"Accept": "*/*"}

Serve = Callable[..., Any]


class Broken(Exception):
    """The exception of the view."""


def crash() -> str:
    raise Broken("in the view")


@pytest.fixture
def serve(wire: RecordingSentry) -> Iterator[Serve]:
    """Make an app with a handler for a kind of error, and return the answer to one request."""
    made: list[Flask] = []

    def get(
        headers: dict[str, str],
        kind: Any = 500,
        handler: Callable[[Any], Any] | None = None,
        *,
        view: Callable[[], Any] = crash,
        where: str = "app",
        kit: bool = True,
    ) -> Any:
        app = Flask("shop")
        app.config.update(SENTRY_DSN=wire.dsn, SECRET_KEY="k")
        part = Blueprint("part", "part")
        part.add_url_rule("/x", view_func=view)
        if handler is not None:
            (app if where == "app" else part).register_error_handler(kind, handler)
        app.register_blueprint(part)
        if kit:
            app.register_blueprint(SentryKit())
            made.append(app)
        response = app.test_client().get("/x", headers=headers)
        assert not kit or app.extensions["sentry"].flush(10)
        return response

    yield get
    for app in made:
        app.extensions["sentry_kit"].outbox.close(1)


def kinds_sent(wire: RecordingSentry) -> list[str]:
    return [event["exception"]["values"][-1]["type"] for event in wire.events]


def response_and_headers(error: Any) -> Any:
    return Response("own", 500, mimetype="application/json"), {"X-Own": "1"}


def words_and_status(error: Any) -> Any:
    return "own", "500 BROKEN", {"Content-Type": "text/plain"}


def wsgi_app(error: Any) -> Any:
    def answer(environ: Any, start_response: Any) -> Any:
        start_response("500 BROKEN", [("Content-Type", "text/plain")])
        return [b"own"]

    return answer


def stream(error: Any) -> Any:
    return Response((word for word in ("o", "wn")), 500, mimetype="text/plain")


FORMS = [response_and_headers, words_and_status, wsgi_app, stream]


@pytest.mark.parametrize("where", ["app", "blueprint"])
@pytest.mark.parametrize("kind", [Exception, HTTPException])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_500_is_one_event(
    serve: Serve, wire: RecordingSentry, form: Any, kind: Any, where: str
) -> None:
    """A browser gets the page; any other client gets the same answer as without the kit."""
    bare = serve(CURL, kind, form, where=where, kit=False)
    response = serve(CURL, kind, form, where=where)
    assert (response.status, response.data) == (bare.status, bare.data) and bare.data == b"own"
    assert response.headers.get("X-Own") == bare.headers.get("X-Own")
    page = serve(BROWSER, kind, form, where=where)
    assert page.mimetype == "text/html" and "Something broke on our side." in page.text
    assert kinds_sent(wire) == ["Broken", "Broken"]
    shown = {response.headers["X-Sentry-ID"], page.headers["X-Sentry-ID"]}
    assert shown == {event["event_id"] for event in wire.events}


def test_a_response_with_status_500_that_is_aborted_with_is_an_event(
    serve: Serve, wire: RecordingSentry
) -> None:
    """As with ``abort(500)``; the response is unchanged."""
    response = serve(BROWSER, view=lambda: abort(Response("own", 500)))
    assert (response.status_code, response.data) == (500, b"own")
    assert response.headers["X-Sentry-ID"] == wire.events[0]["event_id"]


def test_a_response_below_500_that_is_aborted_with_is_none(
    serve: Serve, wire: RecordingSentry
) -> None:
    """A response below 500 is no crash, whichever status it has."""
    response = serve(BROWSER, view=lambda: abort(Response("own", 418)))
    assert (response.status_code, response.data) == (418, b"own")
    assert wire.events == [] and "X-Sentry-ID" not in response.headers


@pytest.mark.parametrize("kind", [500, HTTPException, Exception])
def test_a_handler_that_raises_the_first_error_again_shows_the_page(
    serve: Serve, wire: RecordingSentry, kind: Any
) -> None:
    """It is still one event, and the exception never reaches the server."""

    def again(error: Any) -> Any:
        raise getattr(error, "original_exception", None) or error

    response = serve(BROWSER, kind, again)
    assert response.status_code == 500 and "Something broke on our side." in response.text
    assert kinds_sent(wire) == ["Broken"]
    assert wire.events[0]["event_id"] in response.text


@pytest.mark.parametrize("view", [crash, lambda: abort(500)], ids=["raises", "aborts"])
@pytest.mark.parametrize("kind", [500, HTTPException, Exception])
def test_a_handler_that_answers_nothing_shows_the_page_of_the_first_error(
    serve: Serve, wire: RecordingSentry, kind: Any, view: Any
) -> None:
    """It has failed like one that raises: Flask's error about it is the second event."""
    response = serve(BROWSER, kind, lambda error: None, view=view)
    assert "Something broke on our side." in response.text
    first = "Broken" if view is crash else "InternalServerError"
    assert kinds_sent(wire) == [first, "TypeError"]
    assert response.headers["X-Sentry-ID"] == wire.events[0]["event_id"]
    assert wire.events[0]["event_id"] in response.text
