"""Tests with an initialised sentry-sdk, in a process of their own: ``init`` changes Flask, logging,
threading and http.client for the rest of a process.

The run of all other tests does not collect this directory. tests/reporters/test_on_sentry_sdk.py
runs it in two processes, on the newest release and on the oldest. By hand:

    SENTRY_SDK_TESTS=newest .venv/bin/python -m pytest tests/reporters/sentry_sdk
    SENTRY_SDK_TESTS=oldest PYTHONPATH=.sentry-sdk-oldest .venv/bin/python -m pytest \
        tests/reporters/sentry_sdk
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sentry_sdk
from flask import Flask

from flask_sentry_kit import sentry_kit
from scripts import oldest
from tests.support.sdk import Sdk, initialisable
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeApp
from tests.watch.ways import middleware_before, view


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse another release than the one that was asked for."""
    found = "oldest" if f"sentry-sdk=={sentry_sdk.VERSION}" in oldest.constraints() else "newest"
    if found != os.environ["SENTRY_SDK_TESTS"]:
        raise pytest.UsageError(f"sentry-sdk is {sentry_sdk.VERSION} here, which is the {found}")


@pytest.fixture
def sdk(wire: RecordingSentry) -> Iterator[Sdk]:
    """The real sentry-sdk; a test initialises it, and everything is undone after the test."""
    with initialisable(wire) as sdk:
        yield sdk


@pytest.fixture
def shop() -> Iterator[MakeApp]:
    """Makes an app with the kit that fails in one of the ways of tests/watch/ways.py; keywords are
    its config."""
    made: list[Flask] = []

    def make(way: Callable[[Flask], None] = view, **config: Any) -> Flask:
        app = Flask("shop")
        app.config.update(SECRET_KEY="k", **config)
        if way is middleware_before:
            way(app)
        app.register_blueprint(sentry_kit)
        if way is not middleware_before:
            way(app)
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions["sentry_kit"].outbox.close(1)
