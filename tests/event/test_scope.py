"""Context ends with its request and never reaches another one, however requests are run."""

from __future__ import annotations

import asyncio
import copy
import pickle
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, copy_current_request_context, g, request

from flask_sentry_kit import sentry

Make = Callable[..., Flask]


def _events(wire: Any, app: Flask, count: int) -> list[dict[str, Any]]:
    assert app.extensions["sentry"].flush(20)
    events: list[dict[str, Any]] = wire.wait_for(count)
    assert len(events) == count
    return events


def _tagging(app: Flask) -> None:
    @app.get("/tag/<who>")
    def tag(who: str) -> str:
        sentry.tags_context({"who": who})
        sentry.extra_context({"who": who})
        sentry.user_context({"id": who})
        sentry.client.context.merge({"fingerprint": [who]})
        if "crash" in request.args:
            raise ValueError(who)
        return "tagged"


def _is_of(event: dict[str, Any], who: str) -> bool:
    return bool(
        event["tags"].get("who") == who
        and event["extra"]["who"] == who
        and event["user"]["id"] == who
        and event["fingerprint"] == [who]
    )


def _is_of_nobody(event: dict[str, Any]) -> bool:
    return (
        "who" not in event["tags"]
        and "extra" not in event
        and "id" not in event.get("user", {})
        and "fingerprint" not in event
    )


@pytest.mark.parametrize("end", ["", "?crash=1"])
@pytest.mark.parametrize("switch", [{}, {"TESTING": True}, {"PROPAGATE_EXCEPTIONS": True}])
def test_context_ends_with_its_request(
    make_app: Make, wire: Any, end: str, switch: dict[str, Any]
) -> None:
    """Tags, extra, user and other context are gone after the request, however it ended."""
    app = make_app(**switch)
    _tagging(app)
    client = app.test_client()
    for path in (f"/tag/alice{end}", "/boom"):
        try:
            client.get(path)
        except Exception as error:
            assert switch, error
    app.extensions["sentry"].captureMessage("outside")
    *crashes, last, outside = _events(wire, app, 3 if end else 2)
    assert all(_is_of(event, "alice") for event in crashes)
    assert _is_of_nobody(last)
    assert _is_of_nobody(outside)


def test_threads_do_not_share(make_app: Make, wire: Any, serve: Callable[..., str]) -> None:
    """Requests served by threads at the same time keep their contexts apart."""
    import urllib.request

    app = make_app()
    together = threading.Barrier(4, timeout=20)

    @app.get("/tag/<who>")
    def tag(who: str) -> str:
        sentry.tags_context({"who": who})
        sentry.extra_context({"who": who})
        sentry.user_context({"id": who})
        sentry.client.context.merge({"fingerprint": [who]})
        together.wait()
        raise ValueError(who)

    base = serve(app)

    def visit(who: str) -> None:
        try:
            urllib.request.urlopen(f"{base}/tag/{who}", timeout=20)
        except OSError as error:
            error.close()  # type: ignore[attr-defined]  # an HTTPError is a response

    visitors = [threading.Thread(target=visit, args=(f"v{n}",)) for n in range(4)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    events = _events(wire, app, 4)
    assert sorted(event["message"] for event in events) == [f"ValueError: v{n}" for n in range(4)]
    for event in events:
        assert _is_of(event, event["message"].removeprefix("ValueError: "))


def test_a_thread_of_a_view_can_take_the_request_along(make_app: Make, wire: Any) -> None:
    """copy_current_request_context carries the context into a thread; a bare thread has none."""
    app = make_app()

    @app.get("/work")
    def work() -> str:
        sentry.tags_context({"who": "alice"})

        @copy_current_request_context
        def inside() -> None:
            sentry.captureMessage("inside")

        def outside() -> None:
            app.extensions["sentry"].captureMessage("outside")

        for target in (inside, outside):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
        return "done"

    app.test_client().get("/work")
    inside, outside = _events(wire, app, 2)
    assert inside["tags"] == {"who": "alice"}
    assert inside["request"]["url"] == "http://localhost/work"
    assert outside["tags"] == {}
    assert "request" not in outside


def test_async_views_keep_their_context(make_app: Make, wire: Any) -> None:
    """What an async view sets is on its events, explicit ones and its crash, and on no other's."""
    app = make_app()

    @app.get("/async/<who>")
    async def view(who: str) -> str:
        sentry.tags_context({"who": who})
        await asyncio.sleep(0)
        sentry.captureMessage(f"hello {who}")
        raise ValueError(who)

    client = app.test_client()
    client.get("/async/alice")
    client.get("/async/bob")
    client.get("/boom")
    events = _events(wire, app, 5)
    assert [event["tags"].get("who") for event in events] == ["alice", "alice", "bob", "bob", None]
    assert [event["request"]["url"].rpartition("/")[2] for event in events] == [
        "alice",
        "alice",
        "bob",
        "bob",
        "boom",
    ]


def test_async_tasks_of_one_view(make_app: Make, wire: Any) -> None:
    """Tasks that a view gathers belong to its request."""
    app = make_app()

    @app.get("/gather")
    async def gather() -> str:
        sentry.tags_context({"who": "alice"})

        async def one(number: int) -> None:
            await asyncio.sleep(0)
            sentry.captureMessage(f"task {number}")

        await asyncio.gather(one(1), one(2))
        return "done"

    app.test_client().get("/gather")
    assert {event["tags"]["who"] for event in _events(wire, app, 2)} == {"alice"}


_GEVENT = textwrap.dedent(
    """
    from gevent import monkey; {patch}
    import gevent, sys
    from flask import Flask
    from flask_sentry_kit import Sentry, sentry

    app = Flask("shop")
    reporter = Sentry(app, dsn=sys.argv[1])

    @app.get("/tag/<who>")
    def tag(who):
        sentry.tags_context({{"who": who}})
        sentry.extra_context({{"who": who}})
        sentry.user_context({{"id": who}})
        sentry.client.context.merge({{"fingerprint": [who]}})
        gevent.sleep(0.01)
        raise ValueError(who)

    gevent.joinall([
        gevent.spawn(app.test_client().get, f"/tag/g{{n}}") for n in range(20)
    ], raise_error=True)
    reporter.captureMessage("outside")
    assert reporter.flush(10)
    """
)


@pytest.mark.parametrize("patch", ["monkey.patch_all()", ""], ids=["patched", "unpatched"])
def test_greenlets_do_not_share(wire: Any, patch: str) -> None:
    """Twenty greenlets of one thread, crashing in turn, keep their contexts apart."""
    done = subprocess.run(
        [sys.executable, "-c", _GEVENT.format(patch=patch), wire.dsn],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    *crashes, outside = wire.wait_for(21)
    assert len(crashes) == 20
    for event in crashes:
        assert _is_of(event, event["message"].removeprefix("ValueError: "))
    assert _is_of_nobody(outside)


def test_one_visitors_id_is_never_anothers(make_app: Make, wire: Any) -> None:
    """last_event_id belongs to the request and is not in another visitor's healthy response."""
    app = make_app()
    seen = []

    @app.get("/look")
    def look() -> str:
        seen.append((g.sentry_event_id, sentry.last_event_id, sentry.client.last_event_id))
        return "ok"

    client = app.test_client()
    client.get("/boom")
    assert "X-Sentry-ID" not in client.get("/look").headers
    assert seen == [(None, None, None)]


def test_an_app_context_without_a_request_has_its_own(make_app: Make, wire: Any) -> None:
    """A command line's or a job's app context keeps its tags to itself."""
    app = make_app()
    for who in ("one", ""):
        with app.app_context():
            if who:
                sentry.tags_context({"who": who})
            sentry.captureMessage("job")
            assert g.sentry_event_id == sentry.last_event_id
    first, second = _events(wire, app, 2)
    assert (first["tags"], second["tags"]) == ({"who": "one"}, {})


def test_a_request_context_inside_a_request(make_app: Make, wire: Any) -> None:
    """test_request_context in a view is a separate request."""
    app = make_app()

    @app.get("/outer")
    def outer() -> str:
        sentry.tags_context({"who": "outer"})
        with app.test_request_context("/inner"):
            sentry.tags_context({"in": "yes"})
            sentry.captureMessage("inner")
        sentry.captureMessage("outer")
        return "ok"

    app.test_client().get("/outer")
    inner, outer_ = _events(wire, app, 2)
    assert inner["tags"] == {"in": "yes"}
    assert inner["request"]["url"] == "http://localhost/inner"
    assert outer_["tags"] == {"who": "outer"}


def test_a_healthy_request_makes_no_context(make_app: Make) -> None:
    """Before a crash nothing is stored: no scope in the environ, nothing on g."""
    app = make_app()
    seen: list[Any] = []

    @app.get("/look")
    def look() -> str:
        seen.append([key for key in request.environ if "sentry" in key])
        seen.append(list(g))
        return "ok"

    app.test_client().get("/look")
    assert seen == [[], []]
    assert app.extensions["sentry"].client.context.find() is None


def test_a_captured_exception_can_still_be_pickled_and_copied(make_app: Make, wire: Any) -> None:
    """The mark on an exception is not passed on to another process or into a copy."""
    app = make_app()
    with app.test_request_context("/"):
        sentry.extra_context({"unpicklable": threading.Lock()})
        error = ValueError("kept")
        sentry.captureException(exc_info=(ValueError, error, None))
        again = pickle.loads(pickle.dumps(error))
        assert repr(again) == "ValueError('kept')"
        assert repr(copy.deepcopy(error)) == "ValueError('kept')"
    _events(wire, app, 1)


def test_context_as_raven_has_it(make_app: Make, wire: Any) -> None:
    """client.context: merge, set, get, clear and with, as raven's users write them."""
    app = make_app()
    client = app.extensions["sentry"].client
    with app.test_request_context("/"):
        with client.context:
            client.context.merge({"tags": {"a": "1"}})
            client.context.merge({"tags": {"b": "2"}})
            assert client.context.get() == {"tags": {"a": "1", "b": "2"}}
            assert client.context["tags"] == {"a": "1", "b": "2"}
        client.context.clear()
        assert client.context.get() == {}
        client.context.activate()
        client.user_context({"id": 1})
        client.captureMessage("hello")
        client.context.deactivate()
    [event] = _events(wire, app, 1)
    assert event["user"]["id"] == 1
    assert event["tags"] == {}
