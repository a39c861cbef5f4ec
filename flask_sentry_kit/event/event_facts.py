"""What a visitor's words repeat of the event that they are about, and the latest events' facts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..threads import lock_at_use

EVENTS_MAX: Final = 1000
"""Events whose facts one process keeps, the latest ones. Each takes about 1 kB, at most 8 kB."""

# Bounds for what an app's own processor may have put into an event; the kit's own is shorter.
_TEXT_MAX: Final = 200
_TAGS_MAX: Final = 4_000
_URL_MAX: Final = 2_000

# The keys of Sentry's user interface but ``data``, which may be long.
_USER: Final = ("id", "email", "username", "name", "ip_address")


@dataclass(frozen=True, slots=True)
class EventFacts:
    """Facts of one event, masked and bounded as they are in the event itself."""

    environment: str | None = None
    release: str | None = None
    user: Mapping[str, Any] = field(default_factory=dict)
    """Under the names of Sentry's user interface."""
    tags: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    """The address that was requested, with its query."""


def facts_of(event: Mapping[str, Any]) -> EventFacts:
    """The facts of a finished event. Its parts may be anything, since processors change them."""
    environment, release = event.get("environment"), event.get("release")
    return EventFacts(
        environment if _is_short(environment) else None,
        release if _is_short(release) else None,
        _user(event.get("user")),
        _tags(event.get("tags")),
        _url(event.get("request")),
    )


def _is_short(text: Any) -> bool:
    return type(text) is str and len(text) <= _TEXT_MAX


def _user(user: Any) -> dict[str, Any]:
    if type(user) is not dict:
        return {}
    return {name: user[name] for name in _USER if _is_short(user.get(name))}


def _tags(tags: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    if type(tags) is dict:
        left = _TAGS_MAX
        for name, value in tags.items():
            if _is_short(name) and _is_short(value):
                left -= len(name) + len(value)
                if left < 0:
                    break
                found[name] = value
    return found


def _url(request: Any) -> str:
    if type(request) is not dict:
        return ""
    url, query = request.get("url"), request.get("query_string")
    if type(url) is not str or len(url) > _URL_MAX:
        return ""
    whole = f"{url}?{query}" if type(query) is str and query else url
    return whole if len(whole) <= _URL_MAX else url


class LatestEvents:
    """The facts of the latest events of one process, by event id. Any thread may use it."""

    def __init__(self) -> None:
        self._facts: OrderedDict[str, EventFacts] = OrderedDict()
        self._lock = lock_at_use()

    def note(self, event: Mapping[str, Any]) -> None:
        """Remember an event that was accepted for sending."""
        event_id, facts = event.get("event_id"), facts_of(event)
        if type(event_id) is str:
            with self._lock.get():
                self._facts[event_id] = facts
                if len(self._facts) > EVENTS_MAX:
                    self._facts.popitem(last=False)

    def get(self, event_id: str) -> EventFacts | None:
        return self._facts.get(event_id)
