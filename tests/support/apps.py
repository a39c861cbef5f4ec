"""Apps that report to ``wire`` through our ``Sentry``, without the page; closed after each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from flask_sentry_kit import Sentry


class Boom(Exception):
    """What the test apps crash with."""


@pytest.fixture
def boom() -> type[Boom]:
    return Boom


def outbox_of(app: Flask) -> Any:
    return app.extensions["sentry"].client_of(app).outbox


@pytest.fixture
def make_app(wire: Any) -> Iterator[Callable[..., Flask]]:
    """Make an app that crashes at /boom; keywords are its config, ``sentry`` those of Sentry()."""
    made: list[Flask] = []

    def make(name: str = "shop", sentry: dict[str, Any] | None = None, **config: Any) -> Flask:
        app = Flask(name)
        app.config.update({"SENTRY_DSN": wire.dsn, "SECRET_KEY": "app-secret", **config})

        @app.get("/")
        def index() -> str:
            return "fine"

        @app.route("/boom", methods=["GET", "POST"])
        def crash() -> str:
            raise Boom(f"in {name}")

        Sentry(app, **(sentry or {}))
        made.append(app)
        return app

    yield make
    for app in made:
        outbox_of(app).close(1)


@pytest.fixture
def crash_event(wire: Any) -> Callable[..., dict[str, Any]]:
    """The one event of a request to an app, as it arrived."""

    def crash(app: Flask, path: str = "/boom", method: str = "GET", **options: Any) -> Any:
        app.test_client().open(path, method=method, **options)
        return wire.one_event(app)

    return crash
