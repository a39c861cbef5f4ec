"""Middleware around an app: an error in it is one event, and the app is unchanged."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, request

from flask_sentry_kit import sentry_kit
from tests.watch.ways import MODES, Broken, answer_of, streaming, teardown_request, types_of, view


def test_middleware_added_after_the_reporter(app: Any, wire: Any) -> None:
    """Middleware put around the app later is watched as well."""

    def way(app: Flask) -> None:
        inner = app.wsgi_app

        def broken(environ: Any, start_response: Any) -> Any:
            if environ["PATH_INFO"] == "/x":
                raise Broken
            return inner(environ, start_response)

        app.wsgi_app = broken  # type: ignore[method-assign]  # Flask's documented way

    made = app(way, "production")
    answer_of(made)
    event = wire.one_event(made)
    assert types_of(event) == ["Broken"]
    assert event["request"]["url"] == "http://localhost/x"


def copying(app: Flask) -> None:
    inner = app.wsgi_app
    app.wsgi_app = lambda environ, start: inner(dict(environ), start)  # type: ignore[assignment, method-assign]  # Flask's documented way


@pytest.mark.parametrize("mode", ["production", "propagating"])
@pytest.mark.parametrize("way", [streaming, view, teardown_request], ids=lambda w: w.__name__)
@pytest.mark.parametrize("when", ["before", "after", "both"])
def test_middleware_that_copies_the_environ(wire: Any, way: Any, mode: str, when: str) -> None:
    """An exception that passes middleware with an environ of its own is still one event."""
    made = Flask("shop")
    made.config.update(SENTRY_DSN=wire.dsn, SECRET_KEY="k", **MODES[mode])
    if when != "after":
        copying(made)
    made.register_blueprint(sentry_kit)
    if when != "before":
        copying(made)
    way(made)
    answer_of(made)
    event = wire.one_event(made)
    made.extensions["sentry_kit"].outbox.close(1)
    assert types_of(event) == ["Broken"]
    assert event["request"]["url"] == "http://localhost/x"


def test_the_app_stays_what_it_was(wire: Any) -> None:
    """An app of a class of its own keeps its name, its class and its own wsgi_app."""

    class Shop(Flask):
        def wsgi_app(self, environ: Any, start_response: Any) -> Any:
            environ["shop.seen"] = True
            return super().wsgi_app(environ, start_response)

    made = Shop("shop")
    made.config.update(SENTRY_DSN=wire.dsn, SECRET_KEY="k")
    made.register_blueprint(sentry_kit)
    made.add_url_rule("/x", view_func=lambda: str(request.environ["shop.seen"]), endpoint="x")
    assert made.test_client().get("/x").text == "True"
    assert isinstance(made, Shop)
    assert type(made).__name__ == "Shop"
    assert repr(made) == "<Shop 'shop'>"
    kept = made.wsgi_app
    made.wsgi_app = lambda environ, start: kept(environ, start)  # type: ignore[assignment, method-assign]  # Flask's documented way
    assert made.test_client().get("/x").text == "True"
    made.wsgi_app = kept  # type: ignore[method-assign]  # taken off again
    assert made.wsgi_app is kept
    assert made.test_client().get("/x").text == "True"
