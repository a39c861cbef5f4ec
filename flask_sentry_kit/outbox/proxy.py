"""The proxy that an option names. Checked here without urllib3, and parsed nowhere else."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

# What a host is once `urlsplit` has taken an IPv6 address out of its brackets.
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(?:%[\w.-]+)?")


class Proxy(NamedTuple):
    """Where requests go instead of to their server."""

    host: str
    port: int
    headers: dict[str, str]
    """What the proxy alone is sent: its own password, where it has one."""


def parse_proxy(text: str) -> Proxy:
    """The proxy of an option.

    :param text: ``http://[user:password@]host[:port]``; port 80 where none is given. What is
        percent-encoded in the password is decoded.
    :raises ValueError: it is none.
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
