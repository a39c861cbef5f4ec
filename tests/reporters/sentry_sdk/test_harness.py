"""What the tests in this directory stand on: each has a real sentry-sdk for itself."""

from __future__ import annotations

import logging
import threading

import pytest
import sentry_sdk
from flask import Flask

from tests.support.sdk import Sdk, initialisable
from tests.support.sentry import RecordingSentry


def test_an_event_arrives_as_an_envelope(sdk: Sdk, wire: RecordingSentry) -> None:
    """Under the id that the SDK gave it, at the address for envelopes."""
    sdk.init(environment="staging")
    id = sentry_sdk.capture_message("hello")
    event = sdk.event
    assert (event["event_id"], event["message"], event["environment"]) == (id, "hello", "staging")
    [request] = [one for one in wire.received if one.event]
    assert request.path == f"/api/{wire.project}/envelope/"


def test_a_crash_of_an_app_is_an_event(sdk: Sdk) -> None:
    """The SDK's own Flask integration reports it, with the request."""
    sdk.init()
    app = Flask("shop")
    app.add_url_rule("/", view_func=lambda: str(1 / 0))
    assert app.test_client().get("/").status_code == 500
    assert sdk.event["exception"]["values"][-1]["type"] == "ZeroDivisionError"
    assert sdk.event["request"]["url"] == "http://localhost/"


def _beside() -> set[str]:
    return {one.name for one in threading.enumerate() if one.name.startswith("sentry.")}


def test_nothing_of_a_test_is_left_to_the_next(wire: RecordingSentry) -> None:
    """Afterwards there is no client, no thread of one, and nothing that was said of the process or
    of the work at hand."""
    with initialisable(wire) as sdk:
        mine = sdk.init(traces_sample_rate=1.0)
        other = sdk.client()
        sentry_sdk.Scope.get_global_scope().set_tag("of", "the process")
        sentry_sdk.set_tag("of", "the work")
        sentry_sdk.capture_message("hello")
        assert sdk.event["tags"]["of"] == "the work"
    assert (mine.transport, other.transport, _beside()) == (None, None, set())
    assert not sentry_sdk.is_initialized()
    assert sentry_sdk.capture_message("to nobody") is None
    logging.getLogger("shop").error("to nobody")
    with initialisable(wire) as sdk:
        sdk.init()
        sentry_sdk.capture_message("again")
        assert [event["message"] for event in sdk.events] == ["hello", "again"]
        assert "of" not in sdk.events[-1].get("tags", {})


@pytest.mark.parametrize("time", [1, 2])
def test_each_test_has_a_client_of_its_own(sdk: Sdk, time: int) -> None:
    """Nothing is sent before a test initialises the SDK."""
    assert not sentry_sdk.is_initialized()
    assert sentry_sdk.capture_message("to nobody") is None
    sdk.init()
    assert sentry_sdk.is_initialized()
