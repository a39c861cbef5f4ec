"""The proxy that an option names: checked here, without urllib3, and parsed nowhere else."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

# A host as `urlsplit` returns it, which takes an IPv6 address out of its brackets.
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(?:%[\w.-]+)?")


class Proxy(NamedTuple):
    """Where requests are sent instead of to their server."""

    host: str
    port: int
    headers: dict[str, str]
    """Headers for the proxy alone: its own password, if it has one."""


def parse_proxy(text: str) -> Proxy:
    """The proxy of an option.

    :param text: ``http://[user:password@]host[:port]``; the port is 80 if none is given. User and
        password may be percent-encoded.
    :raises ValueError: for any other text.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", 80 if parts.port is None else parts.port
    except ValueError:
        host, port = "", 0
    if (
        not re.match(r"http://[!-~]+\Z", text, re.IGNORECASE)
        or not port
        or not _HOST.fullmatch(host)
    ):
        raise ValueError("proxy takes http://[user:password@]host[:port]")
    login, at, _ = parts.netloc.rpartition("@")
    credentials = b64encode(unquote(login).encode()).decode()
    return Proxy(host, port, {"Proxy-Authorization": f"Basic {credentials}"} if at else {})
