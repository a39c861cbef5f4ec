"""E: the wrong event, or the wrong id: one crash, one event, one id, with what belongs to it."""

from __future__ import annotations

import logging
import secrets
import sys
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask, Response, abort, request

from .book import row
from .rig import Rig, errors, expect, flat


def _fail() -> str:
    raise KeyError("lamp")


@row("E1a", "captured in the view, then raised", seen="2 events")
def captured_then_raised(sentry_class: Any, rig: Rig) -> None:
    """An exception that the view captured and raises again is one event."""

    def view() -> None:
        try:
            _fail()
        except KeyError:
            sentry.captureException()
            raise

    app, sentry = rig.crashing(sentry_class, view)
    rig.crash(sentry, app)


@row("E1b", "captured twice, then abort(500): no id", seen="the page shows None")
def captured_twice(sentry_class: Any, rig: Rig) -> None:
    """A second capture of the same exception leaves the first one's id in place."""

    def view() -> None:
        try:
            _fail()
        except KeyError:
            sentry.captureException()
            sentry.captureException()
        abort(500)

    app, sentry = rig.crashing(sentry_class, view)
    visit = rig.visit(app)
    events = rig.settle(sentry, app)
    ids = [event["event_id"] for event in events if "KeyError" in flat(errors(event))]
    expect(len(ids) == 1, f"{len(ids)} events")
    expect(visit.id in [event["event_id"] for event in events], f"the page shows {visit.id}")


@row("E2", "logger.exception(), then raised", seen=r"[23] events")
def logged_then_raised(sentry_class: Any, rig: Rig) -> None:
    """An exception that was logged with its traceback and then raised is one event."""
    app = rig.flask()
    sentry = sentry_class(app, dsn=rig.wire.dsn, logging=True, level=logging.ERROR)

    @app.route("/")
    def view() -> str:
        try:
            _fail()
        except KeyError:
            logging.getLogger("shop").exception("no lamp")
            raise
        return "fine"

    rig.crash(sentry, app)


@row("E3a", "sample_rate drops the event: an id on the page", "page", seen="on the page")
@row("E3b", "… and in X-Sentry-ID", "header", seen="in X-Sentry-ID")
def sampled_out(sentry_class: Any, rig: Rig, where: str) -> None:
    """No id is shown for an event that sampling dropped."""
    app, sentry = rig.crashing(sentry_class, _fail, SENTRY_SAMPLE_RATE=0.0)
    visit = rig.visit(app)
    events = rig.settle(sentry, app)
    if events:
        raise RuntimeError("the event was not sampled out")
    expect(visit.page, "page lost")
    if where == "page":
        expect(visit.id is None, f"{visit.id} on the page, no event")
    else:
        shown = visit.headers.get("X-Sentry-ID")
        expect(shown is None, f"{shown} in X-Sentry-ID, no event")


@row("E3c", "backing off after a 503: an id, no event", seen="on the page, no event")
def backing_off(sentry_class: Any, rig: Rig) -> None:
    """An id on the page belongs to an event that arrives, even when the server had a bad moment."""
    # Two, since the second may be on its way before the reporter has noted the first.
    wire = rig.new_wire(answer=lambda hit: (503 if hit.number < 2 else 200, {}, b"{}"))
    app, sentry = rig.crashing(sentry_class, _fail, wire=wire)
    first = rig.visit(app)
    wire.events_arrive(1)
    second = rig.visit(app)
    expect(first.page and second.page, "page lost")
    rig.settle(sentry, app, wire)
    taken = [hit.event["event_id"] for hit in wire.received if hit.event and hit.status == 200]
    expect(second.id is None or second.id in taken, f"{second.id} on the page, no event")


@row("E4", "200 different exceptions in a loop", seen=r"^\d+ events of 200")
def freed_objects(sentry_class: Any, rig: Rig) -> None:
    """Different exceptions are different events, wherever in memory they lie."""

    def view() -> str:
        for number in range(200):
            try:
                raise ValueError(number)
            except ValueError:
                sentry.captureException()
            if number % 50 == 49:  # sentry-sdk's queue takes a hundred
                rig.wire.events_arrive(number + 1, 0.3)
        return "done"

    app, sentry = rig.crashing(sentry_class, view)
    rig.visit(app)
    events = rig.settle(sentry, app)
    expect(len(events) == 200, f"{len(events)} events of 200")


@row("E5", "one visitor's id in another's X-Sentry-ID", seen="X-Sentry-ID is the first visitor's")
def id_of_another(sentry_class: Any, rig: Rig) -> None:
    """No visitor is shown the id of another visitor's event."""
    app = rig.flask()

    @app.before_request
    def login_wall() -> str | None:
        return "please sign in" if "stranger" in request.args else None

    sentry_class(app, dsn=rig.wire.dsn)
    app.add_url_rule("/", "view", _fail)
    first = rig.visit(app)
    expect(first.id, "page lost")
    shown = rig.visit(app, "/?stranger=1").headers.get("X-Sentry-ID")
    expect(shown != first.id, f"X-Sentry-ID is the first visitor's: {shown}")


@row("E6", "captureException() with nothing raised", seen="AttributeError")
def nothing_raised(sentry_class: Any, rig: Rig) -> None:
    """captureException() outside an except block never raises into the app."""

    def view() -> str:
        try:
            sentry.captureException()
        except Exception as error:
            return type(error).__name__
        return "fine"

    app, sentry = rig.crashing(sentry_class, view)
    visit = rig.visit(app)
    expect(visit.text == "fine", visit.text)


@row("E7a", "abort(500)", seen="no event")
def aborted(sentry_class: Any, rig: Rig) -> None:
    """abort(500) is a crash: it is an event, and the page shows its id."""
    app, sentry = rig.crashing(sentry_class, lambda: abort(500))
    visit = rig.visit(app)
    expect(visit.page, "page lost")
    events = rig.settle(sentry, app)
    expect(len(events) == 1, "no event" if not events else f"{len(events)} events")
    expect(visit.id == events[0]["event_id"], f"the page shows {visit.id}")


@row("E7b", "a handler for the exception's own class", seen="no event")
def own_handler(sentry_class: Any, rig: Rig) -> None:
    """An exception that a handler of its own class answers with 500 is an event."""
    app, sentry = rig.crashing(sentry_class, _fail)

    @app.errorhandler(KeyError)
    def no_such_thing(error: KeyError) -> tuple[str, int]:
        return "broken", 500

    rig.visit(app)
    events = rig.settle(sentry, app)
    expect(len(events) == 1, "no event" if not events else f"{len(events)} events")


@row("E7c", "a before_request that aborts: g.sentry_event_id", seen="AttributeError")
def aborting_hook(sentry_class: Any, rig: Rig) -> None:
    """The error page can read g.sentry_event_id, however early the request ended."""
    app = rig.flask()

    @app.before_request
    def database() -> None:
        abort(500)

    sentry = sentry_class(app, dsn=rig.wire.dsn)
    visit = rig.visit(app, "/nowhere")
    expect(visit.page, "page lost")
    # The page came at the second try: the first one raised where it read g.
    kinds = [kind for event in rig.settle(sentry, app) for kind, _ in errors(event)]
    expect("AttributeError" not in kinds, f"the page raised {kinds}")


@row("E8a", "PROPAGATE_EXCEPTIONS", {"PROPAGATE_EXCEPTIONS": True}, seen="2 events")
@row("E8b", "TESTING", {"TESTING": True}, seen="2 events")
def propagated(sentry_class: Any, rig: Rig, config: dict[str, Any]) -> None:
    """An exception that Flask passes on to the server is one event."""
    app, sentry = rig.crashing(sentry_class, _fail, **config)
    rig.visit(app)
    events = rig.settle(sentry, app)
    expect(len(events) == 1, f"{len(events)} events: {[errors(event) for event in events]}")


def _tag(sentry: Any, mark: str) -> None:
    sentry.tags_context({"mark": mark})


def _extra(sentry: Any, mark: str) -> None:
    sentry.extra_context({"mark": mark})


def _crumb(sentry: Any, mark: str) -> None:
    logging.getLogger("shop").warning("mark %s", mark)


@row("E8c", "… and its tags in the next request", _tag, seen="of the request before")
@row("E8d", "… and its extra", _extra, seen="of the request before")
@row("E8e", "… and its breadcrumbs", _crumb, seen="of the request before")
def left_over(sentry_class: Any, rig: Rig, leave: Callable[[Any, str], None]) -> None:
    """What a request said about itself is gone with it, even when it propagates."""
    rig.kept.mark = f"mark{secrets.token_hex(8)}"

    def view() -> str:
        if "first" in request.args:
            leave(sentry, rig.kept.mark)
        return _fail()

    crumbs = {"enable_breadcrumbs": True}
    app, sentry = rig.crashing(sentry_class, view, PROPAGATE_EXCEPTIONS=True, SENTRY_CONFIG=crumbs)
    rig.visit(app, "/?first=1")
    first = rig.settle(sentry, app)
    if not any(rig.kept.mark in flat(event) for event in first):
        raise RuntimeError("the first event does not have its own mark")
    rig.visit(app, "/?second=1")
    later = rig.settle(sentry, app)[len(first) :]
    expect(later, "no second event")
    expect(rig.kept.mark not in flat(later), "the mark of the request before")


def _teardown(app: Flask) -> None:
    @app.teardown_request
    def broken(error: object) -> None:
        raise KeyError("lamp")

    app.add_url_rule("/late", "late", lambda: "fine")


def _streaming(app: Any) -> None:
    def pieces() -> Iterator[str]:
        yield "half of it"
        raise KeyError("lamp")

    app.add_url_rule("/late", "late", lambda: Response(pieces()))


def _closing(app: Any) -> None:
    def view() -> Response:
        response = Response("fine")
        response.call_on_close(_fail)
        return response

    app.add_url_rule("/late", "late", view)


@row("E9a", "raised in teardown", _teardown, seen="without its request")
@row("E9b", "raised in a streaming generator", _streaming, seen="without its request")
@row("E9c", "raised in call_on_close", _closing, seen="without its request")
def late(sentry_class: Any, rig: Rig, build: Callable[[Any], None]) -> None:
    """What fails after the response has begun still names its request."""
    app, sentry = rig.app(sentry_class)
    build(app)
    rig.visit(app, "/late")
    # Teardown and close may come after the visitor has the answer.
    rig.wire.events_arrive(1, 2.0)
    app.teardown_request_funcs.clear()  # the settling message has an app context of its own
    events = [event for event in rig.settle(sentry, app) if errors(event)]
    expect(len(events) == 1, f"{len(events)} events")
    url = (events[0].get("request") or {}).get("url", "")
    expect(url.endswith("/late"), f"event without its request: {url!r}")


def _async_app(sentry_class: Any, rig: Rig) -> tuple[Any, Any]:
    app, sentry = rig.app(sentry_class)

    @app.route("/")
    async def view() -> str:
        sentry.tags_context({"basket": "full"})
        if "explicit" in request.args:
            sentry.captureMessage("explicit")
            return "fine"
        raise KeyError("lamp")

    return app, sentry


@row("E10a", "async view: its tags", seen="tags lost")
def async_tags(sentry_class: Any, rig: Rig) -> None:
    """Tags set in an async view are in its event."""
    app, sentry = _async_app(sentry_class, rig)
    event = rig.crash(sentry, app)
    expect(dict(event["tags"]).get("basket") == "full", f"tags lost: {event['tags']}")


@row("E10b", "async view: the request of an explicit capture", seen="no request")
def async_request(sentry_class: Any, rig: Rig) -> None:
    """An event that an async view captures itself names its request."""
    app, sentry = _async_app(sentry_class, rig)
    rig.visit(app, "/?explicit=1")
    events = rig.settle(sentry, app)
    expect(len(events) == 1, f"{len(events)} events")
    url = (events[0].get("request") or {}).get("url", "")
    expect(url, f"no request: {events[0].get('request')}")


def _two_apps(sentry_class: Any, rig: Rig) -> tuple[Any, Any]:
    sentry = sentry_class()
    first = rig.flask("first", SENTRY_RELEASE="1.0")
    sentry.init_app(first, dsn=rig.wire.dsn_of(1))
    second = rig.flask(
        "second", SENTRY_RELEASE="2.0", SENTRY_CONFIG={"ignore_exceptions": ["ZeroDivisionError"]}
    )
    sentry.init_app(second, dsn=rig.wire.dsn_of(2))
    second.add_url_rule("/", "view", _fail)
    second.add_url_rule("/ignored", "ignored", lambda: str(1 / 0))
    return second, sentry


def _second_event(rig: Rig, app: Any, sentry: Any) -> None:
    rig.visit(app)
    rig.settle(sentry, app)


@row("E11a", "one Sentry, two apps: the DSN", seen=r"project \['1'\]")
def second_dsn(sentry_class: Any, rig: Rig) -> None:
    """An app's events go to the app's own DSN."""
    app, sentry = _two_apps(sentry_class, rig)
    _second_event(rig, app, sentry)
    projects = [hit.project for hit in rig.wire.received if hit.event and errors(hit.event)]
    expect(projects == ["2"], f"project {projects}")


@row("E11b", "one Sentry, two apps: the release", seen="release 1.0")
def second_release(sentry_class: Any, rig: Rig) -> None:
    """An app's events name the app's own release."""
    app, sentry = _two_apps(sentry_class, rig)
    _second_event(rig, app, sentry)
    events = [event for event in rig.wire.events if errors(event)]
    expect(len(events) == 1, f"{len(events)} events")
    expect(events[0].get("release") == "2.0", f"release {events[0].get('release')}")


@row("E11c", "one Sentry, two apps: what is ignored", seen="1 events of an ignored class")
def second_ignores(sentry_class: Any, rig: Rig) -> None:
    """An app's own ignore_exceptions are what is ignored."""
    app, sentry = _two_apps(sentry_class, rig)
    rig.visit(app, "/ignored")
    events = rig.settle(sentry, app)
    expect(not events, f"{len(events)} events of an ignored class")


if sys.version_info >= (3, 11):

    @row("E12a", "the members of an ExceptionGroup", seen="no member")
    def group_members(sentry_class: Any, rig: Rig) -> None:
        """The exceptions inside an ExceptionGroup are in its event, each with type and value."""
        rig.kept.word = secrets.token_hex(8)

        def view() -> None:
            raise ExceptionGroup(  # noqa: F821  # ruff checks for 3.10
                "two", [ValueError(rig.kept.word), KeyError("lamp")]
            )

        app, sentry = rig.crashing(sentry_class, view)
        event = rig.crash(sentry, app)
        found = any(
            kind == "ValueError" and rig.kept.word in value for kind, value in errors(event)
        )
        expect(found, f"no member: {errors(event)}")

    @row("E12b", "an exception's __notes__", seen="no note")
    def notes(sentry_class: Any, rig: Rig) -> None:
        """What was added to an exception with add_note() is in its event."""
        rig.kept.word = secrets.token_hex(8)

        def view() -> None:
            error = KeyError("lamp")
            error.add_note(f"while packing {rig.kept.word}")
            raise error

        app, sentry = rig.crashing(sentry_class, view)
        event = rig.crash(sentry, app)
        expect(rig.kept.word in flat(event), "no note")
