"""What the first event of a process would have to do first, done before it: at registration."""

from __future__ import annotations

from collections.abc import Callable

from ..containment import FOREIGN_ERRORS
from .build import build_event
from .frames import warm_sources
from .interfaces import encode
from .occurrence import EventOptions, Occurrence
from .scope import Scope


def warm_up(options: Callable[[], EventOptions]) -> None:
    """Build an event and drop it, so that the first crash of a process is no dearer.

    :param options: makes the options of the events to come.
    """
    try:
        raise LookupError("rehearsal")
    except LookupError as error:
        try:
            encode(build_event(Occurrence(scope=Scope(False), error=error), options()))
        except FOREIGN_ERRORS:
            # Logged when it happens at a crash, where an event suffers from it.
            pass
    warm_sources()
