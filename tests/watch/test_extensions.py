"""Real extensions that answer errors themselves: their answers stay; only crashes are events."""

from __future__ import annotations

import base64
import os
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from apiflask import APIFlask
from flask import Flask, abort, render_template, render_template_string
from flask_login import LoginManager, UserMixin, current_user
from flask_restful import Api as RestfulApi
from flask_restful import Resource as RestfulResource
from flask_restx import Api as RestxApi
from flask_restx import Resource as RestxResource
from flask_smorest import Api as SmorestApi
from flask_smorest import Blueprint as SmorestBlueprint
from flask_sock import Sock
from flask_socketio import SocketIO
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from flask_sentry_kit import SentryKit
from tests.support.sentry import RecordingSentry

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
CURL = {"Accept": "*/*"}

CODES = (400, 404, 405, 429)

Register = Callable[..., Any]


class Broken(Exception):
    """The exception of the views."""


def view(code: int) -> Any:
    if code == 500:
        raise Broken
    return abort(code)


def restx(app: Flask) -> None:
    api = RestxApi(app)

    @api.route("/x/<int:code>")
    class View(RestxResource):
        def get(self, code: int) -> Any:
            return view(code)


def restful(app: Flask) -> None:
    class View(RestfulResource):
        def get(self, code: int) -> Any:
            return view(code)

    RestfulApi(app).add_resource(View, "/x/<int:code>")


def apiflask(app: Flask) -> None:
    app.add_url_rule("/x/<int:code>", view_func=view)


def smorest(app: Flask) -> None:
    app.config.update(API_TITLE="Shop", API_VERSION="1", OPENAPI_VERSION="3.0.2")
    part = SmorestBlueprint("part", "part")
    part.route("/x/<int:code>")(view)
    SmorestApi(app).register_blueprint(part)


EXTENSIONS = {"restx": restx, "restful": restful, "apiflask": apiflask, "smorest": smorest}


def make(extension: str, config: dict[str, Any]) -> Flask:
    app: Flask = APIFlask("shop") if extension == "apiflask" else Flask("shop")
    app.config.update(config)
    return app


@pytest.fixture
def register(wire: RecordingSentry) -> Iterator[Register]:
    """Register the kit on an app that reports to ``wire``."""
    made: list[Flask] = []

    def run(app: Flask) -> Flask:
        app.config.update(SENTRY_DSN=wire.dsn, SECRET_KEY="k")
        app.register_blueprint(SentryKit())
        made.append(app)
        return app

    yield run
    for app in made:
        app.extensions["sentry_kit"].outbox.close(1)


@pytest.mark.parametrize("first", [True, False], ids=["kit first", "kit last"])
@pytest.mark.parametrize("extension", EXTENSIONS)
def test_its_answers_are_what_they_are_without_the_kit(
    register: Register, wire: RecordingSentry, extension: str, first: bool
) -> None:
    """Status, type and body of each answer stay; one event for the crash, none for the others."""
    without, app = make(extension, {}), make(extension, {})
    EXTENSIONS[extension](without)
    if first:
        register(app)
        EXTENSIONS[extension](app)
    else:
        EXTENSIONS[extension](app)
        register(app)
    for code in (*CODES, 500):
        expected = without.test_client().get(f"/x/{code}", headers=CURL)
        answer = app.test_client().get(f"/x/{code}", headers=CURL)
        assert (answer.status_code, answer.mimetype, answer.data) == (
            expected.status_code,
            expected.mimetype,
            expected.data,
        )
        assert ("X-Sentry-ID" in answer.headers) is (code == 500)
    event = wire.one_event(app)
    assert event["exception"]["values"][-1]["type"] == "Broken"
    assert answer.headers["X-Sentry-ID"] == event["event_id"]


@pytest.mark.parametrize("extension", ["apiflask", "smorest"])
def test_a_browser_sees_the_page_where_a_handler_would_answer_json(
    register: Register, extension: str
) -> None:
    """Only at a crash; the extension still answers a 404."""
    app = make(extension, {})
    EXTENSIONS[extension](app)
    register(app)
    page = app.test_client().get("/x/500", headers=BROWSER)
    assert page.status_code == 500 and "Something broke on our side." in page.text
    assert app.test_client().get("/x/404", headers=BROWSER).is_json


class Base(DeclarativeBase):
    pass


def test_a_page_that_needs_the_database_that_is_gone_does_not_take_ours_down(
    register: Register, wire: RecordingSentry, tmp_path: Any
) -> None:
    """The usual 500.html: it extends a base.html that reads current_user from the database."""
    (tmp_path / "base.html").write_text("{{ current_user.id }} {% block body %}{% endblock %}")
    (tmp_path / "own.html").write_text(
        '{% extends "base.html" %}{% block body %}Own.{% endblock %}'
    )
    app = Flask("shop", template_folder=str(tmp_path))
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:////nowhere/at/all.sqlite"
    db, login = SQLAlchemy(app, model_class=Base), LoginManager(app)

    class User(UserMixin, db.Model):  # type: ignore[name-defined]
        id: Mapped[int] = mapped_column(primary_key=True)

    @login.user_loader
    def load(user_id: str) -> Any:
        return db.session.get(User, int(user_id))

    @app.errorhandler(500)
    def own(error: Exception) -> Any:
        return render_template("own.html"), 500

    @app.get("/")
    def orders() -> str:
        return str(db.session.query(User).all())

    @app.get("/template")
    def template() -> str:
        return render_template_string("{{ current_user.id }}", current_user=current_user)

    register(app)
    for path in ("/", "/template"):
        wire.received.clear()
        client = app.test_client()
        with client.session_transaction() as session:
            session["_user_id"] = "7"
        page = client.get(path, headers=BROWSER)
        assert page.status_code == 500 and "Something broke on our side." in page.text
        assert app.extensions["sentry"].flush(10)
        first, second = wire.events
        assert page.headers["X-Sentry-ID"] == first["event_id"]
        assert first["event_id"] in page.text
        assert {first["exception"]["values"][-1]["type"]} == {"OperationalError"}


def connect(address: str, path: str) -> None:
    """Open a WebSocket, and disconnect without a closing message."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        key = base64.b64encode(os.urandom(16)).decode()
        client.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert client.recv(4096).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    ("path", "events"),
    [("/socket.io/?EIO=4&transport=websocket", []), ("/broken", ["Broken"])],
    ids=["ends", "crashes"],
)
def test_a_websocket_that_ends_is_no_crash_and_one_that_crashes_is(
    register: Register,
    wire: RecordingSentry,
    serve: Callable[..., str],
    path: str,
    events: list[str],
) -> None:
    """Socket.IO's engine ends each WebSocket with a bare ConnectionError for the server."""
    app = Flask("shop")
    SocketIO(app, async_mode="threading", monitor_clients=False)

    @Sock(app).route("/broken")
    def broken(ws: Any) -> None:
        raise Broken

    register(app)
    ended: list[type[BaseException] | None] = []

    def watched(environ: Any, start_response: Any) -> Any:
        try:
            return app(environ, start_response)
        finally:
            ended.append(sys.exc_info()[0])

    connect(serve(watched), path)
    assert wire.wait(lambda: bool(ended))
    assert ended == [None if events else ConnectionError]
    assert app.extensions["sentry"].flush(10)
    assert [event["exception"]["values"][-1]["type"] for event in wire.events] == events
