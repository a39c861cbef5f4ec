"""Event ids: 32 random hexadecimal digits, as Sentry's protocol requires."""

from __future__ import annotations

import os
from typing import Final
from uuid import UUID

_BATCH: Final = 64
_drawn: list[str] = []
_drawn_by = 0


def new_event_id() -> str:
    """A version 4 UUID without hyphens.

    Ids are drawn in batches because each ``os.urandom`` call releases the GIL, and a crashing
    thread would have to wait for it while other threads compute. A forked process draws new ids.
    """
    global _drawn, _drawn_by
    if _drawn_by != os.getpid():
        _drawn, _drawn_by = [], os.getpid()
    drawn = _drawn
    try:
        return drawn.pop()
    except IndexError:
        random = os.urandom(16 * _BATCH)
        drawn += [
            UUID(bytes=random[at : at + 16], version=4).hex for at in range(0, 16 * _BATCH, 16)
        ]
        return drawn.pop()
