"""The tests with an initialised sentry-sdk, on its newest and on its oldest release, each in a
process of its own (tests/reporters/sentry_sdk)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.beside import ENVIRONMENT

ROOT = Path(__file__).parents[2]
OLDEST = ROOT / ".sentry-sdk-oldest"

# The processes take turns with others, and each has all of its tests to run.
pytestmark = pytest.mark.timeout(140)


def run(release: str, tests: str = "tests/reporters/sentry_sdk") -> str:
    """Run tests on a release of sentry-sdk; returns how it ended, with all it said."""
    before = [str(OLDEST)] if release == "oldest" else []
    path = os.pathsep.join([*before, *filter(None, [ENVIRONMENT.get("PYTHONPATH")])])
    done = subprocess.run(
        # It leaves what this run keeps of the tests that failed last.
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--color=no", tests],
        cwd=ROOT,
        env={**ENVIRONMENT, "PYTHONPATH": path, "SENTRY_SDK_TESTS": release},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return f"{done.stdout}ended with {done.returncode}\n"


ALL_PASSED = re.compile(r"^[1-9]\d* passed in [\d.:()s ]+\nended with 0\n\Z", re.MULTILINE)


def passed(said: str) -> bool:
    """Whether there were tests, and each of them passed: none was skipped."""
    return ALL_PASSED.search(said) is not None


@pytest.mark.beside
@pytest.mark.parametrize("release", ["newest", "oldest"])
def test_all_pass_with_an_initialised_sdk(release: str) -> None:
    """On that release of sentry-sdk. What fails is shown as the process said it."""
    assert release == "newest" or OLDEST.is_dir(), "make .sentry-sdk-oldest/.stamp-sdk installs it"
    said = run(release)
    assert passed(said), said


@pytest.mark.parametrize("time", ["3.21s", "63.21s (0:01:03)"])
def test_a_run_whose_tests_all_passed_is_one(time: str) -> None:
    """pytest writes a minute in two ways."""
    assert passed(f"... [100%]\n3 passed in {time}\nended with 0\n")


@pytest.mark.parametrize(
    "said",
    [
        "",
        "ended with 0\n",
        "no tests ran in 0.01s\nended with 0\n",
        "no tests ran in 0.01s\nended with 5\n",
        "1 skipped in 0.01s\nended with 0\n",
        "3 passed, 1 skipped in 0.50s\nended with 0\n",
        "1 failed, 3 passed in 0.50s\nended with 1\n",
        "3 passed in 0.50s\nended with -11\n",
        "3 passed in 0.50s\nFatal Python error\nended with 0\n",
    ],
)
def test_a_run_that_shows_nothing_does_not_pass(said: str) -> None:
    """One that crashed, was empty, or skipped a test."""
    assert not passed(said)


@pytest.mark.beside
def test_another_release_than_the_one_asked_for_does_not_pass() -> None:
    """The process looks at the SDK that it has imported."""
    said = run("other", "tests/reporters/sentry_sdk/test_harness.py")
    assert "which is the newest" in said and not passed(said)
