"""What a visitor's words repeat of an event, from our client or from one of raven's own class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ...event import interfaces
from ...event.build import build_event
from ...event.event_facts import EventFacts, facts_of
from ...event.occurrence import EventOptions, Occurrence
from ...event.scope import Scope
from ...event.scrub import Scrubber
from ...event.serialize import Serializer, cut, safe_str


def configured_facts(
    release: object, environment: object, tags: Mapping[Any, Any] | None, scrubber: Scrubber
) -> EventFacts:
    """The facts that all events of a client have."""
    return EventFacts(
        None if environment is None else cut(safe_str(environment), 64),
        None if release is None else cut(safe_str(release), 200),
        tags=interfaces.tags(tags, serializer=Serializer(scrubber)),
    )


def current_facts(scope: Scope, options: EventOptions, process: Any) -> EventFacts:
    """The facts of an event that would be captured now.

    :param process: runs the app's own processors on an event.
    """
    event = build_event(Occurrence(scope=scope, message="", stack=False), options)
    process(event)
    return facts_of(event)


def address_alone(url: str) -> str:
    """An address without its query, in which a client of raven's own class masks nothing here."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    return cut(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}", 2_000)
