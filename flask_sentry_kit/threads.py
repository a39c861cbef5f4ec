"""Locks and thread-locals that also work if gevent patches after this package is imported.

``gunicorn -k gevent --preload`` and uWSGI's ``--gevent-monkey-patch`` import the app first and
patch afterwards. A lock made before that would block all greenlets at once, or let them all in, and
a thread-local would be shared by all of them. So none is made at import or at registration. A
``ContextVar`` needs no such care: each greenlet has its own value.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


def patch_state() -> object:
    """A value that changes when gevent or eventlet replaces Python's threads by greenlets.

    It is the current function for a new lock, Python's own or the one of such a library.
    """
    return _thread.allocate_lock


class MadeAtUse(Generic[T]):
    """An object that is made at its first use, and made again when threads become greenlets.

    :param make: makes the object. It must look up its class, such as ``threading.RLock``, at each
        call.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: dict[object, T] = {}

    def get(self) -> T:
        """The current object. Keep a lock while it is held: ``with lock.get(): …``."""
        state = patch_state()
        made = self._made.get(state)
        # setdefault() is atomic: two threads that call this first get the same object.
        return self._made.setdefault(state, self._make()) if made is None else made


def lock_at_use() -> MadeAtUse[Any]:
    """A re-entrant lock: ``with lock.get(): …``."""
    return MadeAtUse(lambda: threading.RLock())


def local_at_use() -> MadeAtUse[threading.local]:
    """A thread-local, or greenlet-local."""
    return MadeAtUse(lambda: threading.local())
