"""Database errors repeat the values to be saved, which are masked by the names of their columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy
from flask import Flask

from flask_sentry_kit.event.error_texts import without_named_values
from flask_sentry_kit.event.mask import MASK
from flask_sentry_kit.event.masked_values import MaskedValues
from flask_sentry_kit.event.scrub import Scrubber

Make = Callable[..., Flask]
SECRET = "hunter2 of grace"
_SQL_ = "[SQL: INSERT INTO u (email, password) VALUES ($1, $2)]\n[parameters: ('a@b', 'x')]\n(Back"


def shown(text: str) -> str:
    scrubber = Scrubber()
    return scrubber.text(without_named_values(text, scrubber, MaskedValues()))


@pytest.mark.parametrize(
    "text",
    [
        f"DETAIL:  Key (password)=({SECRET} (1) {SECRET}) already exists.",
        f"DETAIL:  Key (password)=({SECRET}\n{SECRET}) already exists.",
        f"DETAIL:  Key (lower(password::text), x)=({SECRET}, y) already exists.",
        f"DETAIL:  Key (token)=({SECRET * 60}) already exists.",
        f'DETAIL:  Key (api_token)=({SECRET}) is not present in table "t".',
        f"DETAIL:  Key (token, at)=({SECRET}, [1,2)) conflicts with existing key (token, at)="
        f"({SECRET}, [1,2)).",
        f"DETAIL:  Schlüssel »(token)=({SECRET})« existiert bereits.",
        f"DETAIL:  Failing row contains (1, a(b)\n{SECRET}, {SECRET}).\n{_SQL_}",
        f"DETAIL:  Fehlgeschlagene Zeile enthält (1, null, {SECRET}).",
    ],
)
def test_postgresqls_detail_is_masked_to_its_end(text: str) -> None:
    """Brackets, line ends, expressions, long values and other languages do not end it early."""
    assert SECRET not in shown(text)


@pytest.mark.parametrize(
    "text",
    [
        f"(1062, \"Duplicate entry 'it's {SECRET}' for key 'users.api_token'\")",
        f"(1366, \"Incorrect integer value: '{SECRET}' for column 'password' at row 1\")",
        f"(1366, \"Incorrect string value: '{SECRET}' for column `d`.`u`.`password` at row 1\")",
        f"(1292, \"Truncated incorrect DOUBLE value: '{SECRET}'\")\n{_SQL_}",
        f"invalid input for query argument $2: '{SECRET}' ('str' object cannot be)\n{_SQL_}",
        f'invalid input syntax for type integer: "{SECRET}"\nLINE 1: INSERT INTO u (password)',
        f"CONTEXT:  unnamed portal parameter $1 = '{SECRET}'\n{_SQL_}",
        f"in table 'd.u', column 'password'. Truncated value: '{SECRET}'.",
        f"UNIQUE KEY constraint 'UQ_password'. The duplicate key value is ({SECRET}).",
    ],
)
def test_other_drivers_forms_are_masked(text: str) -> None:
    """asyncpg, MySQL and SQL Server quote the value in their own sentences, and it is masked."""
    assert SECRET not in shown(text)


@pytest.mark.parametrize(
    "text",
    [
        "DETAIL:  Key (email)=(a@b (1)) already exists.",
        "(1062, \"Duplicate entry 'a@b' for key 'users.email'\")",
        "(1366, \"Incorrect integer value: 'many' for column 'amount' at row 1\")",
        'invalid input syntax for type integer: "many"\nLINE 1: INSERT INTO u (amount)',
        "invalid input for query argument $2: 'many' (an integer is required)",
        "[SQL: UPDATE u SET email=%(param_1)s]\n[parameters: {'param_1': 'a@b'}]\n(Back",
        "[SQL: SELECT u.password FROM u WHERE u.id = %(id_1)s]\n[parameters: {'id_1': 5}]\n(Back",
    ],
)
def test_columns_that_are_no_secret_keep_their_values(text: str) -> None:
    """The reason of the error stays readable."""
    assert shown(text) == text


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE u SET password=%(param_1)s",
        "SELECT 1 FROM u WHERE password = :param_1",
        "SELECT 1 FROM u WHERE password IN (%(param_1)s)",
        "INSERT INTO u (password) VALUES (:param_1)",
        "INSERT INTO u (password, email) VALUES (%(param_1)s, lower(%(e)s), 5)",
    ],
)
def test_a_placeholder_goes_by_its_column(statement: str) -> None:
    """Parameters in a dict with meaningless names are matched to the statement's columns."""
    text = f"[SQL: {statement}]\n[parameters: {{'param_1': '{SECRET}'}}]\n(Background"
    assert SECRET not in shown(text)
    assert MASK in shown(text)


@pytest.mark.parametrize("rows", [1, 3, 30])
@pytest.mark.parametrize("style", ["qmark", "named"])
def test_a_form_that_sqlalchemy_could_not_save(
    make_app: Make, wire: Any, rows: int, style: Any
) -> None:
    """A real IntegrityError, with one row and with many, by place and by name: the password is in
    no part of the event, the reason is."""
    app = make_app()
    engine = sqlalchemy.create_engine("sqlite://", paramstyle=style)
    users = sqlalchemy.Table(
        "users",
        sqlalchemy.MetaData(),
        sqlalchemy.Column("email", sqlalchemy.String, nullable=False),
        sqlalchemy.Column("password", sqlalchemy.String),
    )
    form = {"email": None, "password": SECRET}

    @app.get("/sign-up")
    def sign_up() -> str:
        with engine.begin() as connection:
            users.create(connection)
            connection.execute(users.insert(), [form] * rows if rows > 1 else form)
        return ""

    app.test_client().get("/sign-up")
    event = wire.one_event(app)
    engine.dispose()
    assert SECRET not in str(event)
    assert "NOT NULL constraint failed: users.email" in event["exception"]["values"][-1]["value"]
    assert "INSERT INTO users" in event["exception"]["values"][-1]["value"]
