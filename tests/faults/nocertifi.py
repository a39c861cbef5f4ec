"""Hides certifi: raven uses its own certificates where it is missing, which row D4 is about.

``None`` is how Python marks a module that cannot be imported. sentry-sdk cannot be imported without
it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


def hide() -> None:
    """Have it missing in this process. First of all, since raven decides when it is imported."""
    sys.modules["certifi"] = None  # type: ignore[assignment]  # as the import system allows


@contextmanager
def certifi() -> Iterator[None]:
    """Have it there for a while."""
    hidden = sys.modules.pop("certifi", None) is None
    try:
        yield
    finally:
        if hidden:
            hide()
