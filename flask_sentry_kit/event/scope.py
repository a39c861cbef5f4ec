"""The scope of the current work: its tags, extra data, user, breadcrumbs and last event.

Each request has its own scope, which is kept in its WSGI environ and ends with it. An app context
without a request has its own scope too. All other code shares one scope per thread, as in raven. A
scope is created when something is first written into it.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from time import time
from types import CodeType
from typing import Any, Final

from flask import g, has_app_context, has_request_context, request

from ..containment import FOREIGN_ERRORS
from ..threads import local_at_use
from .serialize import cut, safe_str

BREADCRUMBS_MAX: Final = 100

Environ = MutableMapping[str, Any]

current_environ: ContextVar[Environ | None] = ContextVar("flask_sentry_kit.environ", default=None)
"""The WSGI environ of the running call. It is set in middleware and while a body is streamed, where
Flask has no request context."""

_calls: set[CodeType] = set()


def found_on_stack(function: CodeType) -> None:
    """Let ``running_environ`` find calls of this function on the stack. The function takes an
    argument ``environ`` and sets no context variable."""
    _calls.add(function)


def running_environ() -> Environ | None:
    """The WSGI environ of the running call, also outside Flask's request context."""
    environ = current_environ.get()
    frame = sys._getframe(1) if environ is None else None
    while frame is not None:
        if frame.f_code in _calls:
            found: Environ = frame.f_locals["environ"]
            return found
        frame = frame.f_back
    return environ


_MARK: Final = "__sentry_kit_seen__"


class Breadcrumbs:
    """The last ``BREADCRUMBS_MAX`` breadcrumbs. Records nothing unless enabled."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self._kept: deque[dict[str, Any]] = deque(maxlen=BREADCRUMBS_MAX)

    def record(
        self,
        timestamp: float | None = None,
        level: str | None = None,
        message: Any = None,
        category: str | None = None,
        data: Any = None,
        type: str | None = None,
        processor: Any = None,
    ) -> None:
        """Keep a breadcrumb. raven's signature. ``processor`` is called with it immediately."""
        if not self.enabled:
            return
        crumb = {
            "timestamp": time() if timestamp is None else timestamp,
            "level": level,
            "message": None if message is None else cut(safe_str(message), 1_024),
            "category": category,
            "data": data,
            "type": type or "default",
        }
        if processor is not None:
            try:
                processor(crumb)
            except FOREIGN_ERRORS:
                return
        self._kept.append(crumb)

    def clear(self) -> None:
        self._kept.clear()

    def get_buffer(self) -> list[dict[str, Any]]:
        """The breadcrumbs, oldest first."""
        return [dict(crumb) for crumb in self._kept]


class Scope:
    """The scope of one piece of work. It remembers the exceptions that were reported in it."""

    def __init__(self, breadcrumbs: bool) -> None:
        self.data: dict[str, Any] = {}
        self.breadcrumbs = Breadcrumbs(breadcrumbs)
        self.last_event_id: str | None = None
        self._unmarkable: list[tuple[BaseException, str | None]] = []

    def __reduce__(self) -> Any:
        # When an exception is pickled or copied, the mark that this scope put on it is dropped.
        return type(None), ()

    def merge(self, data: Mapping[str, Any]) -> None:
        for key, value in data.items():
            if key in ("tags", "extra") and isinstance(value, Mapping):
                self.data[key] = {**self.data.get(key, {}), **value}
            else:
                self.data[key] = value

    def clear(self) -> None:
        self.data = {}
        self.breadcrumbs.clear()

    def remember(self, error: BaseException, event_id: str | None) -> None:
        """Record that this exception was handled here, and the id of its event, if any."""
        # The record is kept on the exception itself: it does not outlive the request, needs no
        # table, and the id() of a freed object is never mistaken for a new one. A __setattr__
        # of the exception's class is bypassed.
        try:
            seen = getattr(error, _MARK, ())
            object.__setattr__(error, _MARK, (*seen[-3:], (self, event_id)))
        except FOREIGN_ERRORS:
            self._unmarkable = [*self._unmarkable[-7:], (error, event_id)]

    def recall(self, error: BaseException) -> tuple[bool, str | None]:
        """Whether this exception was handled here, and the id of its event."""
        try:
            for scope, event_id in getattr(error, _MARK, ()):
                if scope is self:
                    return True, event_id
        except FOREIGN_ERRORS:
            pass
        for known, event_id in self._unmarkable:
            if known is error:
                return True, event_id
        return False, None


class Scopes:
    """Finds the scope of the current work, for one reporter.

    :param breadcrumbs: whether scopes record breadcrumbs.
    """

    def __init__(self, breadcrumbs: bool = False) -> None:
        self._breadcrumbs = breadcrumbs
        self._threads = local_at_use()
        self._key = f"flask_sentry_kit.scope.{id(self):x}"

    def find(self, environ: Environ | None = None) -> Scope | None:
        """The scope of the current work, or None if nothing was written into it."""
        kept, key = self._place(environ)
        if kept is None:
            return getattr(self._threads.get(), "scope", None)
        found: Scope | None = kept.get(key)
        return found

    def scope(self, environ: Environ | None = None) -> Scope:
        """The scope of the current work, created if needed."""
        found = self.find(environ)
        if found is None:
            found = Scope(self._breadcrumbs)
            kept, key = self._place(environ)
            if kept is None:
                self._threads.get().scope = found
            elif isinstance(kept, MutableMapping):
                kept[key] = found
            else:
                setattr(kept, key, found)
        return found

    def recall(self, error: BaseException) -> tuple[bool, str | None]:
        """Whether this exception was handled in the current work, and the id of its event."""
        scope = self.find()
        return (False, None) if scope is None else scope.recall(error)

    def _place(self, environ: Environ | None) -> tuple[Any, str]:
        if environ is not None:
            return environ, self._key
        running = current_environ.get()
        if has_request_context():
            own = request.environ
            # Middleware may pass on a copy of the environ. It is still the same request,
            # and its uncaught exceptions are seen with the first environ.
            if running is not None and running.get("wsgi.input") is own.get("wsgi.input"):
                return running, self._key
            return own, self._key
        running = running_environ()
        if running is not None:
            return running, self._key
        if has_app_context():
            return g, self._key
        return None, self._key
