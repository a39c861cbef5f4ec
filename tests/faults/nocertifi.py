"""Hides certifi: raven uses its own certificates where it is missing, which row D4 is about.

Imported first, since raven decides when it is imported. ``None`` is how Python marks a module
that cannot be imported. sentry-sdk cannot be imported without it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

sys.modules["certifi"] = None  # type: ignore[assignment]  # as the import system allows


@contextmanager
def certifi() -> Iterator[None]:
    """Have it there for a while."""
    del sys.modules["certifi"]
    try:
        yield
    finally:
        sys.modules["certifi"] = None  # type: ignore[assignment]  # as above
