"""What a search finds, on tables with the columns that it looks at."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_sentry_kit.files import connect_in_memory
from flask_sentry_kit.inbox.storage.facet_table import COLUMNS
from flask_sentry_kit.inbox.storage.search import FIELDS, SearchError, parse
from flask_sentry_kit.inbox.storage.search_sql import (
    Scope,
    conditions,
    event_conditions,
    report_conditions,
)

TABLES = """
CREATE TABLE crashes (id INTEGER PRIMARY KEY, unread, resolved, kept);
CREATE TABLE facets (
    id INTEGER PRIMARY KEY, crash, type, place, level, url, method, server, app, release,
    environment, tags
);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, event_id UNIQUE, crash, at, person, user, facet, value, attachments
);
CREATE INDEX events_crash ON events (crash, seq);
CREATE TABLE reports (id INTEGER PRIMARY KEY, feedback_id, event_id, crash, name, email, at, url);
CREATE VIRTUAL TABLE event_text USING fts5 (words);
CREATE VIRTUAL TABLE report_text USING fts5 (words);
"""
NOW = 2_000_000.0
SCOPE = Scope(("event_text",), NOW)
CART, PAYMENT, LOOSE = f"4f2a91c0{'1' * 24}", "5" * 32, "6" * 32


@pytest.fixture(scope="module")
def db() -> Iterator[sqlite3.Connection]:
    """Two crashes: 1 in the cart, which happened to Ada and then to Bob, and 2 in the payment,
    which nobody has read. Ada wrote about hers, and somebody about none."""
    with closing(connect_in_memory()) as made:
        made.executescript(TABLES)
        made.execute("INSERT INTO crashes VALUES (1, 0, 1, 0), (2, 1, 0, 1)")
        _event(made, 1, CART, 1, 1_000_000, person="Ada", user="Ada\n7", url="/cart?q=100%")
        _event(made, 2, "2" * 32, 1, NOW - 60, person="Bob", user="Bob\n8", release="1.3")
        _event(
            made,
            3,
            PAYMENT,
            2,
            NOW - 7_000,
            type="Zahlungsfehler",
            value="Überfällig",
            place="shop.payment.pay",
            level="warning",
            method="GET",
            environment="production",
            tags="\nplan=free\nos.name=a=b 100%\n",
            attachments=2,
        )
        words = (
            "ValueError\nValue Error\nno sum\ngift_cards",
            "TypeError\nType Error\nno sum",
            "ü",
        )
        for number, text in enumerate(words, 1):
            made.execute("INSERT INTO event_text (rowid, words) VALUES (?, ?)", (number, text))
        made.executemany(
            "INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (1, "", CART, 1, "Ada", "ada@shop.example", 1_000_001, ""),
                (2, "f" * 32, LOOSE, None, "Cy", "", NOW - 60, "/help"),
            ],
        )
        made.execute("INSERT INTO report_text (rowid, words) VALUES (1, 'Ada pressed pay')")
        made.execute("INSERT INTO report_text (rowid, words) VALUES (2, 'Cy is lost')")
        yield made


def _event(
    db: sqlite3.Connection, seq: int, event_id: str, crash: int, at: float, **more: object
) -> None:
    usual = dict.fromkeys(
        ("person", "user", "url", "server", "app", "release", "environment", "tags"), ""
    )
    row = {
        **usual,
        "type": "ValueError",
        "value": "no sum",
        "place": "shop.cart.total",
        "level": "error",
        "method": "POST",
        "attachments": 0,
        **more,
    }
    shared = {"id": seq, "crash": crash, **{name: row.pop(name) for name in COLUMNS}}
    row.update(seq=seq, event_id=event_id, crash=crash, at=at, facet=seq)
    for table, values in (("facets", shared), ("events", row)):
        db.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
            list(values.values()),
        )


def crashes(db: sqlite3.Connection, text: str) -> list[int]:
    sql, parameters = conditions(parse(text), SCOPE)
    return [
        row[0]
        for row in db.execute(f"SELECT c.id FROM crashes c WHERE {sql} ORDER BY c.id", parameters)
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [1, 2]),
        ("is:unread", [2]),
        ("-is:unread", [1]),
        ("is:resolved", [1]),
        ("is:kept has:attachment", [2]),
        ("has:words", [1]),
        ("-has:words", [2]),
        ("has:user", [1]),
        ("type:error", [1]),
        ("type:*error", [1]),
        ("-type:ValueError", [2]),
        ("value:überfällig", [2]),
        ("value:FÄLL", [2]),
        ("where:payment", [2]),
        ("user:ada user:7", [1]),
        ("user:ada user:8", []),
        ("user:ada release:1.3", []),
        ("user:bob release:1.*", [1]),
        ("release:3", []),
        ("release:*3", [1]),
        ('release:"*3"', []),
        ("release:*", [1]),
        ('-release:""', [1]),
        ("environment:PRODUCTION", [2]),
        ("environment:prod", []),
        ("method:get", [2]),
        ("level:warn*", [2]),
        ("url:100%", [1]),
        ("url:1_0", []),
        ("url:%", [1]),
        ("tag.plan:free", [2]),
        ("tag.Plan:FREE", [2]),
        ("tag.plan:100", []),
        ("tag.os.name:=b", [2]),
        ("tag.os:a", []),
        ("tag.plan:*", [2]),
        ('tag.plan:""', [1]),
        ("-tag.plan:free", [1]),
        ("after:1h", [1]),
        ("after:2h", [1, 2]),
        ("before:1970-01-13", [1]),
        ("before:1970-01-13 after:1h", []),
        ("sum", [1]),
        ("valueerr", [1]),
        ("gift", [1]),
        ("gift_car", [1]),
        ("g", []),
        ("Ü", [2]),
        ('"no sum"', [1]),
        ('"sum no"', []),
        ('"no su"', []),
        ("-type", [1, 2]),
        ("pressed", [1]),
        ("value pressed", [1]),
        ("type pressed", []),
        ("sum gift pressed ada", [1]),
        ("sum gift pressed type", []),
        ("value sum -gift", []),
        ("sum -gift", [1]),
        ("lost", []),
        ("4f2a91c0", [1]),
        ("-4f2a91c0", [1, 2]),
        (CART, [1]),
        ("55555555-5555-5555", [2]),
    ],
)
def test_a_crash_is_found_by_one_of_its_events(
    db: sqlite3.Connection, text: str, found: list[int]
) -> None:
    """All that is said of an event holds for the same event, and the rest for the crash."""
    assert crashes(db, text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [("", [1, 2, 3]), ("has:words", [1]), ("-has:words is:resolved", [2]), ("after:1h", [2])],
)
def test_events_are_found_one_by_one(db: sqlite3.Connection, text: str, found: list[int]) -> None:
    """Among events, ``has:words`` means words about this event."""
    sql, parameters = event_conditions(parse(text), SCOPE)
    rows = db.execute(f"SELECT e.seq FROM events e WHERE {sql} ORDER BY e.seq", parameters)
    assert [row[0] for row in rows] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [1, 2]),
        ("pressed", [1]),
        ("has:words lost", [2]),
        ("user:CY", [2]),
        ("user:shop.example", [1]),
        ("type:ValueError", [1]),
        ("is:resolved", [1]),
        ("after:1h", [2]),
        ("url:help", [2]),
        ("ffffffff", [2]),
        ("4f2a91c0", [1]),
        ("sum", []),
    ],
)
def test_words_are_found_by_what_they_say(
    db: sqlite3.Connection, text: str, found: list[int]
) -> None:
    """By text, writer, time and address of the words; by type and the like of their event."""
    sql, parameters = report_conditions(parse(text), SCOPE)
    rows = db.execute(f"SELECT r.id FROM reports r WHERE {sql} ORDER BY r.id", parameters)
    assert [row[0] for row in rows] == found


def test_a_search_about_crashes_alone_does_not_look_at_events(db: sqlite3.Connection) -> None:
    """``is:`` and ``has:words`` cost nothing however many events are kept, and a reference is found
    by the index."""
    sql, parameters = conditions(parse("is:unread -has:words"), SCOPE)
    assert "events" not in sql and parameters == []
    sql, parameters = conditions(parse("4f2a91c0"), SCOPE)
    plan = db.execute(f"EXPLAIN QUERY PLAN SELECT 1 FROM crashes c WHERE {sql}", parameters)
    assert not [row[3] for row in plan if row[3] == "SCAN e"]


PIECES = [
    *FIELDS.values(),
    "tag.a:",
    "-",
    '"',
    "\\",
    "'",
    ":",
    "*",
    "%",
    "_",
    "(",
    ")",
    "^",
    "+",
    " ",
]
PIECES += ["AND", "NEAR(", "deadbeef", "é", "\0", "\ud800", "x"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_nothing_that_is_typed_is_an_error_of_sqlite(db: sqlite3.Connection, text: str) -> None:
    """Every search is valid SQL and a valid full-text query."""
    try:
        search = parse(text)
    except SearchError:
        return
    for make, rows in (
        (conditions, "crashes c"),
        (event_conditions, "events e"),
        (report_conditions, "reports r"),
    ):
        sql, parameters = make(search, SCOPE)
        db.execute(f"SELECT count(*) FROM {rows} WHERE {sql}", parameters).fetchone()
