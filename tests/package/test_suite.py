"""How the suite itself runs: what its second process finds out is reported as if the first had, and
the programs that tests start find the package compiled."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.beside import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.beside

TESTS = """
import os, sys, threading, pytest
THERE = any(one.startswith("--reports-to") for one in sys.argv)
@pytest.fixture
def chromium(): pass
"""
OF_EACH_KIND = """
def test_here(): assert not THERE
def test_there(chromium): assert THERE
def test_fails(chromium): assert THERE == "expected"
def test_needs_what_is_not_there(chromium, unknown): pass
def test_is_left_out(chromium): pytest.skip("not today")
@pytest.mark.xfail(reason="known")
def test_is_known_to_fail(chromium): assert not THERE
"""
ENDS = """
def test_here(): pass
def test_there(chromium): pass
def test_ends_the_process(chromium):
    os._exit(3)
def test_comes_after_it(chromium): pass
"""
LEAVES_A_THREAD = """
def test_here(): pass
def test_there(chromium): threading.Thread(target=threading.Event().wait).start()
"""


def run(tests: str, *options: str) -> tuple[int, str]:
    """Run tests under the suite's own configuration; returns the status and what is printed."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "test_it.py"
        file.write_text(TESTS + tests, "utf-8")
        config = ("-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest", f"--rootdir={folder}")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rA"]
        done = subprocess.run(
            [*command, *config, *options, str(file)],
            cwd=ROOT,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=50,
        )
    return done.returncode, done.stdout


def outcomes(said: str) -> dict[str, str]:
    """The outcome of each test, by its name."""
    return {name: outcome for outcome, name in re.findall(r"^([A-Z]+) \S+::(\w+)", said, re.M)}


def test_an_outcome_is_the_same_as_in_the_first() -> None:
    """Passed, failed with its own traceback, left out or known to fail."""
    status, said = run(OF_EACH_KIND)
    assert status == 1, said
    assert outcomes(said) == {
        "test_here": "PASSED",
        "test_there": "PASSED",
        "test_fails": "FAILED",
        "test_needs_what_is_not_there": "ERROR",
        "test_is_known_to_fail": "XFAIL",
    }
    assert "1 skipped" in said and "not today" in said
    assert "AssertionError: assert True == 'expected'" in said
    assert "fixture 'unknown' not found" in said


def test_where_it_ends_early_what_was_left_fails() -> None:
    """And says what the process printed last."""
    status, said = run(ENDS)
    assert status == 1, said
    assert outcomes(said) == {
        "test_here": "PASSED",
        "test_there": "PASSED",
        "test_ends_the_process": "FAILED",
        "test_comes_after_it": "FAILED",
    }
    assert "ended with status 3" in said


def test_what_is_left_running_there_fails_the_run() -> None:
    """Though every test passed."""
    status, said = run(LEAVES_A_THREAD, "-o", "faulthandler_timeout=1")
    assert status == 1, said
    assert "2 passed" in said
    assert "Timeout (0:00:01)!" in said and "in wait" in said


def test_what_a_test_starts_may_keep_what_it_compiles() -> None:
    """Also on a machine where Python keeps no compiled files."""
    done = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import sys; from tests.support.beside import ENVIRONMENT;"
            "print(sys.dont_write_bytecode, ENVIRONMENT.get('PYTHONDONTWRITEBYTECODE'))",
        ],
        cwd=ROOT,
        env={**ENVIRONMENT, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=50,
    )
    assert done.stdout == "False None\n"
