"""The inputs of an event: the occurrence and the options of its reporter."""

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
    """The settings of a reporter that affect its events. They are read again for each event,
    because an app may change its client at any time."""

    scrubber: Scrubber
    stacks: Stacks
    sdk: Mapping[str, str]
    """Name and version of the client that made the event."""
    project: str | None = None
    server_name: str | None = None
    app_name: str | None = None
    release: object = None
    environment: object = None
    site: object = None
    tags: Mapping[Any, Any] | None = None
    extra: Mapping[str, Any] | None = None
    repos: Mapping[str, Any] | None = None
    string_max: int = 400
    """Characters kept of one text, at most 10,000."""
    list_max: int = 50
    """Items kept of one container, at most 200."""
    auto_log_stacks: bool = False
    """Whether messages carry the stack that sent them."""
    include_versions: bool = False
    """Whether events carry the versions of the installed packages."""
    user_attributes: Iterable[str] = ()
    """Further attributes to read from Flask-Login's user."""
    user: Callable[[], Mapping[str, Any] | None] | None = None
    """Called for the user instead of Flask-Login."""
    describe_user: Callable[[Request], Mapping[str, Any]] | None = None
    """Returns all user data for the event from a running request, the address included. Raises
    nothing."""
    describe_request: Callable[[Request, bool], Mapping[str, Any]] | None = None
    """Returns the request data for the event. The second argument says whether the request has
    failed for good. Raises nothing."""
    pii: bool = True
    """False: the event contains no visitor address and no Referer."""


@dataclass(kw_only=True, slots=True)
class Occurrence:
    """One exception or message, with the data that was passed to its reporter."""

    scope: Scope
    error: BaseException | None = None
    entry: Mapping[str, Any] | None = None
    """The parts of a message: ``message``, ``params`` and ``formatted``."""
    interfaces: Mapping[str, Any] | None = None
    """The interfaces that the app's own event class made."""
    message: object = None
    """The event's title, in addition to an exception or ``interfaces``."""
    level: object = None
    handled: bool = True
    """True: the app continues. False: the exception ended a request."""
    environ: Environ | None = None
    """The request's WSGI environ, for use when Flask's context has ended."""
    date: datetime | None = None
    time_spent: int | None = None
    stack: object = None
    """Whether an event without an exception carries the running stack. None: use the options."""
    transaction: object = None
    """The name of the running code, used when there is no request."""
    tags: Mapping[Any, Any] | None = None
    extra: Mapping[str, Any] | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    """Further parts of the event, under Sentry's names."""
