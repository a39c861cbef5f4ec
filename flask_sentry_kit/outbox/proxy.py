"""The proxy that an option names: checked here, without urllib3, and parsed nowhere else."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

PORTS: Final = {
    "http": 80, "https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080
}  # fmt: skip
"""The schemes of a proxy, each with the port that its address need not name: those of urllib3 and
of PySocks. ``socks4`` and ``socks5`` look up the server's name here, ``socks4a`` and ``socks5h``
leave that to the proxy."""

# A host as `urlsplit` returns it, which takes an IPv6 address out of its brackets.
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(?:%[\w.-]+)?")

# `urlsplit` removes some control characters, and takes the others.
_PLAIN = re.compile(r"[!-~]+")

# A header as http.client writes it: RFC 9110, 5.1 and 5.5.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Proxy(NamedTuple):
    """Where requests are sent instead of to their server."""

    scheme: str
    """A key of ``PORTS``."""
    host: str
    port: int
    headers: dict[str, str]
    """Headers for the proxy alone: its own password, if it has one, and what was given."""
    login: tuple[str, str]
    """User and password, for SOCKS; empty if there are none."""

    @property
    def is_socks(self) -> bool:
        """Whether it passes bytes on, and knows nothing of HTTP."""
        return self.scheme.startswith("socks")

    @property
    def url(self) -> str:
        """Its address without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_proxy(text: str, headers: Mapping[str, str] | None = None) -> Proxy:
    """The proxy of an option.

    :param text: ``scheme://[user:password@]host[:port]``, with a scheme of ``PORTS``. User and
        password may be percent-encoded.
    :param headers: more headers for the proxy, which come before what ``text`` says.
    :raises ValueError: for anything else. The message holds neither text nor headers.
    """
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        scheme, host, port = "", "", None
    if scheme in PORTS and port is None:
        port = PORTS[scheme]
    if scheme not in PORTS or not port or not _HOST.fullmatch(host) or not _PLAIN.fullmatch(text):
        raise ValueError(
            "proxy takes http://[user:password@]host[:port], or the same with https, socks4,"
            " socks4a, socks5 or socks5h"
        )
    login, at, _ = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    found = {}
    if at:
        credentials = b64encode(unquote(login).encode()).decode()
        found["Proxy-Authorization"] = f"Basic {credentials}"
    for name, value in (headers or {}).items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError("proxy_headers takes names and values of HTTP headers")
        if name.lower() == "proxy-authorization":
            found.pop("Proxy-Authorization", None)
        found[name] = value
    return Proxy(scheme, host, port, found, (unquote(user), unquote(password)))
