"""The text that replaces a masked value in an event."""

from __future__ import annotations

from typing import Final

MASK: Final = "********"
"""The same text as raven's, so that existing searches still work."""
