"""The request in an event is read at crash time and bounded, and only an unread body is read."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, request
from flask.wrappers import Request

from flask_sentry_kit import sentry
from flask_sentry_kit.event.request import BODY_MAX

Make = Callable[..., Flask]
Crash = Callable[..., dict[str, Any]]


def test_what_was_asked_for(make_app: Make, crash_event: Crash) -> None:
    """Address, method, query, headers and server are in the event; the route is its transaction."""
    app = make_app()

    @app.get("/goods/<int:number>")
    def goods(number: int) -> str:
        raise ValueError

    event = crash_event(app, "/goods/5?page=2&q=a%20b", headers={"X-Trace": "abc"})
    found = event["request"]
    assert found["url"] == "http://localhost/goods/5"
    assert found["method"] == "GET"
    assert found["query_string"] == "page=2&q=a%20b"
    assert found["headers"]["X-Trace"] == "abc"
    assert found["headers"]["Host"] == "localhost"
    assert found["env"]["SERVER_NAME"] == "localhost"
    assert event["transaction"] == "/goods/<int:number>"


def test_a_form_is_read_at_crash_time(make_app: Make, crash_event: Crash) -> None:
    """A form that the view never read is in the event, with lists as lists."""
    event = crash_event(make_app(), method="POST", data={"name": "Alice", "size": ["1", "2"]})
    assert event["request"]["data"] == {"name": "Alice", "size": ["1", "2"]}


def test_files_are_named_not_sent(make_app: Make, crash_event: Crash) -> None:
    """The event contains the name of an upload, never its content."""
    import io

    event = crash_event(
        make_app(),
        method="POST",
        data={"name": "Alice", "photo": (io.BytesIO(b"PIXELS" * 10), "me.png")},
    )
    assert event["request"]["data"] == {"name": "Alice", "photo": "<file me.png>"}


def test_json_is_read_at_crash_time(make_app: Make, crash_event: Crash) -> None:
    """A JSON body is in the event as values."""
    event = crash_event(make_app(), method="POST", json={"cart": [{"sku": "A1", "n": 2}]})
    assert event["request"]["data"] == {"cart": [{"sku": "A1", "n": 2}]}


@pytest.mark.parametrize(
    ("body", "content_type", "shown"),
    [
        (b"{broken", "application/json", "{broken"),
        (b"\xff\xfe", "application/json", "\ufffd\ufffd"),
        (b"[" * 60_000, "application/json", None),
        (b"plain words", "text/plain", "plain words"),
        (b"\x00\x01\x02", "application/octet-stream", "<body of 3 bytes, "),
        (b"no boundary", "multipart/form-data", None),
        (b"x", "", "<body of 1 bytes, no type>"),
        (b"a=1&a=2", "application/x-www-form-urlencoded; charset=latin-1", None),
    ],
)
def test_bodies_that_are_not_what_they_say(
    make_app: Make, crash_event: Crash, body: bytes, content_type: str, shown: str | None
) -> None:
    """A broken, deep, binary or unnamed body never loses the event, and is shown where possible."""
    event = crash_event(make_app(), method="POST", data=body, content_type=content_type)
    assert event["request"]["method"] == "POST"
    if shown is not None:
        assert str(event["request"]["data"]).startswith(shown)


@pytest.mark.parametrize("kind", ["json", "form"])
def test_a_large_body_is_left_unread(make_app: Make, wire: Any, kind: str) -> None:
    """Above 64 kB only the length is sent, and the stream is not read."""
    app = make_app()
    left = []

    @app.errorhandler(500)
    def page(error: Exception) -> Any:
        left.append(len(request.stream.read()))
        return "sorry", 500

    body = b'"' + b"x" * BODY_MAX + b'"'
    app.test_client().post(
        "/boom",
        data=body,
        content_type={
            "json": "application/json",
            "form": "application/x-www-form-urlencoded",
        }[kind],
    )
    assert wire.one_event(app)["request"]["data"] == f"<body of {len(body)} bytes>"
    assert left == [len(body)]


@pytest.mark.parametrize(
    "read",
    [
        lambda: request.stream.read(),
        lambda: request.stream.read(3),
        lambda: request.environ["wsgi.input"].read(),
    ],
)
def test_a_body_the_view_has_read_is_gone(make_app: Make, wire: Any, read: Any) -> None:
    """If the view has read from the stream, the event is sent without the body."""
    app = make_app()

    @app.post("/reads")
    def reads() -> str:
        read()
        raise ValueError

    app.test_client().post("/reads", data="a=1&b=2", content_type="text/plain")
    event = wire.one_event(app)
    assert "a=1&b=2" not in str(event["request"])


@pytest.mark.parametrize(
    "use", [lambda: request.form["a"], lambda: request.get_data(), lambda: request.values["a"]]
)
def test_a_body_that_was_parsed_is_used_as_it_is(make_app: Make, wire: Any, use: Any) -> None:
    """A form or body that Flask still holds is in the event."""
    app = make_app()

    @app.post("/parses")
    def parses() -> str:
        use()
        raise ValueError

    app.test_client().post("/parses", data={"a": "visible"})
    assert "visible" in str(wire.one_event(app)["request"]["data"])


def test_a_healthy_request_keeps_its_body(make_app: Make) -> None:
    """Before a crash nobody reads the body: the view's stream has every byte."""
    app = make_app()

    @app.post("/reads")
    def reads() -> bytes:
        return request.stream.read()

    for content_type in ("application/json", "application/x-www-form-urlencoded"):
        sent = app.test_client().post("/reads", data=b"a=1&b=2", content_type=content_type)
        assert sent.data == b"a=1&b=2"


def test_an_explicit_capture_leaves_the_body_to_the_view(make_app: Make, wire: Any) -> None:
    """captureMessage in a view that continues leaves the body unread."""
    app = make_app()

    @app.post("/says")
    def says() -> bytes:
        sentry.captureMessage("on the way")
        return request.stream.read()

    response = app.test_client().post(
        "/says", data=b"a=1", content_type="application/x-www-form-urlencoded"
    )
    assert response.data == b"a=1"
    assert "data" not in wire.one_event(app)["request"]


def test_limits_of_the_app_stay_the_apps(make_app: Make, wire: Any) -> None:
    """MAX_CONTENT_LENGTH and form limits still answer 413, and no event is lost because of them."""
    app = make_app(MAX_CONTENT_LENGTH=100)

    @app.post("/form")
    def form() -> str:
        return request.form["a"]

    assert app.test_client().post("/form", data={"a": "x" * 200}).status_code == 413
    app.test_client().post("/boom", data={"a": "x" * 200})
    assert wire.one_event(app)["request"]["data"].startswith("<not read: RequestEntityTooLarge")


def test_many_fields_are_bounded(make_app: Make, crash_event: Crash) -> None:
    """If there are very many fields, the first are shown and the others are counted."""
    event = crash_event(make_app(), method="POST", data={f"f{n}": "x" for n in range(900)})
    data = event["request"]["data"]
    assert data["f0"] == "x"
    assert data["..."] == "850 more"


def test_a_slow_client_does_not_hold_up_the_answer(
    make_app: Make, serve: Callable[..., str], wire: Any
) -> None:
    """A client that never sends its announced body still gets its 500 response immediately."""
    app = make_app()
    port = int(serve(app).rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(
            b"POST /boom HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b'Content-Length: 100\r\n\r\n{"a": '
        )
        begun = time.monotonic()
        answer = client.recv(100)
        took = time.monotonic() - begun
    assert b" 500 " in answer
    assert took < 3
    assert wire.one_event(app)["request"]["method"] == "POST"


def test_a_body_read_past_flask_does_not_hold_up_the_answer(
    make_app: Make, serve: Callable[..., str], wire: Any
) -> None:
    """The response is also immediate if the view read the body itself, over a real socket."""
    app = make_app()

    @app.post("/raw")
    def raw() -> str:
        assert request.environ["wsgi.input"].read(7) == b"a=1&b=2"
        raise ValueError

    port = int(serve(app).rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(
            b"POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\na=1&b=2"
        )
        begun = time.monotonic()
        assert b" 500 " in client.recv(100)
        assert time.monotonic() - begun < 3
    wire.one_event(app)


def test_a_request_class_that_raises_costs_only_itself(make_app: Make, wire: Any) -> None:
    """If the attributes of an app's own request class raise, the event still has its exception."""

    class Odd(Request):
        @property
        def base_url(self) -> Any:
            raise RuntimeError("no address")

    app = make_app()
    app.request_class = Odd
    app.test_client().get("/boom")
    event = wire.one_event(app)
    assert event["exception"]["values"][-1]["type"] == "Boom"
    assert event["exception"]["values"][-1]["stacktrace"]["frames"]


@pytest.mark.parametrize("path", ["/boom?" + "a=1&" * 5_000, "/boom?x=%ff%00%zz", "/boom?é=ü"])
def test_odd_addresses(make_app: Make, crash_event: Crash, path: str) -> None:
    """Long and malformed queries are bounded and lose no event."""
    event = crash_event(make_app(), path, headers={f"X-{n}": "y" * 5_000 for n in range(100)})
    assert len(event["request"]["query_string"]) <= 4_000
    assert len(event["request"]["headers"]) <= 60
    assert max(map(len, event["request"]["headers"].values())) <= 2_000
