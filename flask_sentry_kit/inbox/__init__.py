"""A Sentry of your own, for one machine: ``python -m flask_sentry_kit.inbox``.

It speaks Sentry's wire protocol, so that any client can send to it. It has no login, and is meant
for its own machine only.
"""

from .app import create_inbox
from .errors import InboxError
from .server.inbox_server import InboxServer

__all__ = ["InboxError", "InboxServer", "create_inbox"]
