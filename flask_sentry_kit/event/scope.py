"""What is known about the piece of work at hand: tags, extra, user, breadcrumbs, last event.

A request has a scope of its own, kept in its WSGI environ and gone with it; so has an app
context without a request; all else shares one scope a thread, as raven has it. A scope is made
only when somebody writes into it.
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
"""The WSGI environ of the call that runs now, where it is set: in middleware and in a body that is
still being streamed, where Flask's request context does not reach."""

_calls: set[CodeType] = set()


def found_on_stack(function: CodeType) -> None:
    """Let ``running_environ`` find the calls of a function that takes an environ, as ``environ``,
    and sets no variable."""
    _calls.add(function)


def running_environ() -> Environ | None:
    """The WSGI environ of the call that runs now, outside of Flask's request context too."""
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
    """The last ``BREADCRUMBS_MAX`` things that happened; records nothing unless enabled."""

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
        """Keep one. raven's signature; ``processor`` is called with the breadcrumb at once."""
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
        """Those that are kept, oldest first."""
        return [dict(crumb) for crumb in self._kept]


class Scope:
    """One piece of work. Knows which exceptions were reported in it."""

    def __init__(self, breadcrumbs: bool) -> None:
        self.data: dict[str, Any] = {}
        self.breadcrumbs = Breadcrumbs(breadcrumbs)
        self.last_event_id: str | None = None
        self._unmarkable: list[tuple[BaseException, str | None]] = []

    def __reduce__(self) -> Any:
        # An exception that is pickled or copied leaves behind what was noted on it here.
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
        """Note that this exception was dealt with here, and as which event (None: none)."""
        # On the exception itself: it outlives no request, costs no table, and the number of a
        # freed object is never mistaken for a new one's. Set past any __setattr__ of its class.
        try:
            seen = getattr(error, _MARK, ())
            object.__setattr__(error, _MARK, (*seen[-3:], (self, event_id)))
        except FOREIGN_ERRORS:
            self._unmarkable = [*self._unmarkable[-7:], (error, event_id)]

    def recall(self, error: BaseException) -> tuple[bool, str | None]:
        """Whether this exception was dealt with here, and as which event."""
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
    """Finds the scope of the work at hand, for one reporter.

    :param breadcrumbs: whether scopes record breadcrumbs.
    """

    def __init__(self, breadcrumbs: bool = False) -> None:
        self._breadcrumbs = breadcrumbs
        self._threads = local_at_use()
        self._key = f"flask_sentry_kit.scope.{id(self):x}"

    def find(self, environ: Environ | None = None) -> Scope | None:
        """The scope of the work at hand, if anything was written into it."""
        kept, key = self._place(environ)
        if kept is None:
            return getattr(self._threads.get(), "scope", None)
        found: Scope | None = kept.get(key)
        return found

    def scope(self, environ: Environ | None = None) -> Scope:
        """The scope of the work at hand, made if need be."""
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
        """Whether this exception was dealt with in the work at hand, and as which event."""
        scope = self.find()
        return (False, None) if scope is None else scope.recall(error)

    def _place(self, environ: Environ | None) -> tuple[Any, str]:
        if environ is not None:
            return environ, self._key
        running = current_environ.get()
        if has_request_context():
            own = request.environ
            # Middleware may hand on a copy of what it got: that is one request all the same,
            # and what escapes from it is seen with the first of them.
            if running is not None and running.get("wsgi.input") is own.get("wsgi.input"):
                return running, self._key
            return own, self._key
        running = running_environ()
        if running is not None:
            return running, self._key
        if has_app_context():
            return g, self._key
        return None, self._key
