"""Apps that fail in one of the ways of ``ways.py``, each closed after its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from flask_sentry_kit import sentry_kit
from tests.watch.ways import MODES, middleware_before


@pytest.fixture
def app(wire: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., Flask]]:
    made: list[Flask] = []

    def make(way: Callable[[Flask], None], mode: str) -> Flask:
        app = Flask("shop")
        app.config.update(SENTRY_DSN=wire.dsn, SECRET_KEY="k", **MODES[mode])
        if way is middleware_before:
            way(app)
            app.register_blueprint(sentry_kit)
        else:
            app.register_blueprint(sentry_kit)
            way(app)
        made.append(app)
        return app

    yield make
    for one in made:
        one.extensions["sentry_kit"].outbox.close(1)
