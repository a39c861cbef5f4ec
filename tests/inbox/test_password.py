"""The inbox's password: what it protects, its file, and how often it may be guessed."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import urllib3

from flask_sentry_kit.inbox import InboxError, InboxServer, create_inbox, password, read_password
from flask_sentry_kit.inbox.password import WRONG_TRIES, Password
from tests.support.inbox import RunningInbox

SECRET = "corréct hörse"


@pytest.fixture
def locked(serve_inbox: Callable[..., RunningInbox]) -> RunningInbox:
    return serve_inbox(password=Password(SECRET))


def basic(secret: str, user: str = "anyone") -> dict[str, str]:
    return urllib3.make_headers(basic_auth=f"{user}:{secret}".encode().decode("latin-1"))


PATHS = ["/", "/words/", "/api/v1/crashes", "/inbox/static/inbox.css", "/api/v1/crashes", "/no"]


@pytest.mark.parametrize("path", PATHS)
def test_all_pages_ask_for_it(locked: RunningInbox, path: str) -> None:
    """401 with the way to sign in, nothing of what is kept; any user name will do."""
    locked.store()
    answer = locked.request("GET", path)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="the inbox", charset=UTF-8'
    assert b"ValueError" not in answer.data and locked.key.encode() not in answer.data
    for user in ("ada", ""):
        assert locked.request("GET", path, headers=basic(SECRET, user)).status in (200, 404)


def test_clients_send_without_it(locked: RunningInbox) -> None:
    """The DSN is what an app and its visitors have: events, envelopes, the dialog and its form."""
    assert locked.store().status == 200
    assert locked.envelope({"event_id": "b" * 32, "message": "m"}, kind="event") == {"id": "b" * 32}
    assert locked.error_page("GET").status == 200
    assert locked.report().status == 200


def test_with_a_password_only_the_dsn_is_taken(locked: RunningInbox) -> None:
    """Another key is 401: without a password any would do, for an app's own DSN."""
    assert locked.store(key="a" * 32).status == 401
    assert locked.store(project="2").status in (400, 401)


@pytest.mark.parametrize(
    "given",
    ["", "Basic", "Basic !", "Basic YTpi\xff", "Bearer x", "Digest username=x", "x" * 9_000],
)
def test_what_is_no_password_is_asked_again(locked: RunningInbox, given: str) -> None:
    """Other schemes and what cannot be read are 401, and no wrong try."""
    for _ in range(WRONG_TRIES + 2):
        assert locked.request("GET", "/", headers={"Authorization": given}).status == 401


def test_wrong_tries_are_slowed(locked: RunningInbox) -> None:
    """429 with Retry-After after ten in a minute, also for the right one; clients go on sending."""
    for number in range(WRONG_TRIES):
        assert locked.request("GET", "/", headers=basic(f"wrong {number}")).status == 401
    for secret in ("wrong", SECRET):
        answer = locked.request("GET", "/", headers=basic(secret))
        assert answer.status == 429
        assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert locked.store().status == 200


def test_each_address_is_slowed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One who guesses keeps no other out; of IPv6 the /64 counts; a minute ends it."""
    now = 1_000.0
    monkeypatch.setattr(password, "time", SimpleNamespace(monotonic=lambda: now))
    asked = Password(SECRET)
    for number in range(WRONG_TRIES):
        assert asked.wait_after("192.0.2.1", "wrong") is None
        assert asked.wait_after(f"2001:db8::{number + 1:x}", "wrong") is None
    assert asked.wait_after("192.0.2.1", SECRET) == 60
    assert asked.wait_after("2001:db8::ffff", SECRET) == 60
    assert asked.wait_after("192.0.2.2", SECRET) == 0
    assert asked.wait_after("2001:db8:0:1::1", SECRET) == 0
    now += 61
    assert asked.wait_after("192.0.2.1", SECRET) == 0


def test_the_addresses_that_are_remembered_are_bounded() -> None:
    """However many there are."""
    asked = Password(SECRET)
    for number in range(password._ADDRESSES + 10):
        asked.wait_after(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "wrong")
    assert len(asked._wrong) == password._ADDRESSES


def test_a_password_is_in_no_text() -> None:
    """Neither in a repr nor in what a debugger shows of it."""
    assert SECRET not in repr(vars(Password(SECRET)))


def private(path: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


@pytest.mark.parametrize("text", [SECRET, f"{SECRET}\n", f"{SECRET}\r\n", f"\ufeff{SECRET}"])
def test_the_password_is_the_files_only_line(tmp_path: Path, text: str) -> None:
    """As an editor on any system writes it."""
    assert read_password(private(tmp_path / "p", text)).wait_after("", SECRET) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        ("  \n", "is empty"),
        ("one\ntwo\n", "more than one line"),
        ("a\0b", "nobody can type"),
        (b"\xff\xfe", "not text in UTF-8"),
        ("x" * 1_025, "more than 1,024 characters"),
    ],
)
def test_a_file_without_a_password_is_refused(tmp_path: Path, text: str | bytes, said: str) -> None:
    """With what is wrong, and nothing of what is in it."""
    with pytest.raises(InboxError, match=said) as raised:
        read_password(private(tmp_path / "p", text))
    assert "one" not in str(raised.value).replace("more than one line", "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has access lists in place of a mode")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_file_that_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    """With the command that mends it."""
    path = private(tmp_path / "p", SECRET, mode)
    with pytest.raises(InboxError, match=f"chmod 600 {path}"):
        read_password(path)


def test_a_file_that_is_none_is_said(tmp_path: Path) -> None:
    """Missing, a folder, or a device."""
    for path, said in (
        (tmp_path / "missing", "No such file"),
        (tmp_path, "is a directory"),
        (Path(os.devnull), "no regular file"),
    ):
        with pytest.raises(InboxError, match=said):
            read_password(path)


def test_the_network_is_served_with_it_alone(tmp_path: Path) -> None:
    """What other machines can reach is bound only where a password is asked for."""
    open_one = create_inbox(tmp_path / "a.sqlite")
    with pytest.raises(InboxError, match="--password-file"):
        InboxServer(open_one, "0.0.0.0")
    server = InboxServer(create_inbox(tmp_path / "b.sqlite", password=Password("x")), "0.0.0.0")
    assert not server.is_loopback and urlsplit(server.dsn).hostname == "127.0.0.1"
    # Only a server that ran closes what it opened.
    running = threading.Thread(target=server.run)
    running.start()
    server.stop()
    running.join(10)
