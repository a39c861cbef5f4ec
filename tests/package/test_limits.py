"""The test suite ends: no test, and nothing that a test leaves behind, can keep it running."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")

WAITS = """
import threading
def test_waits():
    threading.Event().wait()
"""
WAITS_AGAIN = """
import threading
def test_waits_again():
    while True:
        try:
            threading.Event().wait()
        except BaseException:
            pass
"""
LEAVES_A_THREAD = """
import threading
def test_leaves_a_thread():
    threading.Thread(target=threading.Event().wait).start()
"""


@pytest.mark.parametrize(
    ("test", "said"),
    [
        pytest.param(WAITS, "Failed: Timeout", id="waits"),
        pytest.param(WAITS_AGAIN, "Timeout (0:00:01)!", id="swallows the end of its limit"),
        pytest.param(LEAVES_A_THREAD, "Timeout (0:00:01)!", id="leaves a thread"),
    ],
)
def test_a_test_that_does_not_end_fails_the_run(test: str, said: str, tmp_path: Path) -> None:
    """Under the suite's own configuration, with shorter limits, and where it waits is shown."""
    file = tmp_path / "test_it.py"
    file.write_text(test, "utf-8")
    config = ("-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest")
    limits = ("-o", "timeout=0.5", "-o", "faulthandler_timeout=1")
    done = subprocess.run(
        [*PYTEST, *config, *limits, str(file)], cwd=ROOT, capture_output=True, text=True, timeout=40
    )
    assert done.returncode == 1, done.stdout
    assert said in done.stdout + done.stderr
    assert "in wait" in done.stdout + done.stderr


def test_what_a_test_starts_hears_ctrl_c_where_the_suite_does_not() -> None:
    """As after `make test &`: demo and inbox, started by a test and sent SIGINT, end."""
    ended_by_signal = (
        "tests/e2e/test_demo.py::test_it_stops_cleanly[SIGINT]",
        "tests/inbox/test_command.py::test_it_prints_its_address_and_a_dsn_that_works[SIGINT]",
    )
    command = shlex.join([*PYTEST, *ended_by_signal])
    done = subprocess.run(
        ["sh", "-c", f"trap '' INT; exec {command}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
