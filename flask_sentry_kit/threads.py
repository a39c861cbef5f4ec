"""Locks and thread-locals that are right also where gevent patches after this package is imported.

``gunicorn -k gevent --preload`` and uWSGI's ``--gevent-monkey-patch`` import the app first and
patch then. A lock made before would stop all greenlets at once, or let them all in, and a
thread-local would be one for all of them. So none is made at import or at registration. A mark
for "this code runs within that" needs none of this: a ``ContextVar`` is each greenlet's own.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


def patch_state() -> object:
    """A value that changes when gevent or eventlet replaces Python's threads by greenlets.

    Python's own function for a new lock, or theirs: no need to know which of them is there.
    """
    return _thread.allocate_lock


class MadeAtUse(Generic[T]):
    """Something that is made at its first use, and made anew when threads become greenlets.

    :param make: looks up what it makes, ``threading.RLock`` say, when it is called.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: dict[object, T] = {}

    def get(self) -> T:
        """The one for now. Keep it while it is held: ``with lock.get(): …``."""
        state = patch_state()
        made = self._made.get(state)
        # setdefault() is atomic: two threads that come first get the same one.
        return self._made.setdefault(state, self._make()) if made is None else made


def lock_at_use() -> MadeAtUse[Any]:
    """A re-entrant lock: ``with lock.get(): …``."""
    return MadeAtUse(lambda: threading.RLock())


def local_at_use() -> MadeAtUse[threading.local]:
    """A thread-local, or greenlet-local."""
    return MadeAtUse(lambda: threading.local())
