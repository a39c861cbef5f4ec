"""What the tests of the outbox share beside fixtures: rows of a spool, and how a child ended."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from subprocess import Popen
from typing import Any

from flask_sentry_kit.outbox.spool import Spool

SECRET = "5ec7e75ec7e75ec7e75ec7e75ec7e75e"
"""The secret half of the key in the events of these tests."""

HEADERS = {"X-Sentry-Auth": "Sentry sentry_version=7, sentry_key=public"}


def plant(path: str, url: str, **columns: Any) -> None:
    """Put a row into a spool as somebody with an editor would."""
    Spool(path, 10, 10).count()
    row = {
        "kind": "event",
        "event_id": "planted",
        "origin": url,
        "request": json.dumps({"url": f"{url}/api/1/store/", "headers": HEADERS}),
        "body": b"{}",
        "alternatives": None,
        "at": 0,
        "tries": 0,
        "size": 1024,
        **columns,
    }
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        names = ", ".join(row)
        marks = ", ".join("?" * len(row))
        db.execute(f"INSERT INTO items ({names}) VALUES ({marks})", tuple(row.values()))


def count(path: str) -> int:
    with closing(sqlite3.connect(path)) as db:
        found: int = db.execute("SELECT count(*) FROM items").fetchone()[0]
    return found


def run(child: Popen[str], timeout: float = 20) -> tuple[str, str, float]:
    began = time.monotonic()
    out, err = child.communicate(timeout=timeout)
    return out, err, time.monotonic() - began
