"""A healthy request costs next to nothing, and no crash is missed because of that."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response, request_started
from werkzeug.test import EnvironBuilder, run_wsgi_app
from werkzeug.wsgi import ClosingIterator

from flask_sentry_kit import sentry, sentry_kit
from flask_sentry_kit.compat import teardown_error
from flask_sentry_kit.event.scope import current_environ

Make = Callable[..., Flask]


def test_no_variable_is_set_without_middleware(make_app: Make) -> None:
    """Flask's own context holds the request; a variable is set only around middleware."""
    app = make_app()
    seen = []

    @app.get("/seen")
    def see() -> str:
        seen.append(current_environ.get())
        return "seen"

    environ = EnvironBuilder(path="/seen").get_environ()
    run_wsgi_app(app, environ)
    assert seen == [None]
    inner = app.wsgi_app
    app.wsgi_app = lambda environ, start: inner(environ, start)  # type: ignore[assignment, method-assign]  # Flask's documented way
    run_wsgi_app(app, environ)
    assert seen[1] is not None
    assert seen[1]["PATH_INFO"] == "/seen"


def test_processing_a_response_stays_flasks_own(make_app: Make) -> None:
    """A response is checked when it is made, not by a wrapper around Flask's function."""
    assert "process_response" not in vars(make_app())


@pytest.mark.parametrize("dsn", [True, False])
def test_a_signal_is_as_it_was_after_the_first_request(dsn: bool, wire: Any) -> None:
    """What the kit finds out when an app begins to serve leaves no receiver behind: with one, each
    request of each app goes the slow way through the signal."""
    gc.collect()
    before = len(request_started.receivers)
    app = Flask("shop")
    app.config["SENTRY_DSN"] = wire.dsn if dsn else None
    app.register_blueprint(sentry_kit)
    assert len(request_started.receivers) > before
    run_wsgi_app(app, EnvironBuilder(path="/").get_environ())
    assert len(request_started.receivers) == before


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_teardown_function_knows_its_request(
    make_app: Make, wire: Any, asynchronous: bool
) -> None:
    """An error that a teardown function reports and raises, after Flask's context, is one event.
    It has the request and the data that the view added."""
    app = make_app()

    @app.get("/x")
    def x() -> str:
        sentry.tags_context({"said": "by the view"})
        return "x"

    def report() -> None:
        try:
            raise KeyError("teardown")
        except KeyError:
            sentry.captureException()
            raise

    async def report_later() -> None:
        await asyncio.sleep(0)
        report()

    @app.teardown_appcontext
    def teardown(error: BaseException | None) -> Any:
        return app.ensure_sync(report_later)() if asynchronous else report()

    with pytest.raises(Exception) as raised:  # noqa: PT011  # a group of one from Flask 3.2 on
        run_wsgi_app(app, EnvironBuilder(path="/x").get_environ())
    assert isinstance(teardown_error(raised.value), KeyError)
    event = wire.one_event(app)
    assert event["request"]["url"] == "http://localhost/x"
    assert event["tags"]["said"] == "by the view"


def test_what_middleware_calls_at_the_end_is_watched(make_app: Make, wire: Any) -> None:
    """Middleware may add its own clean-up after Flask's response, with Werkzeug's functions."""
    app = make_app()
    inner = app.wsgi_app

    def clean_up() -> None:
        raise KeyError("cleaning up")

    app.wsgi_app = lambda environ, start: ClosingIterator(inner(environ, start), clean_up)  # type: ignore[assignment, method-assign]  # Flask's documented way
    body = app(EnvironBuilder(path="/").get_environ(), lambda *started: lambda data: None)
    assert list(body) == [b"fine"]
    with pytest.raises(KeyError):
        body.close()  # type: ignore[attr-defined]  # WSGI's
    assert wire.one_event(app)["message"] == "KeyError: 'cleaning up'"


def test_a_response_replaced_at_the_end_is_watched(make_app: Make, wire: Any) -> None:
    """The last function that runs may still answer with a stream."""
    app = make_app()

    @app.after_request
    def replace(response: Response) -> Response:
        def broken() -> Any:
            yield b"begun"
            raise KeyError("stream")

        response.response = broken()
        return response

    with pytest.raises(KeyError):
        run_wsgi_app(app, EnvironBuilder(path="/").get_environ(), buffered=True)
    assert wire.one_event(app)["message"] == "KeyError: 'stream'"
