"""Keeps sentry-sdk from sending, for a command that only looks at an app."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sentry_sdk
from sentry_sdk.transport import Transport


class _NoTransport(Transport):
    """A transport that sends nothing."""

    def capture_envelope(self, envelope: object) -> None:
        return None


@contextmanager
def held_back() -> Iterator[None]:
    """Within the block the SDK's client makes events and sends none of them, to Sentry or to
    Spotlight, nor does a crash count in the release's sessions; none is sampled out: the block sees
    what becomes of a crash that is reported."""
    client: Any = sentry_sdk.get_client()
    if not client.is_active() or getattr(client, "transport", None) is None:
        yield
        return
    options = client.options
    held = {"sample_rate": 1.0, "error_sampler": None, "auto_session_tracking": False}
    before = {name: options.get(name) for name in held}
    transport, client.transport = client.transport, _NoTransport()
    spotlight, client.spotlight = getattr(client, "spotlight", None), None
    options.update(held)
    try:
        yield
    finally:
        client.transport, client.spotlight = transport, spotlight
        options.update(before)
