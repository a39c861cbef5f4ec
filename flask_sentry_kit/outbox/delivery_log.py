"""What the outbox says in the log: at most one line a minute of each kind, none at exit.

Records come from the outbox's own thread, or are of a kind that comes once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping

logger = logging.getLogger("flask_sentry_kit.outbox")

LOG_EVERY = 60.0
# Failures in a row before the log says that nothing is delivered: a restart is not worth a line.
FAILURES_LOGGED = 3
# Different reasons one line names.
REASONS = 5


def cut(text: str) -> str:
    """At most 80 printable characters of something that was read."""
    return "".join(char if char.isprintable() else "?" for char in text[:80])


class Exit:
    """Whether the interpreter is ending."""

    begun = False


def may_log() -> bool:
    """False where a line would end up on the terminal of a process that ends."""
    return not Exit.begun or logger.hasHandlers()


class DeliveryLog:
    """Of one worker. Any thread may call it."""

    def __init__(self) -> None:
        # Re-entrant: a signal handler, or a finaliser, may crash and put while this is held.
        self._lock = threading.RLock()
        self._dropped: dict[str, int] = {}
        self._dropped_logged = self._trouble_logged = float("-inf")
        self._strangers_told: set[str] = set()

    def dropped(self, reason: str) -> None:
        """Remember that an item was dropped; the worker says so, as the thread is a request's."""
        with self._lock:
            if reason not in self._dropped and len(self._dropped) >= REASONS:
                reason = "other reasons"
            self._dropped[reason] = self._dropped.get(reason, 0) + 1

    def next_line(self) -> float | None:
        """When there will be something to say, by the monotonic clock."""
        return self._dropped_logged + LOG_EVERY if self._dropped else None

    def log_dropped(self) -> None:
        now = time.monotonic()
        with self._lock:
            if not self._dropped or now - self._dropped_logged < LOG_EVERY or not may_log():
                return
            dropped, self._dropped = self._dropped, {}
            self._dropped_logged = now
        logger.warning(
            "Not delivered: %s",
            "; ".join(f"{count} × {reason}" for reason, count in dropped.items()),
        )

    def trouble(self, what: str, exc_info: bool = False) -> None:
        """Say what keeps everything waiting, unless that was said within the minute."""
        now = time.monotonic()
        with self._lock:
            if now - self._trouble_logged < LOG_EVERY or not may_log():
                return
            self._trouble_logged = now
        logger.warning("%s", what, exc_info=exc_info)

    def spool_set_aside(self, path: str, aside: str, saved: int) -> None:
        """Comes once for each damaged file."""
        if may_log():
            logger.warning(
                "The spool %s was damaged: it is %s now, and a new one begins. %s could be saved"
                " from it; what else waited there is not sent.",
                path,
                aside,
                "1 item" if saved == 1 else f"{saved} items",
            )

    def strangers(self, path: str, found: Mapping[str, int]) -> None:
        """Say once of each server that its items are left for another process."""
        with self._lock:
            new = found.keys() - self._strangers_told
            if not new or not may_log():
                return
            self._strangers_told.update(new)
        listed = ", ".join(
            f"{found[origin]} for {cut(origin) or 'no address'}" for origin in sorted(new)
        )
        logger.warning(
            "The spool %s holds items for servers that no app of this process sends to (%s):"
            " they are left for the process that put them. If there is none any more, because the"
            " DSN was changed, remove the file.",
            path,
            listed,
        )

    def spool_lost(self, path: str, error: Exception) -> None:
        """Comes once: there is no way back to a spool."""
        if may_log():
            logger.warning(
                "The spool %s cannot be used (%s): events and feedback wait in memory now.",
                path,
                error,
            )
