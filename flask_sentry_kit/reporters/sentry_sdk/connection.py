"""How the SDK reaches its server, for the visitor's words to take the same road."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...dsn import Dsn
from ...outbox import Connection


def connection_of(options: Mapping[str, Any], dsn: Dsn) -> Connection:
    """The connection that a client's options describe."""
    proxy = options.get("https_proxy" if dsn.scheme == "https" else "http_proxy")
    return Connection(5.0, options.get("ca_certs"), True, proxy or options.get("http_proxy"))
