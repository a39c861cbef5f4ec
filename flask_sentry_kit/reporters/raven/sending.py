"""Passes an event from a client to the outbox through the methods that a subclass overrides.

raven's clients send in four steps: ``send``, ``encode``, ``send_encoded`` and ``send_remote``. Apps
override each of them. Overridden steps are called, and the others are one step here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Protocol

import raven.base

from ...dsn import Dsn
from ...event.interfaces import encode
from ...outbox import Item, Outbox, Request
from . import logs
from .transport import OutboxTransport, store_headers

logger = logging.getLogger("flask_sentry_kit")

_STEPS: Final = ("encode", "get_content_encoding", "send_encoded", "send_remote")

_NEVER_CALLED: Final = {
    "build_msg": "processors= are given each event",
    "transform": "string_max_length= and list_max_length= bound the values",
    "get_processors": "processors= lists them",
    "get_module_versions": "include_versions= adds the versions of what is installed",
}
"""raven's methods that our client never calls, with the replacement for each."""

_accepted: ContextVar[bool | None] = ContextVar("sentry_kit_accepted", default=None)


class Sending(Protocol):
    """The parts of a client that are used here."""

    transport_class: Any
    protocol_version: str
    raise_send_errors: bool
    state: Any
    remote: Any
    dsn: Dsn | None

    @property
    def outbox(self) -> Outbox: ...

    def refuse(self, reason: str) -> None: ...

    def send(self, auth_header: str | None = None, **data: Any) -> None: ...


def send(client: Sending, event: dict[str, Any], base: type[Sending]) -> bool:
    """Pass an event on with the client's own ``send``, if it has one.

    :param base: the class with our ``send``.
    :returns: whether the event was accepted for sending. If the client's ``send`` does not call
        ours, the event counts as accepted.
    """
    if _function(client, "send") is base.send:
        return hand_over(client, event)
    token = _accepted.set(None)
    try:
        client.send(**event)
        return _accepted.get() is not False
    finally:
        _accepted.reset(token)


def hand_over(client: Sending, event: dict[str, Any]) -> bool:
    """Put an event into the client's outbox, or give it to the app's transport.

    :returns: whether it was accepted for sending.
    """
    accepted = _to_outbox(client, event) if _is_direct(client) else _by_transport(client, event)
    _accepted.set(accepted)
    return accepted


def _is_direct(client: Sending) -> bool:
    return client.transport_class is OutboxTransport and all(
        _function(client, step) is getattr(raven.base.Client, step) for step in _STEPS
    )


def _function(client: Sending, name: str) -> Any:
    """The function behind a method, whether it is on the class or on the object itself."""
    method = getattr(client, name)
    return getattr(method, "__func__", method)


def _to_outbox(client: Sending, event: dict[str, Any]) -> bool:
    dsn = client.dsn
    if dsn is None:
        return False
    headers = store_headers(dsn, client.protocol_version)
    request = Request(dsn.store_url, headers, encode(event))
    return client.outbox.put(Item("event", event["event_id"], request)) is not None


def _by_transport(client: Sending, event: dict[str, Any]) -> bool:
    # As in raven, which pauses after a failure.
    if not client.raise_send_errors and not client.state.should_try():
        client.refuse("the app's transport failed, so no event is given to it for a while")
        return False
    transport = client.remote.get_transport()
    if isinstance(transport, OutboxTransport):
        transport.outbox = client.outbox
    logs.mute_transport_logs(transport)
    raven.base.Client.send(client, **event)
    if client.state.did_fail():
        client.refuse("the app's transport failed")
        return False
    return True


@contextmanager
def held_back(client: Any) -> Iterator[None]:
    """Within the block a client of raven's or of ours makes its events and sends none of them.

    Nor is one sampled out: the block sees what becomes of a crash that is reported.
    """
    if client is None:
        yield
        return
    attributes = vars(client)
    before = {name: attributes[name] for name in ("send", "sample_rate") if name in attributes}
    attributes.update(send=lambda *args, **kwargs: None, sample_rate=1.0)
    try:
        yield
    finally:
        for name in ("send", "sample_rate"):
            del attributes[name]
        attributes.update(before)


def warn_of_what_is_never_called(kind: type) -> None:
    """Log a warning if a subclass of the client overrides a method that is never called."""
    for name, instead in _NEVER_CALLED.items():
        if getattr(kind, name) is not getattr(raven.base.Client, name):
            logger.warning(
                "%s.%s() is never called: %s. Override capture() or send() for anything else",
                kind.__name__,
                name,
                instead,
            )
