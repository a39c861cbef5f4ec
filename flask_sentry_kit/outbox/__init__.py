"""Events and feedback reach Sentry, or wait until they can. Knows nothing of Flask or raven."""

from __future__ import annotations

from .connecting import Connection
from .item import Alternative, Counters, Item, Request, State, Ticket
from .outbox import Outbox

__all__ = [
    "Alternative",
    "Connection",
    "Counters",
    "Item",
    "Outbox",
    "Request",
    "State",
    "Ticket",
]
