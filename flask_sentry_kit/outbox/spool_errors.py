"""What may keep a spool from taking or giving an item."""

from __future__ import annotations


class SpoolBusy(Exception):
    """This once it could not be done: another process holds the file."""


class SpoolReplaced(SpoolBusy):
    """It was damaged; a new one begins with the next call."""


class SpoolFull(SpoolBusy):
    """This once it could not be done: the disk is full, or fails."""


class SpoolLost(Exception):
    """The file cannot be used (any more): read-only, not ours."""
