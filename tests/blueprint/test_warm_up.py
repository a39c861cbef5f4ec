"""The one-time work of a first crash is done at registration, once."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from flask_sentry_kit import Sentry, sentry_kit
from flask_sentry_kit.event import warm
from flask_sentry_kit.event.build import build_event
from flask_sentry_kit.feedback import token
from flask_sentry_kit.reporters.raven import client

DSN = "http://public@127.0.0.1:9/1"


def crashing(**config: Any) -> Flask:
    app = Flask("shop")
    app.config.update({"SENTRY_DSN": DSN, "SECRET_KEY": "k", **config})

    @app.get("/boom")
    def boom() -> str:
        raise ValueError("boom")

    return app


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"SECRET_KEY": None},
        {"SENTRY_DSN": None},
        {"SENTRY_KIT_FEEDBACK": False},
        {"SENTRY_KIT_DIALOG": False},
        {"SENTRY_KIT_RAVEN_JS": "https://cdn.example/raven.js"},
        {"SENTRY_KIT_RAVEN_JS": "browser"},
        {"SENTRY_KIT_BRAND": {"name": "Quire & Co.", "support_email": "help@example.com"}},
    ],
    ids=lambda config: ",".join(config) or "defaults",
)
def test_the_first_visitor_waits_for_no_template(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page of a first crash is rendered in advance, with any part of it switched off."""
    app = crashing(**config)
    app.register_blueprint(sentry_kit)
    page = app.extensions["sentry_kit"].page

    def fail(*args: object) -> None:
        raise AssertionError("rendered at the crash")

    monkeypatch.setattr(page._bundled, "get_template", fail)
    response = app.test_client().get("/boom", headers={"Accept": "text/html"})
    assert '<link rel="stylesheet"' in response.text  # the last resort has none
    app.extensions["sentry_kit"].outbox.close(0)


def test_the_first_visitor_waits_for_no_queue_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue of the first event and the key that signs the form are made in advance."""
    app = crashing(SENTRY_KIT_REPORTER="raven")
    app.register_blueprint(sentry_kit)

    def fail(*args: object, **options: object) -> None:
        raise AssertionError("made at the crash")

    monkeypatch.setattr(client, "make_outbox", fail)
    monkeypatch.setattr(token, "TimestampSigner", fail)
    response = app.test_client().get("/boom", headers={"Accept": "text/html"})
    assert response.headers["X-Sentry-ID"]
    assert 'name="token"' in response.text
    app.extensions["sentry_kit"].outbox.close(0)


def test_it_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app that made its own Sentry before the kit makes no second trial event."""
    built: list[object] = []

    def count(*args: Any) -> Any:
        built.append(args)
        return build_event(*args)

    monkeypatch.setattr(warm, "build_event", count)
    app = crashing()
    Sentry(app)
    app.register_blueprint(sentry_kit)
    assert len(built) == 1
