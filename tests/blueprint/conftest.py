"""Apps with the kit, each closed after its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from flask_sentry_kit import sentry_kit


class Boom(Exception):
    """The exception of the test apps."""


@pytest.fixture
def boom() -> type[Boom]:
    return Boom


@pytest.fixture
def bare_app() -> Callable[..., Flask]:
    """Make an app that can crash at /boom, without the kit."""

    def make(name: str = "shop", **config: Any) -> Flask:
        app = Flask(name)
        app.config.update(config)

        @app.get("/")
        def index() -> str:
            return "fine"

        @app.get("/boom")
        def crash() -> str:
            raise Boom(f"in {name}")

        return app

    return make


@pytest.fixture
def kit_app(bare_app: Callable[..., Flask], wire: Any) -> Iterator[Callable[..., Flask]]:
    """Make an app with the kit that reports to ``wire``; keywords are its config."""
    made: list[Flask] = []

    def make(name: str = "shop", blueprint: Any = sentry_kit, **config: Any) -> Flask:
        app = bare_app(name, **{"SENTRY_DSN": wire.dsn, "SECRET_KEY": "k", **config})
        app.register_blueprint(blueprint)
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions["sentry_kit"].outbox.close(1)
