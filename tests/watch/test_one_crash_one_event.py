"""One crash, one event, one id: every way an exception can travel through Flask, over the wire."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import pytest
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    g,
    jsonify,
    render_template_string,
    request,
    stream_with_context,
)
from flask.views import MethodView
from werkzeug.exceptions import InternalServerError
from werkzeug.routing import BaseConverter

from flask_sentry_kit import Sentry, crash_response, sentry, sentry_kit
from flask_sentry_kit.compat import teardown_error

Make = Callable[..., Flask]


class Broken(Exception):
    """What breaks in every way below."""


def view(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        raise Broken


def before_request(app: Flask) -> None:
    @app.before_request
    def hook() -> None:
        raise Broken


def after_request(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        return "x"

    @app.after_request
    def hook(response: Response) -> Response:
        # Once: that it breaks again on the error page is another crash.
        if response.status_code == 200:
            raise Broken
        return response


def after_this_request(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        import flask

        @flask.after_this_request
        def hook(response: Response) -> Response:
            if response.status_code == 200:
                raise Broken
            return response

        return "x"


def url_value_preprocessor(app: Flask) -> None:
    view(app)

    @app.url_value_preprocessor
    def hook(endpoint: Any, values: Any) -> None:
        raise Broken


def url_converter(app: Flask) -> None:
    class Converter(BaseConverter):
        def to_python(self, value: str) -> str:
            raise Broken

    app.url_map.converters["broken"] = Converter
    app.add_url_rule("/<broken:x>", view_func=lambda x: "x", endpoint="converted")


def no_response(app: Flask) -> None:
    @app.get("/x")
    def x() -> Any:
        if request.args:
            return "x"
        raise Broken from TypeError("a view that returns None ends like this")


def template(app: Flask) -> None:
    def breaks() -> str:
        raise Broken

    @app.get("/x")
    def x() -> str:
        return render_template_string("{{ breaks() }}", breaks=breaks)


def context_processor(app: Flask) -> None:
    @app.context_processor
    def hook() -> dict[str, Any]:
        raise Broken

    @app.get("/x")
    def x() -> str:
        return render_template_string("x")


def method_view(app: Flask) -> None:
    class View(MethodView):
        def get(self) -> str:
            raise Broken

    app.add_url_rule("/x", view_func=View.as_view("x"))


def async_view(app: Flask) -> None:
    @app.get("/x")
    async def x() -> str:
        raise Broken


def blueprint_view(app: Flask) -> None:
    blueprint = Blueprint("part", "part")

    @blueprint.get("/x")
    def x() -> str:
        raise Broken

    app.register_blueprint(blueprint)


def handler_of_its_class(app: Flask) -> None:
    view(app)

    @app.errorhandler(Broken)
    def handle(error: Exception) -> Any:
        return "sorry", 500


def handler_with_a_status_object(app: Flask) -> None:
    view(app)

    @app.errorhandler(Broken)
    def handle(error: Exception) -> Any:
        return {"error": "sorry"}, HTTPStatus.INTERNAL_SERVER_ERROR


def handler_with_a_response(app: Flask) -> None:
    view(app)

    @app.errorhandler(Exception)
    def handle(error: Exception) -> Any:
        response = jsonify(error="sorry")
        response.status_code = 500
        return response


def handler_that_breaks(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        raise KeyError("first")

    @app.errorhandler(KeyError)
    def handle(error: Exception) -> Any:
        raise Broken from error


def handler_that_raises_it_again(app: Flask) -> None:
    view(app)

    @app.errorhandler(Broken)
    def handle(error: Exception) -> Any:
        raise error


def handler_that_aborts(app: Flask) -> None:
    view(app)

    @app.errorhandler(Broken)
    def handle(error: Exception) -> Any:
        abort(500)


def handler_with_crash_response(app: Flask) -> None:
    view(app)
    app.register_error_handler(Broken, crash_response)


def handler_of_500(app: Flask) -> None:
    view(app)

    @app.errorhandler(500)
    def handle(error: Exception) -> Any:
        return f"sorry {g.sentry_event_id}", 500


def captured_then_raised(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        try:
            raise Broken
        except Broken:
            sentry.captureException()
            raise


def captured_twice_then_raised(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        try:
            raise Broken
        except Broken:
            sentry.captureException()
            sentry.captureException()
            raise


def captured_then_aborted(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        raise InternalServerError(original_exception=Broken())


def logged_then_raised(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        try:
            raise Broken
        except Broken:
            app.logger.exception("logged first")
            raise


def logged_elsewhere_then_raised(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        try:
            raise Broken
        except Broken as error:
            logging.getLogger("lib").error("in a library", exc_info=error)
            logging.getLogger("lib.deeper").warning("again", exc_info=True)
            raise


def streaming_with_context(app: Flask) -> None:
    @app.get("/x")
    def x() -> Response:
        def body() -> Iterator[str]:
            yield "begun"
            raise Broken

        return Response(stream_with_context(body()))


def streaming(app: Flask) -> None:
    @app.get("/x")
    def x() -> Response:
        def body() -> Iterator[str]:
            yield "begun"
            raise Broken

        return Response(body())


def streaming_from_the_start(app: Flask) -> None:
    @app.get("/x")
    def x() -> Response:
        def body() -> Iterator[str]:
            raise Broken
            yield ""

        return Response(body())


def call_on_close(app: Flask) -> None:
    @app.get("/x")
    def x() -> Response:
        def close() -> None:
            raise Broken

        response = Response("x")
        response.call_on_close(close)
        return response


def teardown_request(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        return "x"

    @app.teardown_request
    def hook(error: BaseException | None) -> None:
        raise Broken


def teardown_appcontext(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        return "x"

    @app.teardown_appcontext
    def hook(error: BaseException | None) -> None:
        raise Broken


def middleware_before(app: Flask) -> None:
    """Added before the reporter: inside it."""
    inner = app.wsgi_app

    def broken(environ: Any, start_response: Any) -> Any:
        raise Broken

    assert callable(inner)
    app.wsgi_app = broken  # type: ignore[method-assign]  # Flask's documented way


def system_exit(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        raise SystemExit(3) from Broken()


def keyboard_interrupt_from_a_library(app: Flask) -> None:
    @app.get("/x")
    def x() -> str:
        raise KeyboardInterrupt from Broken()


INSIDE = [
    view,
    before_request,
    after_request,
    after_this_request,
    url_value_preprocessor,
    url_converter,
    no_response,
    template,
    context_processor,
    method_view,
    async_view,
    blueprint_view,
    handler_of_its_class,
    handler_with_a_status_object,
    handler_with_a_response,
    handler_that_breaks,
    handler_that_raises_it_again,
    handler_that_aborts,
    handler_of_500,
    captured_then_raised,
    captured_twice_then_raised,
    captured_then_aborted,
    logged_then_raised,
    logged_elsewhere_then_raised,
]
"""The answer can still tell of the event."""

OUTSIDE = [
    streaming_with_context,
    streaming,
    streaming_from_the_start,
    call_on_close,
    teardown_request,
    teardown_appcontext,
    middleware_before,
    system_exit,
    keyboard_interrupt_from_a_library,
]
"""The answer has begun, or there is none."""

MODES: dict[str, dict[str, Any]] = {
    "production": {},
    "testing": {"TESTING": True},
    "propagating": {"PROPAGATE_EXCEPTIONS": True},
    "debug": {"DEBUG": True},
    "logging": {"SENTRY_KIT_LOGGING": logging.WARNING},
}


@pytest.fixture
def app(wire: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., Flask]]:
    made: list[Flask] = []

    def make(way: Callable[[Flask], None], mode: str) -> Flask:
        app = Flask("shop")
        app.config.update(SENTRY_DSN=wire.dsn, SECRET_KEY="k", **MODES[mode])
        if way is middleware_before:
            way(app)
            app.register_blueprint(sentry_kit)
        else:
            app.register_blueprint(sentry_kit)
            way(app)
        made.append(app)
        return app

    yield make
    for one in made:
        one.extensions["sentry_kit"].outbox.close(1)
    for handler in list(logging.getLogger().handlers):
        if type(handler).__module__.startswith("flask_sentry_kit"):
            logging.getLogger().removeHandler(handler)


def _get(app: Flask, path: str = "/x") -> Any:
    """The answer, read to its end and closed; None where the exception went past Flask."""
    try:
        with app.test_client().get(path, headers={"Accept": "text/html"}) as response:
            assert response.data is not None
            return response
    except BaseException as error:
        # Flask 3.2 raises what its teardown functions raised as a group.
        passed = Broken, SystemExit, KeyboardInterrupt, InternalServerError
        if not isinstance(teardown_error(error), passed):
            raise
        return None


def _types(event: dict[str, Any]) -> list[str]:
    return [value["type"] for value in event["exception"]["values"]]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", [*INSIDE, handler_with_crash_response], ids=lambda w: w.__name__)
def test_what_breaks_inside(app: Any, wire: Any, way: Any, mode: str) -> None:
    """One event with the exception and its request; page, g and header show its id."""
    made = app(way, mode)
    response = _get(made)
    event = wire.one_event(made)
    assert "Broken" in _types(event)
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
    _get(made)
    event = wire.one_event(made)
    assert "Broken" in _types(event)
    assert event["request"]["url"] == "http://localhost/x"
    assert event["request"]["method"] == "GET"


def test_async_hooks(app: Any, wire: Any) -> None:
    """What an async before_request raises is one event too."""

    def way(app: Flask) -> None:
        view(app)

        @app.before_request
        async def hook() -> None:
            raise Broken

    made = app(way, "production")
    assert _get(made).status_code == 500
    assert _types(wire.one_event(made)) == ["Broken"]


def test_abort_500_is_captured(app: Any, wire: Any) -> None:
    """abort(500) is a crash as well, with the frame that called it."""

    def way(app: Flask) -> None:
        @app.get("/x")
        def x() -> str:
            abort(500)

    made = app(way, "production")
    response = _get(made)
    event = wire.one_event(made)
    assert _types(event) == ["InternalServerError"]
    assert event["event_id"] in response.text
    frames = event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert [frame["function"] for frame in frames if frame["in_app"]] == ["x"]


def test_abort_500_in_a_before_request(app: Any, wire: Any) -> None:
    """… from a hook too, where raven left g without the attribute."""

    def way(app: Flask) -> None:
        app.before_request(lambda: abort(500))

        @app.errorhandler(500)
        def handle(error: Exception) -> Any:
            return f"id {g.sentry_event_id}", 500

    made = app(way, "production")
    assert _get(made).text == f"id {wire.one_event(made)['event_id']}"


def test_abort_with_a_response_of_its_own_is_no_crash(app: Any, wire: Any) -> None:
    """502, 503 and their kin are answers given on purpose: nothing is reported."""

    def way(app: Flask) -> None:
        @app.get("/x")
        def x() -> str:
            abort(503)

    made = app(way, "production")
    assert _get(made).status_code == 503
    assert made.extensions["sentry"].flush(1)
    assert wire.received == []


def test_a_handled_exception_is_no_crash(app: Any, wire: Any) -> None:
    """An exception that its handler turns into a proper answer is the app's business."""

    def way(app: Flask) -> None:
        view(app)
        app.register_error_handler(Broken, lambda error: ("not found", 404))

    made = app(way, "production")
    response = _get(made)
    assert response.status_code == 404
    assert "X-Sentry-ID" not in response.headers
    assert made.extensions["sentry"].flush(1)
    assert wire.received == []


def test_middleware_added_after_the_reporter(app: Any, wire: Any) -> None:
    """Middleware put around the app later is watched as well."""

    def way(app: Flask) -> None:
        inner = app.wsgi_app

        def broken(environ: Any, start_response: Any) -> Any:
            if environ["PATH_INFO"] == "/x":
                raise Broken
            return inner(environ, start_response)

        app.wsgi_app = broken  # type: ignore[method-assign]  # Flask's documented way

    made = app(way, "production")
    _get(made)
    event = wire.one_event(made)
    assert _types(event) == ["Broken"]
    assert event["request"]["url"] == "http://localhost/x"


def copying(app: Flask) -> None:
    inner = app.wsgi_app
    app.wsgi_app = lambda environ, start: inner(dict(environ), start)  # type: ignore[assignment, method-assign]  # Flask's documented way


@pytest.mark.parametrize("mode", ["production", "propagating"])
@pytest.mark.parametrize("way", [streaming, view, teardown_request], ids=lambda w: w.__name__)
@pytest.mark.parametrize("when", ["before", "after", "both"])
def test_middleware_that_copies_the_environ(wire: Any, way: Any, mode: str, when: str) -> None:
    """An exception that passes middleware with an environ of its own is still one event."""
    made = Flask("shop")
    made.config.update(SENTRY_DSN=wire.dsn, SECRET_KEY="k", **MODES[mode])
    if when != "after":
        copying(made)
    made.register_blueprint(sentry_kit)
    if when != "before":
        copying(made)
    way(made)
    _get(made)
    event = wire.one_event(made)
    made.extensions["sentry_kit"].outbox.close(1)
    assert _types(event) == ["Broken"]
    assert event["request"]["url"] == "http://localhost/x"


def test_the_app_stays_what_it_was(wire: Any) -> None:
    """An app of a class of its own keeps its name, its class and its own wsgi_app."""

    class Shop(Flask):
        def wsgi_app(self, environ: Any, start_response: Any) -> Any:
            environ["shop.seen"] = True
            return super().wsgi_app(environ, start_response)

    made = Shop("shop")
    made.config.update(SENTRY_DSN=wire.dsn, SECRET_KEY="k")
    made.register_blueprint(sentry_kit)
    made.add_url_rule("/x", view_func=lambda: str(request.environ["shop.seen"]), endpoint="x")
    assert made.test_client().get("/x").text == "True"
    assert isinstance(made, Shop)
    assert type(made).__name__ == "Shop"
    assert repr(made) == "<Shop 'shop'>"
    kept = made.wsgi_app
    made.wsgi_app = lambda environ, start: kept(environ, start)  # type: ignore[assignment, method-assign]  # Flask's documented way
    assert made.test_client().get("/x").text == "True"
    made.wsgi_app = kept  # type: ignore[method-assign]  # taken off again
    assert made.wsgi_app is kept
    assert made.test_client().get("/x").text == "True"


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
    _get(made)
    assert made.extensions["sentry"].flush(5)
    assert [_types(event) for event in wire.events] == [["KeyError"], ["Broken"]]
    assert {event["request"]["url"] for event in wire.events} == {"http://localhost/x"}


def test_the_same_exception_object_in_two_requests_is_two_events(app: Any, wire: Any) -> None:
    """An exception made once and raised again and again is reported once a request."""
    always = Broken("the same object")

    def way(app: Flask) -> None:
        @app.get("/x")
        def x() -> str:
            raise always

    made = app(way, "production")
    ids = [_get(made).headers["X-Sentry-ID"] for _ in range(6)]
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
    _get(made)
    assert made.extensions["sentry"].flush(10)
    assert [event["message"] for event in wire.events] == [f"Broken: {n}" for n in range(200)]


def test_sampled_out_means_no_id_anywhere(app: Any, wire: Any) -> None:
    """An event that sample_rate drops is not claimed: no header, no reference, no dialog."""

    def way(app: Flask) -> None:
        view(app)
        app.extensions["sentry"].client_of(app).sample_rate = 0

    made = app(way, "production")
    response = _get(made)
    assert response.status_code == 500
    assert "X-Sentry-ID" not in response.headers
    assert "Reference" not in response.text
    assert "showReportDialog" not in response.text
    assert made.extensions["sentry"].flush(1)
    assert wire.received == []


def test_a_full_outbox_means_no_id(app: Any, wire: Any) -> None:
    """Nor is an event claimed that the outbox did not accept."""

    def way(app: Flask) -> None:
        view(app)
        app.extensions["sentry_kit"].outbox.close(0)

    response = _get(app(way, "production"))
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
    response = _get(made)
    assert made.extensions["sentry"].flush(5)
    message, crash = wire.events
    assert message["message"] == "on the way"
    assert response.headers["X-Sentry-ID"] == crash["event_id"]
    assert crash["event_id"] in response.text
    assert message["event_id"] not in response.text


def test_two_apps_inside_each_other(app: Any, wire: Any) -> None:
    """An app whose view calls another app's client: each crash is its own app's, once."""
    inner = app(view, "production")

    def way(app: Flask) -> None:
        @app.get("/x")
        def x() -> str:
            assert inner.test_client().get("/x").status_code == 500
            raise KeyError("outer")

    outer = app(way, "production")
    _get(outer)
    for one in (inner, outer):
        assert one.extensions["sentry"].flush(5)
    assert sorted(_types(event)[-1] for event in wire.events) == ["Broken", "KeyError"]


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
    """init_app called again, by the same Sentry or another, replaces what was set up."""
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
    assert [_types(event) for event in wire.events] == [["Broken"]] * 2


def test_a_crash_is_captured_once_and_its_id_handed_on(app: Any, wire: Any) -> None:
    """The page asks what became of the crash; it does not capture it again to find out."""
    made = app(view, "production")
    client = made.extensions["sentry"].client_of(made)
    captured = []
    capture = client.capture
    client.capture = lambda *args, **kwargs: captured.append(args) or capture(*args, **kwargs)
    response = _get(made)
    assert len(captured) == 1
    assert wire.one_event(made)["event_id"] in response.text
