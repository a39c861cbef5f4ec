"""Takes over the items of a spool that an earlier version of this package made.

In version 2 an item had at most one second request, ``fallback``, for a server without the first
one's address.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any, Final

OLD_VERSION: Final = 2

_AFTER: Final = [403, 404, 405, 410]
# The answers after which version 2 sent the fallback.


def upgrade(db: sqlite3.Connection, schema: Iterable[str]) -> None:
    """Make a spool of version 2 one of today's, within the caller's transaction.

    A process that still runs the earlier version finds that the file is not its own any more, and
    queues in memory.

    :param schema: the statements that make an empty spool.
    """
    db.execute("ALTER TABLE items RENAME TO old_items")
    for name in ("item_in", "item_out"):
        db.execute(f"DROP TRIGGER IF EXISTS {name}")
    for name in ("refused", "total"):
        db.execute(f"DROP TABLE IF EXISTS {name}")
    for statement in schema:
        db.execute(statement)
    old = db.execute(
        "SELECT id, kind, event_id, origin, request, body, fallback, fallback_body, use_fallback,"
        " tries, size FROM old_items ORDER BY id"
    )
    for *columns, fallback, fallback_body, use_fallback, tries, size in old:
        alternatives = None if fallback is None else _alternatives(fallback, fallback_body)
        db.execute(
            "INSERT INTO items (id, kind, event_id, origin, request, body, alternatives, at, tries,"
            " size) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*columns, alternatives, int(bool(use_fallback and fallback)), tries, size),
        )
    db.execute("DROP TABLE old_items")


def _alternatives(head: Any, body: Any) -> str:
    try:
        # No server of today keeps what version 2 sent there.
        request = {**json.loads(head), "body": body.decode("latin-1"), "keeps": False}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return ""  # dropped, counted and logged when the row is read
    return json.dumps([{**request, "after": _AFTER}])
