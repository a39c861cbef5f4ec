"""Shared helpers for the tests of events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flask_sentry_kit.event.interfaces import EVENT_MAX
from tests.support.types import MakeApp


@pytest.fixture
def event_of(
    make_app: MakeApp, wire: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """The event of an exception, captured in a request, as it arrived."""

    def capture(raise_it: Callable[[], Any], **config: Any) -> Any:
        app = make_app(**config)
        app.add_url_rule("/raises", view_func=raise_it, endpoint="raises")
        # Python's own formatter breaks at some of these, and pytest lets that through.
        monkeypatch.setattr(app.logger, "disabled", True)
        response = app.test_client().get("/raises")
        assert response.status_code == 500
        event = wire.one_event(app)
        assert response.headers["X-Sentry-ID"] == event["event_id"]
        assert len(wire.stored[0].body) <= EVENT_MAX
        return event

    return capture
