"""The plugin in sessions of their own: what pytest pays for it, what ends up in messages, several
processes, the end of a process. Each runs as an app's suite does, without the configuration of
this one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.beside import ENVIRONMENT
from tests.support.sentry import RecordingSentry

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "testing.md").read_text("utf-8")

pytestmark = pytest.mark.beside


def run(files: dict[str, str], *options: str, fails: bool = False, **environment: str) -> str:
    """Run files of tests, by their names, with further options of pytest; returns what it says."""
    with TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", *options],
            cwd=folder,
            env={**ENVIRONMENT, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=50,
        )
    assert done.returncode == (1 if fails else 0), done.stdout
    return done.stdout


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.M | re.S)
    assert found
    return found


def documented() -> dict[str, str]:
    """The examples of docs/testing.md, by the names that their first lines give."""
    files = {block.partition("\n")[0].removeprefix("# "): block for block in blocks("python")}
    assert {"shop.py", "conftest.py", "test_checkout.py"} <= files.keys()
    if sys.version_info < (3, 11):
        del files["test_without_pytest.py"]  # enterContext()
    return files


LEAN = """
import sys

HEAVY = {"flask", "werkzeug", "jinja2", "raven", "sentry_sdk", "waitress", "sqlite3", "urllib3"}

def loaded():
    kit = {name for name in sys.modules if name.startswith("flask_sentry_kit")}
    return sorted((HEAVY & set(sys.modules)) | kit)

def test_before_a_fixture_is_used():
    assert loaded() == [
        "flask_sentry_kit", "flask_sentry_kit.testing", "flask_sentry_kit.testing.plugin",
    ]

def test_when_it_is(sentry_kit_reports):
    assert "flask" in loaded() and "waitress" not in loaded()
    assert type(sys.modules["flask_sentry_kit.kit"].__loader__).__name__ == "SourceFileLoader"
"""


def test_nothing_is_imported_before_a_fixture_is_used() -> None:
    """Neither Flask nor the kit, nor a client, nor a server: three small modules alone. Later the
    kit is imported as it was compiled, and not compiled anew for pytest."""
    assert "2 passed" in run({"test_lean.py": LEAN}, "-q", "-W", "error", "-p", "no:timeout")


def test_pytest_may_start_in_a_process_that_has_the_kit() -> None:
    """As a command of the app's does that runs its tests: no warning says that it is too late."""
    code = (
        "import flask_sentry_kit.blueprint, pytest; print(int(pytest.main(['-qq', '-W', 'error'])))"
    )
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=50,
        )
    assert done.stdout.strip() == "5", done  # there are no tests


def test_the_documents_examples_run_in_two_processes() -> None:
    """docs/testing.md as it is printed, under pytest-xdist."""
    said = run(documented(), "-n", "2", "-q")
    assert f"\n{6 if sys.version_info < (3, 11) else 7} passed" in said


UNNOTICED = """
from shop import create_app

def test_leaves_a_crash():
    create_app(TESTING=True).test_client().get("/checkout")

def test_asks_for_it(sentry_kit_reports):
    create_app(TESTING=True).test_client().get("/checkout")
    sentry_kit_reports.one()

def test_asks_for_one(client, sentry_kit_reports):
    client.get("/checkout")
    client.get("/checkout")
    sentry_kit_reports.one()
"""


def test_messages_are_those_of_the_document() -> None:
    """A crash that goes unnoticed fails its test; what was reported is among the captured output,
    and no code of the plugin's is shown."""
    files = documented()
    files = {name: files[name] for name in ("shop.py", "conftest.py", "tests/conftest.py")}
    said = run({**files, "tests/test_it.py": UNNOTICED}, "-q", "tests", fails=True)
    assert "1 failed, 2 passed, 1 error" in said
    assert "AssertionError: The test did not ask for what was reported:" in said
    assert "Captured reports call" in said
    (message,) = blocks("text")
    plain = re.sub(r"^E +(?:AssertionError: )?", "", said, flags=re.M)
    for line in message.splitlines():
        assert line.replace("id …", "id ").strip() in plain, line
    assert "def one(self)" not in said and "def none_unseen(self)" not in said


ENDING = """
import atexit, os, threading
import pytest
from flask import Flask
from flask_sentry_kit import sentry, sentry_kit

app = Flask("ending")
app.config["SENTRY_DSN"] = os.environ["PLANTED_DSN"]
app.register_blueprint(sentry_kit)

def report(words):
    with app.app_context():
        sentry.captureMessage(words)

def linger(main=threading.main_thread()):
    main.join()
    report("from a thread, at the end")

def test_one(sentry_kit_reports):
    atexit.register(report, "at the end")
    threading.Thread(target=linger).start()
    report("in the test")
    sentry_kit_reports.one()
"""


def test_nothing_is_sent_when_the_process_ends() -> None:
    """By no function of atexit, and by no thread that a test has left."""
    with RecordingSentry() as wire:
        assert "1 passed" in run({"test_ending.py": ENDING}, "-q", PLANTED_DSN=wire.dsn)
        assert not wire.received
