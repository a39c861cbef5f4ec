"""The errors of an inbox and its file, with texts for the developer who runs it."""

from __future__ import annotations


class InboxError(Exception):
    """The inbox cannot run as asked. Its text says what to change."""


class DamagedEventError(LookupError):
    """The file holds an event that cannot be read."""


class TooMuchKeptError(InboxError):
    """What is marked to keep would take too much room. Its text says what to do."""
