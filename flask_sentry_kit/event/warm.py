"""What the first event of a process would have to do first, done before it: at registration."""

from __future__ import annotations

from ..containment import contained
from .build import build_event
from .frames import warm_sources
from .interfaces import encode
from .occurrence import EventOptions, Occurrence
from .scope import Scope


def warm_up(options: EventOptions) -> None:
    """Build an event and drop it, so that the first crash of a process is no dearer.

    :param options: those of the events to come.
    """
    # What fails here is logged when it happens at a crash, where an event suffers from it.
    with contained(None):
        warm_sources(options.scrubber)
        try:
            raise LookupError("rehearsal")
        except LookupError as error:
            encode(build_event(Occurrence(scope=Scope(False), error=error), options))
