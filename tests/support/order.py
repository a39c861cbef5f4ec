"""Puts the tests into the order that each of them needs."""

from __future__ import annotations

import pytest


def uses_browser(item: pytest.Item) -> bool:
    return "chromium" in getattr(item, "fixturenames", ())


def mostly_waits(item: pytest.Item) -> bool:
    """For a browser, a program that the test starts, or a timer."""
    return uses_browser(item) or item.nodeid.startswith("tests/outbox/")


def _turn(item: pytest.Item) -> int:
    if item.get_closest_marker("alone"):
        return 0
    if item.get_closest_marker("beside") or "verdicts" in getattr(item, "fixturenames", ()):
        return 4  # what runs beside the others is done by then
    # Playwright keeps an event loop running in this thread from its first test on, where async
    # views could not run theirs.
    if uses_browser(item):
        return 3
    # What runs in the second process is waited for after all that runs here.
    return 2 if mostly_waits(item) else 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)
