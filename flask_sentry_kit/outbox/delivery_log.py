"""What the outbox logs: at most one line a minute of each kind. At exit one more
says what was dropped since, unless it would end up on the terminal.

Records are logged by the outbox's own thread, or are of a kind that is logged once.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping

logger = logging.getLogger("flask_sentry_kit.outbox")

LOG_EVERY = 60.0
# Failures in a row before a line says that nothing is delivered. A server's restart causes fewer.
FAILURES_LOGGED = 3
# How many different reasons one line names, and how many the counters do.
REASONS = 5
REASONS_COUNTED = 20
OTHERS = "other reasons"


def cut(text: str) -> str:
    """At most 80 printable characters of something that was read."""
    return "".join(char if char.isprintable() else "?" for char in text[:80])


class Exit:
    """Whether the interpreter is ending."""

    begun = False


def may_log() -> bool:
    """False where a line would end up on the terminal of a process that ends."""
    return not Exit.begun or logger.hasHandlers()


def _add(counts: dict[str, int], reason: str, count: int, most: int) -> None:
    if reason not in counts and len(counts) >= most:
        reason = OTHERS
    counts[reason] = counts.get(reason, 0) + count


def log_rest() -> None:
    """At exit: log what was dropped since the last lines."""
    for log in list(_unlogged):
        log.log_rest()


class DeliveryLog:
    """The log of one worker. Any thread may call it."""

    def __init__(self) -> None:
        # Re-entrant: a signal handler, or a finaliser, may crash and put while this is held.
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._dropped: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        self._dropped_logged = self._trouble_logged = float("-inf")
        self._other_servers_logged: set[str] = set()

    def dropped(self, reason: str, count: int = 1) -> None:
        """Count dropped items. The worker's thread logs them, since this one serves a request."""
        with self._lock:
            _add(self._counts, reason, count, REASONS_COUNTED)
            _add(self._dropped, reason, count, REASONS)
            _unlogged.add(self)

    def counts(self) -> dict[str, int]:
        """How many items were dropped since the process began, by reason."""
        with self._lock:
            return dict(self._counts)

    def next_line(self) -> float | None:
        """When the next line is due, by the monotonic clock; None without one."""
        return self._dropped_logged + LOG_EVERY if self._dropped else None

    def log_dropped(self, at_exit: bool = False) -> None:
        """Log what was dropped since the last line, if that is a minute old, or at exit."""
        now = time.monotonic()
        with self._lock:
            due = at_exit or now - self._dropped_logged >= LOG_EVERY
            if not self._dropped or not due or not may_log():
                return
            dropped, self._dropped = self._dropped, {}
            self._dropped_logged = now
            _unlogged.discard(self)
        logger.warning(
            "Not delivered: %s",
            "; ".join(f"{count} × {reason}" for reason, count in dropped.items()),
        )

    def log_rest(self) -> None:
        """At exit. What a forked child has of its parent's is the parent's to log."""
        if self._pid == os.getpid():
            self.log_dropped(at_exit=True)

    def trouble(self, what: str, exc_info: bool = False) -> None:
        """Log what keeps items from being sent, unless that was logged within the last minute."""
        now = time.monotonic()
        with self._lock:
            if now - self._trouble_logged < LOG_EVERY or not may_log():
                return
            self._trouble_logged = now
        logger.warning("%s", what, exc_info=exc_info)

    def spool_set_aside(self, path: str, aside: str, saved: int) -> None:
        """Log a damaged file, once for each."""
        if may_log():
            logger.warning(
                "The spool %s was damaged: it is %s now, and a new one begins. %s could be saved"
                " from it; what else was queued there is lost.",
                path,
                aside,
                "1 item" if saved == 1 else f"{saved} items",
            )

    def left_for_other_processes(self, path: str, counts: Mapping[str, int]) -> None:
        """Log, once for each server, that its items are left for another process."""
        with self._lock:
            new = counts.keys() - self._other_servers_logged
            if not new or not may_log():
                return
            self._other_servers_logged.update(new)
        listed = ", ".join(
            f"{counts[origin]} for {cut(origin) or 'no address'}" for origin in sorted(new)
        )
        logger.warning(
            "The spool %s holds items for servers that no app of this process sends to (%s):"
            " they are left for the process that put them. If there is none any more, because the"
            " DSN was changed, remove the file.",
            path,
            listed,
        )

    def spool_lost(self, path: str, error: Exception) -> None:
        """Log, once, that memory takes over: a spool that was lost is not opened again."""
        if may_log():
            logger.warning(
                "The spool %s cannot be used (%s): events and feedback are queued in memory now.",
                path,
                error,
            )


_unlogged: set[DeliveryLog] = set()
# The logs that have counted what is in no line yet.
