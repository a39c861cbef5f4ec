"""What an exception does while it is described costs neither the page nor the event."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from tests.support.sdk import Sdk
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeApp
from tests.watch.ways import answer_of


@pytest.mark.parametrize("integrations", [True, False], ids=["flask", "no integrations"])
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, ValueError])
@pytest.mark.parametrize("name", ["__str__", "message"])
def test_an_exception_that_exits_when_it_is_described(
    sdk: Sdk, shop: MakeApp, name: str, kind: type[BaseException], integrations: bool
) -> None:
    """The page shows the id of its event, which has its type."""
    sdk.init(default_integrations=integrations)

    def exits(self: object) -> Any:
        raise kind

    text = exits if name == "__str__" else property(exits)
    hostile = type("Hostile", (Exception,), {name: text})

    def crash(app: Flask) -> None:
        @app.get("/x")
        def x() -> str:
            raise hostile

    answer = answer_of(shop(crash, SENTRY_KIT_REPORTER="sentry-sdk"))
    assert answer.status_code == 500 and "<!doctype html>" in answer.text
    assert answer.headers["X-Sentry-ID"] == sdk.event["event_id"]
    assert sdk.event["exception"]["values"][-1]["type"].endswith("Hostile")


def test_a_message_that_is_dropped_has_no_id(
    sdk: Sdk, shop: MakeApp, wire: RecordingSentry
) -> None:
    """captureMessage() returns None where the SDK's queue, which takes a hundred, is full."""
    sdk.init()
    app = shop(SENTRY_KIT_REPORTER="sentry-sdk")
    wire.hold()
    with app.app_context():
        ids = [app.extensions["sentry"].captureMessage(f"{number}") for number in range(200)]
    wire.release()
    assert None in ids
    assert {event["event_id"] for event in sdk.events} == {*filter(None, ids)}


def test_a_wrong_call_in_ravens_manner_loses_nothing(sdk: Sdk, shop: MakeApp) -> None:
    """A message whose arguments do not fit is sent as it stands; a context of no names is not
    kept, and nothing raises."""
    sdk.init()
    app = shop(SENTRY_KIT_REPORTER="sentry-sdk")
    with app.app_context():
        sentry = app.extensions["sentry"]
        for method in (sentry.user_context, sentry.tags_context, sentry.extra_context):
            method(5)
        event_id = sentry.captureMessage("%d lamps", params=("three",))
    assert event_id == sdk.event["event_id"]
    assert sdk.event["message"] == "%d lamps"
