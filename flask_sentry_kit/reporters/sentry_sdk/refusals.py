"""Whether the server refuses what sentry-sdk sends, as far as this process knows.

Then a crash page claims no report. The SDK's transports call ``on_dropped_event`` with the status
(2.0 to 2.75), and say nothing of an event that was taken.
"""

from __future__ import annotations

import time
import weakref
from typing import Any, Final

REFUSED_FOR: Final = 60.0
"""Seconds that a refusal counts. Each crash sends an event, so a server that goes on refusing is
known to."""

_REFUSALS: Final = frozenset(f"status_{status}" for status in (401, 403, 404, 405, 410))
# The DSN is not known there, or there is no such address.

_refused_at: Final[weakref.WeakKeyDictionary[Any, float]] = weakref.WeakKeyDictionary()


def watch_refusals(transport: Any) -> None:
    """Know what a transport's server refuses from now on. Nothing for those of another make."""
    known = getattr(transport, "on_dropped_event", None)
    if known is None or hasattr(known, "_by_flask_sentry_kit"):
        return
    watched = weakref.ref(transport)

    def on_dropped_event(reason: str) -> Any:
        here = watched()
        if here is not None and reason in _REFUSALS:
            _refused_at[here] = time.monotonic()
        return known(reason)

    on_dropped_event._by_flask_sentry_kit = True  # type: ignore[attr-defined]
    transport.on_dropped_event = on_dropped_event


def is_refused(transport: Any) -> bool:
    """Whether the server refused something lately, for its address or its key."""
    if transport is None:
        return False
    refused_at = _refused_at.get(transport)
    return refused_at is not None and time.monotonic() - refused_at < REFUSED_FOR
