"""What the kit adds to an event of sentry-sdk before it is sent, and what it masks in it.

The user and the data that raven's names were given are added, secrets are masked where the app
asks for it, and then the app's own ``before_send`` gets the event.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from flask import Flask, current_app, has_app_context

from ...containment import contained
from ...event import interfaces
from ...event.build import running_request
from ...event.masked_values import MaskedValues
from ...event.noted_secrets import noted_secrets
from ...event.scope import Scope, Scopes
from ...event.scrub import Scrubber
from ...event.scrub_event import scrub_event
from ...event.serialize import Serializer
from ...settings import Settings
from ...user import user_facts

apps: Final[weakref.WeakKeyDictionary[Flask, Settings]] = weakref.WeakKeyDictionary()
"""The apps that report through the SDK."""

scopes: Final = Scopes()
"""Know the exceptions that were captured in the current work, the ids of their events, and what
raven's names were given."""

crash_scope: ContextVar[Scope | None] = ContextVar("flask_sentry_kit.sdk_scope", default=None)
"""Of the crash that is being captured, whose request's context may have ended."""


@dataclass(slots=True)
class Passage:
    """One event on its way through a client."""

    final: Any = None
    """The event after the app's ``before_send``; None until then, or if that dropped it."""
    noted: MaskedValues | None = None
    """Values that the SDK's own scrubber has removed, and that a text may repeat."""


passage: ContextVar[Passage | None] = ContextVar("flask_sentry_kit.sdk_event", default=None)
"""Of the event that is being captured."""

_asking: ContextVar[bool] = ContextVar("flask_sentry_kit.sdk_user", default=False)


def current_scope() -> Scope:
    """The scope of the current work, or of the crash that is being captured."""
    return crash_scope.get() or scopes.scope()


def watch_client(client: Any) -> None:
    """Have a client's events pass the kit, before and after the app's own ``before_send``."""
    options = client.options
    for name, is_error in (("before_send", True), ("before_send_transaction", False)):
        inner = options.get(name)
        if type(inner) is not _BeforeSend:
            options[name] = _BeforeSend(inner, is_error=is_error)
    scrubber = options.get("event_scrubber")
    if scrubber and type(scrubber) is not _NotingScrubber:
        options["event_scrubber"] = _NotingScrubber(scrubber)


def before_send(client: Any, event: Any) -> Any:
    """An event as it is after a client's ``before_send``; None if that drops it."""
    watch_client(client)
    return client.options["before_send"](event, {})


class _BeforeSend:
    """A client's ``before_send``, with the kit's work before and after the app's.

    :param inner: the app's own, or None.
    """

    def __init__(self, inner: Callable[..., Any] | None, *, is_error: bool) -> None:
        self._inner = inner
        self._is_error = is_error

    def __call__(self, event: Any, hint: Any) -> Any:
        app, settings = _current_app()
        if self._is_error:
            with contained("What was given for an event could not be added; it is sent without"):
                _add_given(event)
        if self._is_error and settings is not None and app is not None:
            with contained("The user could not be described; the event is sent without it"):
                _add_user(event, app, settings)
        scrubber = _scrubber_for(app, settings)
        found = passage.get()
        if scrubber is not None:
            noted = None if found is None else found.noted
            scrub_event(event, scrubber, noted=noted, request=running_request(None))
        if self._inner is not None:
            event = self._inner(event, hint)
        if found is not None and self._is_error:
            found.final = event
        return event


class _NotingScrubber:
    """A client's ``event_scrubber``, which removes values that a text of the event may repeat.

    :param inner: the SDK's, or the app's own.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def scrub_event(self, event: Any) -> None:
        with contained("The values that are masked could not be noted; the event is sent"):
            found, scrubber = passage.get(), _scrubber_for(*_current_app())
            if found is not None and scrubber is not None:
                found.noted = noted_secrets(event, scrubber)
        self._inner.scrub_event(event)


def _current_app() -> tuple[Flask | None, Settings | None]:
    """The current app, and its settings if it reports through the SDK."""
    if not has_app_context():
        return None, None
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # LocalProxy
    return app, apps.get(app)


def _scrubber_for(app: Flask | None, settings: Settings | None) -> Scrubber | None:
    """The scrubber for an event, or None. What happens outside of every app is scrubbed if one of
    them asks for it."""
    if settings is not None and app is not None:
        return scrubber_of(app) if settings.scrub else None
    asking = [one for one, its in list(apps.items()) if its.scrub]
    return scrubber_of(asking[0]) if asking else None


def scrubber_of(app: Flask) -> Scrubber:
    """The scrubber of an app, with its ``sanitize_keys``, which raven looks for in this order."""
    config = app.config
    own = config.get("SENTRY_CONFIG") or config.get("RAVEN_CONFIG") or {}
    return Scrubber(own.get("sanitize_keys") or config.get("SENTRY_SANITIZE_KEYS") or ())


def user_attributes(app: Flask) -> tuple[str, ...]:
    """``SENTRY_USER_ATTRS``."""
    return tuple(app.config.get("SENTRY_USER_ATTRS") or ())


def add_to_scope(data: Mapping[str, Any]) -> None:
    """Add user, tags and extra data to the events of the current work."""
    scopes.scope().merge(data)


def _add_given(event: dict[str, Any]) -> None:
    """Add what ``add_to_scope`` got; what the SDK's own scopes say of the same wins."""
    scope = crash_scope.get() or scopes.find()
    if scope is None or not scope.data:
        return
    for name, value in shown(scope.data).items():
        event[name] = {**value, **(event.get(name) or {})}


def shown(given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """User, tags and extra data that the app's code gave, as an event has them: bounded, and masked
    by name. What is not given is left out."""
    serializer = Serializer(Scrubber())
    found = {
        "user": interfaces.user(given.get("user") or {}, serializer, login=False),
        "tags": interfaces.tags(given.get("tags"), serializer=serializer),
        "extra": serializer.value(given.get("extra") or {}),
    }
    return {name: value for name, value in found.items() if value}


def _add_user(event: dict[str, Any], app: Flask, settings: Settings) -> None:
    """Add who was signed in, where the app asks for it, to what the SDK knows of the user."""
    attributes = user_attributes(app)
    if not (attributes or settings.user) or event.get("type") not in (None, "error"):
        return
    if _asking.get():
        return  # the app's code that is asked for the user logs an error
    token = _asking.set(True)
    try:
        facts = user_facts(attributes, settings.user)
    finally:
        _asking.reset(token)
    if not facts:
        return
    serializer = Serializer(scrubber_of(app))
    found = interfaces.user(facts, serializer, login=settings.user is None)
    known = event.get("user")
    if isinstance(known, dict) and known:
        if "id" in known and "id" in found and str(known["id"]) != str(found["id"]):
            return  # the app has named somebody else
        found = {**found, **known}
    event["user"] = found
