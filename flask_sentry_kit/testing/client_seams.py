"""The places where events leave that do not go through the kit's outbox: raven's own client, and
every client of sentry-sdk. While a test collects what is reported they are given to it there.
"""

from __future__ import annotations

import json
import sys
import weakref
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Final

import raven.base
from flask import current_app, has_app_context
from raven.utils import json as raven_json

from ..kit import kit_of
from ..outbox import diversion
from ..reporters import uses_sdk

_undo: Final[list[Callable[[], None]]] = []
_sampling: Final[weakref.WeakKeyDictionary[Any, dict[str, Any]]] = weakref.WeakKeyDictionary()
"""The options of sentry-sdk's clients that a test changes, as they were."""


def install() -> None:
    """Install the seams, once. They change nothing where nothing is diverted."""
    if not _undo:
        _install_in_raven()
        if find_spec("sentry_sdk") is not None:
            _install_in_sdk()


def remove() -> None:
    """Make everything as it was. What watches is left while threads of a test go on."""
    if not diversion.is_open():
        for client, options in list(_sampling.items()):
            client.options.update(options)
            if vars(client).get("transport") is None and client.monitor is not None:
                # It watches a transport, which a client without a DSN has in a test alone.
                client.monitor.kill()
                client.monitor = None
        _sampling.clear()
    if not diversion.may_be_needed():
        while _undo:
            _undo.pop()()


def _install_in_raven() -> None:
    kind: Any = raven.base.Client
    send, is_enabled = kind.send, kind.is_enabled

    def diverted_send(self: Any, auth_header: str | None = None, **data: Any) -> Any:
        diverted = diversion.current(self.remote.base_url or "")
        if diverted is None:
            return send(self, auth_header=auth_header, **data)
        diverted.take_event(json.loads(raven_json.dumps(data)))
        return None

    def is_enabled_in_test(self: Any) -> bool:
        return bool(is_enabled(self)) or diversion.dsn() is not None

    def undo() -> None:
        kind.send, kind.is_enabled = send, is_enabled

    kind.send, kind.is_enabled = diverted_send, is_enabled_in_test
    _undo.append(undo)


def _install_in_sdk() -> None:
    """Give every client of the SDK another transport, those that exist and those to come.

    A property of the class does it: what a client has itself stays as it is.
    """
    import sentry_sdk

    if not hasattr(sentry_sdk, "get_client"):
        return  # older than 2.0, which the kit does not report through
    from sentry_sdk.transport import Transport

    class TakingTransport(Transport):
        """Gives events away; sessions, transactions and the like are dropped."""

        def capture_envelope(self, envelope: Any) -> None:
            diverted = diversion.current((self.options or {}).get("dsn") or "")
            for item in envelope.items:
                if item.type == "event" and diverted is not None:
                    diverted.take_event(json.loads(item.get_bytes()))

    kind: Any = sentry_sdk.Client
    made: weakref.WeakKeyDictionary[Any, Transport] = weakref.WeakKeyDictionary()

    def meet(client: Any) -> Transport:
        if client not in _sampling:
            options = client.options
            kept = ("sample_rate", "error_sampler")
            _sampling[client] = {name: options.get(name) for name in kept}
            # A test's event is not left to chance.
            options.update(sample_rate=1.0, error_sampler=None)
        found = made.get(client)
        if found is None:
            found = made[client] = TakingTransport(client.options)
        return found

    def transport_of(client: Any) -> Any:
        own = vars(client).get("transport")
        if client.options is None or diversion.current(client.dsn or "") is None:
            return own
        return meet(client) if own is not None or _reports_without_dsn() else None

    def set_transport(client: Any, value: Any) -> None:
        before = vars(client).get("transport")
        vars(client)["transport"] = value
        if value is None and before is not None:
            before.kill()  # the client is closed, and has called the other one's kill()

    def spotlight_of(client: Any) -> Any:
        own = vars(client).get("spotlight")
        return own if diversion.current(client.dsn or "") is None else None

    def set_spotlight(client: Any, value: Any) -> None:
        vars(client)["spotlight"] = value

    def undo() -> None:
        del kind.transport, kind.spotlight

    kind.transport = property(transport_of, set_transport)
    kind.spotlight = property(spotlight_of, set_spotlight)
    _undo.append(undo)


def flush_sdk() -> None:
    """Have the SDK's client send now what it counts for later, such as sessions."""
    sdk: Any = sys.modules.get("sentry_sdk")
    if sdk is not None and hasattr(sdk, "get_client") and sdk.get_client().is_active():
        sdk.get_client().flush(timeout=0)


def _reports_without_dsn() -> bool:
    """Whether a client without a DSN reports in a test: not for an app that raven reports for."""
    if diversion.dsn() is None:
        return False
    if not has_app_context():
        return True
    app: Any = current_app._get_current_object()  # type: ignore[attr-defined]  # LocalProxy
    return kit_of(app) is None or uses_sdk(app)
