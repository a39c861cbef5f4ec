"""What an event of sentry-sdk would say now, for words that are about no event of this process."""

from __future__ import annotations

from typing import Any

import sentry_sdk

from ...compat import merged_scope_of_sentry_sdk
from ...event.event_facts import EventFacts, facts_of
from . import finishing


def configured_facts() -> EventFacts:
    """What all events of the client have: environment and release. The SDK has no tags of its
    configuration."""
    options = sentry_sdk.get_client().options
    return facts_of({name: options.get(name) for name in ("environment", "release")})


def current_facts() -> EventFacts:
    """The facts of an event that would be captured now, after the app's ``before_send``. Nothing
    is sent, and the SDK counts nothing as dropped."""
    client: Any = sentry_sdk.get_client()
    if not client.is_active():
        return EventFacts()
    event: Any = {"level": "info"}
    for name in ("environment", "release"):
        event[name] = client.options.get(name)
    event = merged_scope_of_sentry_sdk(sentry_sdk).apply_to_event(event, {}, client.options)
    if event is None:
        return configured_facts()
    event = finishing.before_send(client, event)
    return configured_facts() if event is None else facts_of(event)
