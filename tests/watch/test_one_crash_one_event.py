"""One crash, one event, one id: every way an exception can travel through Flask, over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response, abort, g

from flask_sentry_kit import Sentry, sentry
from tests.watch.ways import (
    INSIDE,
    MODES,
    OUTSIDE,
    Broken,
    answer_of,
    handler_with_crash_response,
    types_of,
    view,
)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", [*INSIDE, handler_with_crash_response], ids=lambda w: w.__name__)
def test_what_breaks_inside(app: Any, wire: Any, way: Any, mode: str) -> None:
    """One event with the exception and its request; page, g and header show its id."""
    made = app(way, mode)
    response = answer_of(made)
    event = wire.one_event(made)
    assert "Broken" in types_of(event)
    assert event["request"]["url"] == "http://localhost/x"
    if mode in ("production", "logging"):
        assert response is not None
        assert response.status_code == 500
        assert response.headers["X-Sentry-ID"] == event["event_id"]
        if "Reference" in response.text or response.text.startswith("sorry "):
            assert event["event_id"] in response.text
        if way.__name__ not in (
            "handler_of_its_class",
            "handler_with_a_status_object",
            "handler_with_a_response",
        ):
            assert event["event_id"] in response.text


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", OUTSIDE, ids=lambda w: w.__name__)
def test_what_breaks_outside(app: Any, wire: Any, way: Any, mode: str) -> None:
    """One event with the exception and its request, though Flask's context is gone."""
    made = app(way, mode)
    answer_of(made)
    event = wire.one_event(made)
    assert "Broken" in types_of(event)
    assert event["request"]["url"] == "http://localhost/x"
    assert event["request"]["method"] == "GET"


@pytest.mark.parametrize("way", [*INSIDE, *OUTSIDE], ids=lambda w: w.__name__)
def test_the_stack_shows_none_of_our_calls(app: Any, wire: Any, way: Any) -> None:
    """What an exception passes through on its way from the view to the server, ours is left out."""
    made = app(way, "production")
    answer_of(made)
    frames = [
        frame["module"]
        for value in wire.one_event(made)["exception"]["values"]
        for frame in value.get("stacktrace", {"frames": []})["frames"]
    ]
    assert [module for module in frames if module.startswith("flask_sentry_kit")] == []


def test_async_hooks(app: Any, wire: Any) -> None:
    """An exception of an async before_request is one event too."""

    def way(app: Flask) -> None:
        view(app)

        @app.before_request
        async def hook() -> None:
            raise Broken

    made = app(way, "production")
    assert answer_of(made).status_code == 500
    assert types_of(wire.one_event(made)) == ["Broken"]


def test_abort_500_is_captured(app: Any, wire: Any) -> None:
    """abort(500) is a crash as well, with the frame that called it."""

    def way(app: Flask) -> None:
        @app.get("/x")
        def x() -> str:
            abort(500)

    made = app(way, "production")
    response = answer_of(made)
    event = wire.one_event(made)
    assert types_of(event) == ["InternalServerError"]
    assert event["event_id"] in response.text
    frames = event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert [frame["function"] for frame in frames if frame["in_app"]] == ["x"]


def test_abort_500_in_a_before_request(app: Any, wire: Any) -> None:
    """abort(500) from a hook too, where raven left g without the attribute."""

    def way(app: Flask) -> None:
        app.before_request(lambda: abort(500))

        @app.errorhandler(500)
        def handle(error: Exception) -> Any:
            return f"id {g.sentry_event_id}", 500

    made = app(way, "production")
    assert answer_of(made).text == f"id {wire.one_event(made)['event_id']}"


def test_abort_with_a_response_of_its_own_is_no_crash(app: Any, wire: Any) -> None:
    """502, 503 and similar answers are given on purpose: nothing is reported."""

    def way(app: Flask) -> None:
        @app.get("/x")
        def x() -> str:
            abort(503)

    made = app(way, "production")
    assert answer_of(made).status_code == 503
    assert made.extensions["sentry"].flush(1)
    assert wire.received == []


def test_a_handled_exception_is_no_crash(app: Any, wire: Any) -> None:
    """An exception that its handler turns into a proper answer is not reported."""

    def way(app: Flask) -> None:
        view(app)
        app.register_error_handler(Broken, lambda error: ("not found", 404))

    made = app(way, "production")
    response = answer_of(made)
    assert response.status_code == 404
    assert "X-Sentry-ID" not in response.headers
    assert made.extensions["sentry"].flush(1)
    assert wire.received == []


def test_streams_and_views_are_told_apart(app: Any, wire: Any) -> None:
    """A stream that breaks after its view captured something else is a second event, both with
    their request."""

    def way(app: Flask) -> None:
        @app.get("/x")
        def x() -> Response:
            try:
                raise KeyError("handled")
            except KeyError:
                sentry.captureException()

            def body() -> Iterator[str]:
                yield "begun"
                raise Broken

            return Response(body())

    made = app(way, "production")
    answer_of(made)
    assert made.extensions["sentry"].flush(5)
    assert [types_of(event) for event in wire.events] == [["KeyError"], ["Broken"]]
    assert {event["request"]["url"] for event in wire.events} == {"http://localhost/x"}


def test_the_same_exception_object_in_two_requests_is_two_events(app: Any, wire: Any) -> None:
    """One exception object that is raised in each request is reported once per request."""
    always = Broken("the same object")

    def way(app: Flask) -> None:
        @app.get("/x")
        def x() -> str:
            raise always

    made = app(way, "production")
    ids = [answer_of(made).headers["X-Sentry-ID"] for _ in range(6)]
    assert made.extensions["sentry"].flush(5)
    assert [event["event_id"] for event in wire.events] == ids
    assert len(set(ids)) == 6


def test_many_different_exceptions_are_as_many_events(app: Any, wire: Any) -> None:
    """Exceptions are not taken for each other because memory is used again (raven lost 172 of
    200)."""

    def way(app: Flask) -> None:
        @app.get("/x")
        def x() -> str:
            for number in range(200):
                try:
                    raise Broken(number)
                except Broken:
                    sentry.captureException()
            return "x"

    made = app(way, "production")
    answer_of(made)
    assert made.extensions["sentry"].flush(10)
    assert [event["message"] for event in wire.events] == [f"Broken: {n}" for n in range(200)]


def test_sampled_out_means_no_id_anywhere(app: Any, wire: Any) -> None:
    """An event that sample_rate drops is not claimed: no header, no reference, no dialog."""

    def way(app: Flask) -> None:
        view(app)
        app.extensions["sentry"].client_of(app).sample_rate = 0

    made = app(way, "production")
    response = answer_of(made)
    assert response.status_code == 500
    assert "X-Sentry-ID" not in response.headers
    assert "Reference" not in response.text
    assert "showReportDialog" not in response.text
    assert made.extensions["sentry"].flush(1)
    assert wire.received == []


def test_a_full_outbox_means_no_id(app: Any, wire: Any) -> None:
    """An event that the outbox did not accept is not claimed either."""

    def way(app: Flask) -> None:
        view(app)
        app.extensions["sentry_kit"].outbox.close(0)

    response = answer_of(app(way, "production"))
    assert response.status_code == 500
    assert "X-Sentry-ID" not in response.headers
    assert "report of this" not in response.text
    assert wire.received == []


def test_messages_do_not_take_the_crashs_place(app: Any, wire: Any) -> None:
    """A message sent before the crash is an event of its own; the page shows the crash's id."""

    def way(app: Flask) -> None:
        @app.get("/x")
        def x() -> str:
            sentry.captureMessage("on the way")
            raise Broken

    made = app(way, "production")
    response = answer_of(made)
    assert made.extensions["sentry"].flush(5)
    message, crash = wire.events
    assert message["message"] == "on the way"
    assert response.headers["X-Sentry-ID"] == crash["event_id"]
    assert crash["event_id"] in response.text
    assert message["event_id"] not in response.text


def test_two_apps_inside_each_other(app: Any, wire: Any) -> None:
    """An app whose view calls another app's client: each app reports its own crash, once."""
    inner = app(view, "production")

    def way(app: Flask) -> None:
        @app.get("/x")
        def x() -> str:
            assert inner.test_client().get("/x").status_code == 500
            raise KeyError("outer")

    outer = app(way, "production")
    answer_of(outer)
    for one in (inner, outer):
        assert one.extensions["sentry"].flush(5)
    assert sorted(types_of(event)[-1] for event in wire.events) == ["Broken", "KeyError"]


def test_a_client_that_goes_away_is_no_crash(app: Any, wire: Any) -> None:
    """A stream closed early by the server ends its generator; nothing is reported."""

    def way(app: Flask) -> None:
        @app.get("/x")
        def x() -> Response:
            def body() -> Iterator[str]:
                while True:
                    yield "more"

            return Response(body())

    made = app(way, "production")
    with made.test_client().get("/x", buffered=False) as response:
        assert next(response.iter_encoded()) == b"more"
    assert made.extensions["sentry"].flush(1)
    assert wire.received == []


def test_two_reporters_on_one_app_report_once(wire: Any) -> None:
    """init_app called again, by the same Sentry or another, replaces the earlier setup."""
    made = Flask("shop")
    view(made)
    first = Sentry(made, dsn=wire.dsn)
    first.init_app(made, dsn=wire.dsn)
    second = Sentry(made, dsn=wire.dsn)
    made.test_client().get("/x")
    made.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(Broken):
        made.test_client().get("/x")
    assert second.flush(5)
    assert first.flush(5)
    assert [types_of(event) for event in wire.events] == [["Broken"]] * 2


def test_a_crash_is_captured_once_and_its_id_handed_on(app: Any, wire: Any) -> None:
    """The page looks up the event of the crash; it does not capture the crash again."""
    made = app(view, "production")
    client = made.extensions["sentry"].client_of(made)
    captured = []
    capture = client.capture
    client.capture = lambda *args, **kwargs: captured.append(args) or capture(*args, **kwargs)
    response = answer_of(made)
    assert len(captured) == 1
    assert wire.one_event(made)["event_id"] in response.text
