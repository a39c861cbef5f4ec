"""``make browsers`` itself: what is missing is named, and no play can hold it up."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from . import __main__ as program
from .book import Mode, Play, Tab
from .processes import running


class Sleeper:
    """A browser that is a program which does nothing."""

    name = "Sleeper"
    modes = frozenset({Mode.PLAIN})

    def missing(self) -> str | None:
        return None

    @contextmanager
    def start(self, mode: Mode) -> Iterator[Tab]:
        with running(sys.executable, "-c", "import time; time.sleep(60)") as process:
            tab: Any = process
            yield tab


def test_a_missing_browser_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no failure: what can be played in is played in."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["tests.browsers"])
    assert program.main() == 0
    said = capsys.readouterr().out
    assert "Firefox ESR is not played in: " in said and "apt-get install firefox-esr" in said
    assert "WebKitGTK is not played in: " in said
    assert "apt-get install webkit2gtk-driver xvfb dbus-daemon\n" in said


def test_a_play_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its browser is killed, which ends whatever waits for it; the other plays are played."""
    monkeypatch.setattr(program, "PLAY_LIMIT", 0.5)
    played = []

    def wait(scene: Any, process: Any) -> None:
        assert process.wait(timeout=50) != 0
        raise ConnectionError("the browser is gone")

    plays = [
        Play("waits", Mode.PLAIN, False, wait),
        Play("is played", Mode.PLAIN, False, lambda scene, process: played.append(process)),
        Play("needs another browser", Mode.DARK, False, wait),
    ]
    failed = program.play_all(Sleeper(), plays)
    assert failed == ["Sleeper, waits: TookTooLong: not done within 0.5 s"]
    assert len(played) == 1 and played[0].poll() is not None
