"""The real sentry-sdk, initialised against a recording Sentry, for as long as one test lasts.

For tests in tests/reporters/sentry_sdk alone: ``init`` changes Flask, logging and threading for the
rest of the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sentry_sdk

from .sentry import RecordingSentry


class Sdk:
    """What a test does with sentry-sdk. Its clients are closed when the test is done."""

    def __init__(self, wire: RecordingSentry) -> None:
        self.wire = wire
        self._clients: list[Any] = []

    def init(self, **options: Any) -> Any:
        """Call ``sentry_sdk.init``, as an app does; the DSN is the recording Sentry's unless the
        options have another. Returns the client."""
        sentry_sdk.init(**{"dsn": self.wire.dsn, **options})
        client = sentry_sdk.get_client()
        self._clients.append(client)
        return client

    def client(self, **options: Any) -> Any:
        """Make a client that is not the process's."""
        client = sentry_sdk.Client(**{"dsn": self.wire.dsn, **options})
        self._clients.append(client)
        return client

    def flush(self) -> None:
        """Wait until all that the clients queued has been sent."""
        for client in self._clients:
            client.flush(timeout=10)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What has arrived, once all that was queued has been sent."""
        self.flush()
        return self.wire.events

    @property
    def event(self) -> dict[str, Any]:
        """The one event."""
        events = self.events
        assert len(events) == 1, [_brief(event) for event in events]
        return events[0]

    def close(self) -> None:
        for client in self._clients:
            client.close(timeout=2)


def _brief(event: dict[str, Any]) -> tuple[str, list[Any]]:
    values = event.get("exception", {"values": []})["values"]
    message = event.get("logentry") or event.get("message", "")
    return message, [(one["type"], one["value"], one.get("mechanism")) for one in values]


@contextmanager
def initialisable(wire: RecordingSentry) -> Iterator[Sdk]:
    """Undo at the end what a test does to sentry-sdk, apart from what ``init`` changes in other
    modules, which does nothing without a client."""
    sdk = Sdk(wire)
    everywhere = sentry_sdk.Scope.get_global_scope()
    try:
        with sentry_sdk.isolation_scope() as scope:
            scope.clear()
            scope.generate_propagation_context()  # 2.0.0 looks for it without end
            yield sdk
    finally:
        sdk.close()
        everywhere.set_client(None)
        everywhere.clear()
