"""Refusals are visible: an unsafe spool at registration, an event in log and counters."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_sentry_kit import Sentry, SentryKit, SettingError

Make = Callable[..., Flask]


@pytest.fixture(params=["symbolic link", "every user", "its group", "no regular file"])
def unsafe(request: Any, tmp_path: Path) -> tuple[str, str]:
    """A path that no spool may have, and the error about it."""
    path = tmp_path / "spool.db"
    if request.param == "symbolic link":
        path.symlink_to(tmp_path / "elsewhere")
    elif request.param == "no regular file":
        path.mkdir()
    else:
        path.touch()
        path.chmod(0o602 if request.param == "every user" else 0o620)
    return str(path), request.param


def test_an_unsafe_spool_is_an_error_at_registration(
    bare_app: Make, wire: Any, unsafe: tuple[str, str]
) -> None:
    """The error names the setting and the file; the app is unchanged."""
    path, reason = unsafe
    for options, config in (
        ({"spool": path}, {}),
        ({}, {"SENTRY_KIT_SPOOL": path}),
    ):
        app = bare_app(SENTRY_DSN=wire.dsn, **config)
        with pytest.raises(SettingError) as caught:
            app.register_blueprint(SentryKit(**options))
        said = str(caught.value)
        assert said.startswith("SentryKit(spool=…): " if options else "SENTRY_KIT_SPOOL: ")
        assert path in said
        assert reason in said
        assert not {"sentry", "sentry_kit"} & app.extensions.keys()


def test_an_unsafe_spool_is_an_error_without_the_kit_too(
    bare_app: Make, wire: Any, unsafe: tuple[str, str]
) -> None:
    """The reporter alone uses the setting as well, at its first crash."""
    app = bare_app(SENTRY_DSN=wire.dsn, SENTRY_KIT_SPOOL=unsafe[0])
    with pytest.raises(SettingError, match="SENTRY_KIT_SPOOL: "):
        Sentry(app)
    assert "sentry" not in app.extensions


@pytest.mark.parametrize("suffix", ["-wal", "-shm", ".lock"])
def test_what_belongs_to_a_spool_is_looked_at_too(
    bare_app: Make, wire: Any, tmp_path: Path, suffix: str
) -> None:
    """Its log, its shared memory and its lock."""
    path = str(tmp_path / "spool.db")
    os.symlink("elsewhere", path + suffix)
    app = bare_app(SENTRY_DSN=wire.dsn, SENTRY_KIT_SPOOL=path)
    with pytest.raises(SettingError, match=f"spool.db{suffix} beside it is a symbolic link"):
        app.register_blueprint(SentryKit())


@pytest.mark.parametrize("damage", [b"\xff" * 8192, b"\0" * 8192])
def test_a_damaged_spool_does_not_keep_an_app_from_starting(
    kit_app: Make, wire: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    """The damaged file is set aside, and the first crash is on disk again."""
    path = tmp_path / "spool.db"
    path.write_bytes(damage)
    app = kit_app(SENTRY_KIT_SPOOL=str(path))
    assert app.test_client().get("/boom").headers["X-Sentry-ID"]
    wire.wait_for(1)
    assert (tmp_path / "spool.db.damaged").read_bytes() == damage
    assert caplog.text.count("was damaged") == 1


@pytest.mark.parametrize("reporter", ["raven", "auto"])
def test_what_an_earlier_process_left_for_this_dsn_is_sent_at_registration(
    kit_app: Make, bare_app: Make, wire: Any, tmp_path: Path, reporter: str
) -> None:
    """No crash is needed first: the DSN says which rows are this app's. Nor is a request, where the
    app's reporter is settled at its first one."""
    path = str(tmp_path / "spool.db")
    wire.answer = lambda request: (503, {}, b"")
    before = kit_app(SENTRY_KIT_SPOOL=path)
    event_id = before.test_client().get("/boom").headers["X-Sentry-ID"]
    before.extensions["sentry_kit"].outbox.close(0)
    del wire.received[:]
    wire.answer = None
    again = kit_app("again", SENTRY_KIT_SPOOL=path, SENTRY_KIT_REPORTER=reporter)
    assert wire.wait_for(1)[0]["event_id"] == event_id
    again.test_client().get("/boom")
    assert len(wire.wait_for(2)) == 2


def test_flush_says_false_for_what_another_process_left(
    bare_app: Make, kit_app: Make, wire: Any, tmp_path: Path
) -> None:
    """Also before this process has queued anything."""
    path = str(tmp_path / "spool.db")
    wire.answer = lambda request: (503, {}, b"")
    before = kit_app(SENTRY_KIT_SPOOL=path)
    before.test_client().get("/boom")
    before.extensions["sentry_kit"].outbox.close(0)
    app = bare_app("other", SENTRY_DSN=wire.dsn, SENTRY_KIT_SPOOL=path)
    reporter = Sentry(app)
    assert reporter.flush(0.2) is False
    wire.answer = None
    assert reporter.flush(5) is True
    reporter.client.outbox.close(0)


def dropped(app: Flask) -> int:
    with app.app_context():
        count: int = app.extensions["sentry"].counters.dropped
    return count


def test_a_fault_of_ours_is_counted_and_said(
    kit_app: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page shows without an id, and the counters show why."""
    app = kit_app()
    client = app.extensions["sentry"].client
    monkeypatch.setattr(client, "send", lambda **event: 1 / 0)
    answer = app.test_client().get("/boom")
    assert answer.status_code == 500
    assert "X-Sentry-ID" not in answer.headers
    assert dropped(app) == 1
    assert "1 × an event could not be captured" in caplog.text


def test_a_record_that_would_follow_itself_is_counted_and_said(
    kit_app: Make, wire: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A record that a value's repr logs while an event is made is no event: it would repeat."""
    app = kit_app(SENTRY_KIT_LOGGING="ERROR")

    class Talkative:
        def __repr__(self) -> str:
            logging.getLogger("shop.models").error("I am looked at")
            return "talkative"

    @app.get("/talk")
    def talk() -> str:
        value = Talkative()
        raise LookupError(str(type(value)))

    assert app.test_client().get("/talk").headers["X-Sentry-ID"]
    wire.wait_for(1)
    assert dropped(app) >= 1
    assert len(wire.events) == 1
    assert "a log record made while an event was made" in caplog.text


def test_a_transport_that_fails_is_counted_each_time_and_said(
    bare_app: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Also during its pause, when raven logs nothing."""
    from raven.transport.http import HTTPTransport

    class Broken(HTTPTransport):  # raven carries no types
        def send(self, *args: Any) -> None:
            raise OSError("no way out")

    app = bare_app(SENTRY_DSN="http://public@127.0.0.1:9/1", SENTRY_TRANSPORT=Broken)
    app.register_blueprint(SentryKit())
    for _ in range(3):
        assert "X-Sentry-ID" not in app.test_client().get("/boom").headers
    assert dropped(app) == 3
    assert "the app's transport failed" in caplog.text
    app.extensions["sentry"].client.outbox.close(0)


def test_an_event_after_the_end_is_counted(kit_app: Make, wire: Any) -> None:
    """A closed queue accepts no event, and counts the lost ones."""
    app = kit_app()
    app.extensions["sentry_kit"].outbox.close(1)
    assert "X-Sentry-ID" not in app.test_client().get("/boom").headers
    assert dropped(app) == 1
