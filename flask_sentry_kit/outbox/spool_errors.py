"""What may keep a spool from taking or giving an item."""

from __future__ import annotations


class SpoolBusy(Exception):
    """It could not be done this time: another process holds the file."""


class SpoolReplaced(SpoolBusy):
    """It was damaged, and the next call begins a new one."""


class SpoolFull(SpoolBusy):
    """It could not be done this time: the disk is full, or fails."""


class SpoolLost(Exception):
    """The file cannot be used, or no longer: it is read-only, or not ours."""
