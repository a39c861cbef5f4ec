"""Shops with the kit that crash, for tests that use the plugin's own fixtures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from flask_sentry_kit import sentry_kit


def make_shop(prepare: Callable[[Flask], object] | None = None, **config: Any) -> Flask:
    """A shop whose checkout crashes; keywords are its config.

    :param prepare: is called before the kit is registered.
    """
    app = Flask("shop")
    app.config.update({"SECRET_KEY": "k", "TESTING": True, **config})
    if prepare is not None:
        prepare(app)
    app.register_blueprint(sentry_kit)

    @app.get("/checkout")
    def checkout() -> str:
        return str(1 / 0)

    @app.get("/async")
    async def in_a_coroutine() -> str:
        return str(1 / 0)

    @app.get("/")
    def index() -> str:
        return "A shop"

    return app


@pytest.fixture
def shop() -> Callable[..., Flask]:
    return make_shop
