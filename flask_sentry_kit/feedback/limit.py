"""How many reports one visitor may send: ``SENTRY_KIT_FEEDBACK_LIMIT``, by address.

Counts in one process, until the process ends. For a limit that all processes share see
:func:`flask_sentry_kit.limit_feedback`.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from ..settings import Rate

ADDRESSES_MAX: Final = 10_000
"""Addresses that are remembered, about 2 MB. The one that wrote longest ago is forgotten first."""

_FORWARDED: Final = (
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
    "HTTP_CF_CONNECTING_IP",
    "HTTP_TRUE_CLIENT_IP",
)


class AddressLimit:
    """Counts by address, in windows that begin with an address's first report.

    :param rate: how many in a window, and how long it is.
    :param size: how many addresses are remembered.
    """

    def __init__(self, rate: Rate, size: int = ADDRESSES_MAX) -> None:
        self._rate = rate
        self._size = size
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()
        # Nothing waits or switches while it is held, so that it works for threads, for greenlets,
        # and for greenlets that were threads when it was made.
        self._lock = threading.Lock()

    def seconds_to_wait(self, address: str) -> float:
        """Count one report. 0 if it is accepted, else the seconds until the next one is.

        A refused report does not count, so that waiting helps.
        """
        now = time.monotonic()
        with self._lock:
            begun, count = self._windows.get(address, (now, 0))
            if now - begun >= self._rate.seconds:
                begun, count = now, 0
            if count >= self._rate.count:
                return self._rate.seconds - (now - begun)
            self._windows[address] = (begun, count + 1)
            self._windows.move_to_end(address)
            while len(self._windows) > self._size:
                self._windows.popitem(last=False)
            return 0.0

    def __len__(self) -> int:
        return len(self._windows)


def address_of(environ: Mapping[str, Any]) -> str | None:
    """The address that sent a request, or None if it is not known.

    An IPv4 address, or the /64 of an IPv6 address: a subscriber gets at least that many (RFC 6177)
    and can write from any of them. A Unix socket has no address.

    None also for a request that names its visitor in a proxy's header, unless ProxyFix has made
    that the request's address: else all visitors would have the proxy's. ProxyFix notes the
    address that it replaced.
    """
    remote = str(environ.get("REMOTE_ADDR") or "")
    if any(name in environ for name in _FORWARDED):
        fixed = environ.get("werkzeug.proxy_fix.orig")
        before = fixed.get("REMOTE_ADDR") if isinstance(fixed, Mapping) else remote
        if before == remote:
            return None
    try:
        address = ipaddress.ip_address(_without_port(remote[:100]).partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        if mapped is None:
            return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
        address = mapped
    return str(address)


def _without_port(remote: str) -> str:
    """The address alone: some proxies write ``1.2.3.4:5678`` and ``[2001:db8::1]:5678``."""
    if remote.startswith("["):
        return remote[1:].partition("]")[0]
    host, _, rest = remote.partition(":")
    return remote if ":" in rest else host
