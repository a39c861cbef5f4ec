"""Tests with an initialised sentry-sdk, in a process of their own: ``init`` changes Flask, logging,
threading and http.client for the rest of a process.

The run of all other tests does not collect this directory. tests/reporters/test_on_sentry_sdk.py
runs it in two processes, on the newest release and on the oldest. By hand:

    SENTRY_SDK_TESTS=newest .venv/bin/python -m pytest tests/reporters/sentry_sdk
    SENTRY_SDK_TESTS=oldest PYTHONPATH=.sentry-sdk-oldest .venv/bin/python -m pytest \
        tests/reporters/sentry_sdk
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import sentry_sdk

from scripts import oldest
from tests.support.sdk import Sdk, initialisable
from tests.support.sentry import RecordingSentry


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse another release than the one that was asked for."""
    found = "oldest" if f"sentry-sdk=={sentry_sdk.VERSION}" in oldest.constraints() else "newest"
    if found != os.environ["SENTRY_SDK_TESTS"]:
        raise pytest.UsageError(f"sentry-sdk is {sentry_sdk.VERSION} here, which is the {found}")


@pytest.fixture
def sdk(wire: RecordingSentry) -> Iterator[Sdk]:
    """The real sentry-sdk; a test initialises it, and everything is undone after the test."""
    with initialisable(wire) as sdk:
        yield sdk
