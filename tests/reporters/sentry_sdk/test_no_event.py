"""No id is shown, and nothing claimed, of a crash whose event the SDK does not send."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import sentry_sdk
from flask import Flask, abort

from tests.support.sdk import Sdk
from tests.support.sentry import Answer, Received, RecordingSentry
from tests.support.types import MakeApp
from tests.watch.ways import (
    MODES,
    Broken,
    answer_of,
    handler_of_500,
    types_of,
    view,
)


def claims_nothing(response: Any) -> bool:
    """Whether the page shows, without an id, a dialog, or a form."""
    assert response.status_code == 500 and "<!doctype html>" in response.text
    return "X-Sentry-ID" not in response.headers and not any(
        claim in response.text for claim in ("Reference", "showReportDialog", "<form", "report of")
    )


def abort_500(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        abort(500)


NOTHING_SENT: dict[str, dict[str, Any]] = {
    "sampled out": {"sample_rate": 0.0},
    "sampled out, without integrations": {"sample_rate": 0.0, "default_integrations": False},
    "dropped by before_send": {"before_send": lambda event, hint: None},
    "before_send, without integrations": {
        "before_send": lambda event, hint: None,
        "default_integrations": False,
    },
    "ignored": {"ignore_errors": [Broken]},
    "an empty DSN": {"dsn": ""},
    "no DSN": {"dsn": None},
}


@pytest.mark.parametrize("options", NOTHING_SENT.values(), ids=NOTHING_SENT)
def test_what_is_not_sent_has_no_id(
    sdk: Sdk, shop: MakeApp, options: dict[str, Any], wire: RecordingSentry
) -> None:
    """The page shows all the same."""
    sdk.init(**options)
    assert claims_nothing(answer_of(shop(SENTRY_KIT_REPORTER="sentry-sdk")))
    assert sdk.events == []


@pytest.mark.parametrize("way", [view, abort_500])
@pytest.mark.parametrize("integrations", [True, False])
def test_a_crash_is_sampled_once(
    sdk: Sdk, shop: MakeApp, integrations: bool, way: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If its event is sampled out, no other capture of the same crash gets a second chance: not the
    kit's, nor that of Flask's log record about it."""
    thrown = iter([0.9])
    dice = SimpleNamespace(random=lambda: next(thrown, 0.0))
    monkeypatch.setattr("sentry_sdk.client.random", dice)
    sdk.init(sample_rate=0.5, default_integrations=integrations)
    assert claims_nothing(answer_of(shop(way)))
    assert sdk.events == []


def test_an_sdk_that_nobody_initialises_reports_nothing(sdk: Sdk, shop: MakeApp) -> None:
    """Where the app asks for it by name."""
    assert claims_nothing(answer_of(shop(SENTRY_KIT_REPORTER="sentry-sdk")))
    assert sdk.events == []


def test_a_processor_of_the_scope_drops_an_event(sdk: Sdk, shop: MakeApp) -> None:
    """As before_send does."""
    sdk.init()

    def way(app: Flask) -> None:
        @app.get("/x")
        def x() -> str:
            scope = sentry_sdk.Scope.get_isolation_scope()
            scope.add_event_processor(lambda event, hint: None)
            raise Broken

    assert claims_nothing(answer_of(shop(way)))
    assert sdk.events == []


def test_before_send_that_fails_drops_the_event(sdk: Sdk, shop: MakeApp) -> None:
    """That is what the SDK makes of it: the app's code is asked once for each event."""
    asked = []

    def before_send(event: Any, hint: Any) -> Any:
        asked.append(event)
        raise KeyError("in before_send")

    sdk.init(before_send=before_send)
    response = answer_of(shop())
    assert [event["event_id"] for event in sdk.events] == response.headers.getlist("X-Sentry-ID")
    assert len(asked) == 1


def test_before_send_is_asked_once_and_may_change_everything(sdk: Sdk, shop: MakeApp) -> None:
    """The id that it gives the event is the one that is shown."""
    asked = []

    def before_send(event: Any, hint: Any) -> Any:
        asked.append(hint["exc_info"][0])
        return {**event, "event_id": "f" * 32, "tags": {"by": "before_send"}}

    sdk.init(before_send=before_send)
    response = answer_of(shop())
    assert sdk.event["tags"] == {"by": "before_send"} and asked == [Broken]
    assert sdk.event["event_id"] == "f" * 32 == response.headers["X-Sentry-ID"]


def test_a_known_rate_limit_drops_the_next_event(
    sdk: Sdk, shop: MakeApp, wire: RecordingSentry
) -> None:
    """The first event is refused after its page was shown; from then on nothing is claimed. A
    limit of other things than errors leaves crashes alone."""

    def limited(category: str) -> Any:
        def answer(request: Received) -> Answer:
            return 429, {"X-Sentry-Rate-Limits": f"60:{category}:organization"}, b"{}"

        return answer

    sdk.init()
    app = shop()
    wire.answer = limited("transaction")
    assert "X-Sentry-ID" in answer_of(app).headers
    sdk.flush()
    wire.answer = limited("error")
    assert "X-Sentry-ID" in answer_of(app).headers
    sdk.flush()
    assert claims_nothing(answer_of(app))
    assert len(sdk.events) == 2


def test_a_full_queue_drops_the_next_event(sdk: Sdk, shop: MakeApp, wire: RecordingSentry) -> None:
    """While the server holds one request, a queue of one has one place."""
    sdk.init(transport_queue_size=1, auto_session_tracking=False)
    app = shop()
    wire.hold()
    assert "X-Sentry-ID" in answer_of(app).headers
    wire.wait_for_requests(1)
    assert "X-Sentry-ID" in answer_of(app).headers
    assert claims_nothing(answer_of(app))
    wire.release()
    assert len(sdk.events) == 2


def test_abort_500_and_a_handlers_500_are_events(sdk: Sdk, shop: MakeApp) -> None:
    """The SDK alone has none of abort(500), and none of what a handler answers."""
    sdk.init()

    def way(app: Flask) -> None:
        @app.get("/x")
        def x() -> str:
            abort(500)

        @app.get("/handled")
        def handled() -> str:
            raise Broken

        app.register_error_handler(Broken, lambda error: ("sorry", 500))

    app = shop(way)
    ids = [answer_of(app, path).headers["X-Sentry-ID"] for path in ("/x", "/handled")]
    assert [event["event_id"] for event in sdk.events] == ids
    assert [types_of(event) for event in sdk.events] == [["InternalServerError"], ["Broken"]]
    mechanisms = [event["exception"]["values"][-1]["mechanism"] for event in sdk.events]
    assert [one["handled"] for one in mechanisms] == [False, True]


@pytest.mark.parametrize("way", [view, handler_of_500], ids=lambda way: way.__name__)
@pytest.mark.parametrize("mode", MODES)
def test_one_event_where_exceptions_pass_through(
    sdk: Sdk, shop: MakeApp, mode: str, way: Any
) -> None:
    """In tests, in debug mode and with PROPAGATE_EXCEPTIONS the server gets the exception."""
    sdk.init()
    response = answer_of(shop(way, **MODES[mode]))
    assert types_of(sdk.event) == ["Broken"]
    assert (response is None) == (mode in ("testing", "propagating", "debug"))
