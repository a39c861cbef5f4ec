"""Watches the requests of an app for a while, for what can only be known when it serves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, request_started


def watch_requests(app: Flask, take: Callable[[Flask], bool]) -> None:
    """Call a function when a request of an app begins, until it returns True; then a request costs
    what it did before.

    :param take: does not raise.
    """

    # One receiver for each app: a receiver that is disconnected from a single sender stays with the
    # signal, and while that has any, each request of each app pays a microsecond.
    def receive(sender: Flask, **_: Any) -> None:
        if take(sender):
            request_started.disconnect(receive)

    # The signal holds it weakly, the app until its own end.
    app.extensions.setdefault("sentry_kit_requests", []).append(receive)
    request_started.connect(receive, sender=app)
