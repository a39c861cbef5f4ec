"""Ids of events: 32 hexadecimal digits, random, as Sentry's protocol wants them."""

from __future__ import annotations

import os
from typing import Final
from uuid import UUID

_BATCH: Final = 64
_drawn: list[str] = []
_drawn_by = 0


def new_event_id() -> str:
    """A version 4 UUID without hyphens.

    Drawn in batches: each ``os.urandom`` gives up the GIL, and a thread that crashes while others
    compute would wait for it. A forked process draws its own.
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
