"""raven's transport interface on top of the outbox, for ``SENTRY_TRANSPORT`` and raven's registry.

Events of our own ``Sentry`` do not go through ``OutboxTransport``. They are put into the app's
outbox directly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import time
from typing import Any, Final

import raven
from raven.conf.remote import RemoteConfig
from raven.transport.base import AsyncTransport

from ...dsn import AUTH_HEADER, Dsn
from ...outbox.item import Item, Request
from .options import make_outbox

AGENT: Final = f"raven-python/{raven.VERSION}"


def store_headers(dsn: Dsn, protocol: str) -> dict[str, str]:
    """The HTTP headers for sending an event.

    :param protocol: the version of Sentry's protocol.
    """
    return {
        "User-Agent": AGENT,
        "Content-Type": "application/json",
        AUTH_HEADER: dsn.auth_header(
            AGENT, protocol=protocol, timestamp=int(time()), with_secret=True
        ),
    }


def remote_config(dsn: Dsn | None, transport: Any) -> Any:
    """A DSN in the form that raven's clients use. Without a DSN the client is switched off."""
    if dsn is None:
        return RemoteConfig(transport=transport)
    return RemoteConfig(
        base_url=dsn.base_url,
        project=dsn.project,
        public_key=dsn.public_key,
        secret_key=dsn.secret_key,
        options=dict(dsn.options),
        transport=transport,
    )


class OutboxFull(Exception):
    """An event was not accepted for sending."""


class OutboxTransport(AsyncTransport):  # type: ignore[misc]  # raven carries no types
    """Delivers raven's events through its own outbox.

    ``success_cb`` is called when the event is accepted. From then on the outbox retries and logs.
    raven would react to a failure by dropping the next events.
    """

    scheme = ["outbox+http", "outbox+https"]

    def __init__(
        self,
        timeout: float | str = 5.0,
        verify_ssl: bool | str = True,
        ca_certs: str | None = None,
    ) -> None:
        """
        :param timeout: seconds for one attempt, as a string if it comes from the DSN's query.
        :param verify_ssl: False, ``"0"``, ``"false"``, ``"no"`` or ``"off"``: certificates are
            not checked.
        :raises ValueError: if the timeout is not a number or the CAs cannot be read.
        """
        self.outbox = make_outbox(timeout, verify_ssl, ca_certs)

    def async_send(
        self,
        url: str,
        data: bytes,
        headers: Mapping[str, str],
        success_cb: Callable[[], object],
        error_cb: Callable[[Exception], object],
    ) -> None:
        # The id is inside the compressed body and is not needed here.
        if self.outbox.put(Item("event", "", Request(url, dict(headers), data))) is None:
            error_cb(OutboxFull("the event was not accepted for sending"))
        else:
            success_cb()
