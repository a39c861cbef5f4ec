"""A user of Flask-Security's when the database is what broke."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask_sqlalchemy
import pytest
import sqlalchemy
from flask import Flask
from flask_login import current_user
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

if "MAX_FORM_PARTS" not in Flask.default_config:
    pytest.skip("Flask-Security needs Flask 3", allow_module_level=True)

from flask_security import (
    RoleMixin,
    Security,
    SQLAlchemyUserDatastore,
    UserMixin,
    hash_password,
)

PASSWORD = "correct horse battery"


def test_the_user_is_known_without_a_query(make_app: Callable[..., Flask], wire: Any) -> None:
    """Whether the user is active and the id itself are columns."""
    app = make_app(
        SQLALCHEMY_DATABASE_URI="sqlite://",
        SECURITY_PASSWORD_SALT="146585145368132386173505678016728509634",
        SECURITY_PASSWORD_HASH="plaintext",
        SECURITY_PASSWORD_SINGLE_HASH=["plaintext"],
        SECURITY_PASSWORD_SCHEMES=["plaintext"],
        WTF_CSRF_ENABLED=False,
    )

    class Base(DeclarativeBase):
        pass

    roles_of = sqlalchemy.Table(
        "roles_of",
        Base.metadata,
        sqlalchemy.Column("person_id", sqlalchemy.ForeignKey("person.id")),
        sqlalchemy.Column("role_id", sqlalchemy.ForeignKey("role.id")),
    )

    class Role(RoleMixin, Base):
        __tablename__ = "role"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(unique=True)

    class Person(UserMixin, Base):
        __tablename__ = "person"
        id: Mapped[int] = mapped_column(primary_key=True)
        email: Mapped[str] = mapped_column(unique=True)
        password: Mapped[str]
        active: Mapped[bool]
        fs_uniquifier: Mapped[str] = mapped_column(unique=True)
        roles = relationship(Role, secondary=roles_of)

    db = flask_sqlalchemy.SQLAlchemy(app, model_class=Base)
    store = SQLAlchemyUserDatastore(db, Person, Role)
    Security(app, store)
    with app.app_context():
        Base.metadata.create_all(db.engine)
        user = store.create_user(email="a@example.org", password=hash_password(PASSWORD))
        db.session.commit()
        number = user.fs_uniquifier

    @app.get("/insert")
    def insert() -> str:
        assert current_user.is_authenticated
        db.session.add(Role(name=None))
        db.session.flush()
        return ""

    client = app.test_client()
    answer = client.post("/login", data={"email": "a@example.org", "password": PASSWORD})
    assert answer.status_code == 302
    client.get("/insert")
    user = wire.one_event(app)["user"]
    assert user["id"] == number
    assert user.get("is_authenticated") is not False
