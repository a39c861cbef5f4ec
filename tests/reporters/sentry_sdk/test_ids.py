"""Whose id the page shows: that of the crash's own event, in whichever scope it was captured, and
whatever else was."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import sentry_sdk
from flask import Flask, abort, copy_current_request_context, g
from jinja2 import DictLoader

from flask_sentry_kit import crash_response, sentry
from tests.support.sdk import Sdk
from tests.support.types import MakeApp
from tests.watch.ways import Broken, answer_of, types_of, view


def captured_first(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        try:
            raise Broken
        except Broken as error:
            sentry_sdk.capture_exception(error)
            sentry_sdk.capture_exception()
            raise


def captured_in_a_new_scope(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        try:
            raise Broken
        except Broken:
            with sentry_sdk.new_scope() as scope:
                scope.set_tag("where", "nested")
                sentry_sdk.capture_exception()
            raise


def captured_in_an_isolation_scope(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        try:
            raise Broken
        except Broken:
            with sentry_sdk.isolation_scope(), sentry_sdk.isolation_scope():
                sentry_sdk.capture_exception()
            raise


def raised_out_of_scopes(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        with sentry_sdk.isolation_scope(), sentry_sdk.new_scope():
            raise Broken


def captured_in_an_async_view(app: Flask) -> None:
    @app.get("/x")
    async def x() -> str:
        try:
            raise Broken
        except Broken:
            with sentry_sdk.isolation_scope():
                sentry_sdk.capture_exception()
            raise


def captured_in_a_thread_of_the_request(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        error = Broken()

        @copy_current_request_context
        def capture() -> None:
            sentry_sdk.capture_exception(error)

        thread = threading.Thread(target=capture)
        thread.start()
        thread.join()
        raise error


@pytest.mark.parametrize(
    "way",
    [
        captured_first,
        captured_in_a_new_scope,
        captured_in_an_isolation_scope,
        raised_out_of_scopes,
        captured_in_an_async_view,
        captured_in_a_thread_of_the_request,
    ],
    ids=lambda way: way.__name__,
)
def test_an_event_of_any_scope_is_the_crashs(sdk: Sdk, shop: MakeApp, way: Any) -> None:
    """It is the only one, and its id is on the page, in the header and on g."""
    sdk.init()
    app = shop(way)
    seen: list[Any] = []
    app.teardown_request(lambda error: seen.append(g.sentry_event_id))
    response = answer_of(app)
    id = sdk.event["event_id"]
    assert response.headers["X-Sentry-ID"] == id and id in response.text and seen[-1] == id


def message_before(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        sentry_sdk.capture_message("other")
        raise Broken


def other_exception_in_a_scope(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        with sentry_sdk.isolation_scope():
            try:
                raise KeyError("other")
            except KeyError:
                sentry_sdk.capture_exception()
        raise Broken


def logged_without_the_exception(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        app.logger.error("other")
        raise Broken


def message_in_the_apps_handler(app: Flask) -> None:
    view(app)

    @app.errorhandler(Broken)
    def handle(error: Exception) -> Any:
        sentry_sdk.capture_message("other")
        return crash_response(error)


def message_by_ravens_name(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        assert sentry.captureMessage("other")
        raise Broken


def thread_of_its_own(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        thread = threading.Thread(target=sentry_sdk.capture_message, args=("other",))
        thread.start()
        thread.join()
        raise Broken


@pytest.mark.parametrize(
    "way",
    [
        message_before,
        other_exception_in_a_scope,
        logged_without_the_exception,
        message_in_the_apps_handler,
        message_by_ravens_name,
        thread_of_its_own,
    ],
    ids=lambda way: way.__name__,
)
def test_another_event_does_not_take_the_crashs_place(sdk: Sdk, shop: MakeApp, way: Any) -> None:
    """There are two, and the page shows the crash's."""
    sdk.init()
    response = answer_of(shop(way))
    events = {"exception" in one and types_of(one)[-1] == "Broken": one for one in sdk.events}
    assert len(sdk.events) == 2
    crash, other = events[True]["event_id"], events[False]["event_id"]
    assert response.headers["X-Sentry-ID"] == crash and crash in response.text
    assert other not in response.text


def test_a_transaction_is_not_the_crashs_event(sdk: Sdk, shop: MakeApp) -> None:
    """With tracing on, the request's transaction has an id too; it is not shown."""
    sdk.init(traces_sample_rate=1.0)
    response = answer_of(shop())
    assert response.headers["X-Sentry-ID"] == sdk.event["event_id"]
    kinds = [kind for request in sdk.wire.received for kind, _ in request.items]
    assert "transaction" in kinds


@pytest.mark.parametrize("integrations", [True, False])
def test_the_sdks_last_event_id_is_the_same(sdk: Sdk, shop: MakeApp, integrations: bool) -> None:
    """A handler of the SDK's recipe goes on working, now after abort(500) too."""

    def way(app: Flask) -> None:
        @app.get("/x")
        def x() -> str:
            abort(500)

        @app.errorhandler(500)
        def handle(error: Exception) -> Any:
            return last_event_id(), 500

    # 2.0.0 has no such function.
    last_event_id = getattr(sentry_sdk, "last_event_id", lambda: g.sentry_event_id)
    sdk.init(default_integrations=integrations)
    response = answer_of(shop(way))
    assert response.text == sdk.event["event_id"] == response.headers["X-Sentry-ID"]


def test_init_at_the_first_request(sdk: Sdk, shop: MakeApp) -> None:
    """By a hook of the app's, as some have it in each worker: the crash of that request has an id,
    where the app asks for the SDK by name."""
    app = shop(SENTRY_KIT_REPORTER="sentry-sdk")
    app.before_request(lambda: sdk.init() and None)
    assert answer_of(app).headers["X-Sentry-ID"] == sdk.event["event_id"]


def test_a_second_error_on_the_page_is_an_event_of_its_own(sdk: Sdk, shop: MakeApp) -> None:
    """The app's 500.html is broken: the page shows, with the first error's id."""
    sdk.init()
    app = shop()
    app.jinja_loader = DictLoader({"500.html": "{{ nothing.there }}"})
    response = answer_of(app)
    first, second = sdk.events
    assert [types_of(first), types_of(second)[-1:]] == [["Broken"], ["UndefinedError"]]
    assert response.headers["X-Sentry-ID"] == first["event_id"]
    assert first["event_id"] in response.text and second["event_id"] not in response.text


def test_middleware_that_is_added_after_the_kit(sdk: Sdk, shop: MakeApp) -> None:
    """It fails outside of Flask: one event, with the request."""
    sdk.init()
    app = shop()
    inner = app.wsgi_app

    def middleware(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/broken":
            raise Broken
        return inner(environ, start_response)

    app.wsgi_app = middleware  # type: ignore[method-assign]
    answer_of(app, "/broken")
    assert types_of(sdk.event) == ["Broken"]
    assert sdk.event["request"]["url"] == "http://localhost/broken"


def test_one_exception_object_in_two_requests_is_two_events(sdk: Sdk, shop: MakeApp) -> None:
    """It is reported once per request. The SDK alone drops the second: its Dedupe remembers the
    last exception of a thread."""
    always = Broken("the same object")
    sdk.init(default_integrations=False)

    def way(app: Flask) -> None:
        @app.get("/x")
        def x() -> str:
            raise always

    app = shop(way)
    ids = [answer_of(app).headers["X-Sentry-ID"] for _ in range(3)]
    assert [event["event_id"] for event in sdk.events] == ids and len(set(ids)) == 3


def test_requests_at_the_same_time_show_their_own_ids(
    sdk: Sdk, shop: MakeApp, serve: Callable[..., str]
) -> None:
    """Each waits in its view for all others, on a real server with threads."""
    sdk.init()
    together = threading.Barrier(4, timeout=20)

    def way(app: Flask) -> None:
        @app.get("/x/<number>")
        def x(number: str) -> str:
            together.wait()
            raise Broken(number)

    base = serve(shop(way))

    def crash(number: int) -> tuple[str, str]:
        request = Request(f"{base}/x/{number}", headers={"Accept": "text/html"})
        with pytest.raises(HTTPError) as caught, urlopen(request, timeout=30):
            pass
        with caught.value as answer:
            assert answer.headers["X-Sentry-ID"] in answer.read().decode()
            return str(number), answer.headers["X-Sentry-ID"]

    with ThreadPoolExecutor(4) as pool:
        shown = dict(pool.map(crash, range(4)))
    arrived = {one["exception"]["values"][-1]["value"]: one["event_id"] for one in sdk.events}
    assert arrived == shown


def test_an_app_inside_an_app(sdk: Sdk, shop: MakeApp) -> None:
    """A view calls another app with the kit: each crash is one event."""
    sdk.init()
    inner = shop()

    def way(app: Flask) -> None:
        @app.get("/x")
        def x() -> str:
            assert inner.test_client().get("/x").status_code == 500
            raise KeyError("outer")

    response = answer_of(shop(way))
    events = {types_of(event)[-1]: event["event_id"] for event in sdk.events}
    assert len(sdk.events) == 2 and response.headers["X-Sentry-ID"] == events["KeyError"]


def test_an_app_without_the_kit_beside_one_with_it(sdk: Sdk, shop: MakeApp) -> None:
    """It is as it would be alone: its answer has no id, and its crash is one event of the SDK's."""
    sdk.init()
    with_kit, without = shop(), Flask("without")
    view(without)
    assert answer_of(with_kit).headers["X-Sentry-ID"] == sdk.event["event_id"]
    answer = without.test_client().get("/x")
    assert answer.status_code == 500 and "X-Sentry-ID" not in answer.headers
    assert [types_of(event) for event in sdk.events] == [["Broken"]] * 2
    assert "X-Sentry-ID" not in answer_of(without, "/nowhere").headers


def test_a_crash_that_a_handler_answers_properly_is_no_event(sdk: Sdk, shop: MakeApp) -> None:
    """Nor is abort(503), nor a 404."""
    sdk.init()
    app = shop()
    app.register_error_handler(Broken, lambda error: ("sorry", 422))
    assert answer_of(app).status_code == 422 and answer_of(app, "/nowhere").status_code == 404
    assert sdk.events == []
