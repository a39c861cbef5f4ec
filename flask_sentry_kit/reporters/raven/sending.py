"""An event on its way from a client to the outbox, past what a subclass of the client overrides.

raven's clients send in four steps, and apps override each of them: ``send``, ``encode``,
``send_encoded`` and ``send_remote``. What is overridden is called; the rest is one step here.
"""

from __future__ import annotations

import logging
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
"""What raven's clients do another way than ours, with what is there in its place."""

_accepted: ContextVar[bool | None] = ContextVar("sentry_kit_accepted", default=None)


class Sending(Protocol):
    """What is needed of a client."""

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
    """Hand an event over, by the client's own ``send`` where it has one.

    :param base: the class whose ``send`` is ours.
    :returns: whether it was accepted for sending. A ``send`` that does not call ours has taken
        the event.
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
    """What a method runs, be it of the class or set on the object itself."""
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
    # raven's way, which backs off after a failure.
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


def warn_of_what_is_never_called(kind: type) -> None:
    """Say it where a subclass of the client overrides what nobody calls."""
    for name, instead in _NEVER_CALLED.items():
        if getattr(kind, name) is not getattr(raven.base.Client, name):
            logger.warning(
                "%s.%s() is never called: %s. Override capture() or send() for anything else",
                kind.__name__,
                name,
                instead,
            )
