"""The ways in which an exception can travel through Flask, each with a line that fails."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

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

from flask_sentry_kit import crash_response, sentry
from flask_sentry_kit.compat import teardown_error


class Broken(Exception):
    """The exception in every way below."""


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
        # Raises once: a second failure, on the error page, would be another crash.
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


def answer_of(app: Flask, path: str = "/x") -> Any:
    """The answer, read to its end and closed; None if the exception passed through Flask."""
    try:
        with app.test_client().get(path, headers={"Accept": "text/html"}) as response:
            assert response.data is not None
            return response
    except BaseException as error:
        # Flask 3.2 raises the exceptions of its teardown functions as a group.
        passed = Broken, SystemExit, KeyboardInterrupt, InternalServerError
        if not isinstance(teardown_error(error), passed):
            raise
        return None


def types_of(event: dict[str, Any]) -> list[str]:
    return [value["type"] for value in event["exception"]["values"]]
