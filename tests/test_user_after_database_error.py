"""Who it happened to when the database is what broke: known without a query, nothing made up."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import flask_sqlalchemy
import pytest
import sqlalchemy
from flask import Flask, g
from flask_login import LoginManager, UserMixin, current_user, login_user
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from flask_sentry_kit import sentry_kit
from flask_sentry_kit.user import person, user_facts

Make = Callable[..., Flask]


def shop(app: Flask, *, active_in_database: bool = False) -> flask_sqlalchemy.SQLAlchemy:
    """Give an app Flask-SQLAlchemy, a user with number 7 and Flask-Login, and a view whose
    INSERT breaks a rule, so that its session is unusable from then on."""

    class Base(DeclarativeBase):
        pass

    class Person(UserMixin, Base):
        __tablename__ = "person"
        id: Mapped[int] = mapped_column(primary_key=True)
        email: Mapped[str] = mapped_column(sqlalchemy.String(80), unique=True)
        active: Mapped[bool] = mapped_column(default=True)

        if active_in_database:

            @property
            def is_active(self) -> bool:
                return self.active

    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    db = flask_sqlalchemy.SQLAlchemy(app, model_class=Base)
    manager = LoginManager(app)
    manager.user_loader(lambda number: db.session.get(Person, int(number)))
    with app.app_context():
        Base.metadata.create_all(db.engine)
        db.session.add(Person(id=7, email="grace@example.org"))
        db.session.commit()

    @app.get("/in")
    def sign_in() -> str:
        login_user(db.session.get(Person, 7))
        return ""

    def insert() -> str:
        db.session.add(Person(email="grace@example.org"))
        db.session.flush()
        return ""

    app.add_url_rule("/insert", view_func=insert)

    @app.get("/asked-and-insert")
    def asked() -> str:
        assert current_user.email
        return insert()

    return db


@pytest.mark.parametrize("in_database", [False, True], ids=["UserMixin", "is_active is a column"])
@pytest.mark.parametrize("path", ["/insert", "/asked-and-insert"])
def test_an_integrity_error_keeps_the_users_id(
    make_app: Make, wire: Any, path: str, in_database: bool
) -> None:
    """The session is unusable after a failed flush: the id is in the event all the same, and
    nothing that could not be asked is stated as False."""
    app = make_app(SENTRY_USER_ATTRS=["email"])
    shop(app, active_in_database=in_database)
    client = app.test_client()
    client.get("/in")
    response = client.get(path)
    event = wire.one_event(app)
    assert response.status_code == 500
    assert event["exception"]["values"][-1]["type"] == "IntegrityError"
    assert event["user"]["id"] == "7"
    assert event["user"].get("is_authenticated") is not False
    assert event["user"].get("is_anonymous") is not True


def test_a_loader_that_raises_leaves_the_id(make_app: Make, wire: Any) -> None:
    """The database is down before anybody asked for the user: the session knows the id."""
    app = make_app()
    db = shop(app)
    client = app.test_client()
    client.get("/in")
    with app.app_context():
        db.Model.metadata.drop_all(db.engine)
    client.get("/boom")
    user = wire.one_event(app)["user"]
    assert user["id"] == "7"
    assert "is_authenticated" not in user
    assert "is_anonymous" not in user


def test_an_instance_that_cannot_be_asked_has_its_identity(make_app: Make) -> None:
    """A user of no session, as request loaders give: SQLAlchemy knows the primary key."""
    app = make_app()
    db = shop(app)
    base: Any = db.Model
    with app.test_request_context("/"):
        [model] = [mapper.class_ for mapper in base.registry.mappers]
        g._login_user = db.session.get(model, 7)
        db.session.expire_all()
        db.session.close()
        with pytest.raises(sqlalchemy.orm.exc.DetachedInstanceError):
            _ = g._login_user.email
        assert user_facts([], None)["id"] == "7"


def test_who_is_gone_is_not_said_to_be_signed_in(make_app: Make) -> None:
    """A session of a user whom the loader does not know any more is an anonymous visitor's."""
    app = make_app()
    shop(app)
    with app.test_request_context("/") as context:
        context.session["_user_id"] = "8"
        assert user_facts([], None) == {"is_authenticated": False, "is_anonymous": True}


class _Raising(UserMixin):
    """Cannot say whether it is signed in; holds its address without a query."""

    def __init__(self) -> None:
        self.email = "grace@example.org"

    @property
    def is_active(self) -> bool:
        raise ConnectionError

    @property
    def name(self) -> str:
        raise ConnectionError


def test_the_prefill_keeps_what_the_user_object_holds(make_app: Make) -> None:
    """Name and address are filled in as far as they can be read without a query."""
    app = make_app()
    LoginManager(app)
    with app.test_request_context("/"):
        g._login_user = _Raising()
        found = person(None)
    assert (found.name, found.email) == ("", "grace@example.org")


def test_the_page_is_filled_in_after_a_database_error(make_app: Make) -> None:
    """Form and dialog of the page have what the user object holds."""
    app = make_app()
    app.register_blueprint(sentry_kit)
    LoginManager(app)

    @app.get("/mine")
    def mine() -> str:
        g._login_user = _Raising()
        raise ConnectionError

    page = app.test_client().get("/mine", headers={"Accept": "text/html"}).get_data(as_text=True)
    assert page.count("grace@example.org") >= 2


def _raises() -> dict[str, Any]:
    raise ConnectionError("the database is down")


def test_a_users_callable_that_raises_is_logged_once(
    make_app: Make, wire: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """SENTRY_KIT_USER that raises costs one line in the log, for event, form and dialog together,
    and for the crashes after it."""
    app = make_app(SENTRY_KIT_USER=_raises)
    app.register_blueprint(sentry_kit)
    client = app.test_client()
    with caplog.at_level(logging.WARNING, "flask_sentry_kit"):
        for _ in range(2):
            assert client.get("/boom", headers={"Accept": "text/html"}).status_code == 500
    said = [record for record in caplog.records if "SENTRY_KIT_USER" in record.getMessage()]
    assert len(said) == 1
    assert said[0].exc_info
