"""What the SDK's transport drops is known before anybody is shown an id for it.

Nothing here initialises the SDK, and nothing private of it is set: a server's answers bring its
transports into each state.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sentry_sdk.transport
from sentry_sdk.consts import DEFAULT_OPTIONS
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from flask_sentry_kit.compat import sentry_sdk_drops_errors
from tests.support.sentry import RecordingSentry

BUSY = {
    "errors": (200, {"X-Sentry-Rate-Limits": "60:error:organization"}),
    "errors, among others": (200, {"X-Sentry-Rate-Limits": "9:session:key, 60:default;error:key"}),
    "all": (429, {"X-Sentry-Rate-Limits": "60::organization"}),
    "all, by an old server": (429, {"Retry-After": "60"}),
    "all, and nothing said": (429, {}),
}
# The SDK leaves its connections to the garbage collector.
CLOSE = {"Connection": "close"}
FREE = {
    "nothing": (200, {}),
    "others": (429, {"X-Sentry-Rate-Limits": "60:transaction;session:organization"}),
    "errors, until now": (200, {"X-Sentry-Rate-Limits": "0:error:organization"}),
    "trouble": (503, {"Retry-After": "60"}),
}

# From 2.16 on there is HTTP/2, which without TLS is HTTP/1.1, by httpcore.
KINDS = [
    getattr(sentry_sdk.transport, name)
    for name in ("HttpTransport", "Http2Transport")
    if hasattr(sentry_sdk.transport, name)
]


def envelope() -> Envelope:
    made = Envelope()
    made.add_event({"event_id": "a" * 32})
    return made


def options_of(wire: RecordingSentry, **given: Any) -> dict[str, Any]:
    return {**DEFAULT_OPTIONS, "dsn": wire.dsn, "send_client_reports": False, **given}


@pytest.fixture
def make(wire: RecordingSentry) -> Iterator[Callable[..., Any]]:
    """Make a transport, from its class and options."""
    made: list[Any] = []

    def make(kind: Any, **given: Any) -> Any:
        made.append(kind(options_of(wire, **given)))
        return made[-1]

    yield make
    wire.release()
    for transport in made:
        transport.flush(5)
        transport.kill()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("state", [*BUSY, *FREE])
def test_a_limit_that_the_server_set_is_known(
    kind: Any, state: str, wire: RecordingSentry, make: Callable[..., Any]
) -> None:
    """Where it is said that errors are dropped, the next one does not arrive; elsewhere it does."""
    status, headers = {**BUSY, **FREE}[state]
    wire.answer = lambda request: (status, headers | CLOSE, b"")
    transport = make(kind)
    assert not sentry_sdk_drops_errors(transport)
    transport.capture_envelope(envelope())
    transport.flush(5)
    assert sentry_sdk_drops_errors(transport) == (state in BUSY)
    arrived = len(wire.received)
    transport.capture_envelope(envelope())
    transport.flush(5)
    assert (len(wire.received) > arrived) == (state in FREE)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_full_queue_is_known(
    kind: Any, wire: RecordingSentry, make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the server answers nothing, the SDK takes what its queue holds and drops the rest."""
    dropped: list[str] = []
    wire.hold()
    wire.answer = lambda request: (200, CLOSE, b"")
    transport = make(kind, transport_queue_size=1)
    monkeypatch.setattr(transport, "on_dropped_event", dropped.append)
    deadline = time.monotonic() + 10
    while not sentry_sdk_drops_errors(transport):
        # One is being sent, and one waits.
        assert not dropped and time.monotonic() < deadline
        transport.capture_envelope(envelope())
    transport.capture_envelope(envelope())
    assert dropped == ["full_queue"]
    wire.release()
    transport.flush(5)
    assert not sentry_sdk_drops_errors(transport)


if hasattr(sentry_sdk.transport, "AsyncHttpTransport"):  # from 2.57 on
    from sentry_sdk.transport import AsyncHttpTransport

    @pytest.mark.parametrize("state", ["errors", "nothing"])
    def test_the_async_transport_is_known_too(state: str, wire: RecordingSentry) -> None:
        """It makes its queue with its first event, and drops everything without its event loop."""
        status, headers = {**BUSY, **FREE}[state]
        wire.answer = lambda request: (status, headers | CLOSE, b"")

        async def main() -> Any:
            transport: Any = AsyncHttpTransport(options_of(wire))
            assert not sentry_sdk_drops_errors(transport)
            transport.capture_envelope(envelope())
            deadline = time.monotonic() + 10
            while not wire.received:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.005)
            await transport.flush(5)
            assert sentry_sdk_drops_errors(transport) == (state == "errors")
            await transport.kill()
            return transport

        assert sentry_sdk_drops_errors(asyncio.run(main()))


class OwnTransport(Transport):
    """An app's, which looks full to who does not look at its class."""

    class _worker:
        full = staticmethod(lambda: True)

    def capture_envelope(self, envelope: Envelope) -> None:
        pass


@pytest.mark.parametrize("transport", [None, OwnTransport(), print, object()])
def test_of_other_transports_nothing_is_known(transport: object) -> None:
    """What an app's own transport does with an event is its own affair."""
    assert not sentry_sdk_drops_errors(transport)
