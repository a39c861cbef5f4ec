"""Who it happened to: Flask-Login's user or a callable's, asked only when it matters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, g, session
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user

from flask_sentry_kit import sentry_kit
from flask_sentry_kit.user import user_facts, without_queries

Make = Callable[..., Flask]


class User(UserMixin):
    """A user of whom every attribute but the id can be made to break."""

    def __init__(self, number: str) -> None:
        self.id = number
        self.email = f"user{number}@example.org"

    def full_name(self) -> str:
        return f"User {self.id}"

    @property
    def broken(self) -> str:
        raise ConnectionError("the database is down")

    @property
    def exits(self) -> str:
        raise SystemExit


def with_login(app: Flask, loader: Any = User) -> list[str]:
    """Give an app Flask-Login; returns the list of ids that the loader was asked for."""
    asked: list[str] = []
    manager = LoginManager(app)

    @manager.user_loader
    def load(number: str) -> Any:
        asked.append(number)
        return loader(number)

    @app.get("/login/<number>")
    def login(number: str) -> str:
        login_user(User(number))
        return "in"

    return asked


def test_no_user_is_loaded_before_a_crash(make_app: Make, wire: Any) -> None:
    """Healthy requests, 404s and static files ask no user_loader; the crash asks once."""
    app = make_app()
    asked = with_login(app)
    client = app.test_client()
    client.get("/login/7")
    for path in ("/", "/nowhere", "/static/none.css"):
        client.get(path)
    assert asked == []
    client.get("/boom")
    assert wire.one_event(app)["user"]["id"] == "7"
    assert asked == ["7"]


def test_a_user_the_view_has_loaded_is_not_loaded_again(make_app: Make, wire: Any) -> None:
    """If current_user was used already, the event has that user."""
    app = make_app()
    asked = with_login(app)

    @app.get("/mine")
    def mine() -> str:
        raise ValueError(current_user.id)

    client = app.test_client()
    client.get("/login/7")
    client.get("/mine")
    assert wire.one_event(app)["user"]["id"] == "7"
    assert asked == ["7"]


def test_somebody_who_signs_in_in_the_crashing_request(make_app: Make, wire: Any) -> None:
    """login_user() and logout_user() before the crash show in the event."""
    app = make_app()
    with_login(app)

    @app.get("/in-and-crash")
    def signs_in() -> str:
        login_user(User("9"))
        raise ValueError

    @app.get("/out-and-crash")
    def signs_out() -> str:
        logout_user()
        raise ValueError

    client = app.test_client()
    client.get("/in-and-crash")
    client.get("/login/7")
    client.get("/out-and-crash")
    assert app.extensions["sentry"].flush(5)
    signed_in, signed_out = wire.events
    assert signed_in["user"]["id"] == "9"
    assert "id" not in signed_out["user"]
    assert signed_out["user"]["is_anonymous"] is True


def test_no_user_is_kept_for_the_next_crash(make_app: Make, wire: Any) -> None:
    """Alice's crash leaves nothing on Mallory's."""
    app = make_app(SENTRY_USER_ATTRS=["email"])
    with_login(app)
    alice, mallory = app.test_client(), app.test_client()
    alice.get("/login/1")
    alice.get("/boom")
    mallory.get("/boom")
    assert app.extensions["sentry"].flush(5)
    first, second = wire.events
    assert first["user"]["email"] == "user1@example.org"
    assert set(second["user"]) == {"is_authenticated", "is_anonymous", "ip_address"}


def _raises(number: str) -> Any:
    raise ConnectionError("the database is down")


def _exits(number: str) -> Any:
    raise SystemExit


def _none(number: str) -> Any:
    return None


@pytest.mark.parametrize("loader", [_raises, _exits, _none])
def test_a_user_who_cannot_be_loaded_costs_no_event(make_app: Make, wire: Any, loader: Any) -> None:
    """A dead database behind user_loader: the event goes with its exception and request."""
    app = make_app()
    with_login(app, loader)
    client = app.test_client()
    client.get("/login/7")
    response = client.get("/boom")
    event = wire.one_event(app)
    assert response.status_code == 500
    assert response.headers["X-Sentry-ID"] == event["event_id"]
    assert event["exception"]["values"][-1]["type"] == "Boom"
    assert event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert event["request"]["url"] == "http://localhost/boom"


def test_an_attribute_that_breaks_costs_only_itself(make_app: Make, wire: Any) -> None:
    """Attributes may be methods; those that raise are left out."""
    app = make_app(SENTRY_USER_ATTRS=["broken", "full_name", "exits", "email", "missing"])
    with_login(app)
    client = app.test_client()
    client.get("/login/7")
    client.get("/boom")
    user = wire.one_event(app)["user"]
    assert user["data"] == {"full_name": "User 7"}
    assert user["email"] == "user7@example.org"


class _Odd:
    """Not a UserMixin: every property raises, and its truth does too."""

    def get_id(self) -> Any:
        return {"not": "a string", "password": "hunter2"}

    @property
    def is_authenticated(self) -> Any:
        class Truth:
            def __bool__(self) -> bool:
                raise RuntimeError

        return Truth()

    @property
    def is_anonymous(self) -> Any:
        raise RuntimeError

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]  # unhashable on purpose


def test_an_odd_user_object_costs_no_event(make_app: Make, wire: Any) -> None:
    """A user object that lies or raises leaves the exception, its frames and the request."""
    app = make_app()
    with_login(app, lambda number: _Odd())
    client = app.test_client()
    client.get("/login/7")
    client.get("/boom")
    event = wire.one_event(app)
    assert event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert event["request"]["url"] == "http://localhost/boom"
    assert "hunter2" not in str(event["user"])


def _kit_app(wire: Any, **config: Any) -> Flask:
    app = Flask("shop")
    app.config.update(SENTRY_DSN=wire.dsn, SECRET_KEY="k", **config)
    app.register_blueprint(sentry_kit)

    @app.get("/boom")
    def crash() -> str:
        raise ValueError

    return app


def test_a_callable_for_apps_without_flask_login(wire: Any) -> None:
    """SENTRY_KIT_USER says who it is: known keys are the interface's, others its data."""
    asked = []

    def user() -> dict[str, Any]:
        asked.append(1)
        return {"id": 5, "email": "a@example.org", "plan": "gold", "password": "hunter2"}

    app = _kit_app(wire, SENTRY_KIT_USER=user)
    app.test_client().get("/_sentry_kit/static/crash.css").close()
    assert asked == []
    html = app.test_client().get("/boom", headers={"Accept": "text/html"}).text
    event = wire.one_event(app)
    assert event["user"]["id"] == "5"
    assert event["user"]["email"] == "a@example.org"
    assert event["user"]["data"]["plan"] == "gold"
    assert "hunter2" not in str(event)
    assert "a@example.org" in html


@pytest.mark.parametrize(
    "user", [lambda: None, lambda: 1 / 0, lambda: "alice", lambda: exit(1), lambda: {1: 2}]
)
def test_a_callable_that_cannot_say_costs_nothing(wire: Any, user: Any) -> None:
    """Whatever SENTRY_KIT_USER does, page and event are there."""
    app = _kit_app(wire, SENTRY_KIT_USER=user)
    response = app.test_client().get("/boom", headers={"Accept": "text/html"})
    event = wire.one_event(app)
    assert response.status_code == 500
    assert event["event_id"] in response.text
    assert event["exception"]["values"][-1]["stacktrace"]["frames"]


def test_what_a_user_is_called_is_bounded(wire: Any) -> None:
    """A name of a megabyte is cut, in the event and on the page."""
    app = _kit_app(wire, SENTRY_KIT_USER=lambda: {"id": "i" * 10**6, "name": "n" * 10**6})
    html = app.test_client().get("/boom", headers={"Accept": "text/html"}).text
    event = wire.one_event(app)
    assert len(event["user"]["id"]) <= 200
    assert len(html) < 50_000


def test_without_queries_nobody_is_loaded(make_app: Make) -> None:
    """A worker that is about to die has no time for a database, which may be what hangs: the id in
    the session, or what an object that was loaded before holds."""
    app = make_app(SECRET_KEY="key")

    class Person(UserMixin):
        def __init__(self) -> None:
            self.id, self.email = "7", "ada@example.org"

        @property
        def name(self) -> str:
            raise AssertionError("it would ask the database")

    def load(number: str) -> Person:
        raise AssertionError("it would ask the database")

    LoginManager(app).user_loader(load)
    with app.test_request_context("/"), without_queries():
        assert user_facts(["email"], None) == {}
        session["_user_id"] = "7"
        assert user_facts(["email"], None) == {"id": "7"}
        g._login_user = Person()
        facts = user_facts(["email", "name"], None)
        assert facts == {"id": "7", "email": "ada@example.org"}
