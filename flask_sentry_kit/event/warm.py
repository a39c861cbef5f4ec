"""Does the one-time work of a process's first event in advance, at registration."""

from __future__ import annotations

from ..containment import contained
from .build import build_event
from .frames import warm_sources
from .interfaces import encode
from .occurrence import EventOptions, Occurrence
from .scope import Scope


def warm_up(options: EventOptions) -> None:
    """Build an event and discard it, so that the first crash of a process takes no longer.

    :param options: the options of future events.
    """
    # A failure here is ignored. The same failure at a crash is logged there, with its event.
    with contained(None):
        warm_sources(options.scrubber)
        try:
            raise LookupError("rehearsal")
        except LookupError as error:
            encode(build_event(Occurrence(scope=Scope(False), error=error), options))
