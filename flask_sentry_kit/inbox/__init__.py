"""A Sentry of your own, for one machine: ``python -m flask_sentry_kit.inbox``.

It speaks Sentry's wire protocol, so that any client can send to it. It is meant for its own
machine; where others can reach it, it asks for a password.
"""

from .app import create_inbox
from .errors import InboxError
from .password import read_password
from .server.inbox_server import InboxServer

__all__ = ["InboxError", "InboxServer", "create_inbox", "read_password"]
