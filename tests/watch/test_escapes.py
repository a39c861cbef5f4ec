"""The WSGI layer watches a response to its end, and hides no part of it from the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, request, send_file, stream_with_context
from werkzeug.serving import WSGIRequestHandler
from werkzeug.test import EnvironBuilder, run_wsgi_app
from werkzeug.wsgi import FileWrapper

from flask_sentry_kit import sentry
from flask_sentry_kit.event.scope import current_environ

Make = Callable[..., Flask]


def _call(app: Flask, path: str, **environ: Any) -> Any:
    """The iterable that a server gets from the app, and the arguments of start_response."""
    started: list[Any] = []
    built = EnvironBuilder(path=path).get_environ()
    built.update(environ)

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        started[:] = [status, dict(headers)]
        return started.append

    return app(built, start_response), started


def _close(body: Any) -> None:
    if hasattr(body, "close"):
        body.close()


def test_the_servers_own_file_wrapper_is_not_hidden(make_app: Make, tmp_path: Path) -> None:
    """The server's file wrapper, as made by send_file, reaches the server unchanged."""
    (tmp_path / "a.bin").write_bytes(b"x" * 100)
    app = make_app()

    @app.get("/file")
    def file() -> Response:
        return send_file(tmp_path / "a.bin")

    body, started = _call(app, "/file", **{"wsgi.file_wrapper": FileWrapper})
    assert type(body) is FileWrapper
    assert started[0] == "200 OK"
    _close(body)


def _wrap(file: Any, size: int = 8192) -> Any:
    return file


@pytest.mark.parametrize("wrapper", [_wrap, lambda file, size=8192: FileWrapper(file)])
def test_a_file_wrapper_may_be_a_function(make_app: Make, tmp_path: Path, wrapper: Any) -> None:
    """uWSGI's and mod_wsgi's is one; uWSGI's gives back the file itself, and that is handed on.
    Files and streams come whole."""
    (tmp_path / "a.bin").write_bytes(b"x" * 100)
    app = make_app()
    app.add_url_rule("/file", view_func=lambda: send_file(tmp_path / "a.bin"), endpoint="file")
    app.add_url_rule("/stream", view_func=lambda: Response(iter([b"a", b"b"])), endpoint="stream")
    body, started = _call(app, "/file", **{"wsgi.file_wrapper": wrapper})
    assert started[0] == "200 OK"
    assert wrapper is not _wrap or hasattr(body, "read")
    assert b"".join(body) == b"x" * 100
    _close(body)
    body, started = _call(app, "/stream", **{"wsgi.file_wrapper": wrapper})
    assert (started[0], b"".join(body)) == ("200 OK", b"ab")
    _close(body)


def test_a_healthy_answer_is_handed_through(make_app: Make) -> None:
    """Status, headers, chunks and close arrive one for one, in order, at the server's own pace."""
    app = make_app()
    closed = []

    @app.get("/stream")
    def stream() -> Response:
        def chunks() -> Iterator[bytes]:
            for number in range(3):
                yield b"%d" % number

        response = Response(chunks(), headers={"X-Own": "yes"})
        response.call_on_close(lambda: closed.append(True))
        return response

    body, started = _call(app, "/stream")
    assert started[0] == "200 OK"
    assert started[1]["X-Own"] == "yes"
    chunks = iter(body)
    assert next(chunks) == b"0"
    assert closed == []
    assert list(chunks) == [b"1", b"2"]
    _close(body)
    assert closed == [True]


def test_a_body_that_is_closed_unread(make_app: Make, wire: Any) -> None:
    """A HEAD request or a lost client closes a body that was never read: nothing is reported."""
    app = make_app()

    @app.get("/stream")
    def stream() -> Response:
        def chunks() -> Iterator[bytes]:
            yield b"never"
            raise AssertionError("read")

        return Response(chunks())

    body, _ = _call(app, "/stream")
    _close(body)
    with app.test_client() as client:
        assert client.head("/stream").status_code == 200
    assert app.extensions["sentry"].flush(1)
    assert wire.received == []


def test_nothing_of_a_request_stays_behind(make_app: Make) -> None:
    """The variable with the running request is empty between and after requests."""
    app = make_app(TESTING=True)

    @app.get("/stream")
    def stream() -> Response:
        def chunks() -> Iterator[bytes]:
            assert current_environ.get() is not None
            yield b"a"
            raise ValueError

        return Response(chunks())

    for path in ("/", "/boom", "/nowhere"):
        try:
            run_wsgi_app(app, EnvironBuilder(path=path).get_environ())
        except Exception as error:
            assert path == "/boom", error
        assert current_environ.get() is None
    body, _ = _call(app, "/stream")
    chunks = iter(body)
    assert next(chunks) == b"a"
    assert current_environ.get() is None
    with pytest.raises(ValueError):
        next(chunks)
    assert current_environ.get() is None
    _close(body)


def test_two_streams_read_in_turns(make_app: Make, wire: Any) -> None:
    """A server may read two bodies in turns in one thread: each crash has its own request."""
    app = make_app()

    @app.get("/stream/<name>")
    def stream(name: str) -> Response:
        sentry.tags_context({"name": name})

        def chunks() -> Iterator[bytes]:
            yield b"a"
            yield b"b"
            raise ValueError(name)

        return Response(chunks())

    bodies = [_call(app, f"/stream/{name}")[0] for name in ("one", "two")]
    readers = [iter(body) for body in bodies]
    for _ in range(2):
        for reader in readers:
            next(reader)
    for reader in reversed(readers):
        with pytest.raises(ValueError):
            next(reader)
    for body in bodies:
        _close(body)
    assert app.extensions["sentry"].flush(5)
    assert [
        (event["message"], event["tags"]["name"], event["request"]["url"]) for event in wire.events
    ] == [
        ("ValueError: two", "two", "http://localhost/stream/two"),
        ("ValueError: one", "one", "http://localhost/stream/one"),
    ]


def test_a_stream_read_by_another_thread(make_app: Make, wire: Any) -> None:
    """Servers may read a body in another thread than the one that called the app."""
    app = make_app()

    @app.get("/stream")
    def stream() -> Response:
        def chunks() -> Iterator[bytes]:
            yield b"a"
            raise ValueError

        return Response(chunks())

    body, _ = _call(app, "/stream")
    caught = []

    def read() -> None:
        try:
            list(body)
        except ValueError as error:
            caught.append(error)
        _close(body)

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert len(caught) == 1
    assert wire.one_event(app)["request"]["url"] == "http://localhost/stream"


def test_an_error_in_close_is_told_once(make_app: Make, wire: Any) -> None:
    """Close that raises after a stream that raised: two exceptions, two events, one request."""
    app = make_app()

    @app.get("/stream")
    def stream() -> Response:
        def chunks() -> Iterator[bytes]:
            yield b"a"
            raise ValueError("stream")

        def close() -> None:
            raise KeyError("close")

        response = Response(chunks())
        response.call_on_close(close)
        return response

    body, _ = _call(app, "/stream")
    with pytest.raises(ValueError):
        list(body)
    with pytest.raises(KeyError):
        body.close()
    assert app.extensions["sentry"].flush(5)
    assert [event["message"] for event in wire.events] == [
        "ValueError: stream",
        "KeyError: 'close'",
    ]
    assert {event["request"]["url"] for event in wire.events} == {"http://localhost/stream"}


def test_the_write_callable_still_works(make_app: Make) -> None:
    """An old WSGI app inside may use start_response's write()."""
    app = make_app()

    def old(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"written")
        return [b" and returned"]

    app.wsgi_app = old  # type: ignore[method-assign]  # Flask's documented way
    body, started = _call(app, "/")
    assert list(body) == [b" and returned"]
    assert started[2] == b"written"


def test_over_a_real_server(make_app: Make, wire: Any, serve: Callable[..., str]) -> None:
    """Over sockets and threads: the stream breaks off, the event has its request."""
    import http.client
    import urllib.request

    class Quiet(WSGIRequestHandler):
        def log(self, *args: Any, **kwargs: Any) -> None:
            pass

    app = make_app()

    @app.get("/stream")
    def stream() -> Response:
        def chunks() -> Iterator[bytes]:
            yield b"begun"
            raise ValueError(request.args["n"])

        return Response(stream_with_context(chunks()))

    base = serve(app, request_handler=Quiet)
    with urllib.request.urlopen(f"{base}/stream?n=5", timeout=10) as answer:
        try:
            assert answer.read() == b"begun"
        except http.client.IncompleteRead as broken:
            assert broken.partial == b"begun"
    event = wire.one_event(app)
    assert event["message"] == "ValueError: 5"
    assert event["request"]["query_string"] == "n=5"


def test_a_healthy_request_costs_microseconds(make_app: Make) -> None:
    """The layer alone, without Flask, costs a few microseconds per request (see benchmarks/)."""
    app = make_app()

    def inner(environ: Any, start_response: Any) -> list[bytes]:
        return [b"x"]

    app.wsgi_app = inner  # type: ignore[method-assign]  # Flask's documented way
    environ = EnvironBuilder().get_environ()
    best = min(_timed(app.wsgi_app, environ) for _ in range(20))
    assert best < 50e-6


def _timed(wsgi_app: Any, environ: Any, times: int = 200) -> float:
    begun = time.perf_counter()
    for _ in range(times):
        wsgi_app(environ, None)
    return (time.perf_counter() - begun) / times
