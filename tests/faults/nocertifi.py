"""Hides certifi: raven uses its own certificates where it is missing, which row D4 is about.

Imported first, since raven decides when it is imported. ``None`` is how Python marks a module
that cannot be imported.
"""

from __future__ import annotations

import sys

sys.modules["certifi"] = None  # type: ignore[assignment]  # as the import system allows
