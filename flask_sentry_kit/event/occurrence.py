"""What an event is made from: the occurrence, and the options of whoever reports it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from werkzeug.wrappers import Request

from .frames import Stacks
from .scope import Environ, Scope
from .scrub import Scrubber


@dataclass(frozen=True, kw_only=True, slots=True)
class EventOptions:
    """Everything about a reporter that shows in its events; made anew for each event, since an
    app may change its client at any time."""

    scrubber: Scrubber
    stacks: Stacks
    sdk: Mapping[str, str]
    """Name and version of who made the event."""
    project: str | None = None
    server_name: str | None = None
    release: object = None
    environment: object = None
    site: object = None
    tags: Mapping[Any, Any] | None = None
    extra: Mapping[str, Any] | None = None
    repos: Mapping[str, Any] | None = None
    string_max: int = 400
    """Characters of one text, at most 10,000."""
    list_max: int = 50
    """Items of one container, at most 200."""
    auto_log_stacks: bool = False
    """Messages carry the stack they were sent from."""
    include_versions: bool = False
    """Events carry the versions of what is installed."""
    user_attributes: Iterable[str] = ()
    """Further attributes of Flask-Login's user."""
    user: Callable[[], Mapping[str, Any] | None] | None = None
    """Asked for the user instead of Flask-Login."""
    describe_user: Callable[[Request], Mapping[str, Any]] | None = None
    """Says all that an event has of a running request's user, the address included; raises
    nothing."""
    describe_request: Callable[[Request, bool], Mapping[str, Any]] | None = None
    """Says what an event has of a request, told whether it has failed for good; raises nothing."""
    pii: bool = True
    """False: nothing says where a visitor comes from."""


@dataclass(kw_only=True, slots=True)
class Occurrence:
    """One exception or message, with what its reporter was given along with it."""

    scope: Scope
    error: BaseException | None = None
    entry: Mapping[str, Any] | None = None
    """A message: ``message``, ``params`` and ``formatted``."""
    interfaces: Mapping[str, Any] | None = None
    """What an event class of the app's own made of it."""
    message: object = None
    """The event's title, beside an exception or ``interfaces``."""
    level: object = None
    handled: bool = True
    """The app goes on after it; False for what ended a request."""
    environ: Environ | None = None
    """The request's WSGI environ where Flask's context is gone already."""
    date: datetime | None = None
    time_spent: int | None = None
    stack: object = None
    """Whether an event without an exception carries the running stack; None: as the options say."""
    transaction: object = None
    """What was running, where there is no request to say it."""
    tags: Mapping[Any, Any] | None = None
    extra: Mapping[str, Any] | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    """Further parts of the event, by Sentry's names."""
