"""Which of the SDK's clients sends a crash: the one that is current then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sentry_sdk
from flask import Flask
from sentry_sdk.transport import Transport

from tests.support.sdk import Sdk
from tests.support.sentry import RecordingSentry
from tests.support.types import MakeApp, NewSentry
from tests.support.visitor import Visitor
from tests.watch.ways import Broken, answer_of, types_of


def test_init_again_with_another_dsn(
    sdk: Sdk, shop: MakeApp, wire: RecordingSentry, new_sentry: NewSentry
) -> None:
    """From then on crashes and words go there."""
    other = new_sentry(project="9")
    app = shop(SENTRY_KIT_REPORTER="sentry-sdk")
    sdk.init()
    assert wire.public_dsn in answer_of(app).text
    sdk.init(dsn=other.dsn)
    response = answer_of(app)
    sdk.flush()
    assert other.public_dsn in response.text
    assert [response.headers["X-Sentry-ID"]] == [one["event_id"] for one in other.events]
    assert len(wire.events) == 1


def test_words_go_where_the_crash_went(
    sdk: Sdk, shop: MakeApp, new_sentry: NewSentry, wire: RecordingSentry, serve: Callable[..., str]
) -> None:
    """After ``init`` with another DSN too."""
    other = new_sentry(project="9")
    sdk.init()
    visitor = Visitor(serve(shop()))
    visitor.crash("/x")
    sdk.init(dsn=other.dsn)
    page = visitor.crash("/x")
    visitor.send(page, comments="It broke.")
    assert other.wait_for_report() and wire.reports == []


def test_a_scopes_own_client(sdk: Sdk, shop: MakeApp, new_sentry: NewSentry) -> None:
    """A tenant's client, bound to the isolation scope of the request, sends the crash."""
    other = new_sentry(project="9")
    sdk.init()
    tenant = sdk.client(dsn=other.dsn)

    def way(app: Flask) -> None:
        @app.get("/x")
        def x() -> str:
            sentry_sdk.Scope.get_isolation_scope().set_client(tenant)
            raise Broken

    response = answer_of(shop(way))
    assert sdk.events == []
    assert [one["event_id"] for one in other.events] == [response.headers["X-Sentry-ID"]]
    assert other.public_dsn in response.text


@pytest.mark.filterwarnings("ignore:Function transports are deprecated:DeprecationWarning")
@pytest.mark.parametrize("integrations", [True, False])
def test_a_transport_function_of_the_apps(sdk: Sdk, shop: MakeApp, integrations: bool) -> None:
    """It gets the event whose id is shown."""
    given: list[Any] = []
    sdk.init(transport=given.append, default_integrations=integrations)
    response = answer_of(shop())
    sdk.flush()
    # 2.0.0 gives it events, newer releases envelopes.
    events = [one if isinstance(one, dict) else one.get_event() for one in given]
    found = [event for event in events if event is not None]
    assert [types_of(event) for event in found] == [["Broken"]]
    assert response.headers["X-Sentry-ID"] == found[0]["event_id"]


class OnPaper(Transport):
    """A transport of the app's own."""

    sent: list[Any] = []

    def capture_event(self, event: Any) -> None:
        """Asked by 2.0.0, where the event is not in an envelope."""
        self.sent.append(event)

    def capture_envelope(self, envelope: Any) -> None:
        self.sent.append(envelope.get_event())


def test_a_transport_class_of_the_apps(sdk: Sdk, shop: MakeApp) -> None:
    """It gets the event whose id is shown, though the kit knows nothing about its queue."""
    sdk.init(transport=OnPaper, auto_session_tracking=False)
    response = answer_of(shop())
    assert [response.headers["X-Sentry-ID"]] == [event["event_id"] for event in OnPaper.sent]


def test_a_client_that_is_closed_reports_nothing(sdk: Sdk, shop: MakeApp) -> None:
    """As at the end of a process: the page shows, and claims nothing."""
    app = shop()
    sdk.init()
    answer_of(app)
    sentry_sdk.get_client().close()
    response = answer_of(app)
    assert response.status_code == 500 and "X-Sentry-ID" not in response.headers
    assert len(sdk.wire.events) == 1
