"""A Sentry of your own, for one machine: ``python -m flask_sentry_kit.inbox``.

Speaks Sentry's wire protocol and imports nothing of the kit but the DSN's grammar: any client
can send to it. It has no login and is not meant for more than its own machine.
"""

from .app import create_inbox
from .errors import InboxError
from .server import InboxServer

__all__ = ["InboxError", "InboxServer", "create_inbox"]
