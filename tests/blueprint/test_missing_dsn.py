"""The log line about an app without a DSN: its level, and the places that it names."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flask_sentry_kit import Sentry, missing_dsn

LINE = "nothing is reported"


@pytest.fixture
def levels(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], list[str]]]:
    """The levels of the lines so far, in a process that has not logged the line yet."""
    monkeypatch.setattr(missing_dsn, "_logged", set())
    caplog.set_level(logging.INFO, "flask_sentry_kit")
    yield lambda: [one.levelname for one in caplog.records if LINE in one.getMessage()]


def visit(address: str) -> None:
    with urllib.request.urlopen(address, timeout=10) as answer:
        assert answer.status == 200


def test_what_serves_nobody_is_not_warned(kit_app: Any, levels: Any) -> None:
    """A process that only loads the app, as a command does, has the line at INFO."""
    kit_app(SENTRY_DSN=None, SENTRY_KIT_REPORTER="raven")
    assert levels() == ["INFO"]


def test_the_first_request_of_a_server_warns_once(kit_app: Any, serve: Any, levels: Any) -> None:
    """A process that serves logs the line at WARNING, once for any number of requests."""
    address = serve(kit_app(SENTRY_DSN=None))
    for _ in range(3):
        visit(address)
    assert levels() == ["INFO", "WARNING"]


def test_an_app_made_again_is_not_news(kit_app: Any, serve: Any, levels: Any) -> None:
    """A factory that is called twice in a process has its line once."""
    for _ in range(2):
        visit(serve(kit_app(SENTRY_DSN=None)))
    assert levels() == ["INFO", "WARNING"]


@pytest.mark.parametrize("testing", [True, False])
def test_tests_are_not_warned(kit_app: Any, levels: Any, testing: bool) -> None:
    """Flask's test client causes no warning, whether TESTING is set or not."""
    app = kit_app(SENTRY_DSN=None, TESTING=testing)
    assert app.test_client().get("/").status_code == 200
    assert levels() == ["INFO"]


def test_an_app_under_test_behind_a_real_server_is_not_warned(
    kit_app: Any, serve: Any, levels: Any
) -> None:
    """A live server of a test suite is not in production either."""
    visit(serve(kit_app(SENTRY_DSN=None, TESTING=True)))
    assert levels() == ["INFO"]


def test_a_sentry_made_later_needs_no_warning(
    kit_app: Any, wire: Any, serve: Any, levels: Any
) -> None:
    """An app may make its Sentry after registering the blueprint: the DSN is checked again."""
    app = kit_app(SENTRY_DSN=None, SENTRY_KIT_REPORTER="raven")
    Sentry(app, dsn=wire.dsn)
    visit(serve(app))
    assert levels() == ["INFO"]


@pytest.mark.parametrize("config", [{"SENTRY_DSN": ""}, {}])
def test_with_a_dsn_or_without_one_on_purpose_nothing_is_said(
    kit_app: Any, serve: Any, levels: Any, config: dict[str, str]
) -> None:
    """An app that reports, or has reporting switched off, logs no warning."""
    visit(serve(kit_app(**config)))
    assert levels() == []


def test_the_line_names_what_was_looked_at(
    kit_app: Any, levels: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It names every place for a DSN, including code, and how to avoid the line."""
    kit_app(SENTRY_DSN=None, SENTRY_KIT_REPORTER="raven")
    (line,) = [one.getMessage() for one in caplog.records if LINE in one.getMessage()]
    for place in ("'shop'", "SENTRY_CONFIG['dsn']", "app.config", "dsn argument", "environment"):
        assert place in line
    assert "empty string" in line


APP = """
import logging
from flask import Flask
from flask_sentry_kit import sentry_kit

logging.basicConfig(format="%(levelname)s %(name)s %(message)s", level=logging.INFO)
app = Flask("shop")
app.config["SENTRY_KIT_REPORTER"] = "raven"
app.register_blueprint(sentry_kit)
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Run `flask --app shop …`, or another program, in a process of its own."""
    (tmp_path / "shop.py").write_text(APP)
    running = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        # With the child that a reloader starts.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=20)


def test_a_command_is_not_warned(run: Any) -> None:
    """`flask routes` logs the line at INFO."""
    printed, _ = run("flask", "--app", "shop", "routes").communicate(timeout=30)
    assert [line.split()[0] for line in printed.splitlines() if LINE in line] == ["INFO"]


def test_flask_help_says_what_the_commands_are_about(run: Any) -> None:
    """`flask --help` has a sentence beside sentry-kit."""
    printed, _ = run("flask", "--app", "shop", "--help").communicate(timeout=30)
    assert "sentry-kit  The crash page" in printed


def test_flask_run_with_its_reloader_warns_once(run: Any) -> None:
    """Of the two processes of `flask run --debug` one serves, and warns."""
    process = run("flask", "--app", "shop", "run", "--debug", "--port", "0")
    lines: list[str] = []
    address = ""
    for line in process.stdout:
        lines.append(line)
        if " * Running on http" in line:
            address = line.split("Running on ")[1].split()[0]
        if "Debugger PIN" in line:
            break
    for _ in range(2):
        with pytest.raises(urllib.error.HTTPError):
            visit(f"{address}/")
    seen = 0
    for line in process.stdout:
        lines.append(line)
        seen += "GET /" in line
        if seen == 2:
            break
    said = [line.split()[0] for line in lines if LINE in line]
    assert said.count("WARNING") == 1, lines
