"""One crash, one event, one id: every way an exception can travel through Flask, with sentry-sdk's
own Flask integration, without it, and without what keeps the SDK from sending an event twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sentry_sdk.integrations.flask import FlaskIntegration
from sentry_sdk.integrations.logging import LoggingIntegration

from tests.support.sdk import Sdk
from tests.support.types import MakeApp
from tests.watch.ways import (
    INSIDE,
    OUTSIDE,
    answer_of,
    async_view,
    handler_of_500,
    handler_of_its_class,
    handler_that_breaks,
    handler_with_a_response,
    handler_with_a_status_object,
    handler_with_crash_response,
    logged_then_raised,
    types_of,
    view,
)

INTEGRATIONS: dict[str, dict[str, Any]] = {
    "all": {},
    "no Dedupe": {
        "default_integrations": False,
        "integrations": [FlaskIntegration(), LoggingIntegration()],
    },
    "none": {"default_integrations": False},
}
"""Options of ``sentry_sdk.init``."""


def frames_of(event: dict[str, Any]) -> list[str]:
    return [
        frame["module"]
        for value in event["exception"]["values"]
        for frame in value.get("stacktrace", {"frames": []})["frames"]
    ]


def inside() -> Iterator[Any]:
    """Each way with all integrations, and some without those that make a difference to them."""
    for way in (*INSIDE, handler_with_crash_response):
        yield pytest.param(way, "all", id=f"{way.__name__}-all")
    for way in (view, async_view, handler_of_500, handler_that_breaks, logged_then_raised):
        for fewer in ("no Dedupe", "none"):
            yield pytest.param(way, fewer, id=f"{way.__name__}-{fewer}")


@pytest.mark.parametrize(("way", "integrations"), list(inside()))
def test_what_breaks_inside(sdk: Sdk, shop: MakeApp, way: Any, integrations: str) -> None:
    """One event with the exception, in which none of the kit's calls show; header and page have
    its id."""
    sdk.init(**INTEGRATIONS[integrations])
    response = answer_of(shop(way))
    event = sdk.event
    assert "Broken" in types_of(event)
    assert [module for module in frames_of(event) if module.startswith("flask_sentry_kit")] == []
    assert response.status_code == 500
    assert response.headers["X-Sentry-ID"] == event["event_id"]
    own = (handler_of_its_class, handler_with_a_status_object, handler_with_a_response)
    assert way in own or event["event_id"] in response.text


@pytest.mark.parametrize("integrations", INTEGRATIONS)
@pytest.mark.parametrize("way", OUTSIDE, ids=lambda w: w.__name__)
def test_what_breaks_outside(sdk: Sdk, shop: MakeApp, way: Any, integrations: str) -> None:
    """One event, though Flask's context is gone, or the answer has begun."""
    sdk.init(**INTEGRATIONS[integrations])
    answer_of(shop(way))
    event = sdk.event
    assert "Broken" in types_of(event)
    assert integrations == "none" or event["request"]["url"] == "http://localhost/x"
    assert [module for module in frames_of(event) if module.startswith("flask_sentry_kit")] == []
