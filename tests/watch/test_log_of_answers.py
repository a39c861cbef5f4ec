"""The log names the handlers that answer crashes, and no others."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask import Flask
from werkzeug.exceptions import HTTPException

from flask_sentry_kit import SentryKit


@pytest.mark.parametrize(
    ("kinds", "replace", "when", "named"),
    [
        ((500, HTTPException), False, "before", ["500"]),
        ((500, HTTPException), False, "after", ["500"]),
        ((HTTPException, Exception), False, "before", ["Exception", "HTTPException"]),
        # A handler that is registered later is named at its first crash; this view does not abort.
        ((HTTPException, Exception), False, "after", ["Exception"]),
        ((500,), True, "before", ["500"]),
        ((500,), True, "after", ["500"]),
    ],
)
def test_the_log_names_the_handlers_that_answer(
    caplog: pytest.LogCaptureFixture, kinds: Any, replace: bool, when: str, named: list[str]
) -> None:
    """Beside a handler for 500, a handler for all errors answers a 404 but never a crash; beside
    one for Exception, a handler for HTTPException answers ``abort(500)``."""

    def crash() -> str:
        raise KeyError

    caplog.set_level(logging.INFO, "flask_sentry_kit")
    app = Flask("shop")
    app.config.update(SECRET_KEY="k", SENTRY_KIT_REPLACE_HANDLERS=replace)
    app.add_url_rule("/x", view_func=crash)
    if when == "after":
        app.register_blueprint(SentryKit())
    for kind in kinds:
        app.register_error_handler(kind, lambda error: ("own", 500))
    if when == "before":
        app.register_blueprint(SentryKit())
    app.test_client().get("/x")
    app.test_client().get("/x")
    lines = [one.args for one in caplog.records if "REPLACE_HANDLERS" in one.getMessage()]
    assert sorted(str(args[1]) for args in lines if isinstance(args, tuple)) == named
