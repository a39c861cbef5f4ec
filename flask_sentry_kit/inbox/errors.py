"""What can go wrong with an inbox and its file, in words for the developer who runs it."""

from __future__ import annotations


class InboxError(Exception):
    """The inbox cannot run as asked. Its text says what to change."""


class DamagedEventError(LookupError):
    """An event is kept, but what the file holds of it cannot be read."""
