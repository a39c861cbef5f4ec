"""The test suite ends: no test, and nothing that a test leaves behind, can keep it running."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.beside import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.beside

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


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=50
    )


@pytest.mark.parametrize(
    ("test", "said"),
    [
        pytest.param(WAITS, "Failed: Timeout", id="waits"),
        pytest.param(WAITS_AGAIN, "Timeout (0:00:01)!", id="swallows the end of its limit"),
        pytest.param(LEAVES_A_THREAD, "Timeout (0:00:01)!", id="leaves a thread"),
    ],
)
def test_a_test_that_does_not_end_fails_the_run(test: str, said: str) -> None:
    """Under the suite's own configuration, with shorter limits, and where it waits is shown."""
    config = ("-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest")
    limits = ("-o", "timeout=0.5", "-o", "faulthandler_timeout=1")
    with TemporaryDirectory() as folder:
        file = Path(folder) / "test_it.py"
        file.write_text(test, "utf-8")
        done = run(*PYTEST, *config, *limits, str(file))
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
    done = run("sh", "-c", f"trap '' INT; exec {command}")
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
