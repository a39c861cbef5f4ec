"""What can go wrong when an inbox is set up, in words for whoever set it up."""

from __future__ import annotations


class InboxError(Exception):
    """The inbox cannot run as asked. Its text says what to change."""
