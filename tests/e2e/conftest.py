"""The demo's own program, started for a test as `make demo` starts it, and what its inbox knows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.demo import Demo


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    running = Demo()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def own_demo() -> Iterator[Demo]:
    """A demo that the test itself stops."""
    running = Demo()
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()
