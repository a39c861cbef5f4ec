"""The fixture sentry_kit_reports where sentry-sdk reports: nothing of it leaves the process."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import sentry_sdk

from flask_sentry_kit.testing import Reports, collect_reports
from tests.support.sdk import Sdk
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeApp
from tests.watch.ways import Broken

TRACES: dict[str, Any] = {"traces_sample_rate": 1.0, "enable_backpressure_handling": False}
# With that on, a thread of the SDK's sleeps on for ten seconds behind a test.


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_is_one_event_and_its_page(
    when: str, sdk: Sdk, shop: MakeApp, request: pytest.FixtureRequest
) -> None:
    """Whether the SDK is initialised before the fixture starts or after it; its scopes' tags are
    there, and the words go with it."""
    if when == "before":
        sdk.init()
        app = shop(TESTING=True)
    reports: Reports = request.getfixturevalue("sentry_kit_reports")
    if when == "after":
        sdk.init()
        app = shop(TESTING=True)
    sentry_sdk.set_tag("till", "3")
    answer = app.test_client().get("/x")
    event = reports.one()
    assert event.type == "Broken" and event.tags["till"] == "3"
    assert event.json["sdk"]["name"].startswith("sentry.python")
    page = reports.page(answer)
    assert page.event_id == event.id
    page.write("I pressed pay", email="ann@shop.example")
    assert reports.words[0].event_id == event.id
    sdk.flush()
    assert not sdk.wire.received


@pytest.mark.parametrize("reporter", ["auto", "sentry-sdk"])
def test_a_client_without_a_dsn_reports_in_a_test(
    reporter: str, sdk: Sdk, shop: MakeApp, sentry_kit_reports: Reports
) -> None:
    """As apps call init(dsn=os.environ.get("SENTRY_DSN")) where there is none."""
    sdk.init(dsn=None)
    app = shop(TESTING=True, SENTRY_KIT_REPORTER=reporter)
    answer = app.test_client().get("/x")
    event = sentry_kit_reports.one()
    assert event.json["sdk"]["name"].startswith("sentry.python")
    assert sentry_kit_reports.page(answer).dialog is not None


def test_a_client_without_a_dsn_is_as_before_after_it(sdk: Sdk) -> None:
    """It has no transport, and nothing that watches one."""
    with collect_reports() as reports:
        client = sdk.init(dsn=None)
        sentry_sdk.capture_message("in the test")
        reports.one()
    assert client.transport is None and client.monitor is None
    assert sentry_sdk.capture_message("after it") is None
    assert len(reports.events) == 1


def test_an_app_that_raven_reports_for_has_one_event(sdk: Sdk, shop: MakeApp) -> None:
    """Where it served before the test, and sentry-sdk has no DSN."""
    sdk.init(dsn=None)
    app = shop()
    assert app.test_client().get("/x").status_code == 500
    with collect_reports() as reports:
        app.test_client().get("/x")
        assert reports.one().json["sdk"]["name"] == "raven-python"


def test_nothing_but_events_is_collected(
    sdk: Sdk, shop: MakeApp, sentry_kit_reports: Reports
) -> None:
    """Transactions, sessions and logs neither count nor leave."""
    sdk.init(**TRACES, release="1.2", sample_rate=0.0)
    app = shop()
    app.add_url_rule("/fine", view_func=lambda: "fine")
    assert app.test_client().get("/fine").status_code == 200
    sentry_kit_reports.none()
    sentry_sdk.capture_message("hello")  # none is sampled out
    assert sentry_kit_reports.one().value == "hello"
    sdk.flush()
    assert not sdk.wire.received


def test_afterwards_everything_is_as_before(sdk: Sdk, shop: MakeApp, wire: RecordingSentry) -> None:
    """The client has its own transport, and sends; so does one that was made in the test."""
    first = sdk.init(sample_rate=0.5)
    own: Any = first.transport
    with collect_reports() as reports:
        assert first.transport is not own
        sentry_sdk.capture_message("in the test")
        second = sdk.client()
        assert reports.one().value == "in the test"
    assert first.transport is own and first.options["sample_rate"] == 0.5
    second.capture_event({"message": "after it"})
    assert sdk.event["message"] == "after it"


def test_a_client_that_is_closed_in_a_test_ends_its_own_transport(sdk: Sdk) -> None:
    """init() again closes nothing, but an app's shutdown does."""
    client = sdk.init()
    killed = threading.Event()
    client.transport.kill = killed.set
    with collect_reports():
        client.close()
    assert killed.is_set() and client.transport is None


def test_the_fixtures_inbox_gets_what_is_for_it(sdk: Sdk, shop: MakeApp, tmp_path: Any) -> None:
    """Also where a test collects all the rest."""
    from flask_sentry_kit.testing import run_inbox

    with collect_reports() as reports, run_inbox(tmp_path / "inbox.sqlite") as inbox:
        sdk.init(dsn=inbox.dsn, **TRACES)
        app = shop(TESTING=True)
        page = reports.page(app.test_client().get("/x"))
        event = inbox.wait_for_event(page.event_id)
        assert event.type == Broken.__name__
        page.write("I pressed pay")
        assert inbox.wait_for_words(event.id).comments == "I pressed pay"
        reports.none()
        project = inbox._app.extensions["sentry_kit_inbox"]
        # The inbox's own requests make no transactions, each of which would make one more.
        sdk.flush()
        assert project.skipped["transaction"] == 3  # the crash, the form, the thanks
