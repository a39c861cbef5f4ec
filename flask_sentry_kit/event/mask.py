"""What stands in an event where something was masked."""

from __future__ import annotations

from typing import Final

MASK: Final = "********"
"""What raven shows, so that searches and habits stay."""
