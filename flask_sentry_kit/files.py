"""Files that hold visitors' feedback and events: created by this app, private to it, never a link.

A user who can write such a file can change the data that is sent or shown in the app's name. So a
file that another user could have prepared is refused. SQLite files are opened only here.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

# Files that SQLite keeps beside a database, and the lock file of a spool.
SIBLINGS: Final = ("-wal", "-shm", "-journal", ".lock")

StrPath = str | os.PathLike[str]


class UnsafeFileError(ValueError):
    """Another user made the file, or can write or replace it. The text says what to do."""


def check_private_file(path: StrPath, what: str) -> None:
    """Refuse a file if another user may have prepared it or one of the files beside it.

    Refused are: a link; anything but a regular file; a file of another user (also root's, unless
    this process is root, because this app did not create it); a file with a second name (a hard
    link); a file that its group or everybody may write; and any file in a directory that everybody
    may write and that has no sticky bit, where it could be replaced at any time. A directory that
    its group may write is accepted: a file that another member puts there belongs to that member.
    On Windows only the kind of file is checked, not access lists.

    A missing file passes. So does one that cannot be examined, because opening it gives a better
    error.

    :param path: path of the database; the files with ``SIBLINGS`` appended are checked as well.
    :param what: the subject of the error, such as ``"The spool"``.
    :raises UnsafeFileError: names the file, what is wrong with it and what to do.
    """
    path = os.fspath(path)
    _check_directory(path, what)
    _check_file(path, f"{what} {path}")
    for suffix in SIBLINGS:
        _check_file(path + suffix, f"{what} {path}: the file {path + suffix} beside it")


def make_private_file(path: StrPath, what: str) -> None:
    """Make an empty file that only its owner may read and write, unless it exists already.

    It is created with that mode, independent of the umask, and never through a link.

    :raises UnsafeFileError: as ``check_private_file`` does, before a file is made.
    :raises OSError: the file cannot be made.
    """
    check_private_file(path, what)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        os.close(os.open(path, flags, 0o600))
    except FileExistsError:
        # The file existed, or another process has just made it.
        check_private_file(path, what)


def open_private_file(path: StrPath, what: str) -> int:
    """Open a private file for reading and writing, and make it if it is missing.

    :return: its descriptor.

    :raises UnsafeFileError, OSError: as ``make_private_file`` does.
    """
    make_private_file(path, what)
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    try:
        _check_owner_and_mode(os.fstat(descriptor), f"{what} {os.fspath(path)}")
    except UnsafeFileError:
        os.close(descriptor)
        raise
    return descriptor


def connect(
    path: StrPath,
    what: str,
    *,
    make: bool = True,
    read_only: bool = False,
    timeout: float = 5.0,
    check_same_thread: bool = True,
    pragmas: Mapping[str, str] | None = None,
) -> sqlite3.Connection:
    """Open a private database.

    Only the caller begins transactions. In a damaged file a text may hold any bytes: invalid UTF-8
    is returned as U+FFFD. SQLite gives the files that it makes beside a database the same mode. It
    never makes the database itself, which would then be readable to everybody: a database that is
    deleted before it is opened is an error.

    :param make: make the file if it is missing.
    :param read_only: write nothing.
    :param timeout: seconds to wait for another writer.
    :param check_same_thread: refuse the connection to other threads.
    :param pragmas: pragmas to set on the connection, in this order.
    :raises UnsafeFileError, OSError: as ``make_private_file`` does.
    :raises sqlite3.Error: it cannot be opened, or a pragma cannot be set. Without pragmas SQLite
        does not read the file yet.
    """
    import sqlite3  # loaded only by apps that use a file

    if make and not read_only:
        make_private_file(path, what)
    else:
        check_private_file(path, what)
    uri = f"{Path(path).absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
    db: sqlite3.Connection = sqlite3.connect(
        uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=check_same_thread
    )
    try:
        db.text_factory = _lossy_text
        for name, value in (pragmas or {}).items():
            db.execute(f"PRAGMA {name} = {value}")
    except BaseException:
        db.close()
        raise
    return db


def connect_in_memory() -> sqlite3.Connection:
    """A connection to an empty temporary database, for examining the effect of a schema."""
    import sqlite3

    return sqlite3.connect(":memory:", isolation_level=None)


def _lossy_text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _check_directory(path: str, what: str) -> None:
    if sys.platform == "win32":
        return
    directory = os.path.dirname(os.path.abspath(path))
    try:
        mode = os.stat(directory).st_mode
    except OSError:
        return
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise UnsafeFileError(
            f"{what} {path} is in {directory}, where every user may replace it. Put it into a"
            f" directory that only this user may write, or do this: chmod o-w {directory}"
        )


def _check_file(path: str, subject: str) -> None:
    try:
        found = os.lstat(path)
    except OSError:
        return
    if stat.S_ISLNK(found.st_mode):
        raise UnsafeFileError(
            f"{subject} is a symbolic link, which could lead anywhere. Name the file itself, or"
            " remove the link"
        )
    if not stat.S_ISREG(found.st_mode):
        raise UnsafeFileError(f"{subject} is no regular file. Name a file, or a path that is free")
    _check_owner_and_mode(found, subject)


def _check_owner_and_mode(found: os.stat_result, subject: str) -> None:
    if sys.platform == "win32":
        return
    own = os.geteuid()
    if found.st_uid != own:
        raise UnsafeFileError(
            f"{subject} belongs to {_user(found.st_uid)}, and this process runs as {_user(own)}."
            f" Run it as {_user(found.st_uid)}, name another file, or remove this one if nobody"
            " needs it"
        )
    if found.st_nlink > 1:
        raise UnsafeFileError(
            f"{subject} has a second name (a hard link), under which others may write it. Remove"
            " that name, or name another file"
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        who = "every user" if found.st_mode & stat.S_IWOTH else "its group"
        raise UnsafeFileError(
            f"{subject} may be written by {who} (mode {stat.S_IMODE(found.st_mode):04o}). If you"
            " trust what is in it, do this: chmod 600; else remove it"
        )


def _user(uid: int) -> str:
    if sys.platform != "win32":
        import pwd

        try:
            return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
        except KeyError:
            pass
    return f"uid {uid}"
