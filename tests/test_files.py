"""Files that hold what visitors wrote are made by us, for us alone, and are never a link."""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flask_sentry_kit import files
from flask_sentry_kit.files import UnsafeFileError, check_private_file

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no owners and modes")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")

NAMES = ("", "-wal", "-shm", "-journal", ".lock")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "kept.sqlite")


def refused(path: str) -> str:
    with pytest.raises(UnsafeFileError) as caught:
        check_private_file(path, "The spool")
    text = str(caught.value)
    assert text.startswith(f"The spool {path}")
    with pytest.raises(UnsafeFileError):
        files.connect(path, "The spool")
    return text


def make(path: str | Path, mode: int = 0o600) -> None:
    with open(path, "w"):
        os.chmod(path, mode)


def test_a_file_that_is_not_there_passes(path: str) -> None:
    """Nothing to refuse, and looking makes nothing."""
    check_private_file(path, "The spool")
    assert not os.path.exists(path)


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o640])
def test_a_file_of_our_own_passes(path: str, mode: int) -> None:
    """Others may read it, if somebody wanted that; what counts here is who writes it."""
    for name in NAMES:
        make(path + name, mode)
    check_private_file(path, "The spool")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("mode", "who"), [(0o660, "its group"), (0o602, "every user")])
def test_a_file_that_others_may_write_is_refused(path: str, name: str, mode: int, who: str) -> None:
    """Group or everybody, the database or what belongs to it."""
    make(path + name, mode)
    text = refused(path)
    assert path + name in text
    assert f"may be written by {who} (mode {mode:04o})" in text
    assert "chmod 600" in text


@pytest.mark.parametrize("name", NAMES)
def test_a_link_is_refused_wherever_it_leads(path: str, tmp_path: Path, name: str) -> None:
    """To a file, or to nothing: what would be made there is another's to choose."""
    os.symlink(tmp_path / "elsewhere", path + name)
    assert "symbolic link" in refused(path)
    make(tmp_path / "elsewhere")
    assert "symbolic link" in refused(path)
    assert not (tmp_path / "elsewhere").stat().st_size


@pytest.mark.parametrize("name", NAMES)
def test_a_file_with_two_names_is_refused(path: str, tmp_path: Path, name: str) -> None:
    """A hard link: the other name may be anybody's."""
    make(tmp_path / "elsewhere")
    os.link(tmp_path / "elsewhere", path + name)
    assert "hard link" in refused(path)


def test_what_is_no_file_is_refused(path: str) -> None:
    """Opening a pipe would block for ever."""
    os.mkfifo(path)
    assert "no regular file" in refused(path)
    os.unlink(path)
    os.mkdir(path)
    assert "no regular file" in refused(path)


@needs_root
@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_somebody_else_is_refused(path: str, name: str) -> None:
    """Also to root, which could open it: its rows are not ours."""
    make(path + name)
    os.chown(path + name, 65534, 65534)
    text = refused(path)
    assert "uid 65534" in text
    assert "uid 0" in text


@needs_root
def test_a_file_of_root_is_refused_to_anybody_else(tmp_path: Path, path: str) -> None:
    """It was not made by this app."""
    make(path, 0o644)
    tmp_path.chmod(0o755)
    pid = os.fork()
    if not pid:
        code = 1
        try:
            os.chdir(tmp_path)
            os.setuid(65534)
            try:
                check_private_file("kept.sqlite", "The spool")
            except UnsafeFileError as error:
                code = 0 if "belongs to root" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_directory_that_everybody_may_write_needs_the_sticky_bit(
    tmp_path: Path, path: str
) -> None:
    """/tmp is one that has it: a file of ours stays ours there."""
    tmp_path.chmod(0o777)
    text = refused(path)
    assert str(tmp_path) in text
    assert "chmod o-w" in text
    tmp_path.chmod(0o1777)
    check_private_file(path, "The spool")
    tmp_path.chmod(0o770)
    check_private_file(path, "The spool")


def test_a_database_is_its_owners_alone_from_its_first_moment(path: str) -> None:
    """Whatever the umask says, and with all that SQLite puts beside it."""
    before = os.umask(0)
    try:
        db = files.connect(path, "The spool")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE a (b)")
        found = {os.path.basename(entry): os.stat(entry).st_mode
                 for entry in (path, f"{path}-wal", f"{path}-shm")}  # fmt: skip
        db.close()
    finally:
        os.umask(before)
    assert {stat.S_IMODE(mode) for mode in found.values()} == {0o600}


@pytest.mark.parametrize("name", ["a?mode=memory", "a#b", "a%2fb", "ä b", "a&cache=shared"])
def test_a_path_is_taken_by_the_letter(tmp_path: Path, name: str) -> None:
    """SQLite is given a URI; nothing in a path is an option in it."""
    path = tmp_path / name
    db = files.connect(path, "The spool")
    db.execute("CREATE TABLE a (b)")
    db.close()
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    assert path.stat().st_size


def test_a_database_that_is_deleted_in_between_is_not_made_by_sqlite(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite would make it readable to all."""
    monkeypatch.setattr(files, "make_private_file", lambda path, what: None)
    with pytest.raises(sqlite3.OperationalError):
        files.connect(path, "The spool")
    assert not os.path.exists(path)


def test_a_connection_writes_nothing_where_that_is_asked_for(path: str) -> None:
    """It can be opened to read alone, or only where it is there already; never by others' leave."""
    ways: tuple[dict[str, Any], ...] = ({"read_only": True}, {"make": False})
    for how in ways:
        with pytest.raises(sqlite3.OperationalError):
            files.connect(path, "The spool", **how)
        assert not os.path.exists(path)
    with closing(files.connect(path, "The spool", pragmas={"user_version": "7"})) as db:
        db.execute("CREATE TABLE a (b)")
        db.execute("INSERT INTO a VALUES (CAST(x'61ff' AS TEXT))")
    with closing(files.connect(path, "The spool", read_only=True)) as db:
        # Rubbish where a text was is that text's trouble alone.
        assert db.execute("SELECT b FROM a").fetchall() == [("a\ufffd",)]
        assert db.execute("PRAGMA user_version").fetchone() == (7,)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            db.execute("DELETE FROM a")
    os.chmod(path, 0o666)
    for how in ways:
        with pytest.raises(UnsafeFileError):
            files.connect(path, "The spool", **how)
