"""Moves a spool that SQLite can no longer read out of the way, so that a new one can begin.

It moves spools only: another program's database, or a text file that was named by mistake, stays
where it is.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

from ..files import SIBLINGS, connect

if sys.platform != "win32":
    import fcntl

# "sKit". It tells a spool from another program's database, which is never written to.
APPLICATION_ID = 0x734B6974

SUFFIX = ".damaged"

WHAT = "The spool"
"""What the file is called in errors."""


class DamagedError(ValueError):
    """A spool holds something else than what was written."""


# Words of SQLite's messages about damaged files. Python 3.10 has no error codes of SQLite's.
_DAMAGED = ("malformed", "not a database", "encrypted", "file format", "decode", "corrupt")


def is_damage(error: BaseException) -> bool:
    """Whether an error of a transaction says that the file is not what we wrote."""
    if isinstance(error, sqlite3.DatabaseError):
        said = str(error)
        return any(word in said for word in _DAMAGED)
    # SQLite's message about a damaged file may not be UTF-8.
    return isinstance(error, DamagedError | UnicodeDecodeError)


def set_aside(path: str, damaged: tuple[int, int]) -> str | None:
    """Move a damaged spool and the files beside it; return its new path.

    It replaces the spool that was set aside before, so that a bad disk is not filled.

    :param damaged: device and inode of the file that was found damaged. If the path leads to
        another file by now, another process was first, and nothing is moved.
    :returns: None if nothing was moved.
    :raises OSError: it cannot be moved.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", getattr(os, "O_BINARY", 0)))
    try:
        found = os.fstat(descriptor)
        if (found.st_dev, found.st_ino) != damaged or not _is_a_spool(descriptor, path):
            return None
        if sys.platform == "win32":
            # Windows moves no open file, so it is closed first and cannot be locked.
            os.close(descriptor)
            descriptor = -1
        else:
            # The lock keeps a second process that finds the damage from moving the new file.
            # SQLite does not use this kind of lock.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            now = os.lstat(path)
            if (now.st_dev, now.st_ino) != damaged:
                return None
        aside = path + SUFFIX
        # The files beside it go first: SQLite would read an old -wal into a new file.
        for suffix in (*(one for one in SIBLINGS if one != ".lock"), ""):
            with suppress(FileNotFoundError):
                os.unlink(aside + suffix)
            with suppress(FileNotFoundError):
                os.replace(path + suffix, aside + suffix)
        return aside
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def readable(path: str, columns: str, max_bytes: int) -> Iterator[tuple[Any, ...]]:
    """The rows of a damaged spool that SQLite can still read, from both ends.

    :param max_bytes: a row that is larger is left out.
    :raises UnsafeFileError: somebody else could have prepared it.
    """
    seen: set[Any] = set()
    with closing(connect(path, WHAT, read_only=True)) as db:
        for order in ("ASC", "DESC"):
            # Up to the damage from one end, then from the other.
            with suppress(sqlite3.Error, UnicodeDecodeError):
                for row in db.execute(
                    f"SELECT {columns} FROM items WHERE length(body) <= ? ORDER BY id {order}",
                    (max_bytes,),
                ):
                    if row[0] in seen:
                        break
                    seen.add(row[0])
                    yield row


def _is_a_spool(descriptor: int, path: str) -> bool:
    """Whether the file was a spool before it was damaged, as far as can be known."""
    # https://www.sqlite.org/fileformat.html#the_database_header
    head = os.read(descriptor, 4096)
    if head[68:72] == APPLICATION_ID.to_bytes(4, "big") or os.path.isfile(f"{path}.lock"):
        return True
    if head.startswith(b"SQLite format 3\0"):
        return False
    try:
        text = head.decode()
    except UnicodeDecodeError:
        return True
    # Zeros are what a loss of power leaves.
    return "\0" in text
