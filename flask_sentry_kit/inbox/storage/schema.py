"""The tables of the inbox's file, and how those of earlier versions become these."""

from __future__ import annotations

from typing import Final

from . import facet_table

APPLICATION_ID: Final = 0x5E47B0C5
"""Marks the file as an inbox's, so that no other program's database is written to."""

VERSION: Final = 2
"""Of the tables, in the file's ``user_version``. Version 1, until November 2026, has 0 there."""

# A crash is a group of events with the same cause in the same place. What a list or a search looks
# at is in `events`, whose rows are small. `bodies` holds what only an event's page needs. The index
# of words has a table for each row of `parts`; see ``word_index.py``.
EVENTS: Final = (
    facet_table.SCHEMA
    + """
CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO facts VALUES ('changes', 0), ('events', 0), ('bytes', 0);
CREATE TABLE crashes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL, value TEXT NOT NULL, place TEXT NOT NULL, level TEXT NOT NULL,
    app TEXT NOT NULL, release TEXT NOT NULL, environment TEXT NOT NULL,
    count INTEGER NOT NULL, people INTEGER NOT NULL,
    first_at REAL NOT NULL, last_at REAL NOT NULL, touched REAL NOT NULL,
    unread INTEGER NOT NULL, resolved INTEGER NOT NULL, kept INTEGER NOT NULL
);
CREATE INDEX crashes_touched ON crashes (touched);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    crash INTEGER NOT NULL REFERENCES crashes (id),
    project TEXT NOT NULL,
    at REAL NOT NULL, received REAL NOT NULL, size INTEGER NOT NULL, kept INTEGER NOT NULL,
    person TEXT NOT NULL, person_id TEXT NOT NULL, user TEXT NOT NULL,
    facet INTEGER NOT NULL REFERENCES facets (id), value TEXT NOT NULL,
    attachments INTEGER NOT NULL
);
CREATE INDEX events_crash ON events (crash, seq);
CREATE INDEX events_kept ON events (kept, seq, size);
CREATE TABLE bodies (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE words_to_index (seq INTEGER PRIMARY KEY, words TEXT NOT NULL);
CREATE TABLE parts (id INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL);
CREATE TABLE people (
    crash INTEGER NOT NULL, person TEXT NOT NULL, events INTEGER NOT NULL,
    PRIMARY KEY (crash, person)
) WITHOUT ROWID;
CREATE TABLE attachments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL,
    name TEXT NOT NULL, content_type TEXT NOT NULL, size INTEGER NOT NULL, stored INTEGER NOT NULL,
    digest TEXT NOT NULL, data BLOB NOT NULL
);
CREATE UNIQUE INDEX attachments_event ON attachments (event_id, digest);
"""
)
