"""The table of files that clients send with an event.

Every function works in a transaction of the caller's.
"""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..errors import DamagedEventError

MOST: Final = 20
"""Attachments of one event; further ones are left out."""

_UNPACKED: Final = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with an event: its name, type and bytes are not trusted."""

    name: str
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class AttachmentFacts:
    """What is known of an attachment without reading it."""

    id: int
    name: str
    content_type: str
    size: int
    """In bytes."""


def add(db: sqlite3.Connection, event_id: str, found: Sequence[Attachment]) -> int:
    """Write an event's attachments, each once. Returns how many bytes they take."""
    known = db.execute(
        "SELECT count(*) FROM attachments WHERE event_id = ?", (event_id,)
    ).fetchone()[0]
    taken = 0
    for item in found[: max(0, MOST - known)]:
        head = f"{item.name}\0{item.content_type}\0".encode("utf-8", "replace")
        digest = hashlib.sha256(head + item.data).hexdigest()[:32]
        packed = zlib.compress(item.data, 1)
        done = db.execute(
            "INSERT OR IGNORE INTO attachments (event_id, name, content_type, size, stored, digest,"
            " data) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                event_id,
                item.name,
                item.content_type,
                len(item.data),
                len(packed),
                digest,
                packed,
            ),
        )
        taken += len(packed) if done.rowcount > 0 else 0
    return taken


def facts(db: sqlite3.Connection, event_id: str) -> list[AttachmentFacts]:
    rows = db.execute(
        "SELECT id, name, content_type, size FROM attachments WHERE event_id = ? ORDER BY id",
        (event_id,),
    )
    return [
        AttachmentFacts(int(row[0]), str(row[1]), str(row[2]), row[3] if type(row[3]) is int else 0)
        for row in rows.fetchall()
    ]


def read(db: sqlite3.Connection, event_id: str, number: int) -> Attachment | None:
    """
    :raises DamagedEventError: the file holds it and it cannot be read.
    """
    row = db.execute(
        "SELECT name, content_type, data FROM attachments WHERE event_id = ? AND id = ?",
        (event_id, number),
    ).fetchone()
    if row is None:
        return None
    machine = zlib.decompressobj()
    try:
        data = machine.decompress(row["data"], _UNPACKED)
    except (zlib.error, TypeError):
        raise DamagedEventError(event_id) from None
    if not machine.eof:
        raise DamagedEventError(event_id)
    return Attachment(str(row["name"]), str(row["content_type"]), data)
